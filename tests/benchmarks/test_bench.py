# SPDX-License-Identifier: MIT
"""The benchmark runs and writes its figures; no test judges what they are."""

import json
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_benchmark_runs_and_writes_its_figures(tmp_path: Path) -> None:
    out = tmp_path / "out"
    command = [sys.executable, str(ROOT / "benchmarks" / "bench.py"), "--survivors", "2000", "--rounds", "1"]
    command += ["--out", str(out), "--cache", str(tmp_path / "cache")]
    done = subprocess.run(command, check=False, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr[-3000:]
    figures = json.loads((out / "bench.json").read_text())
    assert [set(entry["workers"]) for entry in figures["speed"]] == [{"1", "2"}]
    assert figures["memory"][0]["summed_mib"] > 0
    assert figures["fresh"]["ratio"] > 0
    assert "of plain" in done.stdout
