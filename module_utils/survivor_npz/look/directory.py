"""A directory that holds a live copy, or that can be made to hold one. Reads only."""

from __future__ import annotations

import grp
import os
import pwd
import socket
import stat
from typing import Any

from ansible.module_utils.survivor_npz.common.boot import boot_id


def owner_name(uid: int) -> str:
    """The name of a user; the number of one that has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def group_name(gid: int) -> str:
    """The name of a group; the number of one that has none."""
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _kernel() -> str:
    """A name of the running kernel."""
    try:
        return boot_id()
    except OSError:
        return socket.gethostname()


def _nearest(path: str) -> str:
    """The path itself, or the first one above it where something is."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def look_at_directory(path: str) -> dict[str, Any]:
    """A directory that is there, or the nearest one above it, in which it can be made.

    Returns:
        `exists`; of the `nearest` one `writable`, `free` (bytes) and `owner`; `in_the_way`, what stands where
        only a directory may; `identity`, which no other directory has, of one that exists.
    """
    near = _nearest(path)
    found: dict[str, Any] = {"path": path, "exists": False, "nearest": near, "identity": None}
    found.update(writable=False, free=0, owner=None, in_the_way=None)
    try:
        info, system = os.stat(near), os.statvfs(near)
    except OSError as error:
        found.update(in_the_way=near, error=error.strerror)
        return found
    if not stat.S_ISDIR(info.st_mode):
        found["in_the_way"] = near
        return found
    read_only = bool(system.f_flag & os.ST_RDONLY)
    found["writable"] = not read_only and os.access(near, os.W_OK | os.X_OK)
    found["owner"] = owner_name(info.st_uid)
    found["free"] = system.f_bavail * system.f_frsize
    if near == path:
        found.update(exists=True, identity=f"{_kernel()}:{info.st_dev}:{info.st_ino}")
    return found
