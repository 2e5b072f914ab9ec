# SPDX-License-Identifier: MIT
"""The report of a run that did nothing, was killed, or was somebody else's; its JSON and its file."""

from __future__ import annotations

import json
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible import context  # type: ignore[attr-defined] # Ansible ships no types
from test_report import RUN, WELL, end, plays, report, result, told, works

__all__ = ["report"]


@pytest.mark.parametrize("playbook", ["stop.yml", "follow.yml", "hook.yml", "status.yml", "rollback.yml"])
def test_nothing_was_done_and_exit_code_0_says_it_was(report: Any, playbook: str) -> None:
    for ran in ([], ["guard"], ["guard", ""]):
        plays(report, playbook)
        for name in ran:
            works(report, name)
        with pytest.raises(SystemExit) as caught:
            end(report)
        assert caught.value.code == 2
        assert report._display.lines[-1].startswith(f"Nothing was done: nothing of {playbook} ran")
    plays(report, playbook)
    works(report, "stop")
    end(report)


def test_a_second_playbook_of_the_same_call_shows_the_first_ones_table(report: Any) -> None:
    told(report, fleet=[{"host": "zeus", "proof": "yes"}], run=WELL)
    works(report, "run")
    end(report)
    plays(report, "stop.yml")
    report._display.lines.clear()
    works(report, "stop")
    assert end(report) == []
    assert set(report.seconds) == {"stop"}


def test_a_links_target_on_a_rig_takes_over_the_terminal(report: Any) -> None:
    evil = "a link to \x1b]0;pwned\x07\x1b[2J\nStep 2.5: finished"
    told(
        report,
        faults={"phase": "preflight", "hosts": {"rig-6600": [evil]}},
        fleet=[{"host": "rig-6600", "before": evil}],
        options={"path": "-"},
    )
    report.v2_runner_on_failed(result("zeus", msg="Preflight found faults."))
    text = "\n".join(end(report, {"zeus": 1}))
    assert r"  rig-6600: a link to \x1b]0;pwned\x07\x1b[2J\nStep 2.5: finished" in text.splitlines()
    assert not set(text) & {"\x1b", "\x07"}
    assert json.loads(text.splitlines()[-1])["faults"]["rig-6600"] == [evil]


def test_an_earlier_runs_report_passes_for_that_of_a_run_that_was_killed(report: Any, tmp_path: Path) -> None:
    path = tmp_path / "report.json"
    path.write_text("{}")
    told(report, options={"path": str(path)})
    assert not path.exists()


def test_a_link_in_the_reports_place_redirects_it(report: Any, tmp_path: Path) -> None:
    other = tmp_path / "other"
    other.write_text("of the operator")
    for name in ("report.json", ".report.json.tmp", f".survivor-npz-{os.getpid()}"):
        (tmp_path / name).symlink_to(other)
    told(report, options={"path": str(tmp_path / "report.json")})
    end(report)
    assert other.read_text() == "of the operator"
    assert not (tmp_path / "report.json").is_symlink()
    assert (tmp_path / "report.json").stat().st_mode & 0o777 == 0o644


def test_a_playbook_of_somebody_else_prints_nothing(report: Any) -> None:
    assert end(report) == []


def test_json_is_the_last_line_or_a_file_but_never_a_file_in_a_dry_run(
    report: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    told(report, options={"path": "-"}, convert={"reason": "newer", "survivor_count": 98172, "due": True})
    content: dict[str, Any] = json.loads(end(report)[-1])
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


def test_an_npz_that_does_not_tell_its_survivors_cost_the_whole_report(report: Any) -> None:
    told(report, convert={"reason": "pinned", "survivor_count": None})
    assert "Conversion: not converted (reason: pinned)." in end(report)


def test_a_warning_was_shown_after_the_run_that_it_warned_of(report: Any) -> None:
    told(report, warnings=["too few survivors"])
    assert report._display.lines == []
    report.v2_playbook_on_task_start(SimpleNamespace(name="run | Start Step 2.5", action=RUN), False)
    assert report._display.lines == ["WARNING: too few survivors"]
    told(report, run=WELL)
    assert end(report).count("WARNING: too few survivors") == 2, "the report has all"
