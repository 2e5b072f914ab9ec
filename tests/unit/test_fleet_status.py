"""status.yml said one thing, and step25.yml did another."""

from __future__ import annotations

from typing import Any, Dict

from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from hostfacts import NEW, OLD, OPTIONS, PREFLIGHT, RAM, a_copy, facts, probe

DECISION = {
    "sha256": OLD,
    "checksum": "c" * 40,
    "size": 1000,
    "survivor_count": 7,
    "reason": "fresh",
    "live_sha256": OLD,
}
GONE = {"unreachable": True, "msg": "no route"}


def told(
    rig: Any = None,
    decision: Any = None,
    skipped: Any = (),
    played: Any = ("zeus", "rig"),
    lead: Any = "zeus",
    **least: int,
) -> Dict[str, Any]:
    hosts: Dict[str, Any] = facts(rig or probe())
    hosts["zeus"]["__survivor_npz_decision"] = {**DECISION, **(decision or {})}
    rigs = [host for host in ("rig",) if host not in skipped]
    faults = [] if lead else ["group nope must have exactly one host; it has: none."]
    team = {"coordinator": lead, "rigs": rigs, "skipped": list(skipped), "hosts": rigs, "faults": faults}
    seen = {"now": 10.0, "played": played, "min_survivors": 1, **least}
    found: Dict[str, Any] = statuses.status(hosts, team, PREFLIGHT, OPTIONS, seen)
    return found


def test_all_is_well() -> None:
    found = told()
    assert (found["would"], found["same"]) == (["not convert (reason: fresh), 7 survivors"], True)


def test_status_promised_a_switch_to_zero_survivors() -> None:
    found = told(decision={"survivor_count": 0, "sha256": NEW, "reason": "newer"})
    assert found["would"] == [
        "convert (reason: newer), 0 survivors",
        "stop: at least 1 survivors are needed (survivor_npz_min_survivors)",
    ]
    found = told(decision={"survivor_count": 0, "sha256": NEW, "reason": "newer"}, min_survivors=0)
    assert any(line.startswith("switch on rig") for line in found["would"])


def test_status_promised_a_switch_where_the_room_is_too_small() -> None:
    small = probe(a_copy(directory={**a_copy()["directory"], "free": 1500}))
    found = told(small, {"sha256": NEW, "size": 2000, "reason": "newer"})
    assert any(line.startswith("stop, because of rig") and "Make room" in line for line in found["would"])


def test_a_rig_left_out_by_name_stopped_the_status() -> None:
    found = told(GONE, skipped=["rig"])
    assert found["would"] == ["not convert (reason: fresh), 7 survivors"]
    assert {"host": "rig", "copy": "-", "present": "left out"} in found["copies"]
    assert found["same"] is True
    found = told(GONE)
    assert "stop, because of rig: unreachable" in found["would"][0]
    assert found["same"] is False


def test_a_required_copy_that_is_absent_counted_as_the_same() -> None:
    lacking = probe(a_copy(), a_copy(RAM, sha256=None, required=True, survivors=None))
    found = told(lacking)
    assert found["same"] is False
    row = next(row for row in found["copies"] if row["copy"] == RAM)
    assert (row["survivors"], row["schema"]) == ("-", "-"), "nobody reads 'None'"
    lacking["copies"][1]["required"] = False
    assert told(lacking)["same"] is True


def test_a_host_that_limit_leaves_out_was_called_silent() -> None:
    found = told(played=("rig",))
    assert found["faults"] == {}
    assert found["would"] == ["not known of zeus: not looked at (--limit)"]
    assert {"host": "zeus", "copy": "-", "present": "not looked at (--limit)"} in found["copies"]
    assert found["same"] is False


def test_a_misnamed_coordinator_group_ended_in_a_raw_error() -> None:
    found = told(lead=None)
    assert found["would"] == ["stop: group nope must have exactly one host; it has: none."]
    assert [row["host"] for row in found["copies"]] == ["rig"]
    assert found["same"] is False
