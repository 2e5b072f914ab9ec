# SPDX-License-Identifier: MIT
"""Roll forward what a crash in the middle of a switch left.

docs/state-machine.md specifies the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import os
import stat

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.switch.live import exclusive, live_sha256, put, sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names


def adopt_outgoing(names: Names, live: str | None) -> bool:
    """Let the file that a switch put aside become the previous; tell whether there was one."""
    found = names.outgoing_files()
    for prefix, path in found.items():
        held = sha256_or_none(path)
        if held is not None and held != live and held.startswith(prefix):
            durable.replace(path, names.previous)
        # Also after the rename: rename(2) does nothing when both names are one file already.
        durable.unlink(path)
    return bool(found)


def _is_foreign(path: str) -> bool:
    """Whether a sidecar is there that another program wrote: it does not record which NPZ it describes."""
    try:
        is_file = stat.S_ISREG(os.lstat(path).st_mode)
    except FileNotFoundError:
        return False
    return is_file and sidecar_sha256(path) is None


def keep_foreign_sidecar(names: Names, live: str | None) -> None:
    """Before a switch: copy another program's sidecar to a name that binds it to its NPZ."""
    if live is not None and _is_foreign(names.sidecar):
        put(durable.copy, names.sidecar, names.kept_sidecar(live))


def _source_of_sidecar(names: Names, live: str) -> str | None:
    """Where the sidecar of the live NPZ is, if it isn't in its place; None: nowhere."""
    pending, previous = names.pending(live), names.sidecar_previous
    if sidecar_sha256(pending) == live:
        # Newer even if the bytes are the same: it records today's JSON.
        return pending
    if sidecar_sha256(names.sidecar) == live:
        return None
    if sidecar_sha256(previous) == live:
        return previous
    kept = names.kept_sidecar(live)
    return kept if _is_foreign(kept) and not _is_foreign(names.sidecar) else None


def adopt_sidecar(names: Names, live: str | None) -> bool:
    """Bring the sidecar that describes the live NPZ into place, and the former one to the previous.

    Returns:
        Whether one was found elsewhere than in its place.
    """
    source = None if live is None else _source_of_sidecar(names, live)
    if live is None or source is None:
        return False
    current = sidecar_sha256(names.sidecar)
    if current is not None and current == sha256_or_none(names.previous):
        if source == names.sidecar_previous:
            put(durable.copy, source, names.pending(live))
            source = names.pending(live)
        # By a second name, not a rename: after a power cut the two renames may have landed in the other order.
        put(durable.link, names.sidecar, names.sidecar_previous)
    durable.replace(source, names.sidecar)
    return True


def roll_forward(names: Names, sidecars: bool) -> bool:
    """As `recover`, for a caller that holds the lock."""
    live = live_sha256(names)
    outgoing = adopt_outgoing(names, live)
    return (sidecars and adopt_sidecar(names, live)) or outgoing


def is_unfinished(names: Names) -> bool:
    """Whether a crash, or another program, may have left something to roll forward on Zeus: two listings."""
    is_file = os.path.isfile(names.live) and not os.path.islink(names.live)
    return is_file and bool(
        names.outgoing_files() or names.pending_files() or not os.path.exists(names.sidecar)
    )


def recover(names: Names, *, sidecars: bool) -> bool:
    """Roll forward what a crash in the middle of a switch left; tell whether there was anything.

    Raises:
        SwitchError: the live copy is a symlink or no file, or the system refuses.
    """
    with exclusive(names) as here:
        return roll_forward(here, sidecars)
