# SPDX-License-Identifier: MIT
"""Step 2.5 ran on a part of the fleet."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import membership


@pytest.mark.parametrize(
    ("groups", "skip", "played", "fault"),
    [
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, [], ["zeus", "r1", "r2", "localhost"], ""),
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, "r2", ["zeus", "r1"], ""),
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, [], ["zeus", "r1"], "leaves out r2"),
        ({"coordinator": ["zeus"], "rigs": []}, [], ["zeus"], "has no host"),
        ({"rigs": ["r1"]}, [], ["r1"], "it has none"),
        ({"coordinator": ["zeus", "hera"], "rigs": ["r1"]}, [], ["zeus", "hera", "r1"], "it has zeus, hera"),
        ({"coordinator": ["zeus"], "rigs": ["r1"]}, ["r9"], ["zeus", "r1"], "names r9"),
        ({"coordinator": ["zeus"], "rigs": ["r1", "zeus"]}, [], ["zeus", "r1"], "in both groups"),
    ],
)
def test_a_fleet_is_whole_or_refused(groups: Any, skip: Any, played: Any, fault: str) -> None:
    options = {"coordinator_group": "coordinator", "rigs_group": "rigs", "skip_rigs": skip}
    team = membership.team_of(groups, options)
    faults = team.faults + membership.left_out(team, played, played, "r1")
    assert bool(faults) == bool(fault)
    assert fault in " ".join(faults)


@pytest.mark.parametrize(
    ("value", "names"),
    [("a", ["a"]), (" a, b ,,", ["a", "b"]), ("", []), (None, []), (["a", 5], ["a", "5"])],
)
def test_a_comma_too_many_names_a_host(value: object, names: list[str]) -> None:
    assert membership.names_of(value) == names


def test_a_play_on_a_part_was_told_to_remove_serial() -> None:
    team = membership.Team("zeus", ["r1"], [], [])
    (said,) = membership.left_out(team, ["zeus", "other"], ["zeus"], None)
    assert said.startswith("This play leaves out r1: ")
