"""What a rollback goes back to, and what a dry run may promise."""

from __future__ import annotations

from typing import Any, Dict, Optional

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import plan as plans
from ansible.module_utils.survivor_npz.controller.fleet import verdict as verdicts
from hostfacts import GOAL, NEW, OLD, OPTIONS, a_copy, probe

PREVIOUS = {
    "path": "/home/michael/pipeline/.survivors.npz.previous",
    "sha256": OLD,
    "sha1": "d" * 40,
    "size": 900,
    "survivors": 5,
    "fault": None,
}


def back(previous: Optional[Dict[str, Any]], json_name: str = "s.json", **zeus: Any) -> Dict[str, Any]:
    found: Dict[str, Any] = goals.rollback_to(
        probe(a_copy(sha256=NEW, previous=previous, **zeus), files=[SOURCE]), json_name
    )
    return found


SOURCE = {"name": "s.json", "path": "/p/s.json", "exists": True, "size": 7, "mtime_ns": 8}
PIN = {"path": "/p/s.json", "size": 7, "mtime_ns": 8}


@pytest.mark.parametrize(
    ("previous", "why"),
    [
        (None, "no readable previous NPZ"),
        ({"path": PREVIOUS["path"], "error": "Input/output error"}, "no readable previous NPZ"),
        ({**PREVIOUS, "survivors": None, "fault": "BadZipFile: no"}, "is no whole NPZ (BadZipFile: no)"),
        ({**PREVIOUS, "survivors": None}, "does not tell how many survivors"),
    ],
)
def test_a_rollback_brought_garbage_to_every_rig_and_proved_it(previous: Any, why: str) -> None:
    found = back(previous)
    assert list(found) == ["refused"] and why in found["refused"]


def test_a_second_rollback_went_forward_again() -> None:
    assert back(PREVIOUS)["sha256"] == OLD
    assert back(PREVIOUS, pin={"sha256": NEW, "source": PIN})["sha256"] == NEW
    assert "no whole NPZ" in back(PREVIOUS, pin={"sha256": NEW, "source": PIN}, fault="cut")["refused"]


def test_a_json_in_a_subdirectory_left_the_pin_empty_and_the_rollback_was_undone() -> None:
    source = {**SOURCE, "name": "sub/s.json", "path": "/p/sub/s.json"}
    found = goals.rollback_to(probe(a_copy(previous=PREVIOUS), files=[source]), "sub/s.json")
    assert found["pin"] == {**PIN, "path": "/p/sub/s.json"}


def test_a_dry_run_counted_a_switch_that_its_tags_leave_out() -> None:
    todo = plans.plan(probe(), GOAL, OPTIONS)
    rig: Dict[str, Any] = {"__survivor_npz_plan": todo, "__survivor_npz_proof": {"copies": [a_copy()]}}
    options = {"check": True, "convert": "auto", "coordinator": "zeus"}
    team = {"hosts": ["rig"], "skipped": []}

    def shown(facts: Dict[str, Any], **more: Any) -> Any:
        unproved = verdicts.proof({"rig": facts}, ["rig"], GOAL, {**options, **more})
        (row,) = verdicts.rows({"rig": facts}, team, unproved, None, True)
        return sorted(unproved), row["action"], row["proof"]

    assert shown(rig) == (["rig"], "did not switch", "no")
    predicted = {**rig, "__survivor_npz_prediction": {"changed": True}}
    assert shown(predicted) == ([], "would switch", "would hold")
    assert shown(predicted, check=False)[0] == ["rig"], "a real run believes the look only"
