# SPDX-License-Identifier: MIT
"""docs/development/converter.md explains each refusal: none may be missing."""

import re
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
PACKAGES = ("common", "npz", "survivors", "arrays", "convert", "switch")


def test_every_code_of_a_refusal_is_explained() -> None:
    page = (ROOT / "docs" / "development" / "converter.md").read_text(encoding="utf-8")
    table = page.split("\n## When it refuses\n")[1].split("\n## ")[0]
    first_cells = [line.split("|")[1] for line in table.splitlines() if line.startswith("|")]
    explained = set(re.findall(r"`([a-z0-9_]+)`", " ".join(first_cells)))
    files = [ROOT / "library" / "convert_survivors.py"]
    for package in PACKAGES:
        files += (ROOT / "module_utils" / "survivor_npz" / package).glob("*.py")
    text = "\n".join(path.read_text(encoding="utf-8") for path in files)
    raised = set(re.findall(r'(?:Error\(\s*|_refuse\(source, |code=)"([a-z0-9_]+)"', text))
    raised |= {"sidecar_not_a_file", "place_not_a_file"} & set(re.findall(r'"(\w+_not_a_file)"', text))
    assert len(raised) > 40
    assert raised - explained == set()
