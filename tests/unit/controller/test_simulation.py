# SPDX-License-Identifier: MIT
"""Two controllers, four hosts, a bad network: never a launch on differing bytes, always repaired by one healthy run."""

from __future__ import annotations

from pathlib import Path

from simulation import interleave


def test_two_controllers_on_a_bad_network_start_on_differing_bytes(tmp_path: Path) -> None:
    starts = sum(interleave(tmp_path / "fleet", seed).starts for seed in range(300))
    assert starts > 300, "each healthy run starts once, and some of the others do"
