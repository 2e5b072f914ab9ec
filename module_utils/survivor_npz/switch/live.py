"""The live copy: the lock that guards it, its digest, and the check that nobody else changed it.

Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import Iterator

from ansible.module_utils.survivor_npz.common import durable, json_object
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none, short
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.names import Names

_PATIENCE_S = 30.0


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


def live_sha256(names: Names) -> str | None:
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


def demand_live(names: Names, live: str | None, expect: str | None) -> None:
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


def relink(source: str, target: str) -> None:
    """Let `target` atomically become another name of the file `source`."""
    temp = Names.temp(target)
    durable.unlink(temp)
    durable.link(source, temp)
    durable.replace(temp, target)
    # rename(2) does nothing when both names are one file already; then the temp name is still there.
    durable.unlink(temp)


def sidecar_sha256(path: str) -> str | None:
    """The NPZ's SHA-256 that a sidecar names; None for no, or no readable, sidecar."""
    content = json_object.load(path)
    value = content.get("npz_sha256") if content else None
    return value if isinstance(value, str) else None
