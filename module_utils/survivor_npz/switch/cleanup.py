# SPDX-License-Identifier: MIT
"""Remove what dead runs left beside a live copy."""

from __future__ import annotations

import os
from typing import Collection

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.switch.leftovers import leftovers
from ansible.module_utils.survivor_npz.switch.live import exclusive
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.recover import roll_forward


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
