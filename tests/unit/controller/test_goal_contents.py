# SPDX-License-Identifier: MIT
"""What a goal says of its NPZ, and what the report says of the goal."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from hostfacts import GOAL, LIVE, NEW, OLD, RAM, a_copy, a_look
from test_goal import DECISION, PIN, SOURCE
from test_goal import PREVIOUS as LAST

PROVEN, OTHER = "e" * 64, "f" * 64
PREVIOUS = {**LAST, "path": f"{LIVE}.previous", "source_mtime_ns": 6}
OF_LIVE = {
    "sha256": NEW,
    "sha1": "c" * 40,
    "size": 1000,
    "survivor_count": 7,
    "source_mtime_ns": 3,
    "due": False,
    "path": LIVE,
    "staged": None,
    "live": LIVE,
    "replaces": NEW,
}
OF_PREVIOUS = {
    "sha256": OLD,
    "sha1": "d" * 40,
    "size": 900,
    "survivor_count": 5,
    "source_mtime_ns": 6,
    "reason": "rollback",
    "due": False,
    "path": f"{LIVE}.previous",
    "staged": None,
    "live": LIVE,
    "replaces": NEW,
    "converts": False,
    "pin": PIN,
    "stays": False,
    "holder": None,
}
# A copy that is never the coordinator's own one.
SECOND = a_copy(RAM, sha256=OTHER, mtime_ns=9, staged={NEW: "/dev/shm/staged"}, previous=None)


def zeus(*rest: dict[str, Any], **main: Any) -> dict[str, Any]:
    return a_look(a_copy(**{"sha256": NEW, **main}), *(rest or (SECOND,)), files=[SOURCE])


def back(looks: dict[str, Any]) -> dict[str, Any]:
    return goals.from_previous("zeus", looks, "s.json")


def test_the_goal_was_read_from_another_copy_than_the_coordinators_own() -> None:
    look = zeus(source_mtime_ns=3, previous=PREVIOUS)
    assert goals.from_live(look) == {**OF_LIVE, "reason": "never", "converts": False}
    assert goals.from_live(look, "fresh") == {**OF_LIVE, "reason": "fresh", "converts": True}
    assert back({"zeus": look}) == OF_PREVIOUS
    assert goals.from_decision(zeus(sha256=OLD), DECISION) == {
        "sha256": NEW,
        "sha1": "d" * 40,
        "size": 900,
        "survivor_count": 5,
        "source_mtime_ns": 8,
        "reason": "newer",
        "due": True,
        "path": LIVE,
        "staged": None,
        "live": LIVE,
        "replaces": OLD,
        "converts": True,
    }


def test_another_copy_decided_whether_the_script_would_convert() -> None:
    settles = {"settles": True, "mtime_ns": 8}
    assert goals.on_purpose(zeus(), {**GOAL, "reason": "pinned"}, "s.json") == settles


def test_without_a_json_an_npz_of_1970_was_set_again_in_each_run() -> None:
    gone = {"name": "s.json", "path": "/p/s.json", "exists": False}
    look = a_look(a_copy(sha256=NEW, mtime_ns=0), files=[gone])
    assert goals.on_purpose(look, {**GOAL, "reason": "never"}, "s.json") == {}
    look["files"] = [{**SOURCE, "mtime_ns": 1}]
    settles = {"settles": True, "mtime_ns": 1}
    assert goals.on_purpose(look, {**GOAL, "reason": "pinned"}, "s.json") == settles, "the JSON is newer"


def test_a_rollback_where_the_live_npz_is_gone_ended_in_a_raw_error() -> None:
    look = zeus(sha256=None, mtime_ns=None, previous=PREVIOUS)
    goal = back({"zeus": look})
    assert (goal["sha256"], goal["replaces"], goal["stays"]) == (OLD, None, False)
    assert goals.on_purpose(look, goal, "s.json") == {}


def from_proven(proven: Any, *rig: dict[str, Any], rest: Any = SECOND) -> dict[str, Any]:
    """A rollback where the old converter made what was live before on the coordinator."""
    lead = {**zeus(rest, previous={**PREVIOUS, "old_converter": True}), "proven": proven}
    return back({"rig": a_look(*rig), "zeus": lead})


def test_a_rollback_went_to_what_is_live_already() -> None:
    found = from_proven([NEW, PROVEN], a_copy(previous={**PREVIOUS, "sha256": PROVEN}))
    assert found == {**OF_PREVIOUS, "sha256": PROVEN, "holder": "rig"}


def test_a_rollback_without_a_proven_npz_did_not_say_why() -> None:
    absent = a_copy(RAM, sha256=None)
    for proven in (None, [], [NEW], [NEW, PROVEN]):
        found = from_proven(proven, a_copy(), rest=absent)
        assert found == {
            "refused": f"{LIVE}.previous was made by the old converter, which labels hybrids java_lcg, and no "
            "host holds the NPZ that was proven before it: there is nothing to go back to."
        }, proven


def test_a_rollback_took_another_programs_file_for_the_proven_npz() -> None:
    link = a_copy(sha256=PROVEN, kind="symlink", target="/archive/merged.npz")
    assert list(from_proven([NEW, PROVEN], link)) == ["refused"]


def test_the_report_told_of_another_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(goals.time, "time", lambda: 1_700_000_100.0)
    told = {
        "sha256": OLD,
        "survivor_count": 5,
        "age": 100,
        "replaced": NEW,
        "stays": False,
        "json": "s.json",
        "done": True,
    }
    goal = {**OF_PREVIOUS, "source_mtime_ns": 1_700_000_000_000_000_000}
    assert goals.rollback(goal, "s.json", True) == told
    unknown = {**goal, "source_mtime_ns": None}
    assert goals.rollback(unknown, "s.json", False) == {**told, "age": None, "done": False}


def test_too_few_survivors_were_laid_to_the_wrong_step() -> None:
    told = (
        "5 survivors, at least 6 are needed (survivor_npz_min_survivors). No rig was touched, the old NPZ stays "
        "everywhere. "
    )
    assert goals.too_few(OF_PREVIOUS, 6, True) == f"{told}The previous NPZ holds no more."
    assert goals.too_few(OF_PREVIOUS, 6, False) == f"{told}Look at Step 1's result."


@pytest.mark.parametrize(
    ("result", "goal", "told"),
    [
        ({"changed": True}, {"staged": "/p/staged"}, {"converted": True}),
        ({"changed": False}, {"staged": "/p/staged"}, {"reuses": True}),
        ({"changed": False}, {}, {}),
        ({"changed": False}, {"due": True}, {"due": True}),
    ],
)
def test_the_report_told_of_another_conversion(result: Any, goal: Any, told: Any) -> None:
    assert goals.conversion({**result, "elapsed": 1.5, "notes": []}, {**GOAL, **goal}, False) == {
        "elapsed": 1.5,
        "reason": "newer",
        "sha256": NEW,
        "size": 1000,
        "survivor_count": 7,
        "converted": False,
        "reuses": False,
        "due": False,
        **told,
    }


@pytest.mark.parametrize(
    ("arguments", "sample"),
    [
        ([], "5,000"),
        (["100", "200"], "5,000"),
        (["100", "--sample-size"], "5,000"),
        (["100", "--sample-size", "2000", "300"], "2,000"),
        (["100", "--sample-size=2000", "300"], "2,000"),
        (["--sample-size", "3000", "--sample-size=many"], "3,000"),
        ("--sample-size=2000", "2,000"),
    ],
)
def test_the_warning_named_a_sample_that_the_script_does_not_take(arguments: Any, sample: str) -> None:
    count = int(sample.replace(",", ""))
    assert goals.sample_warnings(count + 1, arguments) == []
    assert goals.sample_warnings(1234, arguments) == [
        f"--sample-size {sample} needs more than 1,234 survivors: workers will fail although the script reports "
        "success. Give a smaller --sample-size in survivor_npz_scorer_args."
    ]
