"""Silence, or another answer, counted as a proof."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet import proof
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from hostfacts import ASKED, GOAL, LIVE, NEW, OLD, RAM, a_copy, a_look


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


def test_the_barrier_takes_no_silence_for_an_answer() -> None:
    shown = {"staged": [{"path": LIVE, "sha256": NEW}]}
    assert proof.barrier({"rig": part()}, {"rig": shown}, NEW) == {}
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
