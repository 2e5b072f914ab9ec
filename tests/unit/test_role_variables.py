"""Every public variable of the role: a default, a specification, one meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any, Dict

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "survivor_npz"
TYPES = {"str": str, "bool": bool, "int": int, "float": (int, float), "list": list, "dict": dict, "path": str}
# Without a value, they mean that something else decides.
NO_DEFAULT = {"survivor_npz_workers"}


def load(name: str) -> Dict[str, Any]:
    content: Dict[str, Any] = yaml.safe_load((ROLE / name).read_text())
    return content


DEFAULTS = load("defaults/main.yml")
SPECS: Dict[str, Any] = {}
for entry in load("meta/argument_specs.yml")["argument_specs"].values():
    SPECS.update(entry["options"])


def test_defaults_and_specifications_name_the_same_variables() -> None:
    assert set(SPECS) - set(DEFAULTS) == NO_DEFAULT
    assert set(DEFAULTS) <= set(SPECS)


@pytest.mark.parametrize("name", sorted(SPECS))
def test_a_variable_is_specified_otherwise_than_set(name: str) -> None:
    spec = SPECS[name]
    assert spec["description"], "nobody can know what it does"
    if name in NO_DEFAULT:
        return
    assert spec["default"] == DEFAULTS[name]
    assert isinstance(DEFAULTS[name], TYPES[spec["type"]])
    if "choices" in spec:
        assert DEFAULTS[name] in spec["choices"]


def test_a_variable_is_used_that_nobody_can_set() -> None:
    """What tasks read under a public name has a default; what has one is read somewhere."""
    files = [*ROLE.rglob("tasks/*.yml"), *ROLE.rglob("vars/*.yml"), *ROLE.rglob("templates/*")]
    text = "\n".join(path.read_text() for path in [*files, *(ROOT / "playbooks").glob("*.yml")])
    # A name in quotes before a colon is a filter, unless it is a variable's.
    modules = {path.stem for path in (ROOT / "library").glob("*.py")}
    modules |= {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    filters = {
        name
        for path in ROLE.glob("filter_plugins/*.py")
        for name in re.findall(r'"(survivor_npz_\w+)":', path.read_text())
    }
    used = set(re.findall(r"(?<![\w.])survivor_npz_[a-z0-9_]+", text)) - modules - (filters - set(SPECS))
    assert used - set(SPECS) == set()
    assert set(SPECS) - used == set()
