# SPDX-License-Identifier: MIT
"""The demo's script has the habits of the pipeline's, so that a viewer sees why the order matters."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

SCRIPT = Path(__file__).resolve().parents[2] / "demo" / "run_scorer_meta_optimizer.sh"
NPZ = "bidirectional_survivors_binary.npz"


def test_the_demo_did_not_show_why_the_order_matters(tmp_path: Path) -> None:
    zeus, warm = tmp_path / "zeus", tmp_path / "rig-6600-ramdisk"
    zeus.mkdir()
    warm.mkdir()
    shutil.copy(SCRIPT, zeus)
    (zeus / "demo_scorer.py").write_text("print('scored')\n")
    (zeus / "bidirectional_survivors.json").write_text("[]")
    (zeus / NPZ).write_bytes(b"new")
    os.utime(zeus / NPZ, (1, 1))
    (warm / NPZ).write_bytes(b"old")
    (warm / ".ready").touch()
    done = subprocess.run(
        ["bash", zeus / SCRIPT.name], capture_output=True, text=True, check=True, stdin=subprocess.DEVNULL
    )
    assert "DEMO: rig-6600-ramdisk: marked .ready, believed" in done.stdout
    assert "DEMO: NPZ Conversion Required" in done.stdout
    assert done.stdout.endswith("scored\n")
    assert (warm / NPZ).read_bytes() == b"old"
    assert (tmp_path / "zeus-ramdisk" / NPZ).read_bytes() == b"new"
    os.utime(zeus / NPZ)
    done = subprocess.run(["bash", zeus / SCRIPT.name], capture_output=True, text=True, check=True)
    assert "DEMO: NPZ file up-to-date" in done.stdout
