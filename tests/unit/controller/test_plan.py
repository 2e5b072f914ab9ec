"""What each host must do to hold the goal."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.controller.fleet.looks import short
from ansible.module_utils.survivor_npz.controller.fleet.plan import part_of, plan
from ansible.module_utils.survivor_npz.switch.names import Names
from hostfacts import ASKED, GOAL, LIVE, NEW, OLD, RAM, a_copy, a_look


def staged(path: str) -> str:
    return Names(path).staged(NEW)


def part(*copies: dict[str, Any], goal: Any = GOAL, coordinator: bool = False, **more: Any) -> dict[str, Any]:
    return part_of(a_look(*copies, **more), goal, "auto", coordinator)


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


def an_account(**changes: Any) -> dict[str, Any]:
    return {"accounts": {"owner": {"wanted": "1000", "name": "michael", "grantable": True, **changes}}}


def test_an_owner_that_only_root_can_give() -> None:
    rig = {**a_look(), **an_account(wanted="root", name="root", grantable=False)}
    _parts, faults = plan({"rig": rig}, GOAL, "auto", "zeus")
    assert "michael can't give a file to the user root" in " ".join(faults["rig"])
    right = {**rig, "copies": [a_copy(sha256=NEW, owner="root")]}
    _parts, faults = plan({"rig": right}, GOAL, "auto", "zeus")
    assert faults == {}, "nothing has to be given where all is right"


def test_an_owner_given_as_a_number_was_set_again_in_each_run() -> None:
    rig = {**a_look(a_copy(sha256=NEW)), **an_account(), "asked": {**ASKED, "owner": 1000}}
    assert part_of(rig, GOAL, "auto", False)["changes"] is False
    rig["accounts"]["owner"]["name"] = "root"
    assert part_of({**rig, "asked": {**ASKED, "owner": 0}}, GOAL, "auto", False)["attributes"] == [LIVE]
