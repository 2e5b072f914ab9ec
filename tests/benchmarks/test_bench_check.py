# SPDX-License-Identifier: MIT
"""`make bench-check` finds what has become worse, and only that."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import check  # noqa: E402


def test_a_slower_converter_passed_the_check() -> None:
    then = dict.fromkeys(check.TOLERANCE, 0.5)
    assert check.faults(then, then) == []
    assert check.faults(dict.fromkeys(then, 0.1), then) == [], "better is no fault"
    for name, share in check.TOLERANCE.items():
        assert check.faults({**then, name: 0.5 * (1 + share) - 0.001}, then) == []
        (line,) = check.faults({**then, name: 0.5 * (1 + share) + 0.001}, then)
        assert line.startswith(name)


def test_every_figure_with_a_tolerance_is_measured(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(check, "COMMITTED", tmp_path / "check.json")
    run = ["check.py", "--survivors", "2000", "--rounds", "1", "--cache", str(tmp_path)]
    monkeypatch.setattr(sys, "argv", [*run, "--save"])
    assert check.main() == 0
    monkeypatch.setattr(check, "measured", lambda *_args: dict.fromkeys(check.TOLERANCE, 99.0))
    monkeypatch.setattr(sys, "argv", run)
    assert check.main() == 1
    assert capsys.readouterr().out.count("OUTSIDE ITS TOLERANCE") == len(check.TOLERANCE)
    monkeypatch.setattr(sys, "argv", [*run, "--report"])
    assert check.main() == 0
