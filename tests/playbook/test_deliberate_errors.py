# SPDX-License-Identifier: MIT
"""Deliberate errors played on a fleet, and the final lines that an operator reads: tests/golden/."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import golden
import pytest
from localfleet import LocalFleet


def cut(fleet: LocalFleet) -> None:
    fleet.json.write_bytes(fleet.json.read_bytes()[:-5000])


def null_field(fleet: LocalFleet) -> None:
    survivors = json.loads(fleet.json.read_text())
    survivors[17]["offset"] = None
    fleet.json.write_text(json.dumps(survivors))


def empty(fleet: LocalFleet) -> None:
    fleet.json.write_text("[]")


def failing(fleet: LocalFleet) -> None:
    fleet.write_scorer("#!/bin/bash\necho 'trial 1'\necho 'CUDA error: out of memory' >&2\nexit 3\n")


SLOW = [
    pytest.param(error, id=error.__name__, marks=pytest.mark.slow) for error in (null_field, empty, failing)
]


@pytest.mark.parametrize("error", [pytest.param(cut, id="cut"), *SLOW])
def test_the_last_lines_of_a_run_with_an_error_are_the_reviewed_ones(error: Any, tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    error(fleet)
    run = fleet.run()
    assert run.rc == 2, run.out
    lines = [line for line in run.tail.splitlines()[1:] if " : ok=" not in line and not line.startswith("{")]
    golden.check(f"played-{error.__name__}", "\n".join(lines), tmp_path)
