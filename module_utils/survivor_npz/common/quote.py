# SPDX-License-Identifier: MIT
"""Quote a JSON value in one short line of a message, without control characters for the terminal."""

from __future__ import annotations

import json
from typing import Any

_LIMIT = 60
_LEVELS = 2
_ITEMS = 4


def quote(value: Any) -> str:
    """The value as JSON has it, in ASCII, cut to 60 characters."""
    text = _quote(value, _LEVELS)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 3] + "..."


def _quote(value: Any, levels: int) -> str:
    """Like json.dumps, which fails on values nested as deep as JSON allows and is slow for long ones."""
    if isinstance(value, str):
        return json.dumps(value[:_LIMIT])
    if isinstance(value, list):
        items = value[:_ITEMS] if levels else []
        return _join("[]", [_quote(item, levels - 1) for item in items], len(value))
    if isinstance(value, dict):
        pairs = list(value.items())[:_ITEMS] if levels else []
        return _join(
            "{}", [f"{_quote(key, 0)}: {_quote(item, levels - 1)}" for key, item in pairs], len(value)
        )
    return json.dumps(value)


def _join(brackets: str, parts: list[str], length: int) -> str:
    more = ["..."] if len(parts) < length else []
    return brackets[0] + ", ".join(parts + more) + brackets[1]
