"""status.yml said one thing, and step25.yml did another."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.controller import report as reports
from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from hostfacts import NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks

DECISION = {
    "sha256": OLD,
    "checksum": "c" * 40,
    "size": 1000,
    "survivor_count": 7,
    "reason": "fresh",
    "live_sha256": OLD,
}
GONE = {"unreachable": True, "msg": "no route"}


def shown(
    rig: Any = None,
    decision: Any = None,
    skipped: Any = (),
    played: Any = ("zeus", "rig"),
    lead: Any = "zeus",
    **options: int,
) -> dict[str, Any]:
    rigs = [host for host in ("rig",) if host not in skipped]
    faults = [] if lead else ["The group nope must have exactly one host; it has none."]
    found: dict[str, Any] = statuses.status(
        Team(lead, rigs, list(skipped), faults),
        looks(rig or a_look()),
        {**DECISION, **(decision or {})},
        {**OPTIONS, **options, "played": played, "now": 10.0},
    )
    return found


def row(found: dict[str, Any], host: str, copy: str | None = None) -> dict[str, Any]:
    (entry,) = [row for row in found["copies"] if (row["host"], row["copy"]) == (host, copy)]
    return dict(entry)


def screen(status: dict[str, Any]) -> str:
    sections = {"status": status}
    report = reports.compose(
        sections, playbook="status.yml", check=False, stopped=False, seconds={}, messages={}
    )
    return "\n".join(reports.lines(report, {"switched": [], "unknown": []}))


def test_all_is_well() -> None:
    found = shown()
    assert (found["would"], found["same"]) == (["not convert (reason: fresh), 7 survivors"], True)


def test_status_promised_a_switch_to_zero_survivors() -> None:
    found = shown(decision={"survivor_count": 0, "sha256": NEW, "reason": "newer"})
    first, second = found["would"]
    assert first.startswith("refuse: 0 survivors, at least 1 are needed (survivor_npz_min_survivors)")
    assert second == "convert (reason: newer), 0 survivors"
    found = shown(decision={"survivor_count": 0, "sha256": NEW, "reason": "newer"}, min_survivors=0)
    assert any(line.startswith("switch on rig") for line in found["would"])


def test_status_promised_a_switch_where_the_room_is_too_small() -> None:
    small = a_look(a_copy(directory=a_directory(free=1500, identity="rig")))
    found = shown(small, {"sha256": NEW, "size": 2000, "reason": "newer"})
    assert any(line.startswith("refuse, because of rig") and "Make room" in line for line in found["would"])


def test_a_rig_left_out_by_name_stopped_the_status() -> None:
    found = shown(GONE, skipped=["rig"])
    assert found["would"] == ["not convert (reason: fresh), 7 survivors"]
    assert row(found, "rig")["present"] == "left out"
    assert found["same"] is True
    found = shown(GONE)
    assert "refuse, because of rig: unreachable" in found["would"][0]
    assert row(found, "rig")["present"] == "no answer"
    assert found["same"] is False


def test_a_required_copy_that_is_absent_counted_as_the_same() -> None:
    lacking = a_look(a_copy(), a_copy(RAM, sha256=None, required=True, survivors=None))
    found = shown(lacking)
    assert found["same"] is False
    assert (row(found, "rig", RAM)["survivors"], row(found, "rig", RAM)["schema"]) == (None, None)
    assert RAM in screen(found)
    assert "None" not in screen(found), "nobody reads 'None'"
    lacking["copies"][1]["required"] = False
    found = shown(lacking)
    assert found["same"] is True
    assert RAM not in screen(found), "a copy that nobody asked for"


def test_a_host_that_limit_leaves_out_was_called_silent() -> None:
    found = shown(played=("rig",))
    assert found["faults"] == {}
    assert found["would"] == ["not known for zeus: not checked (--limit)"]
    assert row(found, "zeus")["present"] == "not checked (--limit)"
    assert found["same"] is False
    assert "None" not in screen(found)


def test_a_misnamed_coordinator_group_ended_in_a_raw_error() -> None:
    found = shown(lead=None)
    assert found["would"] == ["refuse: The group nope must have exactly one host; it has none."]
    assert [row["host"] for row in found["copies"]] == ["rig"]
    assert found["same"] is False
