# SPDX-License-Identifier: MIT
"""Which NPZs were proven on every host, newest first: `.survivor_npz/proven.json` on the coordinator.

A rollback goes back to one of them where `.previous` is another program's.
"""

from __future__ import annotations

import os
import re

from ansible.module_utils.survivor_npz.run.supervise import lease
from ansible.module_utils.survivor_npz.run.supervise.home import home, read_json, records

_KEPT = 10


def record(directory: str, sha256: str) -> None:
    """Put an NPZ first in the list. Raises lease.LeaseError if its lock can't be had; OSError."""
    with lease.locked(directory):
        kept = dict.fromkeys([sha256, *proven(directory)])
        lease.write(directory, "proven.json", {"npz": list(kept)[:_KEPT]})


def proven(directory: str) -> list[str]:
    """Return their SHA-256. Those in run records come last: earlier versions kept no list."""
    listed = read_json(os.path.join(home(directory), "proven.json")).get("npz")
    runs = [read_json(os.path.join(path, "record.json")).get("npz") for path in reversed(records(directory))]
    found = listed if isinstance(listed, list) else []
    found = [*found, *(run.get("sha256") for run in runs if isinstance(run, dict))]
    return [one for one in dict.fromkeys(map(str, found)) if re.fullmatch("[0-9a-f]{64}", one)]
