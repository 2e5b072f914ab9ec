# SPDX-License-Identifier: MIT
"""A slow task showed nothing for minutes; and a line that is rewritten must not spoil anything else."""

from __future__ import annotations

import sys
import threading
from typing import Any
from unittest.mock import Mock

import pytest
from ansible.module_utils.survivor_npz.controller import progress as module


class Display:
    def __init__(self) -> None:
        self._lock = threading.RLock()

    def display(self, text: str, color: str | None = None) -> None:
        sys.stdout.write(f"{text}\n")


@pytest.fixture
def progress(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A progress without its timer, on a screen of 50 columns, at second 100 of the clock."""
    monkeypatch.setattr(module.threading, "Thread", Mock())
    monkeypatch.setattr(module.time, "monotonic", lambda: 100.0)
    monkeypatch.setenv("COLUMNS", "50")
    display = Display()
    progress = module.Progress(display)
    vars(progress)["show"] = display.display
    return progress


def test_nobody_knew_what_a_slow_task_was_waiting_for(progress: Any) -> None:
    progress.begin("preflight | Look")
    for host in ("rig-6600", "rig-6600b"):
        progress.ask(host)
    assert progress.line(102.9) == "", "a task that is not slow has no line"
    assert progress.line(163.0) == "[0:01:03] preflight | Look: waiting for rig-6600, rig-6600b"
    progress.answer("rig-6600")
    assert progress.line(163.0).endswith(": waiting for rig-6600b")
    progress.answer("rig-6600b")
    assert progress.line(163.0) == ""


def test_step_25s_own_output_was_interrupted_by_the_line(progress: Any) -> None:
    progress.begin("")
    progress.ask("zeus")
    assert progress.line(1e6) == ""


def test_other_text_joined_the_line(progress: Any, capsys: pytest.CaptureFixture[str]) -> None:
    progress.begin("stage | Copy the goal to every rig that lacks its bytes, and some more")
    progress.ask("rig-6600")
    progress._draw(progress.line(110.0))
    progress.show("changed: [rig-6600b]")
    progress._draw(progress.line(110.0))
    progress.end()
    first, erased, second, last = capsys.readouterr().out.removeprefix("\r").split("\r")
    assert erased == "\x1b[Kchanged: [rig-6600b]\n"
    assert (first, last) == (second, "\x1b[K")
    line = first.removesuffix("\x1b[K")
    assert (len(line), line[-1]) == (49, "…"), "a line that wraps can't be rewritten"
