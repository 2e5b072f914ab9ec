# SPDX-License-Identifier: MIT
"""One look at this host: every copy of the NPZ, and what a run needs here. Reads only.

Standard library only, and nothing is imported that a bare rig may lack: it runs on all of them.
"""

from __future__ import annotations

import importlib.util
import os
import platform
import socket
import stat
import sys
import time
from typing import Any

from ansible.module_utils.survivor_npz.common.accounts import group_id, group_name, user_id, user_name
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.look.copies import look_at


def absolute(path: str, directory: str) -> str:
    """`path` as this host's user means it: `~` expanded, relative names taken from `directory`."""
    return os.path.normpath(os.path.join(directory, os.path.expanduser(path)))


def look_at_owner(wanted: str) -> dict[str, Any]:
    """A user by name or number: its `name` here, None if there is none; `grantable`: may be given files."""
    uid = user_id(wanted)
    name = None if uid is None else user_name(uid)
    return {"wanted": wanted, "name": name, "grantable": uid is not None and os.geteuid() in (0, uid)}


def look_at_group(wanted: str) -> dict[str, Any]:
    """A group, as `look_at_owner`."""
    gid = group_id(wanted)
    name = None if gid is None else group_name(gid)
    mine = os.geteuid() == 0 or gid in (os.getegid(), *os.getgroups())
    return {"wanted": wanted, "name": name, "grantable": gid is not None and mine}


_ACCOUNTS = {"owner": look_at_owner, "group": look_at_group}


def look_at_file(name: str, directory: str) -> dict[str, Any]:
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


def library_version(name: str) -> str | None:
    """Version of a Python library that this interpreter would import, None if it has none."""
    if importlib.util.find_spec(name) is None:
        return None
    from importlib import metadata  # noqa: PLC0415 - slow, and asked on the coordinator only

    try:
        return metadata.version(name)
    except metadata.PackageNotFoundError:
        return "unknown"


def _trusted(names: list[str]) -> set[int]:
    """Numbers of the users who may own a copy's directory: root, this one, who became it, and `names`."""
    became = os.environ.get("SUDO_UID", "")
    found = [user_id(name) for name in (*names, became) if name]
    return {0, os.geteuid(), *(uid for uid in found if uid is not None)}


def look(
    directory: str,
    paths: list[str],
    extra_paths: list[str],
    *,
    files: list[str] | None = None,
    libraries: list[str] | None = None,
    accounts: dict[str, str] | None = None,
    whole: bool = False,
    settle: bool = False,
    login: str = "",
    now: float | None = None,
) -> dict[str, Any]:
    """Everything about this host in one look. Two names of one file on the host are looked at once.

    Args:
        directory, paths, extra_paths, files: as survivor_npz_look documents them.
        libraries: Python libraries whose version to report, without importing them.
        whole: read every byte of each NPZ, live and previous, for a `fault` that its headers don't show.
        accounts: `owner` and `group` that files shall get; those not asked for are empty or left out.
        settle: first wait until nobody is changing a copy any more; see `switch.live.settle`.
        login: the user that Ansible logs in as, if the task runs as another one.
        now: the controller's clock, Unix seconds; the result's `skew` is this host's minus that.

    Returns:
        As survivor_npz_look documents it. `stamp` is this host's own moment before anything was read.
    """
    began, clock = stamp(), time.time()
    base = absolute(directory, os.path.expanduser("~"))
    wanted: dict[str, bool] = {}
    seen = set()
    for path, required in [(p, True) for p in paths] + [(p, False) for p in extra_paths]:
        full = absolute(path, base)
        identity = os.path.join(os.path.realpath(os.path.dirname(full)), os.path.basename(full))
        if identity not in seen:
            seen.add(identity)
            wanted[full] = required
    trusted = _trusted([login, (accounts or {}).get("owner", "")])
    return {
        "stamp": began,
        "directory": base,
        "hostname": socket.gethostname(),
        "python": platform.python_version(),
        "executable": sys.executable,
        "user": user_name(os.geteuid()),
        "time": clock,
        "skew": None if now is None else clock - now,
        "copies": [
            look_at(path, required=required, whole=whole, settled=settle, trusted=trusted)
            for path, required in wanted.items()
        ],
        "files": [look_at_file(name, base) for name in files or []],
        "accounts": {kind: _ACCOUNTS[kind](name) for kind, name in (accounts or {}).items() if name},
        "libraries": {name: library_version(name) for name in libraries or []},
    }
