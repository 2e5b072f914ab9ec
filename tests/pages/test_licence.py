# SPDX-License-Identifier: MIT
"""A source file says nothing of its licence."""

from __future__ import annotations

import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_a_source_file_says_nothing_of_its_licence() -> None:
    patterns = ("*.py", "*.sh", "*.yml", "*.mk", "Makefile", ".ci/run")
    listed = subprocess.run(
        ["git", "ls-files", *patterns], cwd=ROOT, check=True, capture_output=True, text=True
    )
    paths = [ROOT / name for name in listed.stdout.split()]
    assert len(paths) > 200
    silent = [
        str(path.relative_to(ROOT))
        for path in paths
        if not path.is_symlink() and "SPDX-License-Identifier: MIT" not in path.read_text()[:200]
    ]
    assert silent == []
