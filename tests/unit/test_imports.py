# SPDX-License-Identifier: MIT
"""Which package may import which: every import of every file, those for type checkers included."""

from __future__ import annotations

import ast
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible.module_utils.survivor_npz"
HOME = ROOT / "module_utils" / "survivor_npz"
# What each package may import besides itself. A package that is not listed fails the test.
ALLOWED = {
    "common": set(),
    "npz": {"common"},
    "survivors": {"common", "npz"},
    "arrays": {"common", "npz", "survivors"},
    "switch": {"common", "npz"},
    "convert": {"common", "npz", "survivors", "arrays", "switch"},
    "look": {"common", "npz", "switch"},
    "run.supervise": set(),
    "run": {"common", "run.supervise"},
    "hook": {"common", "switch", "run", "run.supervise"},
    "jobs": {"common", "npz", "switch", "look", "convert", "run", "run.supervise"},
    "controller": {"common", "npz", "switch", "look", "run", "hook"},
}
NUMERIC = {"numpy", "orjson"}
MAY_BE_NUMERIC = ("npz/write", "survivors/", "arrays/", "convert/build", "convert/segments")


def sources() -> list[str]:
    return sorted(path.relative_to(HOME).with_suffix("").as_posix() for path in HOME.rglob("*.py"))


def package_of(module: str) -> str:
    """`run.supervise` for run/supervise/log, `run` for run/control, "" for a file of no package."""
    parts = module.split("/")[:-1]
    while parts and ".".join(parts) not in ALLOWED:
        parts.pop()
    return ".".join(parts)


def imports_of(module: str) -> tuple[set[str], set[str]]:
    """Modules of this project (`npz/schema`) and top-level names of others that a file imports anywhere."""
    ours: set[str] = set()
    others: set[str] = set()
    here = module.split("/")[:-1]
    for node in ast.walk(ast.parse((HOME / f"{module}.py").read_text(encoding="utf-8"))):
        names: list[str] = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                above = here[: len(here) - node.level + 1]
                base = ".".join([PACKAGE, *above, *filter(None, [base])])
            names = [f"{base}.{alias.name}" for alias in node.names]
        for name in names:
            if not name.startswith(f"{PACKAGE}."):
                others.add(name.split(".")[0])
                continue
            parts = name[len(PACKAGE) + 1 :].split(".")
            while parts and not (HOME / ("/".join(parts) + ".py")).exists():
                parts.pop()  # a name inside the module, or a package itself
            ours.add("/".join(parts) or name[len(PACKAGE) + 1 :].replace(".", "/") + "/__init__")
    return ours, others


@pytest.mark.parametrize("module", sources())
def test_a_file_imports_only_what_its_package_may(module: str) -> None:
    ours, others = imports_of(module)
    package = package_of(module)
    if module.count("/"):
        wrong = [name for name in ours if package_of(name) not in ALLOWED[package] | {package}]
        assert wrong == [], f"{module} imports {wrong}"
    else:
        assert not [name for name in ours if package_of(name) == "controller"], "controller code on a host"
    if others & NUMERIC:
        assert module.startswith(MAY_BE_NUMERIC), f"{module} imports {others & NUMERIC}"


def test_no_import_goes_round_in_a_circle() -> None:
    waiting = {module: imports_of(module)[0] - {module} for module in sources()}
    while waiting:
        free = {module for module, needed in waiting.items() if not needed & waiting.keys()}
        assert free, f"these import each other: {sorted(waiting)}"
        waiting = {module: needed for module, needed in waiting.items() if module not in free}


@pytest.mark.parametrize("path", sorted((ROOT / "library").glob("*.py")), ids=lambda path: path.stem)
def test_a_module_brings_neither_controller_code_nor_numpy_to_its_host(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert f"{PACKAGE}.controller" not in text
    assert not [name for name in NUMERIC if f"import {name}" in text]


def test_a_package_is_described_by_a_docstring_and_nothing_else() -> None:
    for path in HOME.rglob("__init__.py"):
        body = ast.parse(path.read_text(encoding="utf-8")).body
        assert len(body) == 1 and isinstance(body[0], ast.Expr), path


def test_a_file_has_more_than_300_lines() -> None:
    folders = ("library", "module_utils", "plugins", "benchmarks", "demo", "tools", "tests")
    paths = [path for name in folders for path in (ROOT / name).rglob("*.py")]
    assert len(paths) > 200
    assert [path.name for path in paths if len(path.read_text().splitlines()) > 300] == []
