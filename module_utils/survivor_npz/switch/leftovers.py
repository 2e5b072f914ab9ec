# SPDX-License-Identifier: MIT
"""Find what dead runs left beside a live copy. Reads only: a look imports this, and none of the code that renames."""

from __future__ import annotations

import os
from typing import Collection

from ansible.module_utils.survivor_npz.common.boot import started_at
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.switch.names import PREFIX_LENGTH, Names


def _is_abandoned(path: str, pid: int) -> bool:
    """Whether the writer of an unfinished file is gone, its pid perhaps taken over since."""
    if pid == os.getpid():
        return True
    started = started_at(pid)
    if started is None:
        return True
    try:
        # Two seconds of slack: file times come from a coarser clock.
        return started > os.lstat(path).st_ctime + 2
    except FileNotFoundError:
        return False


def strays(names: Names) -> list[str]:
    """Kept sidecars of other programs whose NPZ is neither live nor the previous any more."""
    kept = names.kept_sidecars()
    if not kept:
        return []
    found = (sha256_or_none(path) for path in (names.live, names.previous))
    needed = {sha256[:PREFIX_LENGTH] for sha256 in found if sha256}
    return [path for prefix, path in kept.items() if prefix not in needed]


def leftovers(names: Names, keep: Collection[str] = ()) -> list[str]:
    """What dead runs left: staged and pending files not in `keep` (SHA-256), unfinished and stray files."""
    kept = {sha256[:PREFIX_LENGTH] for sha256 in keep}
    found = [path for prefix, path in names.staged_files().items() if prefix not in kept]
    found += [path for prefix, path in names.pending_files().items() if prefix not in kept]
    found += [path for path, pid in names.temp_files() if _is_abandoned(path, pid)]
    found += strays(names)
    return found + names.foreign_temp_files()
