# SPDX-License-Identifier: MIT
"""The proposal of 2026-01-19, literally: its four tests as written, and its validation after the merge."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from localfleet import JSON, NPZ, ROOT, LocalFleet

# What the pipeline's own script does first: it reads the NPZ.
SCRIPT = f"""#!/bin/bash
{sys.executable} -c "import numpy; print('loaded', len(numpy.load('{NPZ}')['seeds']), 'survivors')" || exit 9
echo "$*" >> started.log
"""
# The orchestrator starts Step 1 and then Step 2.5: no terminal, PYTHONPATH=., nothing in between.
ORCHESTRATOR = """
import os, subprocess, sys
env = {**os.environ, "PYTHONPATH": "."}
for command in ([sys.executable, "window_optimizer.py"], ["bash", "run_scorer_meta_optimizer.sh", "100"]):
    done = subprocess.run(command, env=env, stdin=subprocess.DEVNULL)
    if done.returncode:
        sys.exit(f"{command[1]}: exit code {done.returncode}")
"""
STEP_1 = f"""
import sys
sys.path.insert(0, {str(ROOT / "demo")!r})
import make_survivors
make_survivors.write("{JSON}", 86, 2)
"""


@pytest.fixture(scope="module")
def fleet(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalFleet]:
    """A hooked fleet of Zeus and both rigs, with Step 1's output and no NPZ."""
    fleet = LocalFleet(tmp_path_factory.mktemp("proposal") / "fleet", count=84)
    fleet.write_scorer(SCRIPT)
    hooked = fleet.run("hook.yml", timeout=600)
    assert hooked.rc == 0, hooked.out
    yield fleet


def sh(fleet: LocalFleet, line: str) -> subprocess.CompletedProcess[str]:
    """Run a line in the pipeline directory, as a user would."""
    kept = {
        name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "SURVIVOR_"))
    }
    done = subprocess.run(
        ["bash", "-c", line],
        cwd=fleet.dir("zeus"),
        env={**kept, "ANSIBLE_LOCAL_TEMP": str(fleet.root / "inventory.tmp"), "COLUMNS": "300"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=False,
        timeout=600,
    )
    assert "Traceback" not in done.stdout + done.stderr
    return done


def dry_run(fleet: LocalFleet, line: str) -> subprocess.CompletedProcess[str]:
    """Run one of the proposal's tests: prepared for real, and Step 2.5 not started."""
    done = sh(fleet, line)
    assert done.returncode == 0, done.stderr
    first, *_, last = done.stderr.splitlines()
    assert "--dry-run converts and distributes" in first
    assert last.endswith("Step 2.5 was NOT started.")
    assert (done.stdout, fleet.starts) == ("", [])
    return done


def same_everywhere(fleet: LocalFleet) -> bool:
    return {fleet.npz(host).read_bytes() for host in fleet.hosts} == {fleet.npz("zeus").read_bytes()}


def identity(path: Path) -> tuple[int, int]:
    return path.stat().st_ino, path.stat().st_mtime_ns


def test_proposal_1_to_4_as_written(fleet: LocalFleet) -> None:
    # Test 1: Fresh run (no NPZ exists)
    dry_run(fleet, f"rm -f {NPZ}\n./run_scorer_meta_optimizer.sh --dry-run  # Should convert")
    assert same_everywhere(fleet)
    assert len(fleet.hosts) == 3
    # Test 2: Up-to-date NPZ
    npz = fleet.npz("zeus")
    touch = f"touch {NPZ}; stat -c '%i %y' {NPZ} > ../touched"
    dry_run(fleet, f"{touch}\n./run_scorer_meta_optimizer.sh --dry-run  # Should skip")
    now = sh(fleet, f"stat -c '%i %y' {NPZ}").stdout
    assert now == (fleet.dir("zeus").parent / "touched").read_text(), (
        "it converted although the NPZ was newer"
    )
    # Test 3: Stale NPZ (JSON newer)
    bytes_before = npz.read_bytes()
    dry_run(fleet, f"touch {JSON}\n./run_scorer_meta_optimizer.sh --dry-run  # Should reconvert")
    assert npz.stat().st_mtime_ns >= fleet.json.stat().st_mtime_ns, "the script would still find it stale"
    assert npz.read_bytes() == bytes_before
    assert same_everywhere(fleet)
    # Test 4: Missing JSON
    before = identity(npz)
    done = sh(fleet, f"rm -f {JSON}\n./run_scorer_meta_optimizer.sh --dry-run  # Should error gracefully")
    assert done.returncode == 2
    assert JSON in done.stderr
    assert done.stderr.rstrip().endswith("Step 2.5 was NOT started.")
    assert (done.stdout, identity(npz), fleet.starts) == ("", before, [])


def test_proposal_validation_an_orchestrator_runs_step_1_then_step_2_5_with_no_manual_step(
    fleet: LocalFleet,
) -> None:
    zeus = fleet.dir("zeus")
    (zeus / "window_optimizer.py").write_text(STEP_1)
    (zeus / "watcher_agent.py").write_text(ORCHESTRATOR)
    for host in fleet.hosts:
        fleet.npz(host).unlink(missing_ok=True)
    done = sh(
        fleet, f"PYTHONPATH=. {sys.executable} watcher_agent.py --run-pipeline --start-step 1 --end-step 6"
    )
    assert done.returncode == 0, done.stderr  # [x] No manual intervention required
    assert fleet.npz("zeus").exists()  # [x] NPZ created automatically after Step 1 completes
    assert same_everywhere(fleet)  # [x] NPZ distributed to both rigs
    assert "loaded 86 survivors" in done.stdout  # [x] Step 2.5 loads NPZ successfully
    assert fleet.starts == ["100"]
