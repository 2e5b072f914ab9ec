# SPDX-License-Identifier: MIT
"""A run failed, and nobody was shown why."""

from __future__ import annotations

from typing import Any

import pytest
from ansible.module_utils.survivor_npz.controller.run_result import task_result

RECORD = {
    "verdict": "failed",
    "message": "Step 2.5 failed: exit code 127",
    "exit_code": 127,
    "log": "/r/1/log",
}


def result(verdict: str = "", **record: Any) -> dict[str, Any]:
    return task_result({"run": "1", "running": False, "record": {**RECORD, **record}}, verdict, "", True)


def test_the_last_lines_of_a_run_that_failed_were_not_shown() -> None:
    found = result(tail=["no such option:", "\x1b[2J--legacy-scoring", "x" * 5000])
    assert found["failed"] is True
    assert found["msg"].splitlines() == [
        "Step 2.5 failed: exit code 127",
        "Log: /r/1/log",
        "The last lines of its output:",
        "  no such option:",
        r"  \x1b[2J--legacy-scoring",
        f"  {'x' * 200}",
    ]
    assert found["message"] == "Step 2.5 failed: exit code 127"
    assert result(log=None)["msg"] == "Step 2.5 failed: exit code 127"


@pytest.mark.parametrize("verdict", ["failed", "timeout", "stopped", "refused", "lost"])
def test_a_run_that_failed_passed_for_one_that_did_not(verdict: str) -> None:
    assert result(verdict)["failed"] is True
    assert result(verdict="", **{})["failed"] is True
    for good in ("ok", "detached", "none"):
        assert result(good)["failed"] is False
        assert "msg" not in result(good)


@pytest.mark.parametrize(
    ("answer", "verdict"),
    [
        ({"refused": {"pid": 7}}, "refused"),
        ({"failed": True, "lost": True, "msg": "gone"}, "lost"),
        ({"failed": True, "msg": "no"}, "failed"),
        ({"running": False}, "none"),
        ({"run": "1", "record": {"verdict": "ok"}}, "ok"),
    ],
)
def test_a_verdict_that_nobody_gave(answer: dict[str, Any], verdict: str) -> None:
    found = task_result(answer, "", "", True)
    assert (found["verdict"], found["started"]) == (verdict, "run" in answer)
    assert task_result(answer, "", "", False)["started"] is False, "a follower starts nothing"


def test_a_script_that_died_of_its_own_conversion_left_the_operator_in_the_dark() -> None:
    tail = ["NPZ Conversion Required", "python3: can't open file 'convert_survivors_to_binary.py'"]
    record = {"verdict": "failed", "message": "Step 2.5 failed: exit code 1", "tail": tail}
    found = task_result({"record": record, "run": "r"}, "", "", True)
    assert "The script tried to convert by itself" in found["msg"]
    found = task_result({"record": {**record, "tail": ["Traceback"]}, "run": "r"}, "", "", True)
    assert "by itself" not in found["msg"]
