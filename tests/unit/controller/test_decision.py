# SPDX-License-Identifier: MIT
"""A decision read what another host or an earlier run had registered, or took a tag for another."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet.decision import Stop, one, plays, registered

OURS = ("always", "preflight", "convert", "distribute", "prove", "run")


@pytest.mark.parametrize(
    ("run", "skip", "own", "expected"),
    [
        (["all"], [], [], {"convert", "distribute", "run"}),
        (["tagged"], [], [], {"convert", "distribute", "run"}),
        (["convert"], [], [], {"convert"}),
        (["convert", "run"], [], [], {"convert", "run"}),
        (["all"], ["convert"], [], {"distribute", "run"}),
        (["all"], ["distribute", "run"], [], {"convert"}),
        (["tagged"], ["run"], [], {"convert", "distribute"}),
        (["convert"], ["convert"], [], set()),
        (["all"], ["all"], [], set()),
        (["all"], ["tagged"], [], set()),
        (["always"], [], [], set()),
        (["always"], [], ["mine", "always"], set()),
        (["untagged"], [], [], set()),
        (["run"], [], OURS, {"run"}),
        (["prove"], [], OURS, set()),
        (["preflight"], [], OURS, set()),
        (["convert"], [], OURS, {"convert"}),
        (["distribute"], [], OURS, {"distribute"}),
        (["mine"], [], [], set()),
        (["mine"], [], ["mine", "always"], {"convert", "distribute", "run"}),
        (["mine"], ["run"], ["mine", "always"], {"convert", "distribute"}),
        (["all"], ["mine"], ["mine", *OURS], set()),
        (["run"], [], ["mine", "always"], {"run"}),
    ],
)
def test_a_tag_let_a_part_run_that_it_leaves_out(
    run: list[str], skip: list[str], own: list[str], expected: set[str]
) -> None:
    task_vars = {"ansible_run_tags": run, "ansible_skip_tags": skip}
    assert {tag for tag in ("convert", "distribute", "run") if plays(task_vars, own, tag)} == expected


def test_without_tags_every_part_runs() -> None:
    assert plays({}, OURS, "run")


def test_a_result_was_taken_from_another_host_or_another_task() -> None:
    looked: dict[str, Any] = {"copies": []}
    hostvars = {
        "rig": {"__survivor_npz_look": looked, "__survivor_npz_staged": {"skipped": True}},
        "other": {"__survivor_npz_look": "text", "survivor_npz_look": looked},
        "zeus": {"__survivor_npz_look": None},
    }
    look, staged = registered({"hostvars": hostvars}, ["rig", "other", "zeus"], "look", "staged")
    assert (look, staged) == ({"rig": looked}, {}), "what was skipped has shown nothing"


@pytest.mark.parametrize("value", [None, "text", [], {}, {"other": 1}])
def test_a_decision_was_taken_without_the_guard(value: Any) -> None:
    with pytest.raises(Stop, match="The guard did not run") as caught:
        one({"__survivor_npz_guard": value}, "guard", "team")
    assert caught.value.report == {"phase": "guard", "hosts": {}}
    with pytest.raises(Stop):
        one({"survivor_npz_guard": {"team": 1}}, "guard", "team")
    assert one({"__survivor_npz_guard": {"team": 1}}, "guard", "team") == {"team": 1}
