# SPDX-License-Identifier: MIT
"""docs/incidents.md maps every failure of the field to tests that exist, and that `make red` sees fail."""

from __future__ import annotations

import ast
import re
import shutil
from pathlib import Path
from typing import Dict, List

import pytest
import yaml
from protections import Protection
from protections.checkout import apply
from protections.table import PROTECTIONS

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs" / "incidents.md"


def rows(page: Path) -> List[List[str]]:
    """The cells of every row of a page's tables, without heads."""
    lines = [line for line in page.read_text().splitlines() if line.startswith("| ")]
    cells = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in lines]
    return [row for row in cells if row[0] != "what was seen"]


def mapped() -> Dict[str, List[str]]:
    """What was seen -> its tests, as file::test."""
    return {row[0]: re.findall(r"`([\w/]+\.py::\w+)`", row[-1]) for row in rows(PAGE)}


def test_every_test_that_the_page_names_exists() -> None:
    missing = []
    for seen, tests in mapped().items():
        assert tests, f"no test for: {seen}"
        for test in tests:
            name, _, function = test.partition("::")
            tree = ast.parse((ROOT / "tests" / name).read_text())
            if function not in {node.name for node in ast.walk(tree) if isinstance(node, ast.FunctionDef)}:
                missing.append(test)
    assert missing == []


def test_no_incident_is_left_without_its_text_or_a_test() -> None:
    found = rows(PAGE)
    assert len(found) == len(mapped()) >= 42
    for row in found:
        assert len(row) == 4 and all(row), row  # what was seen, why, what must happen, tests


def test_a_fault_on_real_hosts_waits_for_a_task_that_is_gone() -> None:
    """Those tests break a host when a task starts whose name holds a text; they run seldom."""
    names = [
        inner["name"]
        for path in (ROOT / "roles" / "survivor_npz" / "tasks").glob("*.yml")
        for task in yaml.safe_load(path.read_text())
        for inner in task.get("block", [task])
    ]
    text = "\n".join(path.read_text() for path in (ROOT / "tests" / "hosts").glob("*.py"))
    asked = re.findall(r'(?:\bat|tamper|kill_at)\((?:fleet, )?"([^"]+)"', text)
    asked += re.findall(r'^(?:STAGE|BARRIER|SWITCH) = "(.+)"$', text, re.MULTILINE)
    assert len(set(asked)) >= 6
    assert [task for task in asked if not any(task in name for name in names)] == []


def test_every_row_has_a_protection_that_make_red_takes_out() -> None:
    page, covered = mapped(), set()
    for protection in PROTECTIONS:
        (seen,) = [row for row in page if row.startswith(protection.row)]
        assert protection.test in page[seen], f"its row does not name {protection.test}"
        covered.add(seen)
    assert covered == set(page)


@pytest.mark.parametrize("protection", PROTECTIONS, ids=lambda protection: protection.without)
def test_a_protection_can_still_be_taken_out(tmp_path: Path, protection: Protection) -> None:
    for edit in protection.edits:
        place, copy = ROOT / edit.place, tmp_path / edit.place
        if place.is_dir():
            shutil.copytree(place, copy, dirs_exist_ok=True)
        else:
            copy.parent.mkdir(parents=True, exist_ok=True)
            shutil.copy(place, copy)
    for path in apply(tmp_path, protection.edits):
        if path.suffix == ".py":
            ast.parse(path.read_text())
        elif path.suffix == ".yml":
            yaml.safe_load(path.read_text())
