# SPDX-License-Identifier: MIT
"""Look at one host: every copy of the survivor NPZ, and what a run needs there."""

from __future__ import annotations

import os
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.common.errors import JobError
from ansible.module_utils.survivor_npz.look.host import look
from ansible.module_utils.survivor_npz.run.supervise.processes import matching

_NAMES = {"type": "list", "elements": "str", "default": []}
_FLAG = {"type": "bool", "default": False}
OPTIONS: dict[str, Any] = {
    "directory": {"type": "str", "required": True},
    "paths": _NAMES,
    "extra_paths": _NAMES,
    "files": _NAMES,
    "same_files": _NAMES,
    "workers": {"type": "str", "default": ""},
    "owner": {"type": "str", "default": ""},
    "group": {"type": "str", "default": ""},
    "login": {"type": "str", "default": ""},
    "lead": {
        "type": "dict",
        "options": {
            "npz": {"type": "str", "required": True},
            "files": _NAMES,
            "conversion": {
                "type": "dict",
                "options": {
                    "src": {"type": "str", "required": True},
                    "force": _FLAG,
                    "prng_encoding": {"type": "str", "required": True},
                },
            },
        },
    },
    "settle": _FLAG,
    "now": {"type": "float"},
}


def _lead(home: str, workers: str) -> dict[str, Any]:
    """What only the coordinator is asked. Rigs need not compile the code for it."""
    from ansible.module_utils.survivor_npz.look import distributed_config
    from ansible.module_utils.survivor_npz.run import control, proven

    return {
        "run": control.query(home),
        "proven": proven.proven(home),
        "workers": control.workers(home, workers) if workers else [],
        "fleet_config": distributed_config.listed(os.path.join(home, "distributed_config.json")),
    }


def _foresee(home: str, npz: str, asked: dict[str, Any]) -> dict[str, Any]:
    """Whether a conversion is due."""
    from ansible.module_utils.survivor_npz.convert.freshness import foresee

    src, dest = os.path.join(home, asked["src"]), os.path.join(home, npz)
    return foresee(src, dest, asked["force"], asked["prng_encoding"])


def do(given: dict[str, Any], _check: bool) -> dict[str, Any]:
    """Look and report."""
    asked = given["lead"]
    conversion = asked["conversion"] if asked else None
    home = os.path.realpath(os.path.expanduser(given["directory"]))
    try:
        # First: its stamp must be older than every look that is judged by it.
        lead = _lead(home, given["workers"]) if asked else {}
        lease = (lead.get("run") or {}).get("lease") or {}
        # Of a controller that died while it held the lease, the last rename must be over first.
        died = bool(lease.get("expired")) and not lease.get("ended")
        found = look(
            given["directory"],
            ([asked["npz"]] if asked else []) + given["paths"],
            given["extra_paths"],
            files=(asked or given)["files"],
            libraries=["numpy", "orjson"] if conversion else [],
            accounts={"owner": given["owner"], "group": given["group"]},
            login=given["login"],
            settle=died if asked else given["settle"],
            whole=bool(asked) and not conversion,
            now=given["now"],
        )
        if conversion:
            found["decision"] = _foresee(home, asked["npz"], conversion)
        same = {name: sha256_or_none(os.path.join(home, name)) for name in given["same_files"]}
    except OSError as error:
        where = f"{error.filename or given['directory']}: {error.strerror or error}"
        raise JobError(f"{where}. Fix the file system or its permissions, then run again.") from error
    if not lead:
        found["workers"] = matching(given["workers"], set()) if given["workers"] else []
    return {"run": None, "same_files": same, **found, **lead}
