"""docs/converter.md says which module rests on which, and what each refusal means: it must not drift."""

import ast
import re
from pathlib import Path
from typing import Dict, List, Set

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = "ansible.module_utils.survivor_npz"
PAGE = (ROOT / "docs" / "converter.md").read_text(encoding="utf-8")


def source_of(module: str) -> str:
    return (ROOT / "module_utils" / "survivor_npz" / f"{module}.py").read_text(encoding="utf-8")


def imports_of(module: str) -> Set[str]:
    """Modules of the package that a module imports, for more than its types."""
    text = source_of(module).split("if TYPE_CHECKING:")
    tree = ast.parse(text[0] + "".join(re.sub(r"\A(\n +.*)+", "", rest) for rest in text[1:]))
    found: Set[str] = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.ImportFrom) and node.module == PACKAGE:
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and (node.module or "").startswith(f"{PACKAGE}."):
            found.add(str(node.module)[len(PACKAGE) + 1 :])
    return found


def modules() -> Dict[str, Set[str]]:
    """Every module that a conversion may import, with what it imports itself."""
    found: Dict[str, Set[str]] = {}
    waiting = ["convert"]
    while waiting:
        module = waiting.pop()
        if module not in found:
            found[module] = imports_of(module)
            waiting += found[module]
    return found


def rows(title: str) -> List[List[str]]:
    """The names in the first column of the table under a heading, row by row."""
    table = PAGE.split(f"\n## {title}\n")[1].split("\n## ")[0]
    first = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")][2:]
    return [re.findall(r"`([a-z0-9_]+)`", cell) for cell in first]


def test_imports_point_from_the_bottom_of_the_table_to_its_top() -> None:
    place = {name: number for number, row in enumerate(rows("From file to file")) for name in row}
    found = modules()
    assert set(found) - set(place) == set(), "modules without a row"
    wrong = [f"{m} imports {i}" for m, names in found.items() for i in names if place[i] > place[m]]
    assert wrong == []


def test_every_code_of_a_refusal_is_explained() -> None:
    explained = {code for row in rows("When it refuses") for code in row}
    module = (ROOT / "library" / "convert_survivors.py").read_text(encoding="utf-8")
    text = "\n".join([*map(source_of, modules()), module])
    raised = set(re.findall(r'Error\(\s*"([a-z0-9_]+)",', text))
    raised |= set(re.findall(r'_refuse\(source, "([a-z0-9_]+)"', text))
    raised |= set(re.findall(r'code="([a-z0-9_]+)"', text))
    assert raised - explained == set()
