# SPDX-License-Identifier: MIT
"""A directory that holds a live copy, or that can be made to hold one. Reads only."""

from __future__ import annotations

import os
import socket
import stat
from typing import Any, Collection

from ansible.module_utils.survivor_npz.common.accounts import group_name, user_name
from ansible.module_utils.survivor_npz.common.boot import boot_id


def _kernel() -> str:
    """A name of the running kernel."""
    try:
        return boot_id()
    except OSError:
        return socket.gethostname()


def _nearest(path: str) -> str:
    """The path itself, or the first one above it that exists."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def _parents(path: str) -> list[str]:
    """A path and every directory above it, the path first."""
    found = [path]
    while path != os.path.dirname(path):
        path = os.path.dirname(path)
        found.append(path)
    return found


def _links(path: str, limit: int = 40) -> list[str]:
    """Every symlink that is followed on the way to an absolute path."""
    for place in reversed(_parents(os.path.normpath(path))):
        if os.path.islink(place) and limit:
            target = os.path.join(os.path.dirname(place), os.readlink(place))
            rest = os.path.relpath(path, place)
            return [place, *_links(os.path.normpath(os.path.join(target, rest)), limit - 1)]
    return []


def distrust(path: str, trusted: Collection[int]) -> tuple[list[str], list[str]]:
    """Who else could put a file of their own in the place of one in this directory.

    Looks at every symlink on the way, at the directory and at those above it, up to one that root owns.

    Args:
        path: absolute path of a directory that exists.
        trusted: numbers of the users who may own these.

    Returns:
        (`untrusted`, `exposed`): faults and warnings, each one a sentence that names the directory.

    Raises:
        OSError: something on the way can't be looked at.
    """
    untrusted, exposed = [], []
    for link in _links(path):
        uid = os.lstat(link).st_uid
        if uid not in (0, *trusted):
            untrusted.append(
                f"{link} is a symlink that belongs to {user_name(uid)}, who can let {path} lead elsewhere. "
                "Remove it, or name the directory itself instead."
            )
    for place in _parents(os.path.realpath(path)):
        info = os.stat(place)
        is_sticky = bool(info.st_mode & stat.S_ISVTX)
        if info.st_uid not in (0, *trusted):
            untrusted.append(
                f"directory {place} belongs to {user_name(info.st_uid)}, who can replace what is in {path}. "
                "Make it belong to root or to the user that this run logs in as, then run again."
            )
        elif info.st_mode & 0o002 and not is_sticky:
            untrusted.append(
                f"directory {place} is world-writable without the sticky bit: every user can replace what is "
                f"in {path}. Run there: chmod o-w {place}"
            )
        elif info.st_mode & 0o020 and not is_sticky:
            exposed.append(
                f"directory {place} is group-writable: the members of {group_name(info.st_gid)} can replace "
                f"what is in {path}."
            )
        if info.st_uid == 0:
            break
    return untrusted, exposed


def look_at_directory(path: str, trusted: Collection[int] = ()) -> dict[str, Any]:
    """A directory that is there, or the nearest one above it, in which it can be made.

    Returns:
        `exists`; of the `nearest` one `writable`, `free` (bytes), `owner`, `mode`, `untrusted` and `exposed`
        (see `distrust`); `in_the_way`, what is where only a directory may be; `identity`, which no other
        directory has, of one that exists.
    """
    near = _nearest(path)
    found: dict[str, Any] = {"path": path, "exists": False, "nearest": near, "identity": None}
    found.update(writable=False, free=0, owner=None, mode=None, in_the_way=None, untrusted=[], exposed=[])
    try:
        info, system = os.stat(near), os.statvfs(near)
    except OSError:
        found["in_the_way"] = near
        return found
    if not stat.S_ISDIR(info.st_mode):
        found["in_the_way"] = near
        return found
    read_only = bool(system.f_flag & os.ST_RDONLY)
    found["writable"] = not read_only and os.access(near, os.W_OK | os.X_OK)
    found.update(owner=user_name(info.st_uid), mode=f"{stat.S_IMODE(info.st_mode):04o}")
    found["untrusted"], found["exposed"] = distrust(near, trusted)
    found["free"] = system.f_bavail * system.f_frsize
    if near == path:
        found.update(exists=True, identity=f"{_kernel()}:{info.st_dev}:{info.st_ino}")
    return found
