# SPDX-License-Identifier: MIT
"""Make staged NPZs live, or take that back."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.errors import JobError, SwitchError
from ansible.module_utils.survivor_npz.look.live_copy import look_at_live
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, ownership_of

OPTIONS: dict[str, Any] = {
    "state": {"type": "str", "choices": ["activated", "reverted"], "required": True},
    "sha256": {"type": "str", "required": True},
    "copies": {
        "type": "list",
        "elements": "dict",
        "default": [],
        "options": {
            "path": {"type": "str", "required": True},
            "replaces": {"type": "str"},
            "sidecars": {"type": "bool", "default": False},
            "mtime_ns": {"type": "int"},
        },
    },
    "pin": {
        "type": "dict",
        "options": {
            "path": {"type": "str"},
            "size": {"type": "int"},
            "mtime_ns": {"type": "int"},
            "unconverted": {"type": "bool", "default": False},
        },
    },
    "attributes": {"type": "list", "elements": "str", "default": []},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
    "valid_until": {
        "type": "dict",
        "options": {"boot": {"type": "str", "required": True}, "clock": {"type": "float", "required": True}},
    },
}


def _one(given: dict[str, Any], copy: dict[str, Any], owned: Ownership, check: bool) -> switch.Switch:
    names, sha256, sidecars = Names(copy["path"]), given["sha256"], copy["sidecars"]
    until = given["valid_until"]
    if given["state"] == "activated":
        return switch.activate(
            names,
            sha256,
            replaces=copy["replaces"],
            sidecars=sidecars,
            pin=given["pin"] if sidecars else None,
            mtime_ns=copy["mtime_ns"],
            owned=owned if copy["path"] in given["attributes"] else Ownership(),
            valid_until=until,
            check=check,
        )
    return switch.revert(names, sha256, copy["replaces"], sidecars=sidecars, valid_until=until, check=check)


def _undo(given: dict[str, Any], done: list[dict[str, Any]]) -> None:
    """Take back what this call switched; each result tells what is live afterwards."""
    for result in reversed(done):
        if result["before"] == result["after"]:
            continue
        try:
            switch.revert(
                Names(result["path"]),
                given["sha256"],
                result["before"],
                sidecars=result["sidecars"],
                valid_until=given["valid_until"],
            )
        except SwitchError as error:
            result["error"] = str(error)
        else:
            result.update(after=result["before"], changed=False)


def _switch(given: dict[str, Any], check: bool) -> list[dict[str, Any]]:
    activates = given["state"] == "activated"
    listed = {copy["path"] for copy in given["copies"]}
    adjusted = [path for path in given["attributes"] if path not in listed] if activates else []
    done: list[dict[str, Any]] = []
    try:
        owned = ownership_of(given["owner"], given["group"], given["mode"])
        for path in adjusted:
            result = switch.adjust(Names(path), owned, valid_until=given["valid_until"], check=check)
            done.append({"path": path, "sidecars": False, **result._asdict()})
        for copy in given["copies"]:
            result = _one(given, copy, owned, check)
            done.append({"path": copy["path"], "sidecars": copy["sidecars"], **result._asdict()})
    except (SwitchError, ValueError) as error:
        if activates and not check:
            _undo(given, done)
        raise JobError(
            str(error),
            code=getattr(error, "code", "path"),
            changed=any(entry["changed"] for entry in done),
            copies=done,
        ) from error
    return done


def _look(done: list[dict[str, Any]]) -> dict[str, Any]:
    """Read the copies back from the disk, after every change."""
    began = stamp()
    return {
        "stamp": began,
        "copies": [look_at_live(entry["path"], required=True) for entry in done],
    }


def do(given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Do what `state` asks for on each copy."""
    done = _switch(given, check)
    return {
        "changed": any(entry["changed"] for entry in done),
        "copies": done,
        "look": _look(done),
        "diff": [
            {
                "header": entry["path"],
                "before": f"sha256 {entry['before']}\n",
                "after": f"sha256 {entry['after']}\n",
            }
            for entry in done
        ],
    }
