# SPDX-License-Identifier: MIT
"""What dead runs left beside a live copy: find it, remove it."""

from __future__ import annotations

import os
from typing import Collection

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.boot import started_at
from ansible.module_utils.survivor_npz.switch.live import exclusive
from ansible.module_utils.survivor_npz.switch.names import PREFIX_LENGTH, Names
from ansible.module_utils.survivor_npz.switch.recover import roll_forward, strays


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


def leftovers(names: Names, keep: Collection[str] = ()) -> list[str]:
    """What dead runs left: staged and pending files not in `keep` (SHA-256), unfinished and stray files."""
    kept = {sha256[:PREFIX_LENGTH] for sha256 in keep}
    found = [path for prefix, path in names.staged_files().items() if prefix not in kept]
    found += [path for prefix, path in names.pending_files().items() if prefix not in kept]
    found += [path for path, pid in names.temp_files() if _is_abandoned(path, pid)]
    found += strays(names)
    return found + names.foreign_temp_files()


def clean(names: Names, keep: Collection[str] = (), *, sidecars: bool) -> list[str]:
    """Remove `leftovers` and return their paths. What `recover` can roll forward goes forward first.

    Raises:
        SwitchError: a file can't be removed.
    """
    if not os.path.isdir(names.directory):
        return []
    with exclusive(names) as here:
        # A symlink is another program's (survivor_npz_convert: never): nothing was switched there.
        if not os.path.islink(here.live):
            roll_forward(here, sidecars)
        found = leftovers(here, keep)
        for path in found:
            durable.unlink(path)
        return [os.path.join(names.directory, os.path.basename(path)) for path in found]
