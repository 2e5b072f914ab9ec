# SPDX-License-Identifier: MIT
"""The pin on the coordinator: which NPZ is live on purpose, and the JSON that it was not made from.

A rollback's pin keeps that NPZ live as long as the JSON has the size and mtime that the pin records. With
survivor_npz_convert: never, an `unconverted` pin only records that a conversion is due once it is allowed.
"""

from __future__ import annotations

import json
import os
from typing import Any

from ansible.module_utils.survivor_npz.common import durable, json_object
from ansible.module_utils.survivor_npz.switch.names import Names


def read_pin(names: Names) -> dict[str, Any]:
    """`{"sha256": …, "source": {"path", "size", "mtime_ns"}, "unconverted": True}`; {} if there is none.

    `unconverted` is left out for a rollback.
    """
    content = json_object.load(names.pinned)
    return content if content and isinstance(content.get("source"), dict) else {}


def is_pinned(names: Names, sha256: str, source: tuple[int | None, int | None]) -> bool:
    """Whether a rollback put this live NPZ there and the JSON still has this (size, mtime in ns)."""
    pin = read_pin(names)
    recorded = pin.get("source", {})
    same = (recorded.get("size"), recorded.get("mtime_ns")) == source
    return same and pin.get("sha256") == sha256 and not pin.get("unconverted")


def _content(sha256: str, pin: dict[str, Any]) -> dict[str, Any]:
    source = {key: value for key, value in pin.items() if key != "unconverted"}
    return {"sha256": sha256, "source": source, **({"unconverted": True} if pin.get("unconverted") else {})}


def write_pin(names: Names, sha256: str, pin: dict[str, Any]) -> None:
    """Mark `sha256` as live on purpose.

    Args:
        pin: stat of the JSON (`path`, `size`, `mtime_ns`), and `unconverted` if this is not a rollback.
    """
    temp = Names.temp(names.pinned)
    durable.unlink(temp)
    durable.write_file(temp, (json.dumps(_content(sha256, pin), indent=2) + "\n").encode())
    durable.replace(temp, names.pinned)


def settle_pin(names: Names, sha256: str, pin: dict[str, Any] | None, check: bool = False) -> bool:
    """Leave the pin as it must be once `sha256` is live: written, or, without `pin`, removed.

    An `unconverted` pin never replaces a rollback's that is in force.

    Returns:
        Whether it was not so already.
    """
    if pin is None:
        changes = os.path.lexists(names.pinned)
        if changes and not check:
            durable.unlink(names.pinned)
        return changes
    held = pin.get("unconverted") and is_pinned(names, sha256, (pin.get("size"), pin.get("mtime_ns")))
    changes = not held and read_pin(names) != _content(sha256, pin)
    if changes and not check:
        write_pin(names, sha256, pin)
    return changes
