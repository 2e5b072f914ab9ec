# SPDX-License-Identifier: MIT
"""Options of a start of Step 2.5: those of survivor_npz_run and of survivor_npz_live, which asks it."""

from __future__ import annotations

from typing import Any

START: dict[str, Any] = {
    "args": {"type": "list", "elements": "str", "default": []},
    "creates": {"type": "list", "elements": "str", "default": []},
    "timeout": {"type": "float", "default": 0},
    "grace": {"type": "float", "default": 5},
    "npz": {"type": "dict", "default": {}},
    "proved": {"type": "list", "elements": "str", "default": []},
    "stamp": {"type": "dict", "default": {}},
}
