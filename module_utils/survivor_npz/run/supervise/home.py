# SPDX-License-Identifier: MIT
"""The supervisor's private files in a pipeline directory, for those who write them and those who read them.

`.survivor_npz/lock`, `lease.lock`, `lease.json`, `proven.json`, and `runs/<utc>-<pid>/{log,times,record.json}` of the
newest runs. Directories have mode 0700 and files 0600: whoever can open a lock file can hold its lock.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import glob
import json
import os
import pwd
from typing import Any

HOME = ".survivor_npz"


def home(directory: str) -> str:
    """Return the supervisor's own directory in a pipeline directory."""
    return os.path.join(directory, HOME)


def records(directory: str) -> list[str]:
    """Return the run directories, oldest first."""
    return sorted(glob.glob(os.path.join(glob.escape(home(directory)), "runs", "[0-9]*T[0-9]*Z-[0-9]*")))


def read_json(path: str) -> dict[str, Any]:
    """Read a JSON object; {} if the file is missing or incomplete."""
    try:
        with open(path, "rb") as file:
            found = json.loads(file.read())
    except (OSError, ValueError):
        return {}
    return found if isinstance(found, dict) else {}


def make_private(directory: str) -> str:
    """Create the supervisor's directory, or close an existing one to other users; returns its path.

    Raises OSError, also if it belongs to another user.
    """
    path = home(directory)
    with contextlib.suppress(FileExistsError):
        os.mkdir(path, 0o700)  # never the pipeline directory itself
        sync_dir(directory)
    for stat in (os.lstat(path), os.stat(path)):  # a symlink and its target
        if stat.st_uid != os.geteuid():
            raise foreign(path)
    os.chmod(path, 0o700)
    return path


def sync_dir(path: str) -> None:
    """Flush a directory, so that the names in it survive a power cut."""
    descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def open_lock(path: str, create: bool) -> int:
    """Open a lock file and close it to other users; without `create`, change nothing.

    Raises FileNotFoundError, and OSError for another user's file.
    """
    try:
        # Write access: flock on NFS needs it.
        descriptor = os.open(path, os.O_RDWR | os.O_NOFOLLOW | (os.O_CREAT if create else 0), 0o600)
    except PermissionError:
        raise foreign(path) from None
    if create:
        if os.fstat(descriptor).st_uid != os.geteuid():
            os.close(descriptor)
            raise foreign(path)
        os.fchmod(descriptor, 0o600)
    return descriptor


def try_lock(descriptor: int) -> bool:
    """Take an open file's flock; False if somebody holds it."""
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno not in (errno.EAGAIN, errno.EACCES):
            raise
        return False
    return True


def is_at(descriptor: int, path: str) -> bool:
    """Whether the open file is still the one at `path`: the lock of a deleted file protects nothing."""
    with contextlib.suppress(OSError):
        return os.path.samestat(os.fstat(descriptor), os.lstat(path))
    return False


def foreign(path: str) -> OSError:
    """Return the error for a path that this user may not use; it names the owner."""
    me = os.geteuid()
    # A symlink, its target, or the directory that hides both.
    for place, look in ((path, os.lstat), (path, os.stat), (os.path.dirname(path), os.lstat)):
        with contextlib.suppress(OSError):
            if (owner := look(place).st_uid) != me:
                text = f"belongs to {_name(owner)}, but this runs as {_name(me)}. Run as {_name(owner)}"
                return PermissionError(errno.EACCES, f"{text}, or let {_name(owner)} remove it", place)
    return PermissionError(errno.EACCES, os.strerror(errno.EACCES), path)


def _name(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
