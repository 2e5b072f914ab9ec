# SPDX-License-Identifier: MIT
"""What a pipeline directory holds before the first run: Step 1's output, and a double of Step 2.5."""

from __future__ import annotations

import os
from pathlib import Path

import survivors

from hosts.fleet import Fleet
from hosts.image import UID

DIRECTORY = "distributed_prng_analysis"
COUNT = 300
# Notes what was live on Zeus at every start, and what the starter claims to have proved.
SCORER = """#!/usr/bin/env bash
# Test double of Step 2.5.
set -eu
read -r live _ < <(sha256sum bidirectional_survivors_binary.npz)
printf '%s %s %s\\n' "$live" "${SURVIVOR_NPZ_PROVEN_SHA256-unproven}" "$*" >> started.log
echo "Step 2.5 started on $(hostname) with: $*"
echo '{}' > optimal_scorer_config.json
"""


def own(path: Path) -> None:
    """Give a file or folder with its content to the hosts' user."""
    for entry in (path, *path.rglob("*")) if path.is_dir() else (path,):
        os.chown(entry, UID, UID, follow_symlinks=False)


def pipeline(folder: Path, zeus: bool) -> None:
    """Make a pipeline directory; on Zeus with what Step 2.5 needs, and Step 1's output."""
    folder.mkdir(parents=True, exist_ok=True)
    if zeus:
        for name in ("train_history.json", "holdout_history.json"):
            (folder / name).write_text("[]")
        script = folder / "run_scorer_meta_optimizer.sh"
        script.write_text(SCORER)
        script.chmod(0o755)
        survivors.write(str(folder / "bidirectional_survivors.json"), COUNT, 25)


def seed(home: Path, zeus: bool, directory: str = DIRECTORY) -> None:
    """Make a host's pipeline directory on its disk, its user's own."""
    pipeline(home / directory, zeus)
    own(home)


def seed_all(fleet: Fleet, rig_directory: str = DIRECTORY) -> None:
    """Seed every host."""
    for host in fleet.hosts.values():
        seed(host.home, host.zeus, DIRECTORY if host.zeus else rig_directory)
