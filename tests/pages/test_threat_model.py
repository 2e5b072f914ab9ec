# SPDX-License-Identifier: MIT
"""docs/threat-model.md names tests that exist, for each party."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]


def test_the_threat_model_names_a_test_that_is_gone() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text()
    named = re.findall(r"`([\w/]+\.py)::(\w+)`", page)
    assert len(named) > 20
    for file, function in named:
        tree = ast.parse((ROOT / "tests" / file).read_text())
        assert function in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}, (
            function
        )


def test_a_promise_of_the_threat_model_has_no_test() -> None:
    page = (ROOT / "docs" / "threat-model.md").read_text()
    rows = [line for line in page.splitlines() if line.startswith("| ")][1:]
    assert [row for row in rows if "::" not in row and "*not prevented*" not in row] == []
