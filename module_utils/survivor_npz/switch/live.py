# SPDX-License-Identifier: MIT
"""The live copy: the lock that guards it, its digest, and what must hold right before it changes.

Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import stat
import time
from typing import Any, Callable, Iterator, Mapping

from ansible.module_utils.survivor_npz.common import durable, json_object
from ansible.module_utils.survivor_npz.common.accounts import user_name
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none, short
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.names import Names

_PATIENCE_S = 10.0


def _demand_mine(info: os.stat_result, path: str) -> None:
    """Refuse another user's lock: its owner can hold it forever. The launch lock has the same rule."""
    me, owner = user_name(os.geteuid()), user_name(info.st_uid)
    if info.st_uid != os.geteuid():
        raise SwitchError(
            "foreign_lock",
            f"{path} belongs to {owner}, and this task, which runs as {me}, needs it for its own lock. "
            f"Run as {owner}; or, if no run of {owner}'s is on, do as root: chown -R {me} {path}",
        )


def _open_lock(here: Names, create: bool) -> int | None:
    """Open the lock file (0600, in a directory 0700); None if there is none and none may be made."""
    if create and not os.path.lexists(here.lock_home):
        with contextlib.suppress(FileExistsError):
            durable.make_dir(here.lock_home, 0o700)
    try:
        home = os.lstat(here.lock_home)
        if not stat.S_ISDIR(home.st_mode):
            raise SwitchError(
                "not_a_file", f"{here.lock_home} is not a directory. Move it away, then run again."
            )
        _demand_mine(home, here.lock_home)
        if create and home.st_mode & 0o077:
            durable.chmod(here.lock_home, 0o700)
        flags = os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC | (os.O_CREAT if create else 0)
        lock = os.open(here.lock, flags, 0o600)
    except FileNotFoundError:
        if create:
            raise
        return None
    try:
        _demand_mine(os.fstat(lock), here.lock)
    except SwitchError:
        os.close(lock)
        raise
    return lock


def _try_lock(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(lock)
        raise
    return True


def _is_current(lock: int, path: str) -> bool:
    """Whether the locked file still has its name: one that was removed and made anew guards nothing."""
    try:
        return os.path.samestat(os.fstat(lock), os.lstat(path))
    except FileNotFoundError:
        return False


def _take_lock(here: Names, create: bool) -> int | None:
    """The lock's descriptor, held; None if there is no lock file and none may be made."""
    end = time.monotonic() + _PATIENCE_S
    while True:
        lock = _open_lock(here, create)
        if lock is None:
            return None
        if _try_lock(lock) and _is_current(lock, here.lock):
            return lock
        os.close(lock)
        if time.monotonic() > end:
            raise SwitchError(
                "busy",
                f"{here.lock}: another process has held this lock for {_PATIENCE_S:.0f} s. Find it with "
                f"`fuser -v {here.lock}` or `lsof {here.lock}`, end it, then run again.",
            )
        time.sleep(0.01)


@contextlib.contextmanager
def exclusive(names: Names, *, create: bool = True) -> Iterator[Names]:
    """Hold the switch lock of the copy's directory: two controllers can't pass the same check together.

    Args:
        create: make the lock if there is none. A dry run makes none, and changes nothing else either.

    Yields:
        The same names in the directory as it was opened: a symlink swapped meanwhile redirects nothing.

    Raises:
        SwitchError: no_directory, foreign_lock, busy (it is held for renames only), system.
    """
    try:
        flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
        directory = os.open(os.path.realpath(names.directory), flags)
    except OSError as error:
        raise SwitchError(
            "no_directory", f"{names.directory}: {error.strerror}. Create the directory, then run again."
        ) from error
    here = names.opened(directory)
    lock = None
    try:
        lock = _take_lock(here, create)
        yield here
    except SwitchError as error:
        message = error.message.replace(here.directory, names.directory)
        raise SwitchError(error.code, message) from error.__cause__
    except OSError as error:
        path = str(error.filename2 or error.filename or names.live).replace(here.directory, names.directory)
        reason = str(error.strerror or error).replace(here.directory, names.directory)
        raise SwitchError(
            "system", f"{path}: {reason}. Fix the file system or its permissions, then run again."
        ) from OSError(error.errno, reason, path)
    finally:
        for descriptor in (lock, directory):
            if descriptor is not None:
                os.close(descriptor)


def settle(names: Names) -> None:
    """Wait until a process that is changing this copy is done with it. Creates nothing.

    Raises:
        SwitchError: as `exclusive`.
    """
    if os.path.isdir(names.directory):
        with exclusive(names, create=False):
            pass


def live_sha256(names: Names) -> str | None:
    """SHA-256 of the live file, None if there is none.

    Raises:
        SwitchError: a symlink or something else than a regular file has this name.
    """
    try:
        mode = os.lstat(names.live).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise SwitchError(
            "symlink",
            f"{names.live} is a symlink to {os.readlink(names.live)}, which another program owns: it is "
            "never replaced. Set survivor_npz_convert: never to distribute the file that it points to.",
        )
    if not stat.S_ISREG(mode):
        raise SwitchError("not_a_file", f"{names.live} is not a regular file. Move it away, then run again.")
    return sha256_or_none(names.live)


def demand_live(names: Names, live: str | None, replaces: str | None) -> None:
    """Compare-and-swap: refuse if `live` isn't `replaces` any more (digests; None: no file).

    Raises:
        SwitchError: moved.
    """
    if live != replaces:
        raise SwitchError(
            "moved",
            f"{names.live} changed since this run looked at it: {short(replaces)} then, {short(live)} now. "
            "Another controller or program writes it; find out which, then run again.",
        )


def demand_permission(valid_until: Mapping[str, Any] | None) -> None:
    """Refuse once the controller's permission to change this host has ended. Hold the lock: see `settle`.

    Args:
        valid_until: the last moment, by this host's own `boot` and `clock` (common/boot.py); None: no limit.

    Raises:
        SwitchError: expired.
    """
    if valid_until is None:
        return
    now = stamp()
    left = float(valid_until["clock"]) - now["clock"]
    if now["boot"] != valid_until["boot"]:
        ended = "when this host restarted"
    elif left < 0:
        ended = time.strftime("at %Y-%m-%d %H:%M:%S UTC", time.gmtime(time.time() + left))
    else:
        return
    raise SwitchError(
        "expired",
        f"the permission to switch this host ended {ended}; nothing live was changed here; run again.",
    )


def put(make: Callable[[str, str], None], source: str, target: str) -> None:
    """Let `target` atomically become what `make` (durable.link or durable.copy) makes of `source`."""
    temp = Names.temp(target)
    durable.unlink(temp)
    make(source, temp)
    durable.replace(temp, target)
    # rename(2) does nothing when both names are one file already; then the temp name is still there.
    durable.unlink(temp)


def sidecar_sha256(path: str) -> str | None:
    """The NPZ's SHA-256 that a sidecar names; None for no, or no readable, sidecar."""
    content = json_object.load(path)
    value = content.get("npz_sha256") if content else None
    return value if isinstance(value, str) else None
