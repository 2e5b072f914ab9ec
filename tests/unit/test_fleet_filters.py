"""Every decision over the fleet, on looks of one's own making."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import membership, preflight, proof
from ansible.module_utils.survivor_npz.controller.fleet.looks import short
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of
from ansible.module_utils.survivor_npz.switch.names import Names
from hostfacts import ASKED, GOAL, LIVE, NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks


def staged(path: str) -> str:
    return Names(path).staged(NEW)


def part(*copies: dict[str, Any], goal: Any = GOAL, coordinator: bool = False, **more: Any) -> dict[str, Any]:
    return part_of(a_look(*copies, **more), goal, "auto", coordinator)


@pytest.mark.parametrize(
    ("rig", "fault"),
    [
        (a_look(python="3.8.10"), "3.9 or newer"),
        (a_look(skew=-3600.0), "its clock is -3600 s off"),
        (a_look(a_copy(kind="symlink", target="/archive/merged.npz")), "Remove the link"),
        (a_look(a_copy(kind="other")), "not a regular file"),
        (a_look(a_copy(error="Input/output error")), "can't be read: Input/output error"),
        (
            a_look(a_copy(directory=a_directory(exists=False))),
            "is missing. If survivor_npz_pipeline_dir is right",
        ),
        (a_look(a_copy(directory=a_directory(writable=False))), "not writable for michael"),
        (
            a_look(a_copy(directory=a_directory(untrusted=["/home is world-writable."]))),
            "/home is world-writable",
        ),
        (a_look(a_copy(sha256="d" * 64, directory=a_directory(free=10))), "Make room"),
        (a_look(files=[{"path": "/opt/python", "exists": False}]), "survivor_npz_rig_python /opt/python"),
        ({"unreachable": True, "msg": "ssh: no route"}, "unreachable (ssh: no route)"),
        ({"failed": True, "msg": "Timed out after 60 second(s)."}, "no answer in time"),
        (
            {"failed": True, "msg": "The module interpreter '/usr/bin/python3' was not found."},
            "was not found",
        ),
        ({"skipped": True}, "no answer"),
        ({}, "no answer"),
        (None, "no answer"),
        (a_look(python="three"), "makes no sense"),
        (a_look(skew=None), "makes no sense"),
    ],
)
def test_a_fault_of_a_rig_is_named(rig: Any, fault: str) -> None:
    found = preflight.preflight(looks(rig), "zeus", OPTIONS)
    assert list(found) == ["rig"]
    assert fault in " ".join(found["rig"])


def test_cloned_rigs_are_not_one_host() -> None:
    assert preflight.preflight(looks(a_look()), "zeus", OPTIONS) == {}
    same = a_look(a_copy(directory=a_directory(identity="zeus")))
    found = preflight.preflight(looks(same), "zeus", OPTIONS)
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
def test_a_fault_of_zeus_is_named(lead: dict[str, Any], fault: str) -> None:
    found = preflight.preflight(looks(a_look(), **lead), "zeus", OPTIONS)
    assert list(found) == ["zeus"] and fault in " ".join(found["zeus"])


def test_step_2_5_is_running() -> None:
    answers = looks(a_look(), run={"running": True, "message": "It is running: 42."})
    assert "running: 42" in " ".join(preflight.preflight(answers, "zeus", OPTIONS)["zeus"])
    assert preflight.preflight(answers, "zeus", {**OPTIONS, "busy": False}) == {}


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


def test_the_network_is_used_once_and_only_where_the_host_has_nothing() -> None:
    found = part(a_copy(), a_copy(RAM))
    assert found["receive"] == found["source"] == staged(LIVE)
    assert found["spread"] == [LIVE, RAM]
    assert [entry["replaces"] for entry in found["switch"]] == [OLD, OLD]
    found = part(a_copy(sha256=NEW), a_copy(RAM))
    assert (found["receive"], found["spread"], found["source"]) == (None, [RAM], LIVE)
    found = part(a_copy(staged={NEW: staged(LIVE)}))
    assert (found["receive"], found["spread"]) == (None, []), "what a dead run staged is taken up"
    found = part(a_copy(previous={"sha256": NEW, "mode": "0644"}))
    assert (found["receive"], found["restore"]) == (None, [{"path": LIVE, "sidecars": False}])


def test_nothing_to_do_is_nothing() -> None:
    found = part(a_copy(sha256=NEW), a_copy(RAM, sha256=None))
    assert (found["changes"], found["before"], found["action"]) == (False, f"current {short(NEW)}", "none")
    found = part(a_copy(sha256=NEW), a_copy(RAM, sha256=None, required=True))
    assert [entry["path"] for entry in found["switch"]] == [RAM]


def test_the_coordinators_own_copy_goes_last() -> None:
    found = part(a_copy(), a_copy(RAM), goal={**GOAL, "staged": "s", "path": "s"}, coordinator=True)
    assert [(entry["path"], entry["sidecars"]) for entry in found["switch"]] == [(RAM, False), (LIVE, True)]
    assert found["receive"] is None


def unproven(**look: Any) -> dict[str, Any]:
    return proof.proof({"rig": look}, {"rig": part()}, GOAL, "zeus", "auto")


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
    assert list(proof.proof({"rig": None}, {}, GOAL, "zeus", "auto")) == ["rig"]


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
