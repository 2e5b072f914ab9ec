"""Roll forward what a crash in the middle of a switch left, under the directory's lock.

docs/state-machine.md is the law for the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import Any, Dict, Iterator, Optional

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common import json_object as smallfile
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.switch.names import Names

_PATIENCE_S = 30.0


class SwitchError(Exception):
    """A switch that was refused. Nothing live has changed.

    Codes: moved, not_staged, corrupt, symlink, not_a_file, no_previous, no_directory, busy, system.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def short(sha256: Optional[str]) -> str:
    """A digest as operators see it."""
    return sha256[:12] if sha256 else "no file"


def _try_lock(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _lock(fd: int, directory: str) -> None:
    end = time.monotonic() + _PATIENCE_S
    while not _try_lock(fd):
        if time.monotonic() > end:
            raise SwitchError(
                "busy",
                f"{directory}: another process has held its lock for {_PATIENCE_S:.0f} s. "
                f"Find it with `fuser -v {directory}` or `lsof {directory}`, end it, then run again.",
            )
        time.sleep(0.01)


@contextlib.contextmanager
def exclusive(names: Names) -> Iterator[None]:
    """Hold the directory's flock, so that two controllers can't pass the same check together.

    Raises:
        SwitchError: no_directory, system, busy (nobody of ours holds it for long: it is held for renames).
    """
    try:
        fd = os.open(names.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SwitchError(
            "no_directory", f"{names.directory}: {error.strerror}. Create the directory, then run again."
        ) from error
    try:
        _lock(fd, names.directory)
        yield
    except OSError as error:
        raise SwitchError(
            "system",
            f"{error.filename2 or error.filename or names.live}: {error.strerror or error}. "
            "Mend the file system or its permissions, then run again.",
        ) from error
    finally:
        os.close(fd)


def live_sha256(names: Names) -> Optional[str]:
    """SHA-256 of the live file, None where there is none.

    Raises:
        SwitchError: a symlink or something else than a regular file stands there.
    """
    try:
        mode = os.lstat(names.live).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise SwitchError(
            "symlink",
            f"{names.live} is a symlink to {os.readlink(names.live)}, which somebody else owns: it is never "
            "replaced. Set survivor_npz_convert: never to distribute the file that it points to.",
        )
    if not stat.S_ISREG(mode):
        raise SwitchError("not_a_file", f"{names.live} is not a regular file. Move it away, then run again.")
    return sha256_or_none(names.live)


def demand_live(names: Names, live: Optional[str], expect: Optional[str]) -> None:
    """Compare-and-swap: refuse where `live` isn't `expect` any more (digests; None: no file).

    Raises:
        SwitchError: moved.
    """
    if live != expect:
        raise SwitchError(
            "moved",
            f"{names.live} changed since this run looked at it: {short(expect)} then, {short(live)} now. "
            "Another controller or program writes it; find out which, then run again.",
        )


def read_pin(names: Names) -> Dict[str, Any]:
    """Rollback's mark: `{"sha256": …, "source": {"path", "size", "mtime_ns"}}`; empty where there is none."""
    content = smallfile.load(names.pinned)
    return content if content and isinstance(content.get("source"), dict) else {}


def relink(source: str, target: str) -> None:
    """Let `target` atomically become another name of the file `source`."""
    temp = Names.temp(target)
    durable.unlink(temp)
    durable.link(source, temp)
    durable.replace(temp, target)
    # rename(2) does nothing when both names are one file already; then the temp name is still there.
    durable.unlink(temp)


def sidecar_sha256(path: str) -> Optional[str]:
    """The NPZ's SHA-256 that a sidecar names; None for no, or no readable, sidecar."""
    content = smallfile.load(path)
    value = content.get("npz_sha256") if content else None
    return value if isinstance(value, str) else None


def adopt_outgoing(names: Names, live: Optional[str], check: bool = False) -> bool:
    """Let the file that a switch put aside become the previous; tell whether there was one."""
    found = names.outgoing_files()
    for prefix, path in found.items():
        held = sha256_or_none(path)
        if check:
            continue
        if held is not None and held != live and held.startswith(prefix):
            durable.replace(path, names.previous)
        # Also after the rename: rename(2) does nothing when both names are one file already.
        durable.unlink(path)
    return bool(found)


def adopt_sidecar(names: Names, live: Optional[str], check: bool = False) -> bool:
    """Bring the sidecar that describes the live NPZ into place, and the former one to the previous."""
    current = sidecar_sha256(names.sidecar)
    if live is None:
        return False
    pending, kept = names.pending(live), names.sidecar_previous
    if current == live and sidecar_sha256(pending) != live:
        # A pending one is newer even where the bytes are the same: it records today's JSON.
        return False
    source = next((path for path in (pending, kept) if sidecar_sha256(path) == live), None)
    if source is None:
        return False
    if not check:
        temp = Names.temp(names.sidecar)
        durable.unlink(temp)
        if source == kept:
            durable.link(kept, temp)
            source = temp
        if current is not None and current == sha256_or_none(names.previous):
            durable.replace(names.sidecar, names.sidecar_previous)
        durable.replace(source, names.sidecar)
        durable.sync_dir(names.directory)
    return True


def roll_forward(names: Names, sidecars: bool, check: bool = False) -> bool:
    """As `recover`, for a caller that holds the lock."""
    live = live_sha256(names)
    outgoing = adopt_outgoing(names, live, check)
    return (sidecars and adopt_sidecar(names, live, check)) or outgoing


def recover(names: Names, *, sidecars: bool, check: bool = False) -> bool:
    """Roll forward what a crash in the middle of a switch left; tell whether there was anything.

    Raises:
        SwitchError: the live copy is a symlink or no file, or the system refuses.
    """
    with exclusive(names):
        return roll_forward(names, sidecars, check)
