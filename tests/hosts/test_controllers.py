# SPDX-License-Identifier: MIT
"""Controllers that die at any task, and two of them at once."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import List

import pytest
from realfleet import RealFleet

KILL = ["SIGKILL"]
SHORT_LEASE = '{"survivor_npz_task_timeout": 20}'  # nobody ends it after a kill


def kill_at(fleet: RealFleet, task: object) -> List[str]:
    """Kill the controller at a task and check that no host is left with anything but old or new bytes."""
    before, starts = fleet.digests, fleet.starts
    run = fleet.run("step25.yml", "-e", SHORT_LEASE, at_task=[{"task": task, "do": KILL}])
    assert run.rc == -9, run.out
    done = fleet.trace()
    if "run | Start Step 2.5" not in " ".join(done):
        assert fleet.starts == starts, done[-1]
    fresh = {digest for host, digest in fleet.digests.items() if digest != before[host]}
    assert len(fresh) <= 1 and None not in fresh, (done[-1], fleet.digests)
    return done


def test_controller_killed_at_the_switch(fleet: RealFleet) -> None:
    """The rigs switch while nobody is left to prove it; the fixture's healthy run heals all."""
    done = kill_at(fleet, "Make the staged NPZ live")
    assert "Make the staged NPZ live" in done[-1]


@pytest.mark.timeout(7200)
def test_controller_killed_at_each_task_in_turn(fleet: RealFleet) -> None:
    """At every task of a run that converts, stages, switches and launches: killed there, then run again."""
    fleet.assert_healed(fleet.run())
    fleet.new_survivors()
    fleet.assert_healed(fleet.run())
    tasks = fleet.trace()
    assert len(tasks) > 20, tasks
    for number, name in enumerate(tasks):
        fleet.new_survivors()
        done = kill_at(fleet, number)
        assert len(done) == number + 1 and done[-1] == name, (number, name, done[-1])
        fleet.wait_for_the_dead()
        fleet.assert_healed(fleet.run())


def test_two_controllers_at_once(fleet: RealFleet) -> None:
    """Whoever wins: both never launch on a mixed fleet, and the loser says why."""
    starts = len(fleet.starts)
    others = fleet.second_controller()
    with ThreadPoolExecutor(2) as pool:
        first, second = pool.map(lambda controller: controller.run(), (fleet, others))
    assert "Traceback" not in first.out + second.out
    for run in (first, second):
        assert run.rc == 0 or "NOT started" in run.tail, run.out
    launched = fleet.starts[starts:]
    assert len(launched) == [first.rc, second.rc].count(0)
    assert all(live == proved for live, proved, _ in launched), launched
