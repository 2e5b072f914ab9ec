"""What a host has shown: how a copy's entry in a look is read."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Dict, List, Optional

Host = Mapping[str, Any]
Faults = Dict[str, List[str]]


def short(sha256: Optional[str]) -> str:
    """The first digits of a SHA-256, as shown to people."""
    return sha256[:12] if sha256 else "none"


def wanted(copy: Host) -> bool:
    """Whether a copy must be right: one that must be there, or that is."""
    return bool(copy["required"] or copy["exists"])


def is_right(copy: Host, sha256: str, follows: bool) -> bool:
    """Whether a copy holds the expected bytes, as a file or, where it `follows`, through a symlink."""
    return copy["sha256"] == sha256 and (copy["kind"] == "file" or (follows and copy["kind"] == "symlink"))
