#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Lay the checkout out as the collection survivor.npz: same sources, other places, full names.

usage: collection.py DIRECTORY    (the tree goes to DIRECTORY/ansible_collections/survivor/npz)
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
NAME = "survivor.npz"
# Where a file goes: the first pattern that matches its path; a path that matches none stays out.
PLACES = (
    (r"galaxy/", ""),
    (r"library/(?=\w+\.py$)", "plugins/modules/"),
    (r"module_utils/(?=.*\.py$)", "plugins/module_utils/"),
    (r"(?=plugins/.*\.py$|roles/|playbooks/|docs/|(README|CHANGELOG)\.md$|LICENSE$|ansible\.cfg$)", ""),
)
PACKAGE = "ansible_collections." + NAME + ".plugins.module_utils.survivor_npz"
IN_PYTHON = (
    # A collection's plugins find its module_utils by themselves.
    (r"(?m)^import ansible\.module_utils\n|^(#.*\n)?ansible\.module_utils\.__path__\.append\(.*\)\n", ""),
    (r"(?m)^from pathlib import Path\n(?![\s\S]*\bPath\b)", ""),
    (r"\bansible\.module_utils\.survivor_npz\b", PACKAGE),
)
IN_CONFIG = (
    (r"(?m)^(inventory|roles_path|library|module_utils|\w+_plugins) = (?!.*,).*\n", ""),
    (
        r"\[defaults\]\n",
        "[defaults]\ncollections_path = ../../..:~/.ansible/collections:/usr/share/ansible/collections\n",
    ),
)


def files() -> list[str]:
    """The project's files, as git knows them, those that are not committed yet included."""
    listing = ("git", "ls-files", "--cached", "--others", "--exclude-standard")
    names = subprocess.run(listing, cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    return [name for name in names if (ROOT / name).exists()]


def place(name: str) -> str | None:
    """Path in the collection of a file of the checkout; None if it is not part of it."""
    for pattern, where in PLACES:
        if re.match(pattern, name):
            return re.sub(pattern, where, name, count=1)
    return None


def full_names(names: list[str]) -> list[tuple[str, str]]:
    """Rules that give modules, the role and other plugins their full names."""
    modules = "|".join({Path(name).stem for name in names if re.match(r"(library|plugins/action)/", name)})
    others = "|".join(
        Path(name).stem for name in names if re.match(r"plugins/(callback|inventory|doc_frag)", name)
    )
    return [
        # A task, or an example of one; a module's arguments never have a module's name.
        (rf"(?m)^( *(?:- )?)({modules}):(?=\s)", rf"\1{NAME}.\2:"),
        (rf"\bM\(({modules})\)", rf"M({NAME}.\1)"),
        (rf'(- module: |module_name=")({modules})\b', rf"\1{NAME}.\2"),
        (
            rf"(?m)^(extends_documentation_fragment: |plugin: |stdout_callback = )({others})$",
            rf"\1{NAME}.\2",
        ),
        (
            r"(choices: \[|enable_plugins = |plugin:\\s\*\S*)distributed_config\b",
            rf"\1{NAME}.distributed_config",
        ),
        (r"\b((?:name|role): )survivor_npz(?=,|\n)", rf"\1{NAME}.survivor_npz"),
        (r"(?<!plugins)/module_utils/survivor_npz", "/plugins/module_utils/survivor_npz"),
    ]


def link_folder(link: Path, target: Path) -> None:
    """A folder of links in place of a link to a folder, since a collection may have no other."""
    target.mkdir()
    for file in sorted(link.glob("*.py")):
        (target / file.name).symlink_to(Path("..", link.readlink(), file.name))


def lay_out(directory: Path) -> Path:
    """Write the tree anew under `directory`; return the collection's root."""
    root = directory / "ansible_collections" / NAME.replace(".", "/")
    shutil.rmtree(root, ignore_errors=True)
    names = files()
    rules = full_names(names)
    for name in names:
        where = place(name)
        if where is None:
            continue
        target = root / where
        target.parent.mkdir(parents=True, exist_ok=True)
        if (ROOT / name).is_dir():
            link_folder(ROOT / name, target)
            continue
        # A linked file becomes a file: documentation tools take a linked plugin for another name of its target.
        text = (ROOT / name).read_text(encoding="utf-8")
        more = {".py": IN_PYTHON, ".cfg": IN_CONFIG}.get(target.suffix, ())
        for pattern, new in (*more, *(rules if target.suffix != ".md" else ())):
            text = re.sub(pattern, new, text)
        target.write_text(text, encoding="utf-8")
        shutil.copymode(ROOT / name, target)
    return root


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit(__doc__)
    print(lay_out(Path(sys.argv[1])))
