# SPDX-License-Identifier: MIT
"""Stage the goal beside each copy that differs."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.errors import JobError, SwitchError
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import ownership_of
from ansible.module_utils.survivor_npz.switch.stage import stage

OPTIONS: dict[str, Any] = {
    "sha256": {"type": "str", "required": True},
    "part": {"type": "dict", "required": True},
    "open_with": {"type": "str", "default": ""},
    "owner": {"type": "str"},
    "group": {"type": "str"},
    "mode": {"type": "str"},
}


def _clean(part: dict[str, Any], sha256: str) -> list[str]:
    """Remove what dead runs left; a switch that was broken off is finished first."""
    keep = [sha256] if part["switch"] else []
    removed = []
    for copy in part["clean"]:
        from ansible.module_utils.survivor_npz.switch.cleanup import clean  # few hosts need it

        removed += clean(Names(copy["path"]), keep, sidecars=copy["sidecars"])
    return removed


def do(given: dict[str, Any], check: bool) -> dict[str, Any]:
    """Stage, or predict."""
    part, sha256, began = given["part"], given["sha256"], stamp()
    keys = ("switch", "settle", "attributes", "clean", "directories")
    changed = any(part[key] for key in keys)
    diff = [
        {
            "header": copy["path"],
            "before": f"sha256 {copy['replaces'] or 'missing'}\n",
            "after": f"sha256 {sha256}\n",
        }
        for copy in part["switch"]
    ]
    if check:
        staged = [{"path": copy["path"], "sha256": sha256} for copy in part["switch"]]
        return {"changed": changed, "staged": staged, "removed": [], "stamp": began, "diff": diff}
    try:
        removed = _clean(part, sha256)
        owned = ownership_of(given["owner"], given["group"], given["mode"] or "0644")
        staged = stage(part, sha256, owned, given["open_with"])
    except (SwitchError, ValueError) as error:
        raise JobError(str(error), code=getattr(error, "code", "path")) from error
    except (OSError, KeyError) as error:
        where = getattr(error, "filename", None) or "staging"
        raise JobError(f"{where}: {getattr(error, 'strerror', None) or error}.", code="system") from error
    done = bool(removed) or bool(part["switch"]) or bool(part["directories"])
    return {"changed": done, "staged": staged, "removed": removed, "stamp": began, "diff": diff}
