"""What one host holds: every copy of the NPZ, what stands beside it, and what a run needs there.

Read-only. Standard library only, and nothing is imported that a bare rig may lack: it runs on all of them.
"""

from __future__ import annotations

import grp
import importlib.util
import os
import platform
import pwd
import socket
import stat
import sys
import time
from importlib import metadata
from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.common.digest import digests_of, sha256_or_none
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole
from ansible.module_utils.survivor_npz.switch.cleanup import leftovers
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.recover import read_pin

_BOOT_ID = "/proc/sys/kernel/random/boot_id"


def absolute(path: str, directory: str) -> str:
    """`path` as this host's user means it: `~` expanded, relative names taken from `directory`."""
    return os.path.normpath(os.path.join(directory, os.path.expanduser(path)))


def _kernel() -> str:
    """A name of the running kernel: cloned rigs share a machine-id, never a boot."""
    try:
        with open(_BOOT_ID, encoding="ascii") as file:
            return file.read().strip()
    except OSError:
        return socket.gethostname()


def _owner(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _group(gid: int) -> str:
    try:
        return grp.getgrgid(gid).gr_name
    except KeyError:
        return str(gid)


def _reason(error: OSError) -> str:
    return f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")


def look_at_owner(wanted: str) -> Dict[str, Any]:
    """A user by name or number: `name` as files show it (None: none such); `grantable`: may get our files."""
    try:
        uid = int(wanted) if wanted.isdecimal() else pwd.getpwnam(wanted).pw_uid
    except KeyError:
        return {"wanted": wanted, "name": None, "grantable": False}
    return {"wanted": wanted, "name": _owner(uid), "grantable": os.geteuid() in (0, uid)}


def look_at_group(wanted: str) -> Dict[str, Any]:
    """A group, as `look_at_owner`."""
    try:
        gid = int(wanted) if wanted.isdecimal() else grp.getgrnam(wanted).gr_gid
    except KeyError:
        return {"wanted": wanted, "name": None, "grantable": False}
    mine = os.geteuid() == 0 or gid in (os.getegid(), *os.getgroups())
    return {"wanted": wanted, "name": _group(gid), "grantable": mine}


_ACCOUNTS = {"owner": look_at_owner, "group": look_at_group}


def _nearest(path: str) -> str:
    """The path itself, or the first one above it where something is."""
    while not os.path.lexists(path) and path != os.path.dirname(path):
        path = os.path.dirname(path)
    return path


def look_at_directory(path: str) -> Dict[str, Any]:
    """A directory that is there, or the nearest one above it, in which it can be made.

    Returns:
        `exists`; of the `nearest` one `writable`, `free` (bytes) and `owner`; `in_the_way`, what stands where
        only a directory may; `identity`, which no other directory has, of one that exists.
    """
    near = _nearest(path)
    found: Dict[str, Any] = {"path": path, "exists": False, "nearest": near, "identity": None}
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
    found["owner"] = _owner(info.st_uid)
    found["free"] = system.f_bavail * system.f_frsize
    if near == path:
        found.update(exists=True, identity=f"{_kernel()}:{info.st_dev}:{info.st_ino}")
    return found


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    return "file" if stat.S_ISREG(mode) else "other"


def _attributes(info: os.stat_result) -> Dict[str, Any]:
    return {
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
        "owner": _owner(info.st_uid),
        "group": _group(info.st_gid),
        "mine": os.geteuid() in (0, info.st_uid),
    }


def look_at_content(path: str, whole: bool = False) -> Dict[str, Any]:
    """Digests and header of a file: `sha256`, `sha1`, `size`, `mtime_ns`, `survivors`, `schema`, `error`.

    Args:
        whole: read every byte of every array too, for a `fault` that the headers don't show.
    """
    try:
        digests = digests_of(path)
    except OSError as error:
        return {"error": _reason(error)}
    info = read_whole(path) if whole else read_info(path)
    return {
        **digests._asdict(),
        "survivors": info.survivor_count,
        "schema": info.schema_version,
        "fault": info.fault,
    }


def _held(paths: Dict[str, str]) -> Dict[str, str]:
    """Staged files that can be read: `{sha256: path}`, each digest computed now."""
    found = {}
    for path in paths.values():
        if os.path.islink(path):
            continue
        try:
            sha256 = sha256_or_none(path)
        except OSError:
            continue
        if sha256 is not None:
            found[sha256] = path
    return found


def look_at(path: str, *, required: bool, brief: bool = False, whole: bool = False) -> Dict[str, Any]:
    """Facts of one copy.

    Args:
        path: absolute path of the live NPZ.
        required: the copy must be on the host; others are looked after only where they exist.
        brief: the live file's own facts only (the proof).
        whole: as `look_at_content`.

    Returns:
        `kind` is `absent`, `file`, `symlink` or `other`; a symlink's content is its target's. Digests and
        counts are absent where there is nothing to read, and `error` then says why.
    """
    names = Names(path)
    found: Dict[str, Any] = {"path": names.live, "required": required, "kind": "absent", "sha256": None}
    try:
        info = os.lstat(names.live)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        found.update(kind="other", error=_reason(error))
    else:
        found.update(kind=_kind(info.st_mode), **_attributes(info))
        if found["kind"] == "symlink":
            found["target"] = os.path.realpath(names.live)
        if found["kind"] in ("symlink", "file"):
            found.update(look_at_content(names.live, whole))
    found["exists"] = found["kind"] != "absent"
    if brief:
        return found
    found["directory"] = look_at_directory(names.directory)
    found["staged"] = _held(names.staged_files())
    found["leftovers"] = leftovers(names) + list(names.outgoing_files().values())
    found["pin"] = read_pin(names)
    found["previous"] = None
    if os.path.lexists(names.previous) and not os.path.islink(names.previous):
        info = os.lstat(names.previous)
        content = look_at_content(names.previous, whole)
        found["previous"] = {"path": names.previous, **_attributes(info), **content}
    return found


def look_at_file(name: str, directory: str) -> Dict[str, Any]:
    """Whether a file that a run needs is usable: `exists`, `readable`, `executable`, `size`, `mtime_ns`."""
    path = absolute(name, directory)
    try:
        info = os.stat(path)
    except OSError as error:
        return {"name": name, "path": path, "exists": False, "error": error.strerror}
    return {
        "name": name,
        "path": path,
        "exists": stat.S_ISREG(info.st_mode),
        "readable": os.access(path, os.R_OK),
        "executable": os.access(path, os.X_OK),
        "size": info.st_size,
        "mtime_ns": info.st_mtime_ns,
    }


def library_version(name: str) -> Optional[str]:
    """Version of a Python library that this interpreter would import; None where it has none."""
    if importlib.util.find_spec(name) is None:
        return None
    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def look_around(
    directory: str,
    paths: List[str],
    extra_paths: List[str],
    *,
    files: Optional[List[str]] = None,
    libraries: Optional[List[str]] = None,
    accounts: Optional[Dict[str, str]] = None,
    brief: bool = False,
    whole: bool = False,
    now: Optional[float] = None,
) -> Dict[str, Any]:
    """Everything about this host in one look. Two names of one file on the host are looked at once.

    Args:
        directory, paths, extra_paths, files, libraries, brief, whole: as survivor_npz_copies documents them.
        accounts: `owner` and `group` that files shall get; those not asked for are empty or left out.
        now: the controller's clock, Unix seconds; the result's `skew` is this host's minus that.
    """
    clock = time.time()
    base = absolute(directory, os.path.expanduser("~"))
    wanted: Dict[str, bool] = {}
    seen = set()
    for path, required in [(p, True) for p in paths] + [(p, False) for p in extra_paths]:
        full = absolute(path, base)
        identity = os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))
        if identity not in seen:
            seen.add(identity)
            wanted[full] = required
    return {
        "directory": base,
        "hostname": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "user": _owner(os.geteuid()),
        "time": clock,
        "skew": None if now is None else clock - now,
        "copies": [
            look_at(path, required=required, brief=brief, whole=whole) for path, required in wanted.items()
        ],
        "files": [look_at_file(name, base) for name in files or []],
        "accounts": {kind: _ACCOUNTS[kind](name) for kind, name in (accounts or {}).items() if name},
        "libraries": {name: library_version(name) for name in libraries or []},
    }
