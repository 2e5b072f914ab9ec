# SPDX-License-Identifier: MIT
"""A gate was opened, or the fleet made partial, from outside of the run."""

from __future__ import annotations

import getpass
import os
import platform
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet.decision import Stop
from ansible.module_utils.survivor_npz.controller.fleet.guard import guard
from localfleet import ROOT

PLAYBOOKS = ROOT / "playbooks"
GROUPS = {"all": ["zeus", "rig"], "coordinator": ["zeus"], "rigs": ["rig"]}


def guarded(
    scope: str = "fleet",
    hosts: Any = None,
    groups: Any = None,
    played: Any = ("zeus", "rig", "localhost"),
    skip_rigs: Any = (),
    **task_vars: Any,
) -> Any:
    known: dict[str, Any] = {"zeus": {}, "rig": {}, **(hosts or {})}
    return guard(
        {
            "groups": {**GROUPS, **(groups or {})},
            "hostvars": known,
            "ansible_play_hosts_all": list(played),
            "playbook_dir": str(PLAYBOOKS),
            **task_vars,
        },
        {
            "scope": scope,
            "coordinator_group": "coordinator",
            "rigs_group": "rigs",
            "skip_rigs": list(skip_rigs),
            "argument_specs": str(ROOT / "roles" / "survivor_npz" / "meta" / "argument_specs.yml"),
        },
        PLAYBOOKS,
        lambda host, name: known[host][name],
    )


def refused(*args: Any, **changes: Any) -> str:
    with pytest.raises(Stop) as caught:
        guarded(*args, **changes)
    assert caught.value.report["phase"] == "guard"
    assert str(caught.value).endswith("Nothing was done.")
    return str(caught.value)


def groups_of(found: Any) -> dict[str, list[str]]:
    return {member["name"]: member["groups"] for member in found["members"]}


def test_a_whole_fleet_is_let_through() -> None:
    found = guarded()
    token = found.pop("token")
    assert len(token) == 32 and token != guarded()["token"], "two runs would hold one lease"
    assert found == {
        "team": {"coordinator": "zeus", "rigs": ["rig"], "skipped": [], "faults": []},
        "members": [
            {"name": "rig", "groups": ["survivor_npz_fleet", "survivor_npz_followers"]},
            {"name": "zeus", "groups": ["survivor_npz_fleet", "survivor_npz_lead"]},
        ],
        "played": ["zeus", "rig", "localhost"],
        "controller": f"{getpass.getuser()}@{platform.node()} (pid {os.getppid()})",
        "controller_pid": os.getppid(),
        "report": {"options": {"path": "", "skipped": []}},
    }


@pytest.mark.parametrize("host", ["zeus", "rig"])
@pytest.mark.parametrize(
    "name", ["__survivor_npz_plan", "__survivor_npz_switched", "__survivor_npz_rolls_back"]
)
def test_a_variable_forged_a_result(host: str, name: str) -> None:
    said = refused(hosts={host: {name: {"proven": True}}})
    assert f"{name} was given from outside" in said
    for scope in ("coordinator", "status"):
        assert name in refused(scope, hosts={"zeus": {name: True}})


@pytest.mark.parametrize("scope", ["fleet", "status", "coordinator"])
def test_a_typo_was_ignored_by_some_playbooks(scope: str) -> None:
    said = refused(scope, hosts={"zeus": {"survivor_npz_forse": True}})
    assert "survivor_npz_forse: unknown variable; did you mean survivor_npz_force?" in said


@pytest.mark.parametrize("name", ["survivor_npz_proven", "survivor_npz_lead", "survivor_npz_cleared_rigs"])
def test_a_group_of_the_inventory_opened_a_gate(name: str) -> None:
    assert f"{name} was given from outside" in refused(groups={name: ["rig"]})
    assert guarded(groups={"my_survivor_npz_group": ["rig"]}), "another's name"


@pytest.mark.parametrize(("pid", "passes"), [(os.getppid(), True), (os.getppid() + 1, False), (None, False)])
def test_a_second_playbook_of_one_command_was_refused(pid: Any, passes: bool) -> None:
    """Its groups and results come from the first; those of another process don't."""
    left: dict[str, Any] = {
        "hosts": {"rig": {"__survivor_npz_look": {}}},
        "groups": {"survivor_npz_proven": ["zeus"]},
    }
    earlier: dict[str, Any] = {"__survivor_npz_guard": {"controller_pid": pid}}
    if passes:
        assert guarded(**left, **earlier)
    else:
        assert "__survivor_npz_look, survivor_npz_proven was given" in refused(**left, **earlier)


def test_a_fault_of_a_variable_names_the_hosts_that_it_concerns() -> None:
    wrong = {"survivor_npz_mode": "777"}
    assert "rig: survivor_npz_mode is 777" in refused(hosts={"rig": wrong})
    said = refused(hosts={"rig": wrong, "zeus": wrong})
    assert said.startswith("survivor_npz_mode is 777")
    assert said.count("survivor_npz_mode is 777") == 1


def test_variables_of_different_types_are_compared() -> None:
    assert guarded(hosts={"rig": {"survivor_npz_mode": "0644", "survivor_npz_scorer_args": ["--trials"]}})


def test_a_template_that_can_not_be_evaluated_ended_in_a_traceback() -> None:
    class Broken(dict[str, Any]):
        def __getitem__(self, key: str) -> Any:
            raise ValueError("no\nsuch filter")

    said = refused(hosts={"rig": Broken(survivor_npz_mode="{{ 1 | nope }}")})
    assert "survivor_npz_mode can't be evaluated for rig: no such filter" in said
    said = refused(hosts={"rig": Broken(__survivor_npz_plan="{{ 1 | nope }}", other="{{ 1 | nope }}")})
    assert said.startswith("__survivor_npz_plan was given from outside"), "its name is enough"


@pytest.mark.parametrize(
    ("played", "batch", "limit", "said"),
    [
        (["zeus"], ["zeus"], "zeus", "--limit zeus leaves out rig"),
        (["rig"], ["rig"], "rig", "--limit rig leaves out zeus"),
        (["zeus"], ["zeus"], None, "This play leaves out rig"),
        (["zeus", "rig"], ["zeus"], None, "`serial` splits the fleet"),
    ],
)
def test_a_part_of_the_fleet_passed_for_the_whole(played: Any, batch: Any, limit: Any, said: str) -> None:
    left: dict[str, Any] = {"played": played, "ansible_play_batch": batch, "ansible_limit": limit}
    assert said in refused(**left)
    if "zeus" in played:
        rigs = {"rig": ["survivor_npz_rigs"]} if "rig" in played else {}
        assert groups_of(guarded("coordinator", **left)) == {
            "zeus": ["survivor_npz_fleet", "survivor_npz_lead"],
            **rigs,
        }
    else:
        assert "leaves out zeus, the coordinator" in refused("coordinator", **left)
    found = guarded("status", **left)
    assert set(groups_of(found)) == set(played), "a status tells of whom it may"
    assert found["team"]["faults"] == [], "a status needs no whole fleet"


def test_a_rig_left_out_by_name_takes_no_part() -> None:
    more: dict[str, Any] = {"groups": {"rigs": ["rig", "down"]}, "skip_rigs": ["down"]}
    found = guarded(**more)
    assert (found["team"]["rigs"], found["team"]["skipped"]) == (["rig"], ["down"])
    assert set(groups_of(found)) == {"rig", "zeus"}
    assert found["report"]["options"]["skipped"] == ["down"]


def test_a_tag_is_judged_in_our_own_playbooks_only() -> None:
    assert "unknown tag mine" in refused(ansible_run_tags=["mine"])
    assert "unknown tag mine" in refused(ansible_skip_tags=["mine"])
    assert "leaves out the look" in refused(ansible_skip_tags=["preflight"])
    assert guarded(ansible_run_tags=["mine"], playbook_dir=str(ROOT / "demo"))
    assert guarded(ansible_run_tags=["convert", "run"])
    # What molecule gives to each playbook: without it no scenario would start.
    assert guarded(ansible_skip_tags=["molecule-notest", "notest", "molecule-idempotence-notest"])


def test_a_play_on_the_coordinator_alone_passes_without_it() -> None:
    found = guarded("coordinator", played=("zeus",))
    assert groups_of(found)["zeus"] and "rig" not in groups_of(found)
    assert groups_of(guarded("coordinator"))["rig"] == ["survivor_npz_rigs"]
    assert "leaves out zeus, the coordinator" in refused("coordinator", played=("rig",), ansible_limit="rig")
    none = "The group coordinator must have exactly one host; it has none. Nothing was done."
    assert refused("coordinator", groups={"coordinator": [], "rigs": []}) == none


def test_a_coordinator_that_is_also_a_rig_was_not_stopped_and_nothing_said_so() -> None:
    found = guarded("coordinator", groups={"rigs": ["rig", "zeus"]})
    assert found["team"]["faults"] == [], "to stop, the fleet need not be in order"
    assert groups_of(found) == {
        "rig": ["survivor_npz_rigs"],
        "zeus": ["survivor_npz_fleet", "survivor_npz_lead"],
    }


def test_a_fleet_without_a_coordinator_was_told_to_leave_out_a_rig() -> None:
    none = "The group coordinator must have exactly one host; it has none. Nothing was done."
    assert refused(groups={"coordinator": []}, played=["zeus"]) == none


def test_another_programs_variable_is_evaluated() -> None:
    hosts = {"rig": {"other": 1, "survivor_npz_report": "/r"}}
    found = guarded(hosts=hosts)
    assert found["report"]["options"] == {"path": "", "skipped": []}
    assert guarded(survivor_npz_report="/p")["report"]["options"]["path"] == "/p"
    found = guarded(hosts={"zeus": {"survivor_npz_report": "/r"}}, survivor_npz_report="/p")
    assert found["report"]["options"]["path"] == "/r"
    with pytest.raises(Stop, match="survivor_npz_odd"):
        guarded(hosts={"rig": {"survivor_npz_odd": 1}})


def test_a_status_is_refused_for_what_it_should_show() -> None:
    found = guarded("status", groups={"coordinator": []})
    assert found["team"]["faults"] and groups_of(found)
    assert "coordinator" in refused("status", groups={"coordinator": []}, played=("localhost",))
    wrong = {"hosts": {"rig": {"survivor_npz_misspelt": 1}}}
    said = "rig: survivor_npz_misspelt: unknown variable. Nothing was done."
    assert refused("status", **wrong) == said
    only = "survivor_npz_misspelt: unknown variable. Nothing was done."
    assert refused("status", groups={"coordinator": []}, **wrong) == only, "the group is no reason"
    assert guarded("status", played=["zeus"], **wrong), "of a host that it does not ask"
    assert refused("coordinator", played=["zeus"], **wrong) == said, "every host's were to be judged"
