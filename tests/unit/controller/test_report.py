# SPDX-License-Identifier: MIT
"""The report never raises, and its last lines say why the run stopped."""

from __future__ import annotations

import sys
from types import SimpleNamespace
from typing import Any
from unittest.mock import Mock

import pytest
from ansible import context  # type: ignore[attr-defined] # Ansible ships no types
from localfleet import ROOT

sys.path.insert(0, str(ROOT / "plugins" / "callback"))

import survivor_npz_report as module
from ansible.module_utils.survivor_npz.controller import report as reports

WELL = {"verdict": "ok", "started": True, "message": "finished", "exit_code": 0, "log": "/runs/1/log"}
DECISION, RUN, SWITCH = "survivor_npz_fleet", "survivor_npz_live", "survivor_npz_switch"


class Screen:
    def __init__(self) -> None:
        self.lines: list[str] = []
        self.warnings: list[str] = []

    def display(self, line: str, color: str | None = None) -> None:
        self.lines += line.split("\n")

    def warning(self, line: str) -> None:
        self.warnings.append(line)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(context, "CLIARGS", {"check": False})
    monkeypatch.setattr(module.signal, "signal", Mock())
    monkeypatch.setattr(module.atexit, "register", Mock())
    callback = module.CallbackModule()
    callback._display = Screen()
    callback.v2_playbook_on_start(SimpleNamespace(_file_name="/x/playbooks/step25.yml"))
    return callback


def result(
    host: str, task: str = "1", ignored: bool = False, action: str = "survivor_npz_look", **content: Any
) -> Any:
    return SimpleNamespace(
        _result=content,
        _host=SimpleNamespace(get_name=lambda: host),
        _task=SimpleNamespace(
            _uuid=task,
            ignore_unreachable=ignored,
            action=action,
            check_mode=False,
            name=f"role : look | {task}",
        ),
    )


def plays(report: Any, playbook: str) -> None:
    report.v2_playbook_on_start(SimpleNamespace(_file_name=str(ROOT / "playbooks" / playbook)))


def works(report: Any, name: str) -> None:
    """Play a task of this phase; "" for one without a phase."""
    phase = f"{name} | " if name else ""
    report.v2_playbook_on_task_start(SimpleNamespace(name=f"survivor_npz : {phase}Do it"), False)
    report.v2_runner_on_ok(result("zeus"))


def told(report: Any, run: Any = None, **sections: Any) -> None:
    """Play a decision that returned these sections, and Step 2.5 with this result."""
    report.v2_runner_on_ok(result("zeus", action=DECISION, report=sections))
    if run is not None:
        report.v2_runner_on_ok(result("zeus", action=RUN, **run))


def stops(report: Any, msg: str, **sections: Any) -> None:
    """Play a decision against going on."""
    report.v2_runner_on_failed(result("zeus", "verdict", action=DECISION, msg=msg, report=sections))


def end(report: Any, failures: Any = None) -> list[str]:
    report.v2_playbook_on_stats(SimpleNamespace(failures=failures or {}))
    lines: list[str] = report._display.lines
    assert report._display.warnings == []
    return lines


def test_the_verdict_and_the_hosts_at_fault_come_last(report: Any) -> None:
    report.v2_runner_on_failed(result("rig-6600", "old", msg="a fault that a decision looked at"), True)
    faults = {"phase": "preflight", "hosts": {"rig-6600": ["its clock is off", "no room"]}}
    stops(report, "Faults on rig-6600; nothing was changed on any host.", faults=faults)
    lines = end(report, {"zeus": 1})
    assert lines[-4:] == [
        "STOPPED in preflight: Faults on rig-6600; nothing was changed on any host.",
        "  rig-6600: its clock is off",
        "  rig-6600: no room",
        "Step 2.5 was NOT started.",
    ]


def test_a_limit_is_refused_by_each_host_with_one_line(report: Any) -> None:
    for host in ("rig-6600", "rig-6600b"):
        report.v2_runner_on_failed(
            result(host, msg="Task failed: Action failed: --limit rigs leaves out zeus.")
        )
    assert end(report, {"rig-6600": 1})[-2] == "STOPPED: rig-6600, rig-6600b: --limit rigs leaves out zeus."


def test_an_unreachable_host_that_nobody_looks_after_stops_the_run(report: Any) -> None:
    told(report, convert={"reason": "fresh"})
    report.v2_runner_on_unreachable(result("zeus", msg="no route"))
    assert "STOPPED: zeus: unreachable (no route). Power it on or fix its network" in end(report)


def test_a_rig_that_is_only_noted_does_not(report: Any) -> None:
    told(report, convert={"reason": "fresh"}, run=WELL)
    report.v2_runner_on_unreachable(result("rig-6600", ignored=True, msg="no route"))
    lines = end(report)
    assert lines[-2:] == ["Step 2.5: finished (exit code 0)", "  log: /runs/1/log"]
    assert not any("STOPPED" in line or "NOT started" in line for line in lines)


@pytest.mark.parametrize("playbook", ["follow.yml", "stop.yml", "hook.yml", "status.yml"])
def test_a_run_that_failed_while_it_was_followed_is_called_not_started(report: Any, playbook: str) -> None:
    plays(report, playbook)
    report.v2_runner_on_failed(result("zeus", msg="Step 2.5 failed: exit code 3"))
    assert end(report, {"zeus": 1})[-1] == "STOPPED: zeus: Step 2.5 failed: exit code 3"


def ends(report: Any, playbook: str = "step25.yml", **options: Any) -> str:
    plays(report, playbook)
    told(report, options=options)
    report.v2_runner_on_failed(result("zeus", msg="no room"))
    return end(report, {"zeus": 1})[-1]


def test_a_preparation_fails_and_somebody_believes_that_step_25_runs(report: Any) -> None:
    assert ends(report) == ends(report, starts=True) == "Step 2.5 was NOT started."


def test_a_start_that_nobody_asked_for_was_called_not_started(report: Any) -> None:
    assert ends(report, "prepare.yml") == ends(report, "rollback.yml") == "STOPPED: zeus: no room"
    assert ends(report, starts=False) == "STOPPED: zeus: no room", "--tags convert"


@pytest.mark.parametrize("action", ["decision", "survivor_npz_lease", RUN])
def test_a_running_step_25_was_called_not_started(report: Any, action: str) -> None:
    running = "Step 2.5 is running already on zeus: pid 7"
    if action == "decision":
        stops(
            report,
            "Faults on zeus.",
            running=True,
            faults={"phase": "preflight", "hosts": {"zeus": [running]}},
        )
    else:
        refused: dict[str, Any] = {
            "refused": {"run": "1"},
            "running": True,
            "verdict": "refused",
            "message": running,
        }
        report.v2_runner_on_failed(result("zeus", action=action, msg=running, **refused))
    lines = end(report, {"zeus": 1})
    assert [line for line in lines if running in line] == lines[-1:]
    assert "NOT started" not in "".join(lines)


def test_a_run_that_failed_was_reported_twice(report: Any) -> None:
    failed = "Step 2.5 failed: exit code 3"
    told(report)
    report.v2_runner_on_failed(
        result(
            "zeus",
            action=RUN,
            msg=f"{failed}\nLog: /runs/1/log",
            verdict="failed",
            started=True,
            message=failed,
        )
    )
    assert [line for line in end(report, {"zeus": 1}) if failed in line] == [f"STOPPED: zeus: {failed}"]


def test_warnings_drowned_in_harmless_notes(report: Any) -> None:
    told(report, warnings=["fewer than half"], convert={"reason": "newer", "notes": ["few distinct values"]})
    lines = end(report)
    assert lines.index("WARNING: fewer than half") < lines.index("note: few distinct values")


@pytest.mark.parametrize(
    ("check", "would"), [(False, "made an empty NPZ"), (True, "would make an empty NPZ")]
)
def test_a_conversion_to_nothing_was_called_converted(
    report: Any, monkeypatch: pytest.MonkeyPatch, check: bool, would: str
) -> None:
    monkeypatch.setattr(context, "CLIARGS", {"check": check})
    told(report, convert={"reason": "newer", "survivor_count": 0, "converted": not check, "due": check})
    assert f"Conversion: {would} (reason: newer, 0 survivors)." in end(report)


def test_a_host_that_is_not_proven_looked_like_any_other(report: Any) -> None:
    shown: dict[str, str | None] = {}
    report._display.display = lambda line, color=None: shown.update({line.split("  ")[0]: color})
    told(
        report,
        fleet=[{"host": "rig", "proof": "no"}, {"host": "rig-b", "proof": "yes"}],
        warnings=["few survivors"],
    )
    stops(report, "Not proven on rig.")
    report.v2_playbook_on_stats(SimpleNamespace(failures={"zeus": 1}))
    assert (shown["rig"], shown["rig-b"]) == ("red", None)
    assert (shown["STOPPED: Not proven on rig."], shown["WARNING: few survivors"]) == ("red", "bright purple")


def test_the_last_lines_wrapped_at_100_columns(report: Any) -> None:
    phases = ("guard", "preflight", "convert", "plan", "stage", "barrier", "switch", "prove", "run", "other")
    report.seconds = dict.fromkeys(phases, 12.345) | {"quick": 0.04}
    home = "/home/michael/distributed_prng_analysis"
    told(report, run={**WELL, "log": f"{home}/.survivor_npz/runs/20261124T181515Z-2100/log"})
    lines = end(report)
    assert max(map(len, lines)) <= 100
    assert "quick" not in "".join(lines)
    command = "To go forward: ansible-playbook playbooks/prepare.yml -e survivor_npz_force=true, or wait."
    folded = reports.wrapped(command, 79)
    assert folded.split("\n  ") == ["To go forward:", command[15:]]
    assert reports.wrapped(command, 0) == command, "not in a pipe"


def test_a_start_whose_answer_was_lost_is_called_not_started(report: Any) -> None:
    told(report, run={"started": False, "verdict": "lost", "message": "is lost", "log": None})
    report.v2_runner_on_failed(result("zeus", msg="Whether Step 2.5 started is not known"))
    assert not any("NOT started" in line for line in end(report, {"zeus": 1}))


def test_seconds_are_counted_by_phase(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 17.5, 18.5])
    report._since = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    for name in (
        "survivor_npz : preflight | Look",
        "survivor_npz : convert | Convert",
        "survivor_npz : preflight | Look again",
        "survivor_npz : switch | Go",
    ):
        report.v2_playbook_on_task_start(SimpleNamespace(name=name), is_conditional=False)
    told(report, convert={"reason": "fresh"})
    monkeypatch.setattr(module.time, "monotonic", lambda: 25.0)
    end(report)
    assert report.seconds == {"preflight": 11.0, "convert": 7.5, "switch": 6.5}


@pytest.mark.parametrize(
    ("stays", "action", "says"),
    [
        (
            False,
            "switched",
            "went back from cccccccccccc to aaaaaaaaaaaa (1,200 survivors, from survivors 3 d old)",
        ),
        (True, "none", "already in force, so nothing changed; aaaaaaaaaaaa"),
        (True, "switched", "already in force, so only rig, which had missed it, changed; aaaaaaaaaaaa"),
    ],
)
def test_a_rollback_did_not_say_what_is_live_nor_how_to_go_forward(
    stays: bool, action: str, says: str
) -> None:
    back = {"sha256": "a" * 64, "survivor_count": 1200, "age": 3 * 86400, "replaced": "c" * 64}
    back.update(stays=stays, json="s.json", done=True)
    sections = {"rollback": back, "fleet": [{"host": "rig", "before": "", "action": action, "proof": "yes"}]}
    made = module.reports.compose(
        sections, playbook="rollback.yml", check=False, stopped=False, seconds={}, messages={}
    )
    text = "\n".join(module.reports.lines(made, {}))
    assert says in text
    assert "pinned until Step 1 writes a new s.json" in text and "-e survivor_npz_force=true" in text
