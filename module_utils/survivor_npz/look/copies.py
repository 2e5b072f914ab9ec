# SPDX-License-Identifier: MIT
"""One copy of the NPZ, and what is beside it. Reads only; standard library only: it runs on bare rigs."""

from __future__ import annotations

import os
import stat
from typing import Any, Collection

from ansible.module_utils.survivor_npz.common import json_object
from ansible.module_utils.survivor_npz.common.accounts import group_name, user_name
from ansible.module_utils.survivor_npz.common.digest import digests_of, sha256_or_none
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.look.directory import look_at_directory
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole
from ansible.module_utils.survivor_npz.npz.sidecar import is_old_converters
from ansible.module_utils.survivor_npz.switch.cleanup import leftovers
from ansible.module_utils.survivor_npz.switch.live import settle
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import read_pin


def _reason(error: OSError) -> str:
    return f"{error.filename or ''}: {error.strerror or error}".lstrip(": ")


def _kind(mode: int) -> str:
    if stat.S_ISLNK(mode):
        return "symlink"
    return "file" if stat.S_ISREG(mode) else "other"


def _attributes(info: os.stat_result) -> dict[str, Any]:
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


def _held(paths: dict[str, str]) -> dict[str, str]:
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


def _recorded(sidecar: str, sha256: str | None) -> dict[str, Any]:
    """What a sidecar of this project records about an NPZ.

    Returns:
        `source_mtime_ns` of the JSON that the NPZ was made from, None if unknown; `foreign`: the sidecar
        records another NPZ than this one.
    """
    content = json_object.load(sidecar) or {}
    recorded, source = content.get("npz_sha256"), content.get("source")
    is_its = sha256 is not None and recorded == sha256
    made = source.get("mtime_ns") if is_its and isinstance(source, dict) else None
    return {
        "source_mtime_ns": made if isinstance(made, int) else None,
        "foreign": not is_its and None not in (recorded, sha256),
    }


def _why_unsettled(names: Names) -> str | None:
    try:
        settle(names)
    except SwitchError as error:
        return error.message
    return None


def look_at(
    path: str,
    *,
    required: bool,
    brief: bool = False,
    whole: bool = False,
    settled: bool = False,
    trusted: Collection[int] = (),
) -> dict[str, Any]:
    """Facts of one copy.

    Args:
        path: absolute path of the live NPZ.
        required: the copy must be on the host; others are kept right only if they exist.
        brief: the live file's own facts only (the proof).
        whole: as `look_at_content`.
        settled: first wait until nobody is changing the copy. If that fails, its content is not read, and
            `exists` is true whatever is there: it may be about to.
        trusted: as `directory.distrust`.

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
        found.update(kind=_kind(info.st_mode), **_attributes(info))
        if found["kind"] == "symlink":
            found["target"] = os.path.realpath(names.live)
        if found["kind"] in ("symlink", "file") and not unsettled:
            found.update(look_at_content(names.live, whole))
    found["exists"] = found["kind"] != "absent" or bool(unsettled)
    if unsettled:
        found["error"] = unsettled
    if brief:
        return found
    found.update(_recorded(names.sidecar, found["sha256"]))
    found["directory"] = look_at_directory(names.directory, trusted)
    found["staged"] = _held(names.staged_files())
    found["leftovers"] = leftovers(names) + list(names.outgoing_files().values())
    found["pin"] = read_pin(names)
    found["previous"] = None
    if os.path.lexists(names.previous) and not os.path.islink(names.previous):
        info = os.lstat(names.previous)
        content = look_at_content(names.previous, whole)
        content.update(_recorded(names.sidecar_previous, content.get("sha256")))
        if content.get("sha256"):
            kept = json_object.load(names.kept_sidecar(content["sha256"]))
            content["old_converter"] = is_old_converters(kept, content["size"], content["survivors"])
        found["previous"] = {"path": names.previous, **_attributes(info), **content}
    return found
