# SPDX-License-Identifier: MIT
"""status.yml said one thing, and step25.yml did another."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller import report as reports
from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from hostfacts import IDLE, LIVE, NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks

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
    *,
    skipped: Any = (),
    played: Any = ("zeus", "rig"),
    lead: Any = "zeus",
    zeus: Any = None,
    **options: Any,
) -> dict[str, Any]:
    rigs = [host for host in ("rig",) if host not in skipped]
    faults = [] if lead else ["The group nope must have exactly one host; it has none."]
    found: dict[str, Any] = statuses.status(
        Team(lead, rigs, list(skipped), faults),
        looks(rig or a_look(), **(zeus or {})),
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
    return "\n".join(reports.lines(report, {}))


def test_all_is_well() -> None:
    found = shown(a_look(a_copy(schema=3)))
    assert (row(found, "rig", LIVE)["schema"], row(found, "rig", LIVE)["survivors"]) == (3, 7)
    assert (found["would"], found["same"]) == (["not convert (reason: fresh), 7 survivors"], True)


def test_status_did_not_say_that_the_first_npz_would_be_converted() -> None:
    nothing = a_copy(sha256=None, directory=a_directory(identity="zeus"))
    found = shown(None, {"reason": "missing", "live_sha256": None}, zeus={"copies": [nothing]})
    assert found["would"][0] == "convert (reason: missing), 7 survivors"
    for copies in ([nothing], [nothing, a_copy(RAM)]):
        (only,) = shown(zeus={"copies": copies}, convert="never")["would"]
        assert only.startswith("refuse: zeus: ")
    assert shown(convert="never")["would"][0].startswith("not convert")


def test_status_of_a_fresh_npz_needs_no_prediction() -> None:
    fresh = {"due": False, "reason": "fresh", "survivor_count": 7}
    team = Team("zeus", ["rig"], [], [])
    options = {**OPTIONS, "played": ("zeus", "rig"), "now": 10.0}
    found = statuses.status(team, looks(a_look(), decision=fresh), None, options)
    assert found["would"] == ["not convert (reason: fresh), 7 survivors"]


@pytest.mark.parametrize(
    "decision", [None, {**DECISION, "failed": True, "sha256": NEW}, {**DECISION, "sha256": None}]
)
def test_status_foretold_what_a_failed_conversion_would_bring(decision: Any) -> None:
    due = {"due": True, "reason": "newer", "survivor_count": None}
    team = Team("zeus", ["rig"], [], [])
    options = {**OPTIONS, "played": ("zeus", "rig"), "now": 10.0}
    found = statuses.status(team, looks(a_look(), decision=due), decision, options)
    assert not any("switch" in line or "convert (" in line for line in found["would"]), found["would"]


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
    assert any(line.startswith("refuse: rig") and "Make room" in line for line in found["would"])


def test_a_rig_left_out_by_name_stopped_the_status() -> None:
    found = shown(GONE, skipped=["rig"])
    assert found["would"] == ["not convert (reason: fresh), 7 survivors"]
    assert row(found, "rig")["present"] == "left out"
    assert found["same"] is True
    found = shown(GONE)
    assert "refuse: rig: unreachable" in found["would"][0]
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
    assert found["same"] is False and row(found, "rig", LIVE)["same"] is None


RUNNING = {
    **IDLE,
    "running": True,
    "message": "Step 2.5 is running already on zeus: pid 7, started 2026-11-24T20:00:00Z, log /runs/1/log.",
}


def test_status_did_not_say_first_whether_step_25_runs() -> None:
    lines = screen(shown()).splitlines()
    assert lines[1:5] == [
        "Step 2.5 is not running.",
        "",
        "step25.yml would:",
        "  not convert (reason: fresh), 7 survivors",
    ]
    last = {"start": "2026-11-24T20:00:00Z", "message": "Step 2.5 failed: exit code 3", "log": "/runs/1/log"}
    text = screen(shown(zeus={"run": {**IDLE, "last": last}}))
    assert (
        "The last run, of 2026-11-24T20:00:00Z: Step 2.5 failed: exit code 3.\n  log: /runs/1/log\n" in text
    )
    lines = screen(shown(zeus={"run": RUNNING})).splitlines()
    assert lines[1] == RUNNING["message"]
    assert lines[3] == "step25.yml would refuse:"
    assert "Whether Step 2.5 is running is not known." in screen(shown(played=("rig",)))


def test_a_monitor_rang_during_every_run_of_step_25() -> None:
    found = shown(zeus={"run": RUNNING})
    assert (found["refuses"], len(found["faults"]["zeus"])) == (False, 1)
    assert shown(rig=GONE, zeus={"run": RUNNING})["refuses"] is True
    assert shown(lead=None)["refuses"] is True
    assert shown()["refuses"] is False


def test_equal_bytes_had_different_ages() -> None:
    """A rig has no sidecar, and its NPZ another mtime."""
    rig = a_look(a_copy(mtime_ns=4_000_000_000), a_copy(RAM, mtime_ns=3_000_000_000))
    made = a_copy(directory=a_directory(identity="zeus"), mtime_ns=2, source_mtime_ns=5_000_000_000)
    found = shown(rig, zeus={"copies": [made]})
    assert [row["age"] for row in found["copies"]] == [5, 5, 5]
    assert [row["age"] for row in shown(rig)["copies"]] == [10, 10, 10], (
        "no sidecar: as the coordinator's NPZ"
    )


def test_a_start_that_fails_was_not_warned_of() -> None:
    assert shown()["warnings"] == []
    assert "--sample-size 5,000 needs more than 7" in shown(for_run=True)["warnings"][0]


def test_the_table_wrapped_because_of_a_path_that_all_copies_share() -> None:
    home = "/home/michael/distributed_prng_analysis/bidirectional_survivors_binary.npz"
    rig = a_look(a_copy(home, required=True), a_copy(RAM))
    lead = a_copy(home, required=True, directory=a_directory(identity="zeus"))
    lines = screen(shown(rig, zeus={"copies": [lead]})).splitlines()
    assert [line for line in lines if home in line] == [f"{home}:"]
    assert [line.split()[0] for line in lines[-5:]] == [f"{home}:", "zeus", "rig", f"{RAM}:", "rig"]
    assert max(map(len, lines)) <= 100


def test_a_fleet_of_which_nothing_was_seen_has_the_same_bytes() -> None:
    assert shown(a_look(a_copy(sha256=None, required=False)), played=("rig",))["same"] is False
    assert shown(played=())["same"] is False
