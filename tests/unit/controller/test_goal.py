"""What a rollback goes back to, and what the goal warns of."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from hostfacts import NEW, OLD, a_copy, a_look

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


@pytest.mark.parametrize(
    ("count", "arguments", "warned"),
    [
        (4900, [], True),
        (5001, [], False),
        (5000, ["100"], True),
        (300, ["100", "--sample-size", "200"], False),
        (200, ["--sample-size=200"], True),
        (9000, ["100", "--sample-size", 9000], True),
        (None, [], False),
    ],
)
def test_workers_died_of_too_few_survivors_and_it_said_success(
    count: Any, arguments: Any, warned: bool
) -> None:
    assert bool(goals.sample_warnings(count, arguments)) == warned
