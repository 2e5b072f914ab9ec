# SPDX-License-Identifier: MIT
"""Take, renew and end the fleet's lease; record what was proven."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.survivor_npz.common.errors import JobError
from ansible.module_utils.survivor_npz.run import control, proven
from ansible.module_utils.survivor_npz.run.supervise import lease

OPTIONS: dict[str, Any] = {
    "dir": {"type": "path", "required": True},
    "state": {"choices": ["taken", "renewed", "ended"], "required": True},
    "token": {"required": True, "no_log": False},
    "proven": {},
    "controller": {"default": "an unnamed controller"},
    "seconds": {"type": "float", "default": 120},
    "seen": {"type": "int"},
    "while_running": {"type": "bool", "default": False},
}
NEEDS = [("state", "taken", ["seen"])]


def _act(args: dict[str, Any], check: bool) -> dict[str, Any]:
    place, token = os.path.realpath(args["dir"]), args["token"]
    result: dict[str, Any] = {"changed": False}
    if args["state"] == "taken":
        options = {key: args[key] for key in ("controller", "seconds", "seen", "while_running")}
        result = {"changed": True, **control.take_lease(place, token, **options, dry=check)}
    elif args["state"] == "renewed" and not check:
        result = {"changed": True, **lease.renew(place, token, args["seconds"])}
    elif args["state"] == "ended" and not check:
        result = {"changed": lease.end(place, token)}
        if args["proven"]:
            proven.record(place, args["proven"])
    if "number" in result:
        result["until"] = lease.note(result)["until"]
    return {**result, "stamp": lease.state(place)["stamp"]}


def do(given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Do what `state` asks for."""
    try:
        return _act(given, check)
    except control.RunError as error:
        raise JobError(str(error), refused=error.note, lease={}) from error
    except lease.LeaseError as error:
        raise JobError(str(error), refused={}, lease=error.note) from error
    except OSError as error:
        raise JobError(f"{error.filename or given['dir']}: {error.strerror}", refused={}, lease={}) from error
