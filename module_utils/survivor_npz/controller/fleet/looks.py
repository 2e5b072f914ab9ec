# SPDX-License-Identifier: MIT
"""Read what a look at a host returned."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ansible.module_utils.survivor_npz.common.digest import short

Answer = Mapping[str, Any]
Faults = dict[str, list[str]]


def source_of(look: Answer, json_name: str) -> Answer:
    """What the coordinator's look found of the JSON; empty where it was not looked for."""
    return next((file for file in look["files"] if file["name"] == json_name), {})


def must_be_right(copy: Answer) -> bool:
    """Whether a copy must hold the goal: one that is required, or that exists."""
    return bool(copy["required"] or copy["exists"])


def is_right(copy: Answer, sha256: str | None, follows: bool) -> bool:
    """Whether a copy holds these bytes, as a file or, where it `follows`, through a symlink."""
    return copy["sha256"] == sha256 and (copy["kind"] == "file" or (follows and copy["kind"] == "symlink"))


def previous_is(copy: Answer, sha256: str) -> bool:
    """Whether the file that was live before holds these bytes."""
    return (copy["previous"] or {}).get("sha256") == sha256


def state(copy: Answer, sha256: str | None, follows: bool = False) -> str:
    """What a copy holds, in a word or two: `current`, `missing`, `outdated DIGEST`, `corrupt DIGEST`."""
    if sha256 is not None and is_right(copy, sha256, follows):
        return f"current {short(sha256)}"
    if copy["kind"] == "absent":
        return "missing"
    if copy["sha256"] is None:
        return "unreadable" if copy["kind"] == "file" else str(copy["kind"])
    word = "corrupt" if copy.get("fault") else "outdated" if sha256 is not None else "holds"
    return f"{word} {short(copy['sha256'])}"
