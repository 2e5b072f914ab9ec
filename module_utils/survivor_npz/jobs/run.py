# SPDX-License-Identifier: MIT
"""Start, look at, read and stop Step 2.5."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.survivor_npz.common.errors import JobError
from ansible.module_utils.survivor_npz.run import control, log_reader
from ansible.module_utils.survivor_npz.run.options import START

OPTIONS: dict[str, Any] = {
    "state": {"choices": ["query", "started", "stopped", "output", "workers"], "default": "query"},
    "dir": {"type": "path", "required": True},
    "script": {},
    "environment": {"type": "dict", "default": {}, "no_log": True},
    **START,
    "token": {"no_log": False},
    "proof": {"type": "float", "default": 0.5},
    "run": {},
    "match": {},
    "offset": {"type": "int", "default": 0},
    "wait": {"type": "float", "default": 0},
    "limit": {"type": "int", "default": log_reader.LIMIT},
}
NEEDS = [
    ("state", "started", ["script"]),
    ("state", "output", ["run"]),
    ("state", "workers", ["match"]),
]


def _started(args: dict[str, Any], check: bool) -> dict[str, Any]:
    command = control.command(args["dir"], args["script"], args["args"])
    if check:
        return {
            **control.query(args["dir"]),
            "changed": True,
            "command": command,
            "message": "Step 2.5 would start",
        }
    job = {key: args[key] for key in (*START, "token")} | {"dir": args["dir"], "command": command}
    job["environment"] = {key: str(value) for key, value in args["environment"].items()}
    try:
        record = control.start(job)
    except control.RunError as error:
        note = error.note or {}
        if not note or not args["token"] or note.get("token") != args["token"]:
            raise
        record = note  # our own start, whose answer the connection lost
    answer = {"changed": True, "running": True, **record, "message": "Step 2.5 started"}
    life = log_reader.read(args["dir"], record["run"], wait=args["proof"], limit=0, offset=1 << 62)
    if not life["running"]:
        answer.update(running=False, record=life["record"], message=life["record"]["message"])
    return answer


def _stopped(args: dict[str, Any], check: bool) -> dict[str, Any]:
    if check:
        note = control.query(args["dir"])
        if note["running"] and "run" not in note:
            raise control.RunError(note["message"], note)
        return {**note, "changed": note["running"]}
    record = control.stop(args["dir"], args["run"])
    if not record:
        return {
            "changed": False,
            "running": False,
            "message": "Step 2.5 is not running: there is nothing to stop",
        }
    keys: dict[str, Any] = {
        key: record[key] for key in ("run", "pid", "start", "log", "host", "command") if key in record
    }
    return {"changed": True, "running": False, **keys, "record": record, "message": record["message"]}


def _act(args: dict[str, Any], check: bool) -> dict[str, Any]:
    if args["state"] == "started":
        return _started(args, check)
    if args["state"] == "stopped":
        return _stopped(args, check)
    if args["state"] == "output":
        return log_reader.read(args["dir"], args["run"] or "", args["offset"], args["wait"], args["limit"])
    if args["state"] == "workers":
        return {"workers": control.workers(args["dir"], args["match"] or "")}
    return control.query(args["dir"])


def do(given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Do what `state` asks for."""
    args = {**given, "dir": os.path.realpath(given["dir"])}
    try:
        return _act(args, check)
    except control.RunError as error:
        note = error.note or {}
        raise JobError(str(error), refused=note, running="run" in note or "lock" in note) from error
    except OSError as error:
        message = f"{error.filename or args['dir']}: {error.strerror}"
        raise JobError(message, refused={}, running=False) from error
