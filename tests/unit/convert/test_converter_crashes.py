# SPDX-License-Identifier: MIT
"""A conversion stopped before and after every step on the disk; `make torture` runs more starts."""

from pathlib import Path

import pytest
import scenarios
from crashes import Prepare, Scenario, exhaust
from kills import campaign


@pytest.mark.parametrize(
    ("start", "activate"),
    [(scenarios.empty, True), (scenarios.outdated, True), (scenarios.outdated, False)],
)
def test_a_kill_at_any_step_leaves_old_or_new_and_the_next_run_heals(
    tmp_path: Path, start: Prepare, activate: bool
) -> None:
    scenario = Scenario(start.__name__, tmp_path, start, activate=activate)
    assert len(scenario.steps) > 10, scenario.steps
    faults = exhaust(scenario)
    assert not faults, "\n".join(faults)


def test_a_random_kill_of_all_processes_leaves_old_or_new(tmp_path: Path) -> None:
    hit, faults = campaign(tmp_path, 24, seed=1)
    assert not faults, "\n".join(faults)
    assert hit > 8, "the kills came too late to prove anything"
