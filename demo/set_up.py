#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lay out the demo fleet of inventory/demo.ini under .demo/, keeping what is there."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import make_survivors

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent / ".demo"
RIGS = ("rig-6600", "rig-6600b", "rig-6600c")


def main() -> None:
    """Create directories, survivors, draw histories and the demo script."""
    zeus = ROOT / "zeus"
    for directory in (zeus, *(ROOT / rig for rig in RIGS)):
        directory.mkdir(parents=True, exist_ok=True)
    survivors = zeus / "bidirectional_survivors.json"
    if not survivors.exists():
        print("demo: writing 98,172 survivors (69 MB of JSON, once)", flush=True)
        unfinished = survivors.with_suffix(".unfinished")
        make_survivors.write(str(unfinished), 98_172)
        os.replace(unfinished, survivors)
    for name in ("train_history.json", "holdout_history.json"):
        if not (zeus / name).exists():
            (zeus / name).write_text(json.dumps({"demo": True, "draws": []}))
    for name in ("run_scorer_meta_optimizer.sh", "demo_scorer.py"):
        shutil.copy2(HERE / name, zeus / name)


if __name__ == "__main__":
    main()
