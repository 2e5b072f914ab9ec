# SPDX-License-Identifier: MIT
"""Looks at hosts, goals and options of the tests' own making, as the modules and the role give them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

NEW, OLD = "a" * 64, "b" * 64
LIVE = "/home/michael/pipeline/survivors.npz"
RAM = "/dev/shm/survivors.npz"
ASKED = {"owner": "", "group": "", "mode": "0644", "rig_python": ""}
GOAL = {
    "sha256": NEW,
    "sha1": "c" * 40,
    "size": 1000,
    "survivor_count": 7,
    "reason": "newer",
    "due": False,
    "path": LIVE,
    "live": LIVE,
    "staged": None,
    "replaces": OLD,
    "converts": True,
}
OPTIONS = {
    "addresses": {},
    "busy": True,
    "convert": "auto",
    "for_run": False,
    "force": False,
    "json": "survivors.json",
    "min_survivors": 1,
    "needs_json": True,
    "room_ratio": 0.02,
    "scorer": "script.sh",
    "scorer_args": [],
    "skew": 60,
}
IDLE = {
    "running": False,
    "message": "Step 2.5 is not running",
    "lease": None,
    "stamp": {"boot": "zeus", "clock": 50.0, "number": 3},
}


def a_copy(path: str = LIVE, sha256: Any = OLD, **more: Any) -> dict[str, Any]:
    """One copy of a look; `sha256` None: it is absent."""
    return {
        "path": path,
        "required": path == LIVE,
        "kind": "file" if sha256 else "absent",
        "exists": bool(sha256),
        "target": None,
        "sha256": sha256,
        "sha1": "c" * 40,
        "size": 1000,
        "mtime_ns": 1,
        "fault": None,
        "survivors": 7,
        "mode": "0644",
        "owner": "michael",
        "group": "michael",
        "mine": True,
        "staged": {},
        "leftovers": [],
        "previous": None,
        "directory": a_directory(path=str(Path(path).parent), identity=f"boot:1:{path}"),
        **more,
    }


def a_directory(**changes: Any) -> dict[str, Any]:
    """The directory of a copy: writable, with room."""
    return {
        "path": "/home/michael/pipeline",
        "exists": True,
        "nearest": changes.get("path", "/home/michael/pipeline"),
        "identity": "boot:1",
        "writable": True,
        "free": 10**9,
        "owner": "michael",
        "in_the_way": None,
        **changes,
    }


def a_look(*copies: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a look at a healthy rig registers; `asked` and `asked_at` are the controller's own."""
    return {
        "directory": "/home/michael/pipeline",
        "hostname": "rig",
        "python": "3.11.2",
        "executable": "/usr/bin/python3",
        "user": "michael",
        "skew": 0.1,
        "stamp": {"boot": "rig", "clock": 100.0},
        "copies": list(copies or (a_copy(),)),
        "files": [],
        "libraries": {},
        "accounts": {},
        "asked": dict(ASKED),
        "asked_at": 1000.0,
        **more,
    }


def looks(rig: Any, **zeus: Any) -> dict[str, Any]:
    """What the looks at rig and zeus registered; zeus is healthy but for `zeus`."""
    home = a_directory(identity="zeus")
    return {"rig": rig, "zeus": {**a_look(a_copy(directory=home), hostname="zeus", run=IDLE), **zeus}}
