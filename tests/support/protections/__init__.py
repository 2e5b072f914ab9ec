# SPDX-License-Identifier: MIT
"""What protects against each failure of docs/incidents.md, how to take it out, and the test that then fails.

`make red` takes them out one by one, on a copy of the checkout. An edit's old text must stand in its place
exactly once, so the table can't rot unseen: tests/pages/test_incident_map.py looks in every `make test`.
"""

from __future__ import annotations

from typing import NamedTuple, Tuple


class Edit(NamedTuple):
    """Text of a file, or of one Python file of a folder, and what stands there without the protection."""

    place: str
    old: str
    new: str


class Protection(NamedTuple):
    """One protection.

    Attributes:
        row: how its row of docs/incidents.md begins.
        without: what the project is without it.
        edits: take it out.
        test: must fail then, as file::test under tests/.
        fails: text of the assertion that fails, or of what it shows.
    """

    row: str
    without: str
    edits: Tuple[Edit, ...]
    test: str
    fails: str
