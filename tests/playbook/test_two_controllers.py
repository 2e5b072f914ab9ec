# SPDX-License-Identifier: MIT
"""Step 2.5 started while a second controller switched the hosts one by one: it read different bytes."""

from __future__ import annotations

import os
import re
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from breakable import SWITCH, WAY_BACK
from controllers import Controller, SharedFleet, wait_for
from localfleet import NPZ, Run

# Several runs each; on a busy machine each takes its time.
pytestmark = pytest.mark.timeout(1800)
START = "run | Start Step 2.5"
IN_THE_WAY = r"\S+@\S+ \(pid \d+\)"
UTC = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ"


def short() -> dict[str, int]:
    """A short lease lasts for three tasks; each must get done in its time, on a busy machine too."""
    return {"survivor_npz_task_timeout": 15 + int(3 * os.getloadavg()[0] / (os.cpu_count() or 1))}


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SharedFleet]:
    fleet = SharedFleet(tmp_path / "fleet")
    yield fleet
    fleet.close()


def assert_refused(run: Run, *texts: str) -> None:
    """It started nothing, and its final lines say why."""
    said = " ".join(run.tail.split())
    assert (run.rc, "Step 2.5 was NOT started." in said) == (2, True), run.out
    for text in texts:
        assert re.search(text, said), (text, said)


def assert_names_the_other(run: Run) -> None:
    """It says who is in the way, since when and until when."""
    assert_refused(
        run, IN_THE_WAY, f"(begun|since) {UTC}", rf"until {UTC} \((another )?\d+ s|has ended|expired at {UTC}"
    )


B: dict[str, tuple[str, dict[str, Any]]] = {
    "prepare": ("prepare.yml", {}),
    "rollback": ("rollback.yml", {}),
    "while-running": ("prepare.yml", {"survivor_npz_prepare_while_running": True}),
}


@pytest.mark.parametrize(
    "name",
    ["prepare", *(pytest.param(name, marks=pytest.mark.slow) for name in ("rollback", "while-running"))],
)
def test_proven_controller_starts_while_another_has_switched_one_rig(fleet: SharedFleet, name: str) -> None:
    playbook, variables = B[name]
    if name == "rollback":
        fleet.write_survivors(200)
        assert fleet.play("prepare.yml").rc == 0
    old = fleet.sha256("zeus")
    a = fleet.controller(pause=START)
    a.wait()
    if name != "rollback":
        fleet.write_survivors(200)
    b = fleet.controller(
        playbook, faults={"rig-6600b": ("wait", SWITCH)}, **variables, survivor_npz_task_timeout=150
    )
    b.wait("rig-6600b")
    wait_for(lambda: fleet.sha256("rig-6600") != old, "one rig has switched")
    a.go_on()
    assert_names_the_other(a.end())
    assert fleet.sha256("rig-6600b") == old, "B is still at it"
    assert_names_the_other(fleet.play())  # one that comes while B is at work, whatever it would do
    b.go_on("rig-6600b")
    assert b.end().rc == 0
    assert (len(fleet.live), fleet.starts) == (1, [])
    fleet.assert_repaired()


def killed(fleet: SharedFleet, how: str, **options: Any) -> Controller:
    """Another controller, killed while one rig has switched and the other is at it (see fakessh)."""
    old = fleet.sha256("zeus")
    fleet.write_survivors(200)
    b = fleet.controller("prepare.yml", faults={"rig-6600b": (how, SWITCH)}, **short(), **options)
    b.wait("rig-6600b")
    wait_for(lambda: fleet.sha256("rig-6600") != old, "one rig has switched")
    b.kill()
    return b


@pytest.mark.slow  # 77 s
def test_killed_controller_blocks_for_good_or_not_at_all(fleet: SharedFleet) -> None:
    b = killed(fleet, "wait")
    assert_names_the_other(fleet.play())
    fleet.wait_for_lease()
    fleet.write_survivors(150)
    fleet.assert_repaired()
    new = fleet.sha256("zeus")
    b.go_on("rig-6600b")
    b.over("rig-6600b")
    assert fleet.live == {new}, "what was asked of the rig before comes too late"


@pytest.mark.slow
def test_killed_controllers_rename_lands_after_everybody_looked(fleet: SharedFleet) -> None:
    """It had asked whether it may, and then its machine stood still: the lease is over, the rename is not."""
    b = killed(fleet, "late")
    fleet.wait_for_lease()
    assert_refused(fleet.play(), "rig-6600b: .*another process has held this lock for 10 s")
    b.go_on("rig-6600b")
    b.over("rig-6600b")
    assert fleet.sha256("rig-6600b") == fleet.sha256("rig-6600")
    fleet.assert_repaired()


@pytest.mark.slow
def test_clocks_that_are_ten_minutes_off_make_a_lease_longer_or_shorter(fleet: SharedFleet) -> None:
    env = fleet.shift_clocks(zeus=600, **{"rig-6600": -600})
    fleet.vars["survivor_npz_max_clock_skew"] = 1300
    killed(fleet, "wait", env={**env, "CLOCK_OFF": "-600"})
    assert_names_the_other(fleet.play())
    fleet.wait_for_lease()
    fleet.assert_repaired()


@pytest.mark.slow  # the lease must outlast a whole run: on a busy machine it does not
def test_rig_that_goes_back_late_spoils_a_proof(fleet: SharedFleet) -> None:
    """B switched one rig, failed on the other, lost the connection on the way back, and ended."""
    old = fleet.sha256("zeus")
    a = fleet.controller(pause=START)
    a.wait()
    fleet.write_survivors(200)
    b = fleet.controller(
        "prepare.yml",
        pause="switch | Make the staged NPZ live",
        faults={"rig-6600": ("cut", WAY_BACK)},
        **short(),
    )
    b.wait()
    (staged,) = fleet.dir("rig-6600b").glob(f".{NPZ}.*.staged")
    staged.unlink()
    b.go_on()
    run = b.end()
    assert run.rc == 2 and fleet.sha256("rig-6600b") == fleet.sha256("zeus") == old, run.out
    new = fleet.sha256("rig-6600")
    assert new != old and "rig-6600 new" in run.tail, run.out
    a.go_on()
    assert_names_the_other(a.end())
    assert_names_the_other(fleet.play())  # until the rig can't go back any more
    fleet.wait_for_lease()
    fleet.assert_repaired()
    b.go_on("rig-6600")
    b.over("rig-6600")
    assert fleet.live == {new}


@pytest.mark.slow
def test_controller_that_slept_through_its_lease_switches_its_next_rig(fleet: SharedFleet) -> None:
    old = fleet.sha256("zeus")
    fleet.write_survivors(200)
    b = fleet.controller("prepare.yml", pause=("rig-6600b", "switch | Make the staged NPZ live"), **short())
    b.wait()
    wait_for(lambda: fleet.sha256("rig-6600") != old, "one rig has switched")
    fleet.wait_for_lease()
    # The goal of this one is what rig-6600b still holds: nothing but the time forbids B to switch it.
    a = fleet.controller(pause=START, survivor_npz_convert="never")
    a.wait()
    assert fleet.live == {old}
    b.go_on()
    run = b.end()
    assert (run.rc, fleet.live) == (2, {old}), run.out
    assert "the permission to switch this host ended at" in " ".join(run.out.split())
    a.go_on()
    assert (a.end().rc, fleet.starts) == (0, [old])
    fleet.assert_repaired()


@pytest.mark.slow
def test_old_proof_counts(fleet: SharedFleet) -> None:
    """Looks older than 35 s are repeated; once the start is under way, more than 60 s are too many."""
    a, late = fleet.controller(pause="prove | Stop unless every host"), fleet.controller(pause=START)
    late.wait()
    began = time.monotonic()
    a.wait()
    assert a.looks == late.looks == 2
    time.sleep(36)
    a.go_on()
    assert (a.end().rc, a.looks, len(fleet.starts)) == (0, 4, 1), a.screen
    time.sleep(max(0.0, began + 61 - time.monotonic()))
    late.go_on()
    assert_refused(late.end(), r"last looked at \d+ s ago; at most 60 s is allowed")


@pytest.mark.slow  # the short form is the race with prepare.yml
def test_hook_starts_while_another_controller_has_switched_one_rig(fleet: SharedFleet) -> None:
    """As a playbook that is proven and slow to start: run_scorer_meta_optimizer.sh with its hook."""
    a = hooked(fleet)
    a.wait()
    old = fleet.sha256("zeus")
    fleet.write_survivors(200)
    b = fleet.controller("prepare.yml", faults={"rig-6600b": ("wait", SWITCH)}, survivor_npz_task_timeout=150)
    b.wait("rig-6600b")
    wait_for(lambda: fleet.sha256("rig-6600") != old, "one rig has switched")
    a.go_on()
    assert a.process.wait(60) != 0
    assert re.search(f"survivor_npz: Another controller is changing the fleet: {IN_THE_WAY}", a.screen), (
        a.screen
    )
    b.go_on("rig-6600b")
    assert b.end().rc == 0
    assert (len(fleet.live), fleet.starts) == (1, [])


def hooked(fleet: SharedFleet) -> Controller:
    """Step 2.5's script, hooked and started; it stops once its playbook has proven the fleet."""
    program = fleet.root.with_name("prepare-then-wait")
    program.write_text(
        f"""#!/bin/bash
{fleet.command("prepare.yml")[0]} "$@" || exit
[[ "$*" == *--syntax-check* ]] && exit
touch "$FAKESSH_FAULTS/controller.waits"
until [ -e "$FAKESSH_FAULTS/controller.go" ]; do sleep 0.05; done
"""
    )
    program.chmod(0o755)
    run = fleet.run(
        "hook.yml",
        extra={
            "survivor_npz_hook_ansible_playbook": str(program),
            "survivor_npz_hook_python": sys.executable,
        },
    )
    assert run.rc == 0, run.out
    return fleet.controller("hook", command=["bash", "run_scorer_meta_optimizer.sh"])
