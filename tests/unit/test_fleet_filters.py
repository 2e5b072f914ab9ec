"""The role's filters: every decision over the fleet, on facts of one's own making."""

from __future__ import annotations

import copy
from typing import Any, Dict

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import host as on_host
from ansible.module_utils.survivor_npz.controller.fleet import plan as plans
from ansible.module_utils.survivor_npz.controller.fleet import preflight as fleets
from ansible.module_utils.survivor_npz.controller.fleet import verdict as verdicts
from hostfacts import GOAL, LIVE, NEW, OLD, OPTIONS, PREFLIGHT, RAM, a_copy, facts, probe


@pytest.mark.parametrize(
    ("rig", "fault"),
    [
        (probe(python="3.8.10"), "3.9 or newer"),
        (probe(skew=-3600.0), "its clock is -3600 s off"),
        (probe(a_copy(kind="symlink", target="/archive/merged.npz")), "Remove the link"),
        (probe(a_copy(kind="other")), "not a regular file"),
        (probe(a_copy(error="Input/output error")), "can't be read: Input/output error"),
        (probe(a_copy(directory={**a_copy()["directory"], "exists": False})), "is missing. Create it"),
        (probe(a_copy(directory={**a_copy()["directory"], "writable": False})), "not writable for michael"),
        (probe(a_copy(sha256="d" * 64, directory={**a_copy()["directory"], "free": 10})), "Make room"),
        (probe(files=[{"path": "/opt/python", "exists": False}]), "survivor_npz_rig_python /opt/python"),
        ({"unreachable": True, "msg": "ssh: no route"}, "unreachable (ssh: no route)"),
        ({"failed": True, "msg": "Timed out after 60 second(s)."}, "no answer in time"),
        (
            {"failed": True, "msg": "The module interpreter '/usr/bin/python3' was not found."},
            "was not found",
        ),
        ({}, "no answer"),
        (None, "no answer"),
    ],
)
def test_a_fault_of_a_rig_is_named(rig: Any, fault: str) -> None:
    found = fleets.preflight(facts(rig), ["rig", "zeus"], "zeus", PREFLIGHT)
    assert list(found) == ["rig"]
    assert fault in " ".join(found["rig"])


def test_cloned_rigs_are_not_one_host() -> None:
    assert fleets.preflight(facts(probe()), ["rig", "zeus"], "zeus", PREFLIGHT) == {}
    same = probe(a_copy(directory={**a_copy()["directory"], "identity": "zeus"}))
    found = fleets.preflight(facts(same), ["rig", "zeus"], "zeus", PREFLIGHT)
    assert any("two inventory names for one file" in fault for faults in found.values() for fault in faults)


@pytest.mark.parametrize(
    ("lead", "fault"),
    [
        ({"files": [{"name": "survivors.json", "path": "/p/survivors.json", "exists": False}]}, "Run Step 1"),
        (
            {"files": [{"name": "train_history.json", "path": "/p/train_history.json", "exists": False}]},
            "Step 2.5 needs it",
        ),
        (
            {"files": [{"name": "script.sh", "path": "/p/script.sh", "exists": True, "readable": False}]},
            "not readable",
        ),
        ({"libraries": {"numpy": "2.2", "orjson": None}}, "/usr/bin/python3 -m pip install orjson"),
    ],
)
def test_a_fault_of_zeus_is_named(lead: Dict[str, Any], fault: str) -> None:
    hosts = facts(probe())
    hosts["zeus"]["__survivor_npz_probe"].update(lead)
    found = fleets.preflight(hosts, ["rig", "zeus"], "zeus", PREFLIGHT)
    assert list(found) == ["zeus"] and fault in " ".join(found["zeus"])


def test_step_2_5_is_running() -> None:
    hosts = facts(probe())
    hosts["zeus"]["__survivor_npz_running"] = {"running": True, "message": "It is running: 42."}
    assert "running: 42" in " ".join(fleets.preflight(hosts, ["rig", "zeus"], "zeus", PREFLIGHT)["zeus"])
    assert fleets.preflight(hosts, ["rig", "zeus"], "zeus", {**PREFLIGHT, "busy": False}) == {}


@pytest.mark.parametrize(
    ("groups", "skip", "played", "fault"),
    [
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, [], ["zeus", "r1", "r2", "localhost"], ""),
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, "r2", ["zeus", "r1"], ""),
        ({"coordinator": ["zeus"], "rigs": ["r1", "r2"]}, [], ["zeus", "r1"], "leaves out r2"),
        ({"coordinator": ["zeus"], "rigs": []}, [], ["zeus"], "has no host"),
        ({"rigs": ["r1"]}, [], ["r1"], "it has: none"),
        ({"coordinator": ["zeus", "hera"], "rigs": ["r1"]}, [], ["zeus", "hera", "r1"], "it has: zeus, hera"),
        ({"coordinator": ["zeus"], "rigs": ["r1"]}, ["r9"], ["zeus", "r1"], "names r9"),
        ({"coordinator": ["zeus"], "rigs": ["r1", "zeus"]}, [], ["zeus", "r1"], "in both groups"),
    ],
)
def test_a_fleet_is_whole_or_refused(groups: Any, skip: Any, played: Any, fault: str) -> None:
    faults = fleets.fleet(groups, "coordinator", "rigs", skip, played)["faults"]
    assert bool(faults) == bool(fault)
    assert fault in " ".join(faults)


def test_the_network_is_used_once_and_only_where_the_host_has_nothing() -> None:
    todo = plans.plan(probe(a_copy(), a_copy(RAM)), GOAL, OPTIONS)
    assert todo["receive"] == plans.staged_name(LIVE, NEW)
    assert todo["spread"] == [{"src": todo["receive"], "dest": plans.staged_name(RAM, NEW)}]
    assert [entry["expect"] for entry in todo["switch"]] == [OLD, OLD]
    todo = plans.plan(probe(a_copy(sha256=NEW), a_copy(RAM)), GOAL, OPTIONS)
    assert (todo["receive"], todo["spread"][0]["src"]) == (None, LIVE)
    staged = {NEW: plans.staged_name(LIVE, NEW)}
    todo = plans.plan(probe(a_copy(staged=staged)), GOAL, OPTIONS)
    assert (todo["receive"], todo["spread"]) == (None, []), "what a dead run staged is taken up"
    todo = plans.plan(probe(a_copy(previous={"sha256": NEW, "mode": "0644"})), GOAL, OPTIONS)
    assert (todo["receive"], todo["restore"]) == (None, [{"path": LIVE, "sidecars": False}])


def test_nothing_to_do_is_nothing() -> None:
    todo = plans.plan(probe(a_copy(sha256=NEW), a_copy(RAM, sha256=None)), GOAL, OPTIONS)
    assert todo["changes"] is False and todo["before"] == "right"
    todo = plans.plan(probe(a_copy(sha256=NEW), a_copy(RAM, sha256=None, required=True)), GOAL, OPTIONS)
    assert [entry["path"] for entry in todo["switch"]] == [RAM]


def test_the_coordinators_own_copy_goes_last() -> None:
    todo = plans.plan(
        probe(a_copy(), a_copy(RAM)), {**GOAL, "staged": "s", "path": "s"}, {**OPTIONS, "coordinator": True}
    )
    assert [(entry["path"], entry["sidecars"]) for entry in todo["switch"]] == [(RAM, False), (LIVE, True)]
    assert todo["receive"] is None


def proved(host: str, check: bool = False, **look: Any) -> Dict[str, Any]:
    todo = plans.plan(probe(), GOAL, OPTIONS)
    hosts = {host: {"__survivor_npz_plan": todo, "__survivor_npz_proof": look}}
    options = {"check": check, "convert": "auto", "coordinator": "zeus"}
    found: Dict[str, Any] = verdicts.proof(hosts, [host], GOAL, options)
    return found


def test_only_a_positive_proof_is_one() -> None:
    assert proved("rig", copies=[a_copy(sha256=NEW)]) == {}
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
        assert list(proved("rig", **look)) == ["rig"], look


def test_the_barrier_takes_no_silence_for_an_answer() -> None:
    todo = plans.plan(probe(), GOAL, OPTIONS)
    shown = {"copies": [a_copy(staged={NEW: "path"})]}
    base: Dict[str, Any] = {"__survivor_npz_plan": todo, "__survivor_npz_staged": shown}
    assert verdicts.barrier({"rig": base}, ["rig"], NEW) == {}
    for change in (
        {"__survivor_npz_plan": None},
        {"__survivor_npz_staged": None},
        {"__survivor_npz_staged": {"skipped": True}},
        {"__survivor_npz_staged": {"copies": [a_copy(staged={OLD: "path"})]}},
        {"__survivor_npz_stage_receive": {"unreachable": True}},
        {
            "__survivor_npz_stage_spread": {
                "failed": True,
                "results": [{"failed": True, "msg": "No space left"}],
            }
        },
        {"__survivor_npz_stage_opened": {"failed": True, "stderr": "ModuleNotFoundError: numpy"}},
    ):
        assert verdicts.barrier({"rig": {**copy.deepcopy(base), **change}}, ["rig"], NEW), change


def test_a_skipped_switch_is_no_switch() -> None:
    todo = plans.plan(probe(), GOAL, OPTIONS)
    for result in (
        None,
        {"skipped": True},
        {"unreachable": True, "msg": "gone"},
        {"failed": True, "msg": "moved"},
    ):
        hosts = {"rig": {"__survivor_npz_plan": todo, "__survivor_npz_activation": result}}
        assert list(verdicts.activation(hosts, ["rig"])) == ["rig"], result
    hosts = {
        "rig": {"__survivor_npz_plan": todo, "__survivor_npz_activation": {"copies": [], "changed": True}}
    }
    assert verdicts.activation(hosts, ["rig"]) == {}


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
    assert bool(on_host.sample_warnings(count, arguments)) == warned
