"""What a rollback goes back to, and what a dry run may promise."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import proof, table
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from hostfacts import GOAL, NEW, OLD, a_copy, a_look

PREVIOUS = {
    "path": "/home/michael/pipeline/.survivors.npz.previous",
    "sha256": OLD,
    "sha1": "d" * 40,
    "size": 900,
    "survivors": 5,
    "fault": None,
}


def back(previous: dict[str, Any] | None, json_name: str = "s.json", **zeus: Any) -> dict[str, Any]:
    look = a_look(a_copy(sha256=NEW, previous=previous, **zeus), files=[SOURCE])
    found: dict[str, Any] = goals.from_previous(look, json_name)
    return found


SOURCE = {"name": "s.json", "path": "/p/s.json", "exists": True, "size": 7, "mtime_ns": 8}
PIN = {"path": "/p/s.json", "size": 7, "mtime_ns": 8}


@pytest.mark.parametrize(
    ("previous", "why"),
    [
        (None, "no readable previous NPZ"),
        ({"path": PREVIOUS["path"], "error": "Input/output error"}, "no readable previous NPZ"),
        (
            {**PREVIOUS, "survivors": None, "fault": "BadZipFile: no"},
            "is incomplete or damaged (BadZipFile: no)",
        ),
        ({**PREVIOUS, "survivors": None}, "does not record how many survivors"),
    ],
)
def test_a_rollback_brought_garbage_to_every_rig_and_proved_it(previous: Any, why: str) -> None:
    found = back(previous)
    assert list(found) == ["refused"] and why in found["refused"]


def test_a_second_rollback_went_forward_again() -> None:
    assert back(PREVIOUS)["sha256"] == OLD
    assert back(PREVIOUS, pin={"sha256": NEW, "source": PIN})["sha256"] == NEW
    damaged = back(PREVIOUS, pin={"sha256": NEW, "source": PIN}, fault="cut")
    assert "incomplete or damaged" in damaged["refused"]


def test_a_json_in_a_subdirectory_left_the_pin_empty_and_the_rollback_was_undone() -> None:
    source = {**SOURCE, "name": "sub/s.json", "path": "/p/sub/s.json"}
    found = goals.from_previous(a_look(a_copy(previous=PREVIOUS), files=[source]), "sub/s.json")
    assert found["pin"] == {**PIN, "path": "/p/sub/s.json"}


def test_a_dry_run_counted_a_switch_that_its_tags_leave_out() -> None:
    look = {**a_look(), "by": "look"}
    parts = {"rig": part_of(look, GOAL, "auto", False)}

    def shown(will: bool) -> Any:
        unproven = proof.proof({"rig": look}, parts, GOAL, "zeus", "auto", will)
        (row,) = table.rows(Team(None, ["rig"], [], []), {}, parts, {}, unproven, None, will)
        return sorted(unproven), row["action"], row["proof"]

    assert shown(False) == (["rig"], "did not switch", "no"), "so too a real run: it believes the look only"
    assert shown(True) == ([], "would switch", "predicted")
