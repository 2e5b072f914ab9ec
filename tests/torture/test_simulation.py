# SPDX-License-Identifier: MIT
"""`make torture` for the fleet: SIMULATIONS (100,000) interleavings from SIMULATION_SEED (0) on, on every core."""

from __future__ import annotations

import os
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest
from simulation import Violation, interleave

pytestmark = pytest.mark.slow
CHUNK = 250


def chunk(place: str, first: int, count: int) -> tuple[int, list[str]]:
    """Starts of Step 2.5 and broken promises in `count` interleavings."""
    starts, faults = 0, []
    for seed in range(first, first + count):
        try:
            starts += interleave(Path(place), seed).starts
        except Violation as broken:  # noqa: PERF203 - every seed counts
            faults.append(str(broken))
    return starts, faults


def test_interleavings_of_two_controllers(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    total = int(os.environ.get("SIMULATIONS", "100000"))
    first = int(os.environ.get("SIMULATION_SEED", "0"))
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        seeds = range(first, first + total, CHUNK)
        asked = [
            pool.submit(chunk, str(tmp_path / str(seed)), seed, min(CHUNK, first + total - seed))
            for seed in seeds
        ]
        found = [each.result() for each in asked]
    faults = [fault for _starts, broken in found for fault in broken]
    with capsys.disabled():
        starts = sum(count for count, _broken in found)
        print(f"\n  {total} interleavings, {starts} starts of Step 2.5, {len(faults)} broken promises")
    assert not faults, "\n".join(faults[:3])
