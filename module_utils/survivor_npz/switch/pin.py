"""Rollback's mark on the coordinator: which NPZ is live on purpose, and the JSON that it ignores.

The pin counts only while its NPZ is the live one and the JSON has the size and mtime that it records.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.module_utils.survivor_npz.common import durable, json_object
from ansible.module_utils.survivor_npz.switch.names import Names


def read_pin(names: Names) -> dict[str, Any]:
    """`{"sha256": …, "source": {"path", "size", "mtime_ns"}}`; empty if there is none."""
    content = json_object.load(names.pinned)
    return content if content and isinstance(content.get("source"), dict) else {}


def is_pinned(names: Names, sha256: str, source: tuple[int, int]) -> bool:
    """Whether a rollback put this live NPZ there and the JSON still has this (size, mtime in ns)."""
    pin = read_pin(names)
    recorded = pin.get("source", {})
    return pin.get("sha256") == sha256 and (recorded.get("size"), recorded.get("mtime_ns")) == source


def write_pin(names: Names, sha256: str, source: dict[str, Any]) -> None:
    """Mark `sha256` as live on purpose while the JSON has this stat (`path`, `size`, `mtime_ns`)."""
    temp = Names.temp(names.pinned)
    durable.unlink(temp)
    content = json.dumps({"sha256": sha256, "source": source}, indent=2, sort_keys=True) + "\n"
    durable.write_file(temp, content.encode())
    durable.replace(temp, names.pinned)


def settle_pin(names: Names, sha256: str, source: dict[str, Any] | None, check: bool = False) -> bool:
    """Leave the pin as it must be once `sha256` is live: written, or, without `source`, removed.

    Returns:
        Whether it was not so already.
    """
    if source is None:
        changes = os.path.lexists(names.pinned)
        if changes and not check:
            durable.unlink(names.pinned)
        return changes
    changes = read_pin(names) != {"sha256": sha256, "source": source}
    if changes and not check:
        write_pin(names, sha256, source)
    return changes
