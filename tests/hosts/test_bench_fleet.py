# SPDX-License-Identifier: MIT
"""The quick form of `make bench-fleet`: it measures real runs. No test judges the figures."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from hosts.fleet import Fleet, known
from localfleet import ROOT


@pytest.mark.short
def test_the_benchmark_measures_each_case_and_takes_its_hosts_down(hosts: Fleet, tmp_path: Path) -> None:
    before = known()
    command = [sys.executable, str(ROOT / "benchmarks" / "fleet.py"), "--out", str(tmp_path)]
    command += ["--hosts", "3", "--rounds", "1", "--relay", "2", "--survivors", "3000"]
    command += ["--cases", "idle"]
    done = subprocess.run(
        [*command, "--cache", str(tmp_path / "cache")],
        check=False,
        capture_output=True,
        text=True,
        env={**os.environ, "HOSTS_BACKEND": "netns"},
    )
    assert done.returncode == 0, done.stdout + done.stderr[-3000:]
    (setting,) = json.loads((tmp_path / "fleet.json").read_text())["settings"]
    (costs,) = setting["rounds"]
    cases = {case for each in costs.values() for case in each}
    assert cases == {"stat", "idle"}
    assert all(cost["wall"] > 0 for each in costs.values() for cost in each.values())
    assert "prepare.yml, nothing to do" in done.stdout and "at most +2 s" in done.stdout
    assert known() == before, "its hosts are still up"
