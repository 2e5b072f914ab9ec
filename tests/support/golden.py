# SPDX-License-Identifier: MIT
"""Compare final lines with those that were reviewed by eye: tests/golden/*.txt.

GOLDEN=write pytest … writes them anew; review the difference before committing it.
"""

from __future__ import annotations

import os
import re
from pathlib import Path

GOLDEN = Path(__file__).resolve().parents[1] / "golden"
# What differs between two runs of the same thing.
_CHANGING = (
    (r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", "TIME"),
    (r"\d{8}T\d{6}Z-\d+", "RUN"),
    (r"\b\d+ s ago", "N s ago"),
    (r"\bpid \d+", "pid PID"),
    (r"\b[0-9a-f]{12}\b", "############"),
    (r"\bafter \d+:\d\d:\d\d", "after H:MM:SS"),
    (r"(?s)\nSeconds: .*?\.\n(?=\S|$)", "\nSeconds: ….\n"),
)


def normalized(text: str, root: Path | None = None) -> str:
    """`text` without times, digests, pids, and without `root` in paths."""
    text = text.replace(str(root), "ROOT") if root else text
    for pattern, word in _CHANGING:
        text = re.sub(pattern, word, text)
    return text.strip("\n") + "\n"


def check(name: str, text: str, root: Path | None = None) -> None:
    """The final lines of the case `name` are the reviewed ones."""
    path, found = GOLDEN / f"{name}.txt", normalized(text, root)
    if os.environ.get("GOLDEN") == "write":
        path.parent.mkdir(exist_ok=True)
        path.write_text(found, encoding="utf-8")
    assert found == path.read_text(encoding="utf-8"), f"review it, then write it with GOLDEN=write: {path}"
