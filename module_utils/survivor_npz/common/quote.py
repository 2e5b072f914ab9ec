"""A value of the JSON in one short line of a message, without a character that a terminal obeys."""

from __future__ import annotations

import json
from typing import Any, List

_LIMIT = 60
_LEVELS = 2
_ITEMS = 4


def shown(value: Any) -> str:
    """The value as the JSON has it, in ASCII, cut to a line's length."""
    text = _text(value, _LEVELS)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 3] + "..."


def _text(value: Any, levels: int) -> str:
    """As json.dumps, which fails on values nested as deep as JSON allows and is slow for long ones."""
    if isinstance(value, str):
        return json.dumps(value[:_LIMIT])
    if isinstance(value, list):
        items = value[:_ITEMS] if levels else []
        return _enclosed("[]", [_text(item, levels - 1) for item in items], len(value))
    if isinstance(value, dict):
        pairs = list(value.items())[:_ITEMS] if levels else []
        return _enclosed(
            "{}", [f"{_text(key, 0)}: {_text(item, levels - 1)}" for key, item in pairs], len(value)
        )
    return json.dumps(value)


def _enclosed(brackets: str, parts: List[str], length: int) -> str:
    more = ["..."] if len(parts) < length else []
    return brackets[0] + ", ".join(parts + more) + brackets[1]
