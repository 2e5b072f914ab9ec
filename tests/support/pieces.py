"""Make the converter cut its input into pieces of any size, and share even small files among workers."""

from __future__ import annotations

import contextlib
import sys
from typing import Iterator

PACKAGE = "ansible.module_utils.survivor_npz."
TUNING = ("PIECE_BYTES", "SEGMENT_BYTES")


@contextlib.contextmanager
def pieces_of(size: int) -> Iterator[None]:
    """Set the reader's piece size, in bytes, wherever the package holds it; AssertionError where nowhere."""
    changed = []
    for name, module in list(sys.modules.items()):
        if name.startswith(PACKAGE):
            for constant in TUNING:
                if hasattr(module, constant):
                    changed.append((module, constant, getattr(module, constant)))
                    setattr(module, constant, size)
    assert changed, "the converter has no piece size any more"
    try:
        yield
    finally:
        for module, constant, value in changed:
            setattr(module, constant, value)
