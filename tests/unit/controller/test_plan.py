# SPDX-License-Identifier: MIT
"""What each host must do to hold the goal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet.plan import (
    copy_seconds,
    groups,
    parcel,
    part_of,
    plan,
)
from ansible.module_utils.survivor_npz.switch.names import Names
from hostfacts import ASKED, GOAL, LIVE, NEW, OLD, RAM, a_copy, a_directory, a_look


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
    found = part(a_copy(sha256=NEW), a_copy(RAM, staged={NEW: staged(RAM)}))
    assert (found["spread"], found["source"]) == ([], LIVE)
    found = part(a_copy(staged={NEW: staged(LIVE)}))
    assert (found["receive"], found["spread"]) == (None, []), "what a dead run staged is taken up"
    found = part(a_copy(previous={"sha256": NEW, "mode": "0644"}))
    assert (found["receive"], found["restore"]) == (None, [{"path": LIVE, "sidecars": False}])


def test_nothing_to_do_is_nothing() -> None:
    found = part(a_copy(sha256=NEW), a_copy(RAM, sha256=None))
    assert (found["changes"], found["before"], found["action"]) == (False, f"current {short(NEW)}", "none")
    found = part(a_copy(sha256=NEW), a_copy(RAM, sha256=None, required=True))
    assert [entry["path"] for entry in found["switch"]] == [RAM]


def test_a_symlink_with_the_right_bytes_passes_for_a_copy() -> None:
    link = a_look(a_copy(sha256=NEW, kind="symlink", target="/t"))
    for convert, coordinator, right in (
        ("never", True, True),
        ("never", False, False),
        ("auto", True, False),
    ):
        assert bool(part_of(link, GOAL, convert, coordinator)["switch"]) is not right, (convert, coordinator)


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


def test_the_copy_task_was_sent_to_a_directory_that_does_not_exist() -> None:
    gone = a_directory(path="/dev/shm/step2", exists=False, nearest="/dev/shm")
    lacking = a_copy(RAM, sha256=None, required=True, directory=gone)
    found = part(lacking, a_copy())
    assert found["receive"] == found["source"] == staged(LIVE), (
        "not the first path, the first that can take it"
    )
    assert (found["spread"], found["directories"]) == ([RAM, LIVE], ["/dev/shm/step2"])
    found = part(lacking)
    assert found["receive"] == staged("/home/michael/pipeline/survivors.npz"), "the pipeline's own exists"
    assert found["spread"] == [RAM]
    found = part(a_copy(sha256=NEW), lacking)
    assert (found["receive"], found["source"]) == (None, LIVE), "the bytes are on the host already"


def test_a_right_copy_that_the_switch_need_not_change_was_not_read_again() -> None:
    found = part(a_copy(sha256=NEW), a_copy(RAM))
    assert (found["rest"], [entry["path"] for entry in found["switch"]]) == ([LIVE], [RAM])
    found = part(a_copy(sha256=NEW, mode="0600"), a_copy(RAM))
    assert (found["rest"], found["attributes"]) == ([], [LIVE])
    link = a_copy(sha256=NEW, kind="symlink", mode="0777")
    found = part_of(a_look(link), {**GOAL, "converts": False}, "never", True)
    assert (found["rest"], found["attributes"], found["switch"]) == ([], [], []), "a link is never touched"
    absent = part(a_copy(sha256=NEW), a_copy(RAM, sha256=None))
    assert absent["rest"] == [LIVE]


def test_the_coordinators_goal_went_over_the_network_to_itself() -> None:
    found = part(a_copy(sha256=NEW, kind="other"), a_copy(RAM), goal={**GOAL, "path": "/p"}, coordinator=True)
    assert (found["receive"], found["source"]) == (None, "/p")


def test_leftovers_of_dead_runs_stayed_or_the_staged_goal_went() -> None:
    dead = ["/p/.survivors.npz.dead.staged"]
    assert part(a_copy(leftovers=dead))["clean"] == [{"path": LIVE, "sidecars": False}]
    assert part(a_copy(leftovers=[staged(LIVE)]))["clean"] == [], "what a dead run staged is taken up"
    found = part(a_copy(sha256=NEW, leftovers=[staged(LIVE)]))
    assert [entry["path"] for entry in found["clean"]] == [LIVE], "nobody needs it any more"
    assert (found["changes"], found["action"]) == (True, "clean up")
    lead = part(a_copy(leftovers=dead), coordinator=True)
    assert lead["clean"] == [], "the converter cleans up by itself"
    lead = part(a_copy(leftovers=dead), goal={**GOAL, "converts": False}, coordinator=True)
    assert lead["clean"] == [{"path": LIVE, "sidecars": True}]


def test_a_switch_replaces_what_the_decision_saw() -> None:
    goal = {**GOAL, "replaces": "f" * 64}
    assert part(a_copy(), goal=goal)["switch"][0]["replaces"] == OLD
    lead = part(a_copy(), a_copy(RAM), goal=goal, coordinator=True)["switch"]
    assert {entry["path"]: entry["replaces"] for entry in lead} == {RAM: OLD, LIVE: "f" * 64}


def test_a_previous_file_of_another_owner_came_back_as_it_was() -> None:
    kept = {"sha256": NEW, "mode": "0600"}
    found = part(a_copy(previous=kept))
    assert (found["restore"], found["spread"]) == ([], [LIVE]), "a rig makes a new one"
    found = part(a_copy(previous=kept), goal={**GOAL, "converts": False}, coordinator=True)
    assert (found["restore"], found["attributes"]) == ([{"path": LIVE, "sidecars": True}], [LIVE])


def test_the_rigs_own_python_is_asked_on_rigs_only() -> None:
    asked = {**ASKED, "rig_python": "/opt/python"}
    assert part(a_copy(sha256=NEW), asked=asked)["open"] is True
    assert part(a_copy(sha256=NEW), asked=asked, coordinator=True)["open"] is False
    assert part(a_copy(sha256=NEW))["open"] is False


def test_a_mode_written_otherwise_was_set_again_in_each_run() -> None:
    assert part(a_copy(sha256=NEW), asked={**ASKED, "mode": "644"})["changes"] is False
    assert part(a_copy(sha256=NEW), asked={**ASKED, "mode": "0640"})["attributes"] == [LIVE]
    assert part(a_copy(sha256=NEW), asked={**ASKED, "group": "video"})["attributes"] == [LIVE]


def test_a_plan_tells_of_every_host_that_can_not_do_its_part() -> None:
    small = a_look(a_copy(directory=a_directory(free=999)))
    odd = a_look(a_copy(mode=None, sha256=NEW))
    parts, faults = plan({"rig": small, "odd": odd, "well": a_look()}, GOAL, "auto", "zeus")
    assert (set(faults), set(parts) >= {"rig", "well"}) == ({"rig", "odd"}, True)
    assert "Make room" in faults["rig"][0]
    assert "makes no sense" in faults["odd"][0]
    assert plan({"rig": a_look(a_copy(directory=a_directory(free=1000)))}, GOAL, "auto", "zeus")[1] == {}


def test_a_large_npz_was_cut_off_on_a_slow_link() -> None:
    parts = {"zeus": part(a_copy(sha256=NEW)), "rig-6600": part(a_copy()), "rig-6600b": part(a_copy())}
    assert copy_seconds(parts, 100_000_000) == 20, "two rigs share the link"
    assert copy_seconds(parts, 1) == 1
    assert copy_seconds({"zeus": parts["zeus"]}, 100_000_000) == 0


def test_the_goal_is_read_where_nobody_put_it(tmp_path: Path) -> None:
    npz = tmp_path / "live.npz"
    npz.touch()
    goal = {**GOAL, "path": str(npz)}
    assert parcel(goal, "local", "/run") == str(npz)
    assert parcel(goal, "ssh", "/run") == f"/run/survivor_npz/{NEW}.npz"
    assert parcel({**goal, "path": "/nowhere/x.npz"}, "local", "/run") == f"/run/survivor_npz/{NEW}.npz"


SPARE = "/srv/survivors.npz"


def test_a_rebooted_rig_without_its_directory_had_nothing_to_do() -> None:
    gone = a_directory(path="/dev/shm/step2", exists=False)
    found = part(a_copy(sha256=None, directory=gone))
    assert found["directories"] == ["/dev/shm/step2"]
    assert (found["action"], found["changes"]) == ("switch", True)


def test_the_bytes_were_taken_from_where_they_are_not() -> None:
    found = part(a_copy(sha256=NEW), a_copy(RAM, sha256=NEW), a_copy(SPARE))
    assert (found["source"], found["spread"]) == (LIVE, [SPARE])
    found = part(a_copy(staged={NEW: staged(LIVE)}), a_copy(RAM))
    assert (found["source"], found["spread"], found["receive"]) == (staged(LIVE), [RAM], None)
    previous = {"sha256": NEW, "mode": "0644", "owner": "michael", "group": "michael"}
    found = part(a_copy(previous=previous), a_copy(RAM))
    assert (found["source"], found["spread"], found["receive"]) == (staged(LIVE), [RAM], None)
    found = part(a_copy(sha256=NEW), a_copy(RAM, previous=previous), a_copy(SPARE))
    assert (found["source"], found["spread"]) == (LIVE, [SPARE])


def test_what_the_converter_staged_counted_for_the_coordinators_other_copies() -> None:
    found = part(a_copy(), a_copy(RAM), goal={**GOAL, "staged": staged(LIVE)}, coordinator=True)
    assert (found["source"], found["spread"], found["receive"]) == (staged(LIVE), [RAM], None)


def test_the_content_was_sent_beside_a_copy_that_does_not_need_it() -> None:
    found = part(a_copy(sha256=None, required=False), a_copy(RAM))
    assert (found["receive"], found["spread"]) == (staged(RAM), [RAM])


def test_a_host_without_any_copy_ended_in_a_raw_error() -> None:
    found = part(a_copy(sha256=None, required=False))
    assert (found["source"], found["receive"], found["changes"]) == (None, None, False)


def test_a_previous_file_that_is_as_asked_for_was_given_its_owner_again() -> None:
    previous = {"sha256": NEW, "mode": "0644", "owner": "michael", "group": "michael"}
    found = part(a_copy(previous=previous), coordinator=True)
    assert (found["restore"], found["attributes"]) == ([{"path": LIVE, "sidecars": True}], [])
    found = part(a_copy(sha256=NEW, mode="0600"))
    assert (found["attributes"], found["action"], found["changes"]) == ([LIVE], "set owner and mode", True)


def test_an_npz_that_is_kept_got_its_mtime_on_a_rig() -> None:
    goal = {**GOAL, "settles": True, "mtime_ns": 8}
    settle = {"path": LIVE, "replaces": NEW, "sidecars": True, "mtime_ns": 8}
    assert part(a_copy(sha256=NEW), goal=goal, coordinator=True)["settle"] == [settle]
    assert part(a_copy(sha256=NEW), goal=goal)["settle"] == []


def test_a_rig_switched_the_sidecar_that_the_coordinator_has() -> None:
    parts, _faults = plan({"rig": a_look(), "zeus": a_look()}, GOAL, "auto", "zeus")
    sidecars = {host: [entry["sidecars"] for entry in found["switch"]] for host, found in parts.items()}
    assert sidecars == {"rig": [False], "zeus": [True]}


def test_a_rig_whose_python_is_asked_joined_no_group() -> None:
    opens = part(a_copy(sha256=NEW), asked={**ASKED, "rig_python": "/opt/python"})
    parts = {"rig": opens, "other": part(a_copy(sha256=NEW)), "zeus": part(a_copy(sha256=NEW))}
    assert groups(parts, None, "zeus", False) == {
        "rig": ["survivor_npz_differ"],
        "zeus": ["survivor_npz_switching"],
    }
