"""The launch lock of a pipeline directory: take it, or tell who holds it.

The lock is an flock: it is held until the supervisor dies, however it dies. What is written in it is a note.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import time
from typing import Any, Dict, Optional

from .home import home, read_json, records
from .processes import boot_id, family, look_at


class Refused(Exception):  # noqa: N818 - it is an answer, not an error
    """The pipeline directory has a run already; `note` is what is known of it."""

    def __init__(self, note: Dict[str, Any]) -> None:
        super().__init__(refusal(note))
        self.note = note


def refusal(note: Dict[str, Any]) -> str:
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


def supervised(record: Dict[str, Any]) -> bool:
    """Whether the supervisor of a run whose record says "running" is alive."""
    stat = look_at(record.get("supervisor", 0)) if record.get("state") == "running" else None
    return stat is not None and stat[1] == record["supervisor_start"] and record["boot"] == boot_id()


def orphaned(directory: str) -> Dict[str, Any]:
    """Return the note of a run whose supervisor died while processes of it live on; {} where there is none.

    Only meaningful while the lock is free: a supervised run's record says "running" too.
    """
    for path in reversed(records(directory)):
        record = read_json(os.path.join(path, "record.json"))
        if record.get("state") == "running" and record.get("boot") == boot_id():
            left = family(record["run"])
            if left:
                return dict(record, orphans=sorted(pid for pid, _ in left))
    return {}


def holder(directory: str) -> Optional[Dict[str, Any]]:
    """Return the note of the run that holds the lock, None where the lock is free. Writes nothing.

    Where the lock is held but notes no live run, all that is known is `lock`, its path.
    """
    path = os.path.join(home(directory), "lock")
    found: Dict[str, Any] = {"lock": path}
    for _ in range(20):
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
        except FileNotFoundError:
            return None
        try:
            fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
            return None
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
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


def take_lock(directory: str) -> int:
    """Take the launch lock; returns its descriptor. Raises Refused, OSError."""
    for path in (home(directory), os.path.join(home(directory), "runs")):
        with contextlib.suppress(FileExistsError):
            os.mkdir(path)  # never the pipeline directory itself
    path = os.path.join(home(directory), "lock")
    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o644)
    for attempt in range(10):
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            break
        except OSError as error:
            if error.errno not in (errno.EAGAIN, errno.EACCES):
                raise
            note = holder(directory) if attempt in (0, 9) else None
            if note is not None:  # None: it was only somebody looking, for a moment
                os.close(descriptor)
                raise Refused(note) from None
            time.sleep(0.05)
    else:
        os.close(descriptor)
        raise Refused({"lock": path})
    left = orphaned(directory)
    if left:
        os.close(descriptor)
        raise Refused(left)
    return descriptor
