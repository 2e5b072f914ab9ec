"""A value of the JSON in one short line of a message."""

from __future__ import annotations

import reprlib
from typing import Any

_LIMIT = 60
# repr() itself gives up on values nested as deep as JSON allows.
_REPR = reprlib.Repr()
_REPR.maxlevel = 2
_REPR.maxlist = _REPR.maxdict = 4
_REPR.maxstring = _REPR.maxother = _REPR.maxlong = _LIMIT


def shown(value: Any) -> str:
    """The value as the JSON has it, cut to a line's length."""
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    text = f'"{value[:80]}"' if isinstance(value, str) else _REPR.repr(value)
    return text if len(text) <= _LIMIT else text[: _LIMIT - 3] + "..."
