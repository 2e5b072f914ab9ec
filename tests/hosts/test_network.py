# SPDX-License-Identifier: MIT
"""The network goes away while bytes are on their way, and comes back."""

from __future__ import annotations

from typing import Any

from hosts import faults
from realfleet import RealFleet

STAGE = "Copy the goal to every rig"
# More than the handshakes and the module need, less than the NPZ: the copy is cut in its middle.
MIDDLE = 550_000
MANY = 40_000


def test_network_cut_in_the_middle_of_a_copy(fleet: RealFleet, at: Any) -> None:
    """Half an NPZ has arrived; nothing live changes anywhere, and the healed rig gets the whole."""
    fleet.new_survivors(MANY)
    before, starts = fleet.digests, fleet.starts
    run = fleet.run(at_task=[at(STAGE, "cut", "rig-6600b", MIDDLE)])
    assert run.rc != 0
    assert 0 < fleet.arrived("rig-6600b") < fleet.staged_size(), "the cut must be in the middle"
    assert fleet.digests == before
    assert fleet.starts == starts
    assert "rig-6600b" in run.tail and "NOT started" in run.tail
    faults.heal(fleet.fleet, "rig-6600b")
    fleet.assert_healed(fleet.run())


def test_network_cut_before_the_run(fleet: RealFleet) -> None:
    """No answer and no refusal, unlike a host that is down."""
    before, starts = fleet.digests, fleet.starts
    faults.cut(fleet.fleet, "rig-6600")
    run = fleet.run()
    assert run.rc != 0
    assert fleet.digests == before
    assert fleet.starts == starts
    assert "rig-6600" in run.tail and "NOT started" in run.tail


def test_network_of_zeus_cut_before_it_switches(fleet: RealFleet, at: Any) -> None:
    """The rigs have switched and Zeus can't: they go back, or are named."""
    starts = fleet.starts
    run = fleet.run(at_task=[at("See which rigs have switched", "cut", "zeus")])
    assert run.rc != 0
    assert fleet.starts == starts
    assert "zeus" in run.tail and "NOT started" in run.tail
    zeus = fleet.sha256(fleet.zeus)
    assert all(fleet.sha256(rig) == zeus or rig in run.tail for rig in fleet.rigs), run.tail


def test_rig_reimaged_with_a_new_host_key_is_refused(fleet: RealFleet) -> None:
    """Somebody else may answer there: refused, with what an operator must do."""
    before, starts = fleet.digests, fleet.starts
    fleet.fleet.reimage("rig-6600b")
    run = fleet.run()
    assert run.rc != 0
    assert "rig-6600b" in run.tail and "host key" in run.tail.lower() and "NOT started" in run.tail
    assert "ssh-keygen -R" in run.tail, "the message says how to accept a rig that was really reimaged"
    assert {host: fleet.sha256(host) for host in fleet.names[:2]} == {
        host: before[host] for host in fleet.names[:2]
    }
    assert fleet.starts == starts
    fleet.fleet.trust()
    fleet.seed("rig-6600b")
