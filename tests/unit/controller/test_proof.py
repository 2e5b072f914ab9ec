# SPDX-License-Identifier: MIT
"""Silence, or another answer, counted as a proof."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet import proof
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from hostfacts import ASKED, GOAL, IDLE, LIVE, NEW, OLD, RAM, a_copy, a_look


def part(*copies: dict[str, Any], goal: Any = GOAL, coordinator: bool = False, **more: Any) -> dict[str, Any]:
    return part_of(a_look(*copies, **more), goal, "auto", coordinator)


def unproven(**look: Any) -> dict[str, Any]:
    return proof.proof({"rig": look}, {"rig": part()}, GOAL, None)


def test_only_a_positive_proof_is_one() -> None:
    assert unproven(copies=[a_copy(sha256=NEW)]) == {}
    for look in (
        {},
        {"unreachable": True, "msg": "gone"},
        {"failed": True, "msg": "no"},
        {"skipped": True},
        {"copies": [a_copy()]},
        {"copies": [a_copy(sha256=None)]},
        {"copies": [a_copy(sha256=NEW, kind="symlink")]},
        {"copies": [a_copy(sha256=NEW), a_copy(RAM)]},
    ):
        assert list(unproven(**look)) == ["rig"], look
    assert list(proof.proof({"rig": None}, {}, GOAL, None)) == ["rig"]
    assert "missing instead of" in unproven(copies=[a_copy(sha256=None)])["rig"][0]


def test_the_barrier_takes_no_silence_for_an_answer() -> None:
    shown = {"staged": [{"path": LIVE, "sha256": NEW}]}
    assert proof.barrier({"rig": part()}, {"rig": shown}, NEW) == {}
    answer: Any
    for answer in (
        None,
        {"skipped": True},
        {"staged": []},
        {"staged": [{"path": LIVE, "sha256": OLD}]},
        {"staged": [{"path": LIVE, "sha256": None}]},
        {"staged": [{"path": RAM, "sha256": NEW}]},
        {"unreachable": True, "msg": "gone", **shown},
        {"failed": True, "msg": "No space left", **shown},
        {"failed": True, "msg": "ModuleNotFoundError: numpy"},
    ):
        assert list(proof.barrier({"rig": part()}, {"rig": answer}, NEW)) == ["rig"], answer
    assert list(proof.barrier({"rig": part()}, {}, NEW)) == ["rig"]
    assert proof.barrier({"rig": part(a_copy(sha256=NEW))}, {}, NEW) == {}, "it was asked for nothing"
    opens = part(a_copy(sha256=NEW), asked={**ASKED, "rig_python": "/opt/python"})
    assert opens["changes"] is False
    assert list(proof.barrier({"rig": opens}, {}, NEW)) == ["rig"], "its own Python has not opened the NPZ"


def test_a_skipped_switch_is_no_switch() -> None:
    for result in (
        None,
        {"skipped": True},
        {"unreachable": True, "msg": "gone"},
        {"failed": True, "msg": "moved"},
        {"changed": True},
    ):
        assert list(proof.unswitched(["rig"], {"rig": result})) == ["rig"], result
    assert list(proof.unswitched(["rig"], {})) == ["rig"]
    assert proof.unswitched(["rig"], {"rig": {"look": {"copies": []}, "changed": True}}) == {}


LEASE = {"begun": 60.0, "asked_at": 1010.0, "number": 4, "token": "t"}


def brief(*copies: dict[str, Any], **more: Any) -> dict[str, Any]:
    """What a change registers: the look that it ended with."""
    stamp = {"boot": "rig", "clock": 120.0}
    return {"changed": True, "look": {"stamp": stamp, "copies": list(copies)}, "asked_at": 1020.0, **more}


def latest(lease: Any = LEASE, **answers: Any) -> Any:
    results: dict[str, dict[str, Any]] = {name: {} for name in ("look", "switched", "reverted", "staged")}
    results.update({name: {"rig": answer} for name, answer in answers.items() if answer is not None})
    return proof.latest(["rig"], results, lease)["rig"]


def test_a_switch_is_proven_by_the_look_that_it_ended_with() -> None:
    assert latest(look=a_look()) == {**a_look(), "by": "look"}
    found = latest(look=a_look(), switched=brief(a_copy(sha256=NEW)))
    assert ([copy["sha256"] for copy in found["copies"]], found["by"]) == ([NEW], "switched")


def test_a_switch_without_a_look_of_its_own_counted_by_the_look_before_it() -> None:
    for switched in (
        {"failed": True, "msg": "moved"},
        {"unreachable": True, "msg": "gone"},
        {"changed": True},
    ):
        found = latest(look=a_look(a_copy(sha256=NEW)), switched=switched)
        assert found["failed"] is True, switched
        assert "copies" not in found
    assert latest(look=a_look(), switched={"failed": True, "msg": "moved"})["msg"] == "moved"


def test_a_way_back_is_the_last_word() -> None:
    new, old = brief(a_copy(sha256=NEW)), brief(a_copy(sha256=OLD))
    found = latest(look=a_look(), switched=new, reverted=old)
    assert ([copy["sha256"] for copy in found["copies"]], found["by"]) == ([OLD], "reverted")
    found = latest(look=a_look(), switched=new, reverted={"failed": True, "msg": "no way"})
    assert (found["failed"], found["by"]) == (True, "reverted")


def test_a_copy_that_the_switch_did_not_read_fell_out_of_the_proof() -> None:
    stale = a_look(a_copy(), a_copy(RAM, sha256=OLD))
    found = latest(look=stale, switched=brief(a_copy(sha256=NEW)))
    assert {copy["path"]: copy["sha256"] for copy in found["copies"]} == {LIVE: NEW, RAM: OLD}
    assert found["by"] == "look", "the whole host is as old as the first look"
    assert list(proof.proof({"rig": found}, {}, GOAL, None)) == ["rig"]
    absent = a_look(a_copy(), a_copy(RAM, sha256=None))
    assert latest(look=absent, switched=brief(a_copy(sha256=NEW)))["by"] == "switched", "nobody asks for it"
    required = a_look(a_copy(), a_copy(RAM, sha256=None, required=True))
    found = latest(look=required, switched=brief(a_copy(sha256=NEW)))
    assert list(proof.proof({"rig": found}, {}, GOAL, None)) == ["rig"]


def test_a_look_repeated_after_the_switch_is_the_latest() -> None:
    again = a_look(a_copy(sha256=OLD), asked_at=float(str(LEASE["asked_at"])) + 1)
    assert latest(look=again, switched=brief(a_copy(sha256=NEW)))["copies"][0]["sha256"] == OLD
    first = a_look(a_copy(sha256=OLD), asked_at=LEASE["asked_at"])
    assert latest(look=first, switched=brief(a_copy(sha256=NEW)))["copies"][0]["sha256"] == NEW


def test_a_host_without_a_look_is_not_passed_over() -> None:
    assert latest() is None
    assert list(proof.proof({"rig": latest()}, {}, GOAL, None)) == ["rig"]
    gone = latest(look={"unreachable": True, "msg": "no route"})
    assert list(proof.proof({"rig": gone}, {}, GOAL, None)) == ["rig"]


FIRST = a_look(run=IDLE, asked_at=1000.0)


def test_a_proof_counted_as_younger_than_its_oldest_look() -> None:
    looked, switched = {"by": "look"}, {"by": "switched"}
    moments = proof.waves({"rig": switched, "zeus": switched}, FIRST, LEASE)
    assert moments == {"rig": (60.0, 1010.0), "zeus": (60.0, 1010.0)}
    assert proof.stamp(moments, FIRST, LEASE) == {"boot": "zeus", "clock": 60.0, "number": 4, "token": "t"}
    moments = proof.waves({"rig": switched, "zeus": looked}, FIRST, LEASE)
    assert moments == {"rig": (60.0, 1010.0), "zeus": (50.0, 1000.0)}
    assert proof.stamp(moments, FIRST, LEASE)["clock"] == 50.0
    moments = proof.waves({"rig": looked, "zeus": looked}, FIRST, {})
    assert proof.stamp(moments, FIRST, {}) == {"boot": "zeus", "clock": 50.0, "number": 3}
    assert proof.waves({"rig": {"by": "reverted"}}, FIRST, LEASE) == {"rig": (60.0, 1010.0)}


@pytest.mark.parametrize(("age", "old"), [(0.0, []), (35.0, []), (35.1, ["rig"]), (-1.0, [])])
def test_step_2_5_started_on_a_look_of_long_ago(
    age: float, old: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(proof.time, "clock_gettime", lambda _clock: 2000.0)
    moments = {"rig": (1999.0, 2000.0 - age), "zeus": (0.0, 2000.0)}
    assert proof.too_old(moments) == old, "by the controller's clock, whatever the coordinator's shows"


def test_the_lease_ended_while_a_host_could_still_rename() -> None:
    changed, refused = brief(), {"failed": True, "msg": "moved", "code": "moved"}
    assert proof.answered(["rig"], {"rig": changed})
    assert proof.answered(["rig", "zeus"], {"rig": changed, "zeus": refused})
    for silent in (None, {"unreachable": True, "msg": "gone"}, {"failed": True, "msg": "Timed out"}):
        assert not proof.answered(["rig", "zeus"], {"rig": silent, "zeus": changed}), silent
    assert not proof.answered(["rig"], {})


def test_a_failed_copy_or_one_that_steers_passed_the_check() -> None:
    assert proof.received({"rig": {"changed": True}, "same": {"changed": False}}) == {}
    for answer in (None, {"skipped": True}, {"failed": True, "msg": "no room"}, {"unreachable": True}):
        (why,) = proof.received({"rig": answer})["rig"]
        assert why.startswith("the copy failed: "), answer
    (why,) = proof.received({"rig": {"changed": True, "add_host": {}}})["rig"]
    assert "carries add_host" in why


def test_a_host_of_both_bytes_was_called_new_or_old() -> None:
    new, old = a_copy(sha256=NEW), a_copy(RAM, sha256=OLD)
    looks = {
        "new": a_look(new),
        "old": a_look(old),
        "mixed": a_look(new, old),
        "absent": a_look(new, a_copy(RAM, sha256=None)),
        "unknown": {"unreachable": True, "msg": "gone"},
        "silent": None,
    }
    states = proof.states(looks, NEW)
    assert states == {
        "new": "new",
        "old": "old",
        "mixed": "mixed",
        "absent": "new",
        "unknown": "unknown",
        "silent": "unknown",
    }


def test_a_symlink_is_a_copy_on_the_coordinator_with_convert_never_only() -> None:
    link = {"copies": [a_copy(sha256=NEW, kind="symlink")]}
    assert proof.proof({"zeus": link}, {}, GOAL, "zeus") == {}
    assert list(proof.proof({"zeus": link}, {}, GOAL, None)) == ["zeus"]
    found = proof.proof({"rig": link}, {}, GOAL, "zeus")
    assert list(found) == ["rig"] and "symlink instead of" in found["rig"][0]


def test_a_prediction_covered_a_copy_that_the_plan_does_not_touch() -> None:
    look = {"copies": [a_copy(), a_copy(RAM)]}
    switches = {"rig": {"switch": [{"path": LIVE}]}}
    (why,) = proof.proof({"rig": look}, switches, GOAL, None, planned=True)["rig"]
    assert why.startswith(RAM)
    assert len(proof.proof({"rig": look}, switches, GOAL, None, planned=False)["rig"]) == 2


def test_a_prediction_of_a_host_without_a_part_ended_in_a_raw_error() -> None:
    absent = a_copy(RAM, sha256=None)
    looks = {"rig": {"copies": [a_copy(), absent]}, "right": {"copies": [a_copy(sha256=NEW), absent]}}
    assert proof.proof(looks, {}, GOAL, None, planned=True) == {
        "rig": [f"{LIVE}: {short(OLD)} instead of {short(NEW)}."]
    }


def test_a_look_that_tells_no_time_counted_as_repeated() -> None:
    """The lease may have been taken within a second of the controller's boot."""
    first = a_look(asked_at=None)
    found = latest({**LEASE, "asked_at": 0.5}, look=first, switched=brief(a_copy(sha256=NEW)))
    assert found["by"] == "switched"


def test_the_message_of_a_closed_barrier_was_bad_english() -> None:
    told = "not ready to switch. Nothing live was changed."
    assert proof.not_ready({"rig": ["a", "b"]}) == f"rig is {told}"
    assert proof.not_ready({"rig": ["a"], "zeus": ["b"]}) == f"rig, zeus are {told}"
