# SPDX-License-Identifier: MIT
"""What a rollback goes back to, and what the goal warns of."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
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
    found: dict[str, Any] = goals.from_previous("zeus", {"zeus": look}, json_name)
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
    look = a_look(a_copy(previous=PREVIOUS), files=[source])
    found = goals.from_previous("zeus", {"zeus": look}, "sub/s.json")
    assert found["due"] is False
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


def test_a_pin_that_says_how_the_npz_was_made_counted_as_a_rollback() -> None:
    """convert: never and a kept NPZ are pinned as well; with them in force a rollback goes back."""
    pin = {"sha256": NEW, "source": PIN}
    assert back(PREVIOUS, pin=pin)["stays"] is True
    found = back(PREVIOUS, pin={**pin, "unconverted": True})
    assert (found["sha256"], found["stays"]) == (OLD, False)


@pytest.mark.parametrize(
    "pin",
    [
        None,
        {"sha256": OLD, "source": PIN},
        {"sha256": NEW, "source": {**PIN, "mtime_ns": 9}},
        {"sha256": NEW, "source": {**PIN, "size": 8}},
        {"sha256": NEW},
    ],
)
def test_a_pin_of_other_survivors_held_a_rollback_back(pin: Any) -> None:
    found = back(PREVIOUS, pin=pin)
    assert (found["sha256"], found["stays"], found["replaces"]) == (OLD, False, NEW)
    assert (found["path"], found["live"], found["pin"]) == (PREVIOUS["path"], a_copy()["path"], PIN)


DECISION = {
    "changed": True,
    "sha256": NEW,
    "checksum": "d" * 40,
    "size": 900,
    "survivor_count": 5,
    "reason": "newer",
    "live_sha256": OLD,
    "source": {"mtime_ns": 8},
}


@pytest.mark.parametrize(
    ("reason", "staged", "due"),
    [
        ("newer", {}, True),
        ("missing", {}, True),
        ("newer", {NEW: "/p/staged"}, False),
        ("fresh", {}, False),
        ("pinned", {}, False),
        ("never", {}, False),
    ],
)
def test_a_conversion_was_due_and_the_old_goal_distributed(reason: str, staged: Any, due: bool) -> None:
    found = goals.from_decision(a_look(a_copy(staged=staged)), {**DECISION, "reason": reason})
    assert (found["due"], found["sha256"], found["replaces"]) == (due, NEW, OLD)
    assert (found["path"], found["staged"]) == (a_copy()["path"], None)
    found = goals.from_decision(a_look(), {**DECISION, "staged": "/p/staged"})
    assert found["path"] == found["staged"] == "/p/staged"


def test_the_report_told_of_a_conversion_that_was_not_done() -> None:
    goal = goals.from_decision(a_look(), {**DECISION, "staged": "/p/staged"})

    def told(result: Any, goal: Any, dry: bool = False) -> Any:
        found = goals.conversion(result, goal, dry)
        return [name for name in ("converted", "reuses", "due") if found.get(name)]

    assert told(DECISION, goal) == ["converted"]
    assert told(DECISION, goal, dry=True) == ["due"]
    assert told({**DECISION, "changed": False}, {**goal, "due": False}) == ["reuses"]
    assert told({**DECISION, "reason": "fresh"}, {**goal, "reason": "fresh", "due": False}) == []
    assert told(None, goals.from_live(a_look())) == []
    kept = {"elapsed": 1.5, "source": {"size": 1}, "notes": ["few"], "left_out": ["x"], "defaulted": ["y"]}
    found = goals.conversion({**DECISION, **kept}, goal, False)
    assert {key: found[key] for key in kept} == kept


@pytest.mark.parametrize(
    ("count", "least", "few"), [(0, 1, True), (1, 1, False), (0, 0, False), (None, 1, False)]
)
def test_too_few_survivors_were_distributed(count: Any, least: int, few: bool) -> None:
    assert bool(goals.too_few({"survivor_count": count}, least, False)) == few


def test_a_link_on_the_coordinator_is_distributed_by_what_it_points_to() -> None:
    link = a_copy(kind="symlink", target="/archive/merged.npz")
    found = goals.from_live(a_look(link))
    assert (found["path"], found["live"], found["converts"]) == ("/archive/merged.npz", link["path"], False)
    assert goals.from_live(a_look())["path"] == a_copy()["path"]


@pytest.mark.parametrize(
    ("goal", "copy", "set_to"),
    [
        ({"reason": "never"}, {}, 8),
        ({"reason": "pinned"}, {}, 8),
        ({"reason": "rollback", "stays": True}, {}, 8),
        ({"reason": "rollback", "stays": False}, {"mtime_ns": 8}, 8),
        ({"reason": "rollback", "stays": True}, {"mtime_ns": 8}, None),
        ({"reason": "never"}, {"mtime_ns": 8}, None),
        ({"reason": "never"}, {"kind": "symlink", "target": "/archive/merged.npz"}, None),
        ({"reason": "fresh"}, {}, None),
        ({"reason": "rollback", "stays": False}, {"sha256": OLD}, None),
    ],
)
def test_the_script_converted_what_was_live_on_purpose(goal: Any, copy: Any, set_to: Any) -> None:
    """It tests `[ JSON -nt NPZ ]`, and the NPZ kept its old mtime."""
    look = a_look(a_copy(**{"sha256": NEW, **copy}), files=[SOURCE])
    found = goals.on_purpose(look, {**GOAL, **goal}, "s.json")
    assert found.get("mtime_ns") == set_to
    assert found.get("pin") == (
        {**PIN, "unconverted": True} if set_to and goal["reason"] == "never" else None
    )
    part = part_of(look, {**GOAL, "converts": False, **goal, **found}, "auto", True)
    assert [entry["mtime_ns"] for entry in part["settle"]] == ([set_to] if set_to else [])
    if "sha256" not in copy and "kind" not in copy:
        assert (part["changes"], part["action"]) == ((True, "set mtime") if set_to else (False, "none"))


def test_without_a_json_nothing_is_set() -> None:
    look = a_look(a_copy(sha256=NEW), files=[{"name": "s.json", "path": "/p/s.json", "exists": False}])
    assert goals.on_purpose(look, {**GOAL, "reason": "never"}, "s.json") == {}


PROVEN = "e" * 64


@pytest.mark.parametrize(
    ("proven", "rig", "holder"),
    [
        ([NEW, PROVEN, "f" * 64], a_copy(previous={**PREVIOUS, "sha256": PROVEN}), "rig"),
        ([NEW, PROVEN], a_copy(sha256=PROVEN, path="/dev/shm/s.npz"), "rig"),
        ([NEW, "f" * 64], a_copy(previous={**PREVIOUS, "sha256": PROVEN}), None),
        ([NEW], a_copy(previous={**PREVIOUS, "sha256": PROVEN}), None),
    ],
)
def test_a_rollback_brought_back_hybrids_labelled_java_lcg(proven: Any, rig: Any, holder: Any) -> None:
    """Step 1 runs the old converter, so what was live before on Zeus is its NPZ, and on the rigs the proven one."""
    copy = a_copy(sha256=NEW, previous={**PREVIOUS, "old_converter": True})
    lead = a_look(copy, files=[SOURCE], proven=proven)
    found = goals.from_previous("zeus", {"rig": a_look(rig), "zeus": lead}, "s.json")
    if holder is None:
        assert "made by the old converter" in found["refused"]
        return
    assert (found["sha256"], found["holder"]) == (PROVEN, holder)
    part = part_of(lead, found, "auto", True)
    assert part["receive"], "the coordinator gets the bytes as any rig does"
