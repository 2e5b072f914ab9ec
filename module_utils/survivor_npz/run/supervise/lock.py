# SPDX-License-Identifier: MIT
"""The launch lock of a pipeline directory: take it, or say who holds it.

The lock is an flock: it is held until the supervisor dies, however it dies. What is written in it is a note.
"""

from __future__ import annotations

import contextlib
import os
import time
from typing import Any

from .clocks import boot_id
from .home import home, is_at, make_private, open_lock, read_json, records, try_lock
from .processes import family, look_at


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """The pipeline directory already has a run; `note` is what is known about it."""

    def __init__(self, note: dict[str, Any]) -> None:
        super().__init__(refusal(note))
        self.note = note

    def answer(self) -> dict[str, Any]:
        """Return what `supervise` reports."""
        return {"refused": self.note, "error": str(self)}


def refusal(note: dict[str, Any]) -> str:
    """Say who holds the lock, since when, where its log is, and what can be done."""
    if "run" not in note:
        return (
            f"Step 2.5 may be running: its lock {note['lock']} is held, but no live run is noted in it. Find "
            f"who holds it with `fuser -v {note['lock']}` or `lsof {note['lock']}`, end that, and run again."
        )
    what = f"Step 2.5 is running already on {note.get('host', 'this host')}"
    if note.get("orphans"):
        what = f"A run of Step 2.5 on {note.get('host')} lost its supervisor but is not over"
        what += f" (pids {', '.join(str(pid) for pid in note['orphans'])} live)"
    return (
        f"{what}: pid {note.get('pid') or 'not known yet'}, started {note.get('start', 'just now')}, "
        f"log {note.get('log', 'not known yet')}. "
        "Watch it with playbooks/follow.yml, end it with playbooks/stop.yml."
    )


def supervised(record: dict[str, Any]) -> bool:
    """Whether the supervisor of a run whose record says "running" is alive."""
    stat = look_at(record.get("supervisor", 0)) if record.get("state") == "running" else None
    return stat is not None and stat[1] == record.get("supervisor_start") and record.get("boot") == boot_id()


def orphaned(directory: str) -> dict[str, Any]:
    """Return the note of a run that lives although nobody holds the launch lock; {} if there is none.

    Its lock file was deleted, or its supervisor died and left processes, `orphans`. Only meaningful while the
    lock is free.
    """
    for path in reversed(records(directory)):
        record = read_json(os.path.join(path, "record.json"))
        if supervised(record):
            return record
        unended = record.get("state") == "running" and record.get("boot") == boot_id()
        if unended and (left := family(os.path.basename(path))):
            return dict(record, orphans=sorted(pid for pid, _ in left))
    return {}


def holder(directory: str) -> dict[str, Any] | None:
    """Return the note of the run that holds the lock, None if the lock is free. Writes nothing.

    If the lock is held but no live run is noted in it, all that is known is `lock`, its path. Raises OSError.
    """
    path = os.path.join(home(directory), "lock")
    found: dict[str, Any] = {"lock": path}
    for _ in range(20):
        try:
            descriptor = open_lock(path, create=False)
        except FileNotFoundError:
            return None
        try:
            if try_lock(descriptor):
                return None
        finally:
            os.close(descriptor)
        note = read_json(path)
        stat = look_at(note.get("supervisor", 0))
        if stat and stat[1] == note.get("supervisor_start"):
            found = note
            if note.get("pid"):
                break
        time.sleep(0.05)  # just taken: its note is being written
    return found


def in_the_way(directory: str) -> dict[str, Any]:
    """Return the note of what keeps a run from starting, {} if nothing does. Raises OSError."""
    return holder(directory) or orphaned(directory)


def take_lock(directory: str) -> int:
    """Take the launch lock; returns its descriptor. Raises Refused, OSError."""
    own = make_private(directory)
    with contextlib.suppress(FileExistsError):
        os.mkdir(os.path.join(own, "runs"), 0o700)
    path = os.path.join(own, "lock")
    for attempt in range(10):
        descriptor = open_lock(path, create=True)
        if try_lock(descriptor) and is_at(descriptor, path):
            break
        os.close(descriptor)
        note = holder(directory) if attempt in (0, 9) else None
        if note is not None:  # None: it was only somebody looking, for a moment
            raise Refused(note)
        time.sleep(0.05)
    else:
        raise Refused({"lock": path})
    left = orphaned(directory)
    if left:
        os.close(descriptor)
        raise Refused(left)
    return descriptor
