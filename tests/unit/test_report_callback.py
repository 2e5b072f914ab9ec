"""The report never raises, and its last lines say why the run stopped."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Dict, List

import pytest
from ansible import context

sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "plugins" / "callback"))

import survivor_npz_report as module


class Screen:
    def __init__(self) -> None:
        self.lines: List[str] = []
        self.warnings: List[str] = []

    def display(self, line: str) -> None:
        self.lines += line.split("\n")

    def warning(self, line: str) -> None:
        self.warnings.append(line)


@pytest.fixture
def report(monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.setattr(context, "CLIARGS", {"check": False})
    callback = module.CallbackModule()
    callback._display = Screen()
    callback.v2_playbook_on_start(SimpleNamespace(_file_name="/x/playbooks/step25.yml"))
    return callback


def result(host: str, task: str = "1", ignored: bool = False, **content: Any) -> Any:
    return SimpleNamespace(
        _result=content,
        _host=SimpleNamespace(get_name=lambda: host),
        _task=SimpleNamespace(_uuid=task, ignore_unreachable=ignored, name=f"role : probe | {task}"),
    )


def told(report: Any, **sections: Any) -> None:
    facts = {f"__survivor_npz_report_{name}": value for name, value in sections.items()}
    report.v2_runner_on_ok(result("zeus", ansible_facts=facts))


def end(report: Any, failures: Any = None) -> List[str]:
    report.v2_playbook_on_stats(SimpleNamespace(failures=failures or {}))
    lines: List[str] = report._display.lines
    assert report._display.warnings == []
    return lines


def test_the_verdict_and_the_hosts_at_fault_come_last(report: Any) -> None:
    told(report, faults={"phase": "preflight", "hosts": {"rig-6600": ["its clock is off", "no room"]}})
    report.v2_runner_on_failed(result("rig-6600", "old", msg="a fault that a rescue took care of"))
    report.v2_runner_on_failed(result("zeus", "verdict", msg="Preflight found faults on rig-6600."))
    lines = end(report, {"zeus": 1})
    assert lines[-4:] == [
        "STOPPED in preflight: Preflight found faults on rig-6600.",
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
    assert "STOPPED: zeus: unreachable: no route" in end(report)


def test_a_rig_that_is_only_noted_does_not(report: Any) -> None:
    told(report, convert={"reason": "fresh"}, run={"started": True, "message": "ended well"})
    report.v2_runner_on_unreachable(result("rig-6600", ignored=True, msg="no route"))
    lines = end(report)
    assert "Step 2.5: ended well" in lines
    assert not any("STOPPED" in line or "NOT started" in line for line in lines)


def test_a_playbook_of_somebody_else_prints_nothing(report: Any) -> None:
    assert end(report) == []


def test_json_is_the_last_line_or_a_file_but_never_a_file_in_a_dry_run(
    report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(report, options={"path": "-"}, convert={"reason": "newer", "survivor_count": 98172, "due": True})
    content: Dict[str, Any] = json.loads(end(report)[-1])
    assert (content["ok"], content["started"], content["convert"]["reason"]) == (True, False, "newer")
    path = tmp_path / "report.json"
    told(report, options={"path": str(path)})
    monkeypatch.setattr(context, "CLIARGS", {"check": True})
    end(report)
    assert not path.exists()
    monkeypatch.setattr(context, "CLIARGS", {"check": False})
    end(report)
    assert json.loads(path.read_text())["playbook"] == "step25.yml"
    assert list(tmp_path.iterdir()) == [path]


def test_a_fault_in_the_report_is_a_warning_not_a_traceback(report: Any) -> None:
    report.v2_runner_on_ok(None)
    report.v2_runner_on_failed(SimpleNamespace())
    told(report, options={"path": "/nonexistent/report.json"}, fleet=[{"host": "zeus"}], status={"copies": 3})
    report.v2_playbook_on_stats(SimpleNamespace(failures={}))
    assert len(report._display.warnings) == 3


def test_seconds_are_counted_by_phase(report: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter([0.0, 10.0, 12.5, 20.0])
    report._since = 0.0
    monkeypatch.setattr(module.time, "monotonic", lambda: next(clock))
    for name in (
        "survivor_npz : probe | Look",
        "survivor_npz : preflight | Stop",
        "survivor_npz : switch | Go",
    ):
        report.v2_playbook_on_task_start(SimpleNamespace(name=name), is_conditional=False)
    told(report, convert={"reason": "fresh"})
    end(report)
    assert report.seconds == {"preflight": 12.5, "distribute": 7.5}
