# SPDX-License-Identifier: MIT
"""What decisions read out of looks, word by word: a state, a goal, a group, a sum of bytes."""

from __future__ import annotations

import time
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.fleet import goal as goals
from ansible.module_utils.survivor_npz.controller.fleet import host_faults, preflight, status
from ansible.module_utils.survivor_npz.controller.fleet.looks import (
    is_right,
    must_be_right,
    previous_is,
    short,
    source_of,
    state,
)
from ansible.module_utils.survivor_npz.controller.fleet.plan import cleared, groups, part_of
from hostfacts import ASKED, GOAL, LIVE, NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look

MOMENT = 2 * 10**9


@pytest.mark.parametrize(
    ("copy", "sha256", "follows", "word"),
    [
        (a_copy(sha256=NEW), NEW, False, f"current {short(NEW)}"),
        (a_copy(), NEW, False, f"outdated {short(OLD)}"),
        (a_copy(fault="cut"), NEW, False, f"corrupt {short(OLD)}"),
        (a_copy(), None, False, f"holds {short(OLD)}"),
        (a_copy(sha256=None), NEW, False, "missing"),
        (a_copy(sha256=None), None, False, "missing"),
        ({**a_copy(sha256=None), "kind": "file"}, NEW, False, "unreadable"),
        ({**a_copy(sha256=None), "kind": "other"}, None, False, "other"),
        (a_copy(sha256=NEW, kind="symlink"), NEW, False, f"outdated {short(NEW)}"),
        (a_copy(sha256=NEW, kind="symlink"), NEW, True, f"current {short(NEW)}"),
    ],
)
def test_a_copy_is_shown_in_another_state(copy: Any, sha256: Any, follows: bool, word: str) -> None:
    assert state(copy, sha256, follows) == word
    assert is_right(copy, sha256, follows) == (word.startswith("current") and sha256 is not None)
    assert state(a_copy(sha256=None, kind="file"), None) == "unreadable"
    assert state(a_copy(sha256=NEW, kind="symlink"), NEW) == f"outdated {short(NEW)}", "unless it follows"


def test_a_copy_that_need_not_be_right_is_changed() -> None:
    assert not is_right({**a_copy(sha256=None), "kind": "other"}, None, True)
    assert must_be_right(a_copy()) and must_be_right(a_copy(RAM))
    assert must_be_right(a_copy(sha256=None)), "it is required"
    assert not must_be_right(a_copy(RAM, sha256=None))
    assert previous_is(a_copy(previous={"sha256": NEW}), NEW)
    assert not previous_is(a_copy(previous={"sha256": OLD}), NEW)
    assert not previous_is(a_copy(), NEW)
    assert source_of(a_look(files=[{"name": "a"}, {"name": "b", "x": 1}]), "b") == {"name": "b", "x": 1}
    assert source_of(a_look(), "b") == {}


def test_the_goal_is_what_the_converter_did_not_say() -> None:
    look = a_look(a_copy(source_mtime_ns=5), decision={"due": False, "reason": "pinned"})
    live = {**GOAL, "sha256": OLD, "reason": "pinned", "source_mtime_ns": 5, "converts": True}
    assert goals.decided(look, None, "auto") == (look["decision"], live)
    assert goals.decided(look, None, "never") == ({}, {**live, "reason": "never", "converts": False})
    linked = a_look(a_copy(kind="symlink", target="/archive/x.npz"))
    assert goals.from_live(linked)["path"] == "/archive/x.npz"
    made = {
        "sha256": NEW,
        "checksum": "c" * 40,
        "size": 1000,
        "survivor_count": 7,
        "source": {"mtime_ns": 6},
        "reason": "newer",
        "staged": "/staged",
        "live_sha256": OLD,
    }
    expected = {**GOAL, "due": True, "path": "/staged", "staged": "/staged", "source_mtime_ns": 6}
    for decision in ({"due": True}, {}, None):
        look = a_look(decision=decision)
        assert goals.decided(look, made, "auto") == (made, expected)
    held = a_look(a_copy(staged={NEW: "/staged"}))
    assert goals.from_decision(held, made)["due"] is False
    assert goals.from_decision(held, {**made, "staged": None, "source": None})["path"] == LIVE


def test_the_report_tells_of_another_rollback(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(time, "time", lambda: 100.0)
    goal = {**GOAL, "source_mtime_ns": 40 * 10**9, "stays": False}
    expected = {
        "sha256": NEW,
        "survivor_count": 7,
        "age": 60,
        "replaced": OLD,
        "stays": False,
        "json": "s.json",
        "done": True,
    }
    assert goals.rollback(goal, "s.json", True) == expected
    assert goals.rollback({**goal, "source_mtime_ns": None}, "s.json", True)["age"] is None


@pytest.mark.parametrize(
    ("source", "copy", "options", "size", "known"),
    [
        ({"exists": True, "size": 10**6, "mtime_ns": 2}, {}, {}, 20_000, None),
        ({"exists": True, "size": 10**4, "mtime_ns": 2}, {}, {}, 1000, None),
        ({"exists": True, "size": 10**6, "mtime_ns": 1}, {}, {}, 1000, OLD),
        ({"exists": True, "size": 10**6, "mtime_ns": 1}, {}, {"force": True}, 20_000, None),
        ({"exists": True, "size": 10**6, "mtime_ns": 1}, {"sha256": None}, {}, 20_000, None),
        ({"exists": True, "size": 10**6, "mtime_ns": 2}, {}, {"needs_json": False}, 1000, OLD),
        ({"exists": False}, {}, {}, 1000, OLD),
        ({"exists": False}, {"size": None, "sha256": None}, {}, 0, None),
    ],
)
def test_room_is_asked_for_another_npz(
    source: Any, copy: Any, options: Any, size: int, known: str | None
) -> None:
    look = a_look(a_copy(**copy), files=[{"name": "survivors.json", **source}])
    assert host_faults.estimate(look, {**OPTIONS, **options}) == (size, known)
    assert host_faults.estimate(None, OPTIONS) == (0, None)


def test_a_full_disk_is_seen_where_nothing_will_be_written() -> None:
    full = a_directory(free=999)

    def faults(*copies: Any, sha256: Any = NEW, size: int = 1000) -> list[str]:
        return list(host_faults.room_faults(a_look(*copies), size, sha256))

    (fault,) = faults(a_copy(directory=full))
    assert fault.startswith("/home/michael/pipeline has 999 bytes free, the staged NPZ needs 1.0 kB.")
    assert faults(a_copy(directory=full), size=999) == []
    assert faults(a_copy(sha256=NEW, directory=full)) == []
    assert faults(a_copy(staged={NEW: "x"}, directory=full)) == []
    assert faults(a_copy(RAM, sha256=None, directory=full), a_copy(sha256=NEW)) == []
    assert faults(a_copy(directory={**full, "in_the_way": "/x"})) == []
    assert len(faults(a_copy(sha256=None, directory=full), sha256=None)) == 1
    assert len(faults(a_copy(RAM, sha256=None, directory=full), a_copy(directory=full))) == 1


def test_a_file_of_somebody_else_gets_its_owner_only_after_the_switch() -> None:
    part = {"attributes": [LIVE], "switch": []}
    (fault,) = host_faults.attribute_faults(a_look(a_copy(mine=False, owner="root")), part)
    assert f"{LIVE} belongs to root (mode 0644), and michael can't" in fault
    for copy in (a_copy(), a_copy(mine=False, sha256=None), a_copy(RAM, mine=False)):
        assert list(host_faults.attribute_faults(a_look(copy), part)) == []
    account = {"group": {"wanted": "7", "name": "adm", "grantable": False}}
    (fault,) = host_faults.attribute_faults(a_look(accounts=account), {**part, "switch": [LIVE]})
    assert "a file to the group 7 (survivor_npz_group)" in fault
    assert list(host_faults.attribute_faults(a_look(accounts=account), part)) == []


def test_the_coordinators_npz_is_missing_or_damaged_and_is_distributed() -> None:
    def faults(*copies: Any, **options: Any) -> str:
        asked = {**OPTIONS, "convert": "never", "needs_json": False, **options}
        return " ".join(host_faults.host_faults(a_look(*copies), asked, coordinator=True))

    assert f"{LIVE} is missing, and with survivor_npz_convert: never" in faults(a_copy(sha256=None))
    assert "incomplete or damaged (cut)" in faults(a_copy(fault="cut"))
    assert faults(a_copy()) == ""
    assert faults(a_copy(sha256=None), convert="auto") == ""


def test_the_trouble_with_a_lease_is_hidden() -> None:
    assert preflight.held({"lease": {"trouble": "lease.json is odd"}}) == "lease.json is odd."
    lease = {"controller": "laptop", "begun_utc": "noon", "until": "one", "left": 59.6}
    assert (
        "laptop has been switching the fleet since noon and holds the lease until one (another 60 s)"
        in str(preflight.held({"lease": lease}))
    )
    for over in ({"expired": True}, {"ended": True}):
        assert preflight.held({"lease": {**lease, **over}}) is None
    for nothing in (None, {}, {"lease": None}, "odd"):
        assert preflight.held(nothing) is None


def test_an_npz_of_another_program_is_no_warning_in_the_status() -> None:
    foreign = a_look(a_copy(foreign=True))
    (told,) = status.foreign(foreign, None)
    assert told == f"{LIVE} ({short(OLD)}) is not the NPZ that its sidecar records."
    assert status.foreign(a_look(), None) == status.foreign(None, None) == []
    assert status.foreign(foreign, {"warned": ["w"]}) == ["w"]
    assert status.foreign({**foreign, "decision": {"warnings": ["d"]}}, "odd") == ["d"]


@pytest.mark.parametrize(
    ("refuses", "same", "says"),
    [
        (False, True, ""),
        (True, True, "step25.yml would refuse"),
        (False, False, "not every copy has the coordinator's bytes"),
        (True, False, "step25.yml would refuse and not every copy has the coordinator's bytes"),
    ],
)
def test_a_monitor_is_told_something_else(refuses: bool, same: bool, says: str) -> None:
    assert status.wrong({"refuses": refuses, "same": same}) == says


def test_a_host_without_a_part_switches_or_the_coordinator_first() -> None:
    def parts(**by_host: Any) -> dict[str, Any]:
        return {
            host: part_of(a_look(copy), goal, "auto", host == "zeus")
            for host, (copy, goal) in by_host.items()
        }

    settles = {**GOAL, "settles": True, "path": "s", "staged": "s"}
    done = {**GOAL, "path": "s", "staged": "s"}
    found = parts(zeus=(a_copy(sha256=NEW), settles), rig=(a_copy(), GOAL), right=(a_copy(sha256=NEW), GOAL))
    both = ["survivor_npz_cleared", "survivor_npz_cleared_rigs"]
    assert cleared(found, "zeus") == {"zeus": both[:1], "rig": both}
    assert cleared(parts(zeus=(a_copy(), done)), "zeus") == {"zeus": both[:1]}
    assert cleared(parts(rig=(a_copy(sha256=NEW, mode="0600"), GOAL)), "zeus") == {"rig": both}
    assert cleared(parts(rig=(a_copy(sha256=NEW), GOAL)), "zeus") == {}
    joined = groups(found, "zeus", "zeus", check=False)
    assert joined == {
        "zeus": ["survivor_npz_differ", "survivor_npz_switching", "survivor_npz_sending"],
        "rig": ["survivor_npz_differ", "survivor_npz_receive"],
    }
    assert groups(found, "rig", "zeus", check=False)["rig"][-1] == "survivor_npz_sending"
    assert "survivor_npz_sending" not in str(groups(found, None, "zeus", check=False))
    assert groups(found, "zeus", "zeus", check=True) == {
        "zeus": ["survivor_npz_differ"],
        "rig": ["survivor_npz_differ"],
    }
    assert groups(parts(right=(a_copy(sha256=NEW), GOAL)), "zeus", "zeus", check=False) == {}


@pytest.mark.parametrize(
    ("found", "asked", "gets"),
    [
        ({}, {}, False),
        ({"owner": "root"}, {}, False),
        ({"owner": "root"}, {"owner": "michael"}, True),
        ({"group": "root"}, {"group": "michael"}, True),
        ({}, {"owner": "michael", "group": "michael"}, False),
        ({"mode": "0600"}, {}, True),
        ({"mode": "0600", "kind": "symlink"}, {}, False),
    ],
)
def test_another_group_passes_for_the_one_asked_for(found: Any, asked: Any, gets: bool) -> None:
    look = a_look(a_copy(sha256=NEW, **found), asked={**ASKED, **asked})
    part = part_of(look, GOAL, "never", coordinator=True)
    assert part["attributes"] == ([LIVE] if gets else [])
    assert part["changes"] is gets
