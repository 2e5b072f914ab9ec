# SPDX-License-Identifier: MIT
"""The live file of one copy of the NPZ. Reads only; standard library only: it runs on bare rigs."""

from __future__ import annotations

import os
import stat
from typing import Any

from ansible.module_utils.survivor_npz.common.accounts import group_name, user_name
from ansible.module_utils.survivor_npz.common.digest import digests_of
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole
from ansible.module_utils.survivor_npz.switch.names import Names


def _reason(error: OSError) -> str:
    return f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    return "file" if stat.S_ISREG(mode) else "other"


def attributes(info: os.stat_result) -> dict[str, Any]:
    """`mode`, `owner` and `group` of a file, and whether it is `mine` to change."""
    return {
        "mode": f"{stat.S_IMODE(info.st_mode):04o}",
        "owner": user_name(info.st_uid),
        "group": group_name(info.st_gid),
        "mine": os.geteuid() in (0, info.st_uid),
    }


def look_at_content(path: str, whole: bool) -> dict[str, Any]:
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


def _why_unsettled(names: Names) -> str | None:
    from ansible.module_utils.survivor_npz.switch.live import settle  # noqa: PLC0415 - after a death only

    try:
        settle(names)
    except SwitchError as error:
        return error.message
    return None


def look_at_live(path: str, *, required: bool, whole: bool = False, settled: bool = False) -> dict[str, Any]:
    """Facts of a live file.

    Args:
        path: absolute path of the live NPZ.
        required: the copy must be on the host; others are kept right only if they exist.
        whole: as `look_at_content`.
        settled: first wait until nobody is changing the copy. If that fails, its content is not read, and
            `exists` is true whatever is there: it may be about to.

    Returns:
        `kind` is `absent`, `file`, `symlink` or `other`; a symlink's content is its target's. Digests and
        counts are left out if there is nothing to read, and `error` then says why.
    """
    names = Names(path)
    found: dict[str, Any] = {"path": names.live, "required": required, "kind": "absent", "sha256": None}
    unsettled = _why_unsettled(names) if settled else None
    try:
        info = os.lstat(names.live)
    except (FileNotFoundError, NotADirectoryError):
        pass
    except OSError as error:
        found.update(kind="other", error=_reason(error))
    else:
        found.update(kind=_kind(info.st_mode), **attributes(info))
        if found["kind"] == "symlink":
            found["target"] = os.path.realpath(names.live)
        if found["kind"] in ("symlink", "file") and not unsettled:
            found.update(look_at_content(names.live, whole))
    found["exists"] = found["kind"] != "absent" or bool(unsettled)
    if unsettled:
        found["error"] = unsettled
    return found
