"""Roll forward what a crash in the middle of a switch left.

docs/state-machine.md specifies the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none
from ansible.module_utils.survivor_npz.switch.live import exclusive, live_sha256, sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names


def adopt_outgoing(names: Names, live: str | None, check: bool = False) -> bool:
    """Let the file that a switch put aside become the previous; tell whether there was one."""
    found = names.outgoing_files()
    for prefix, path in found.items():
        held = sha256_or_none(path)
        if check:
            continue
        if held is not None and held != live and held.startswith(prefix):
            durable.replace(path, names.previous)
        # Also after the rename: rename(2) does nothing when both names are one file already.
        durable.unlink(path)
    return bool(found)


def adopt_sidecar(names: Names, live: str | None, check: bool = False) -> bool:
    """Bring the sidecar that describes the live NPZ into place, and the former one to the previous."""
    current = sidecar_sha256(names.sidecar)
    if live is None:
        return False
    pending, kept = names.pending(live), names.sidecar_previous
    if current == live and sidecar_sha256(pending) != live:
        # A pending one is newer even where the bytes are the same: it records today's JSON.
        return False
    source = next((path for path in (pending, kept) if sidecar_sha256(path) == live), None)
    if source is None:
        return False
    if not check:
        temp = Names.temp(names.sidecar)
        durable.unlink(temp)
        if source == kept:
            durable.link(kept, temp)
            source = temp
        if current is not None and current == sha256_or_none(names.previous):
            durable.replace(names.sidecar, names.sidecar_previous)
        durable.replace(source, names.sidecar)
        durable.sync_dir(names.directory)
    return True


def roll_forward(names: Names, sidecars: bool, check: bool = False) -> bool:
    """As `recover`, for a caller that holds the lock."""
    live = live_sha256(names)
    outgoing = adopt_outgoing(names, live, check)
    return (sidecars and adopt_sidecar(names, live, check)) or outgoing


def recover(names: Names, *, sidecars: bool, check: bool = False) -> bool:
    """Roll forward what a crash in the middle of a switch left; tell whether there was anything.

    Raises:
        SwitchError: the live copy is a symlink or no file, or the system refuses.
    """
    with exclusive(names):
        return roll_forward(names, sidecars, check)
