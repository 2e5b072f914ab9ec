# SPDX-License-Identifier: MIT
"""Every public variable of the role: a default, a specification, one meaning."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "survivor_npz"
TYPES: dict[str, Any] = {
    "str": str,
    "bool": bool,
    "int": int,
    "float": (int, float),
    "list": list,
    "dict": dict,
    "path": str,
}
# Without a value, they mean that something else decides.
NO_DEFAULT = {"survivor_npz_workers"}


def load(name: str) -> dict[str, Any]:
    content: dict[str, Any] = yaml.safe_load((ROLE / name).read_text())
    return content


DEFAULTS = load("defaults/main.yml")
SPECS: dict[str, Any] = {}
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


def groups() -> set[str]:
    """The run's own groups, by the plays over them and the tasks that read them."""
    plays = [play for path in (ROOT / "playbooks").glob("*.yml") for play in yaml.safe_load(path.read_text())]
    patterns = " ".join(
        str(play.get("hosts", "")) for play in plays if "{{" not in str(play.get("hosts", ""))
    )
    texts = [path.read_text() for name in ("tasks", "vars") for path in (ROLE / name).glob("*.yml")]
    return set(re.findall(r"survivor_npz_\w+", patterns)) | set(re.findall(r"groups\.(\w+)", " ".join(texts)))


def test_a_play_waits_for_a_group_that_no_decision_fills() -> None:
    """It would be passed over without a word."""
    code = [
        *(ROOT / "module_utils").rglob("controller/fleet/*.py"),
        ROOT / "plugins/action/survivor_npz_fleet.py",
    ]
    filled = set(re.findall(r'"(survivor_npz_\w+)"', " ".join(path.read_text() for path in code)))
    assert len(groups()) > 10
    assert groups() - filled == set()


def test_a_variable_is_used_that_nobody_can_set() -> None:
    """What tasks read under a public name has a default; what has one is read somewhere."""
    files = [*ROLE.rglob("tasks/*.yml"), *ROLE.rglob("vars/*.yml"), *ROLE.rglob("templates/*")]
    # The guard reads one by itself: the report of a run that it stops has no other task.
    files.append(ROOT / "module_utils/survivor_npz/controller/fleet/guard.py")
    text = "\n".join(path.read_text() for path in [*files, *(ROOT / "playbooks").glob("*.yml")])
    modules = {path.stem for path in (ROOT / "library").glob("*.py")}
    modules |= {path.stem for path in (ROOT / "plugins" / "action").glob("*.py")}
    used = set(re.findall(r"(?<![\w.])survivor_npz_[a-z0-9_]+", text)) - modules - groups()
    assert used - set(SPECS) == set()
    assert set(SPECS) - used == set()


def test_host_keys_are_checked() -> None:
    """An address in an inventory or in distributed_config.json must not make another machine one of the rigs."""
    settings = (ROOT / "ansible.cfg").read_text()
    assert "host_key_checking = True" in settings
    shipped = [
        settings,
        *(
            path.read_text()
            for name in ("plugins", "inventory")
            for path in (ROOT / name).rglob("*.*")
            if path.suffix != ".pyc"
        ),
    ]
    assert not re.search(
        r"StrictHostKeyChecking|UserKnownHostsFile|host_key_checking = False", "\n".join(shipped)
    )


ENTRIES = ("main", "prepare", "status", "rollback", "run", "follow", "stop", "hook")


@pytest.mark.parametrize("name", ENTRIES)
def test_an_entry_point_was_missing_from_ansible_doc(name: str) -> None:
    entry = load("meta/argument_specs.yml")["argument_specs"][name]
    assert entry["short_description"] and entry["options"]
    assert (ROLE / "tasks" / f"{name}.yml").exists()


@pytest.mark.parametrize(
    "path", sorted((ROOT / "plugins" / "action").glob("*.py")), ids=lambda path: path.stem
)
def test_a_task_of_the_role_had_no_page_in_ansible_doc(path: Path) -> None:
    text = (ROOT / "library" / path.name).read_text()
    assert all(f"{part} = r" in text for part in ("DOCUMENTATION", "EXAMPLES", "RETURN"))
    assert "the same" not in text.partition("RETURN = r")[2].split('"""')[1], "each entry says what it is"
