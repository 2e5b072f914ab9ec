# SPDX-License-Identifier: MIT
"""The atomic switch of one live copy on one host: activate, go back, adjust, stage the previous.

docs/state-machine.md specifies the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import os
import stat
from typing import Any, Mapping, NamedTuple, Optional

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none, short
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.leftovers import strays
from ansible.module_utils.survivor_npz.switch.live import (
    demand_live,
    demand_permission,
    exclusive,
    live_sha256,
    put,
    sidecar_sha256,
)
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, differs, give
from ansible.module_utils.survivor_npz.switch.pin import settle_pin, write_pin
from ansible.module_utils.survivor_npz.switch.recover import (
    adopt_outgoing,
    adopt_sidecar,
    keep_foreign_sidecar,
    roll_forward,
)

_AS_IT_IS = Ownership()


class Switch(NamedTuple):
    """What a step did, or in a dry run would do, to one live copy (digests; None: no file)."""

    changed: bool
    before: Optional[str]
    after: Optional[str]
    previous: Optional[str]


def _demand_places(names: Names, sidecars: bool) -> None:
    """What can't be replaced must show before the switch, not in its middle."""
    places = [names.previous]
    if sidecars:
        places += [names.sidecar, names.sidecar_previous, names.pinned]
    for path in places:
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise SwitchError(
                "not_a_file", f"{path} is not a regular file, and its place is needed. Move it away."
            )


def _adjust(path: str, owned: Ownership, mtime_ns: int | None, check: bool = False) -> bool:
    """Give a regular file this owner, group, mode and mtime, and flush it; tell whether it had another."""
    gives = differs(path, owned)
    touches = mtime_ns is not None and os.lstat(path).st_mtime_ns != mtime_ns
    if not check:
        if gives:
            give(path, owned)
        if touches and mtime_ns is not None:
            durable.set_mtime(path, mtime_ns)
        # Whatever changed before: `copy` flushes nothing, and a rollback whose mtime is lost would be undone.
        durable.sync_file(path)
    return gives or touches


def adjust(
    names: Names, owned: Ownership, *, valid_until: Mapping[str, Any] | None = None, check: bool = False
) -> Switch:
    """Give the live file, whatever its bytes are, this owner, group and mode.

    Raises:
        SwitchError: there is no live file, it is a symlink, the permission expired, or the system refuses.
    """
    with exclusive(names, create=not check) as here:
        live = live_sha256(here)
        if live is None:
            raise SwitchError("moved", f"{here.live} is gone since this run looked at it. Run again.")
        changes = _adjust(here.live, owned, None, check=True)
        if changes:
            demand_permission(valid_until)
            if not check:
                _adjust(here.live, owned, None)
        return Switch(changes, live, live, None)


def activate(
    names: Names,
    sha256: str,
    *,
    replaces: str | None,
    sidecars: bool = False,
    pin: dict[str, Any] | None = None,
    mtime_ns: int | None = None,
    owned: Ownership = _AS_IT_IS,
    valid_until: Mapping[str, Any] | None = None,
    check: bool = False,
) -> Switch:
    """Make the staged file `sha256` live, if live still is `replaces` (None: no file).

    Args:
        sidecars: the pending sidecar follows, the live one becomes the previous (coordinator).
        pin: as `write_pin`; without it an existing pin ends, unless the call only sets `mtime_ns`.
        mtime_ns: what the live file's mtime must be, so that `-nt` in a script agrees; default: the pin's.
        owned: owner, group and mode that it must have.
        valid_until: see `demand_permission`.
        check: predict only. A staged file that isn't there yet is then no error.

    Raises:
        SwitchError: nothing live has changed; the message names the file and the next step.
    """
    # A call that only sets the mtime leaves the pin alone.
    settles = sidecars and (pin is not None or mtime_ns is None)
    mtime_ns = mtime_ns if mtime_ns is not None else (pin or {}).get("mtime_ns")
    with exclusive(names, create=not check) as here:
        if not check:
            roll_forward(here, sidecars)
        live = live_sha256(here)
        if live == sha256:
            pins = settles and settle_pin(here, sha256, pin, check=True)
            changes = _adjust(here.live, owned, mtime_ns, check=True) or pins
            if changes:
                demand_permission(valid_until)
            if not check:
                if pins:
                    settle_pin(here, sha256, pin)
                if changes:
                    _adjust(here.live, owned, mtime_ns)
                    durable.sync_dir(here.directory)
                durable.unlink(here.staged(sha256))
            return Switch(changes, live, live, None)
        demand_live(here, live, replaces)
        _demand_places(here, sidecars)
        demand_permission(valid_until)
        if check:
            return Switch(True, live, sha256, live)
        _demand_staged(here, sha256, sidecars and pin is None)
        _adjust(here.staged(sha256), owned, mtime_ns)
        _keep(here, live, sidecars)
        if pin is not None:
            write_pin(here, sha256, pin)
        demand_permission(valid_until)
        durable.replace(here.staged(sha256), here.live)
        durable.sync_dir(here.directory)
        adopt_outgoing(here, sha256)
        if sidecars:
            _follow(here, sha256)
            settle_pin(here, sha256, pin)
        durable.sync_dir(here.directory)
        return Switch(True, live, sha256, live)


def _demand_staged(names: Names, sha256: str, with_sidecar: bool) -> None:
    staged = names.staged(sha256)
    found = sha256_or_none(staged)
    if found is None:
        raise SwitchError("not_staged", f"{staged} is missing: there is nothing to activate. Run again.")
    if found != sha256:
        raise SwitchError(
            "corrupt",
            f"{staged} holds {short(found)} instead of {short(sha256)}: it was changed after it was "
            "staged. Run again: it will be staged anew.",
        )
    # Only a rollback may bring back an NPZ that another program wrote, and that never had our sidecar.
    sidecars = (names.pending(sha256), names.sidecar, names.sidecar_previous)
    if with_sidecar and sha256 not in [sidecar_sha256(path) for path in sidecars]:
        raise SwitchError(
            "not_staged", f"{sidecars[0]} is missing: the staged NPZ lost its sidecar. Run again."
        )


def _keep(names: Names, live: str | None, sidecars: bool) -> None:
    """Give the live file a second name before it loses its first; bind another program's sidecar to it.

    `.previous` itself moves only after the switch: a crash in between must not cost what it holds, which
    in a rollback is the very file that goes live.
    """
    if sidecars:
        keep_foreign_sidecar(names, live)
    if live is not None:
        put(durable.link, names.live, names.outgoing(live))
        durable.sync_dir(names.directory)


def _follow(names: Names, live: str | None) -> None:
    """After a switch: let the sidecars follow the NPZs."""
    if not adopt_sidecar(names, live):
        # A sidecar of some other NPZ would lend this one a wrong source.
        durable.unlink(names.sidecar)
    for path in strays(names):
        durable.unlink(path)


def revert(
    names: Names,
    new: str,
    old: str | None,
    *,
    sidecars: bool = False,
    valid_until: Mapping[str, Any] | None = None,
    check: bool = False,
) -> Switch:
    """Go back from `new` to `old`, which the activation kept as the previous file (None: there was no file).

    The previous file itself goes back, so that it never is a second name of the live one.

    Raises:
        SwitchError: live is neither, or what is kept is not `old`; nothing has changed then.
    """
    with exclusive(names, create=not check) as here:
        if not check:
            roll_forward(here, sidecars)
        live = live_sha256(here)
        if live == old:
            return Switch(False, live, live, None)
        demand_live(here, live, new)
        if old is not None and sha256_or_none(here.previous) != old:
            raise SwitchError(
                "no_previous",
                f"{here.previous} does not hold {short(old)}: there is no way back on this host. "
                "Run playbooks/step25.yml again to bring the whole fleet to one state.",
            )
        demand_permission(valid_until)
        if check:
            return Switch(True, live, old, None)
        if old is None:
            durable.unlink(here.live)
        else:
            durable.replace(here.previous, here.live)
        durable.sync_dir(here.directory)
        if sidecars:
            _follow(here, old)
            durable.sync_dir(here.directory)
        return Switch(True, live, old, None)


def stage_previous(names: Names, sha256: str, *, sidecars: bool) -> Switch:
    """Rollback's first step: stage a copy of the previous file, which must hold `sha256`.

    Raises:
        SwitchError: `no_previous` if it does not, so that the caller stages by `copy` instead.
    """
    with exclusive(names) as here:
        live = live_sha256(here)
        staged = here.staged(sha256)
        changed = sha256 not in (live, sha256_or_none(staged))
        if changed:
            if sha256_or_none(here.previous) != sha256:
                raise SwitchError("no_previous", f"{here.previous} does not hold {short(sha256)}.")
            if sidecars and sidecar_sha256(here.sidecar_previous) == sha256:
                put(durable.copy, here.sidecar_previous, here.pending(sha256))
            put(durable.copy, here.previous, staged)
        return Switch(changed, live, live, sha256)
