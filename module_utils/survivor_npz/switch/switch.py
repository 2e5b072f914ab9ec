"""The atomic switch of one live copy on one host: activate, go back, stage the previous.

docs/state-machine.md specifies the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple, Optional

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none, short
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.live import (
    demand_live,
    exclusive,
    live_sha256,
    relink,
    sidecar_sha256,
)
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import settle_pin, write_pin
from ansible.module_utils.survivor_npz.switch.recover import adopt_outgoing, adopt_sidecar, roll_forward


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
                "not_a_file", f"{path} is no regular file, and its place is needed. Move it away."
            )


def _keep_outgoing(names: Names, live: str | None) -> None:
    """Give the live file a second name before it loses its first one.

    `.previous` itself moves only after the switch: a crash in between must not cost what it holds, which
    in a rollback is the very file that goes live.
    """
    if live is not None:
        relink(names.live, names.outgoing(live))
        durable.sync_dir(names.directory)


def activate(
    names: Names,
    sha256: str,
    *,
    expect: str | None,
    sidecars: bool = False,
    pin: dict[str, Any] | None = None,
    check: bool = False,
) -> Switch:
    """Make the staged file `sha256` live, if live still is `expect` (None: no file).

    Args:
        sidecars: the pending sidecar follows, the live one becomes the previous (coordinator).
        pin: stat of the JSON that a rollback ignores; without it an existing pin ends.
        check: predict only. A staged file that isn't there yet is then no error.

    Raises:
        SwitchError: nothing live has changed; the message names the file and the next step.
    """
    with exclusive(names):
        if not check:
            roll_forward(names, sidecars)
        live = live_sha256(names)
        if live == sha256:
            if not check:
                settle_pin(names, sha256, pin)
                durable.unlink(names.staged(sha256))
            return Switch(False, live, live, None)
        demand_live(names, live, expect)
        _demand_places(names, sidecars)
        if check:
            return Switch(True, live, sha256, live)
        _demand_staged(names, sha256, sidecars and pin is None)
        _keep_outgoing(names, live)
        if pin is not None:
            write_pin(names, sha256, pin)
        durable.replace(names.staged(sha256), names.live)
        durable.sync_dir(names.directory)
        adopt_outgoing(names, sha256)
        if sidecars and not adopt_sidecar(names, sha256):
            # A sidecar of some other NPZ would lend this one a wrong source.
            durable.unlink(names.sidecar)
        settle_pin(names, sha256, pin)
        durable.sync_dir(names.directory)
        return Switch(True, live, sha256, live)


def _demand_staged(names: Names, sha256: str, with_sidecar: bool) -> None:
    staged = names.staged(sha256)
    found = sha256_or_none(staged)
    if found is None:
        raise SwitchError("not_staged", f"{staged} is not there: nothing to activate. Run again.")
    if found != sha256:
        raise SwitchError(
            "corrupt",
            f"{staged} holds {short(found)} instead of {short(sha256)}: it was changed after it was "
            "staged. Run again: it will be staged anew.",
        )
    durable.sync_file(staged)
    # Only a rollback may bring back an NPZ that nobody of ours wrote, and that never had a sidecar.
    sidecars = (names.pending(sha256), names.sidecar, names.sidecar_previous)
    if with_sidecar and sha256 not in [sidecar_sha256(path) for path in sidecars]:
        raise SwitchError(
            "not_staged", f"{sidecars[0]} is not there: the staged NPZ lost its sidecar. Run again."
        )


def revert(names: Names, new: str, old: str | None, *, sidecars: bool = False, check: bool = False) -> Switch:
    """Go back from `new` to `old`, which the activation kept (None: there was no file).

    Raises:
        SwitchError: live is neither, or what is kept is not `old`; nothing has changed then.
    """
    with exclusive(names):
        if not check:
            roll_forward(names, sidecars)
        live = live_sha256(names)
        if live == old:
            return Switch(False, live, live, None)
        demand_live(names, live, new)
        if old is not None and sha256_or_none(names.previous) != old:
            raise SwitchError(
                "no_previous",
                f"{names.previous} does not hold {short(old)}: there is no way back on this host. "
                "Run playbooks/step25.yml again to bring the whole fleet to one state.",
            )
        if check:
            return Switch(True, live, old, new)
        if old is None:
            durable.unlink(names.live)
        else:
            relink(names.previous, names.live)
        durable.sync_dir(names.directory)
        if sidecars and not adopt_sidecar(names, old):
            durable.unlink(names.sidecar)
            durable.sync_dir(names.directory)
        return Switch(True, live, old, old)


def stage_previous(names: Names, sha256: str, *, sidecars: bool = False, check: bool = False) -> Switch:
    """Rollback's first step: stage the previous file, which must hold `sha256`.

    Raises:
        SwitchError: `no_previous` where it does not, so that the caller stages by `copy` instead.
    """
    with exclusive(names):
        live = live_sha256(names)
        staged = names.staged(sha256)
        changed = sha256 not in (live, sha256_or_none(staged))
        if changed and sha256_or_none(names.previous) != sha256:
            raise SwitchError("no_previous", f"{names.previous} does not hold {short(sha256)}.")
        if changed and not check:
            if sidecars and sidecar_sha256(names.sidecar_previous) == sha256:
                relink(names.sidecar_previous, names.pending(sha256))
            relink(names.previous, staged)
            durable.sync_dir(names.directory)
        return Switch(changed, live, live, sha256)
