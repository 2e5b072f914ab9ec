# SPDX-License-Identifier: MIT
"""One copy of the NPZ, and what is beside it. Reads only; standard library only: it runs on bare rigs."""

from __future__ import annotations

import os
from typing import Any, Collection

from ansible.module_utils.survivor_npz.common import json_object
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.look.directory import look_at_directory
from ansible.module_utils.survivor_npz.look.live_copy import attributes, look_at_content, look_at_live
from ansible.module_utils.survivor_npz.npz.sidecar import is_old_converters
from ansible.module_utils.survivor_npz.switch.leftovers import leftovers
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import read_pin


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


def look_at(
    path: str, *, required: bool, whole: bool, settled: bool, trusted: Collection[int]
) -> dict[str, Any]:
    """Facts of one copy: those of its live file, as `look_at_live`, and of what is beside it.

    Args:
        trusted: as `directory.distrust`.
    """
    names = Names(path)
    found = look_at_live(path, required=required, whole=whole, settled=settled)
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
        found["previous"] = {"path": names.previous, **attributes(info), **content}
    return found
