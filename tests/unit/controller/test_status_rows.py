# SPDX-License-Identifier: MIT
"""What status.yml says of each copy, why step25.yml would refuse, and what it warns of."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.digest import short
from ansible.module_utils.survivor_npz.controller.fleet import status as statuses
from ansible.module_utils.survivor_npz.controller.fleet.membership import Team
from hostfacts import IDLE, LIVE, NEW, OLD, OPTIONS, RAM, a_copy, a_directory, a_look, looks
from test_status import DECISION, GONE

SECOND = 10**9
NOW = 1_700_000_100.0
FAILED = {"failed": True, "msg": "The JSON\n  is cut"}


def shown(rig: Any = None, decision: Any = DECISION, lead: Any = "zeus", **options: Any) -> dict[str, Any]:
    """What status.yml shows of rig and zeus; `zeus`: what is special about the look at zeus."""
    faults = [] if lead else ["The group nope must have exactly one host; it has none."]
    given = {**OPTIONS, "played": ("zeus", "rig"), "now": NOW, **options}
    team = Team(lead, given.pop("rigs", ["rig"]), given.pop("skipped", []), faults)
    return statuses.status(team, looks(rig or a_look(), **given.pop("zeus", {})), decision, given)


def main(**changes: Any) -> dict[str, Any]:
    return a_copy(**{"directory": a_directory(identity="zeus"), **changes})


def test_a_copy_was_shown_as_another_one() -> None:
    rig = a_look(
        a_copy(sha256=NEW, schema=3, mtime_ns=1_700_000_000 * SECOND, previous={"sha256": OLD}, fault="cut"),
        a_copy(RAM, kind="other", sha256=None, exists=True, survivors=None, error="Permission denied"),
        a_copy("/srv/survivors.npz", sha256=None, survivors=None),
    )
    zeus = main(mtime_ns=5, source_mtime_ns=1_700_000_090 * SECOND)
    found = shown(rig, zeus={"copies": [zeus, a_copy(RAM, sha256=NEW)]})
    second = {"schema": None, "previous": None, "fault": None}
    assert found["copies"] == [
        {
            "host": "zeus",
            "copy": LIVE,
            "required": True,
            "present": "file",
            "sha256": OLD,
            "survivors": 7,
            "age": 10,
            "same": True,
            **second,
        },
        {
            "host": "zeus",
            "copy": RAM,
            "required": False,
            "present": "file",
            "sha256": NEW,
            "survivors": 7,
            "age": 1_700_000_100,
            "same": False,
            **second,
        },
        {
            "host": "rig",
            "copy": LIVE,
            "required": True,
            "present": "file",
            "sha256": NEW,
            "survivors": 7,
            "schema": 3,
            "age": 1_700_000_100,
            "same": False,
            "previous": OLD,
            "fault": "cut",
        },
        {
            "host": "rig",
            "copy": RAM,
            "required": False,
            "present": "other",
            "sha256": None,
            "survivors": None,
            "age": None,
            "same": None,
            **second,
            "fault": "Permission denied",
        },
        {
            "host": "rig",
            "copy": "/srv/survivors.npz",
            "required": False,
            "present": "absent",
            "sha256": None,
            "survivors": None,
            "age": None,
            "same": None,
            **second,
        },
    ]
    assert found["reason"] == "fresh"


def test_the_age_of_an_npz_was_that_of_a_copy_without_a_sidecar() -> None:
    rig = a_look(a_copy(mtime_ns=3, source_mtime_ns=1_700_000_000 * SECOND))
    found = shown(rig, zeus={"copies": [main(mtime_ns=1_700_000_090 * SECOND)]})
    assert [row["age"] for row in found["copies"]] == [100, 100]


def test_convert_never_asked_for_a_prediction() -> None:
    found = shown(None, None, convert="never", zeus={"copies": [main(survivors=None)]})
    assert found["would"] == ["not convert (reason: never), an unknown number of survivors"]
    assert found["reason"] == "never"


def test_too_few_survivors_were_laid_to_a_rollback() -> None:
    first, _second = shown(min_survivors=8)["would"]
    assert first == (
        "refuse: 7 survivors, at least 8 are needed (survivor_npz_min_survivors). No rig was touched, the old NPZ "
        "stays everywhere. Look at Step 1's result."
    )


@pytest.mark.parametrize(
    ("decision", "would"),
    [(FAILED, ["refuse: zeus: The JSON is cut"]), ({**DECISION, "sha256": None}, []), (None, [])],
)
def test_status_did_not_say_that_the_conversion_would_fail(decision: Any, would: list[str]) -> None:
    found = shown(None, decision, for_run=True)
    assert (found["would"], found["reason"], found["warnings"]) == (would, None, [])


def test_a_failed_conversion_was_told_beside_the_fault_that_caused_it() -> None:
    faulty = {"copies": [main(kind="other", sha256=None, exists=True)]}
    (only,) = shown(None, FAILED, zeus=faulty)["would"]
    assert only == f"refuse: zeus: {LIVE} is not a regular file. Move it away, then run again."


def test_without_a_coordinator_faults_of_rigs_hid_the_one_that_matters() -> None:
    found = shown(GONE, None, lead=None)
    assert found["would"] == ["refuse: The group nope must have exactly one host; it has none."]
    assert (found["faults"], found["refuses"]) == ({}, True)


def test_a_fleet_without_a_host_has_the_same_bytes() -> None:
    assert shown(lead=None, rigs=[])["same"] is False


def test_a_coordinator_that_does_not_tell_whether_step_25_runs_counted_as_busy() -> None:
    found = shown(zeus={"run": None})
    assert (found["run"], found["refuses"]) == ({}, True)
    running = {**IDLE, "running": True, "message": "Step 2.5 is running already on zeus."}
    found = shown(zeus={"run": running})
    assert (found["run"], found["refuses"]) == (running, False)


def test_another_copy_decided_whether_the_live_npz_is_foreign() -> None:
    told = [f"{LIVE} ({short(OLD)}) is not the NPZ that its sidecar records."]
    second = a_copy(RAM, sha256=NEW)
    assert shown(zeus={"copies": [main(foreign=True), second]})["warnings"] == told
    assert shown(zeus={"copies": [main(), {**second, "foreign": True}]})["warnings"] == []
    assert statuses.foreign(None, {"warned": ["a"]}) == ["a"]
