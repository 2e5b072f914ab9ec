# SPDX-License-Identifier: MIT
"""Demand numpy and orjson, new enough."""

from __future__ import annotations

import importlib
import os
import re
import sys

from ansible.module_utils.survivor_npz.common.errors import ConvertError

# Deep nesting overruns the stack of an older orjson and kills the process.
_NEEDED = {"numpy": (1, 24), "orjson": (3, 9, 15)}


def demand_libraries() -> None:
    """Import both libraries.

    Raises:
        ConvertError: library_missing or library_too_old, with the interpreter and the command to run.
    """
    # Or numpy starts a thread per processor, for algebra that nobody here does.
    os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
    for name, floor in _NEEDED.items():
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
                "library_too_old", f"{sys.executable} has {name} {found}, but {needed} is needed. {remedy}"
            )
