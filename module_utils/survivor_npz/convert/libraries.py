"""Are numpy and orjson there, and new enough?"""

from __future__ import annotations

import importlib
import re
import sys

from ansible.module_utils.survivor_npz.common.errors import ConvertError

# Older orjson lets deep nesting overrun the stack: the process would die by a signal.
NEEDED = {"numpy": (1, 24), "orjson": (3, 9, 15)}


def demand_libraries() -> None:
    """Import both.

    Raises:
        ConvertError: library_missing or library_too_old, with the interpreter and the command that helps.
    """
    for name, floor in NEEDED.items():
        needed = ".".join(map(str, floor))
        remedy = f"Install it for that interpreter: {sys.executable} -m pip install '{name}>={needed}'"
        try:
            found = str(importlib.import_module(name).__version__)
        except ImportError as error:
            raise ConvertError(
                "library_missing", f"{name} can't be imported by {sys.executable}: {error}. {remedy}"
            ) from error
        if tuple(map(int, re.findall(r"\d+", found)[: len(floor)])) < floor:
            raise ConvertError(
                "library_too_old", f"{sys.executable} has {name} {found}, and {needed} is needed. {remedy}"
            )
