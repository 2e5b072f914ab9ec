"""Facts of hosts as survivor_npz_look and the tasks leave them, of one's own making."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict

NEW, OLD = "a" * 64, "b" * 64
LIVE = "/home/michael/pipeline/survivors.npz"
RAM = "/dev/shm/survivors.npz"
OPTIONS = {
    "coordinator": False,
    "convert": "auto",
    "owner": "",
    "group": "",
    "mode": "0644",
}
GOAL = {
    "sha256": NEW,
    "size": 1000,
    "path": LIVE,
    "live": LIVE,
    "staged": None,
    "expect": OLD,
    "converts": True,
}
PREFLIGHT = {
    "convert": "auto",
    "busy": True,
    "force": False,
    "json": "survivors.json",
    "needs_json": True,
    "room_ratio": 0.02,
    "scorer": "script.sh",
    "skew": 60,
}


def a_copy(path: str = LIVE, sha256: Any = OLD, **more: Any) -> Dict[str, Any]:
    return {
        "path": path,
        "required": path == LIVE,
        "kind": "file" if sha256 else "absent",
        "exists": bool(sha256),
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
        "directory": {
            "path": str(Path(path).parent),
            "exists": True,
            "writable": True,
            "free": 10**9,
            "identity": f"boot:1:{path}",
            "owner": "michael",
            "nearest": str(Path(path).parent),
            "in_the_way": None,
        },
        **more,
    }


def probe(*copies: Dict[str, Any], **more: Any) -> Dict[str, Any]:
    return {
        "copies": list(copies or (a_copy(),)),
        "files": [],
        "libraries": {},
        "accounts": {},
        "python": "3.11.2",
        "executable": "/usr/bin/python3",
        "user": "michael",
        "skew": 0.1,
        "directory": "/home/michael/pipeline",
        **more,
    }


def facts(rig: Dict[str, Any]) -> Dict[str, Any]:
    zeus = probe(a_copy(directory={**a_copy()["directory"], "identity": "zeus"}))
    idle = {"running": False}
    return {
        "zeus": {"__survivor_npz_probe": zeus, "__survivor_npz_running": idle},
        "rig": {"__survivor_npz_probe": rig},
    }
