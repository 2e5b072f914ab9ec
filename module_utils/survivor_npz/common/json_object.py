# SPDX-License-Identifier: MIT
"""Read one of the small JSON files beside the NPZ, whatever has its name."""

from __future__ import annotations

import json
import os
import stat
from typing import Any

_LIMIT = 16 << 20


def load(path: str) -> dict[str, Any] | None:
    """The JSON object in a regular file of up to 16 MiB; None if there is none that can be read."""
    try:
        # O_NONBLOCK: a FIFO with this name must not hang the run.
        with os.fdopen(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
                return None
            content = json.loads(file.read(_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return content if isinstance(content, dict) else None
