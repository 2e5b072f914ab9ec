#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write docs/variables.md and docs/arrays.md from the role's argument specification and the schema.

usage: write_reference.py [--check]
"""

from __future__ import annotations

import importlib.util
import json
import re
import sys
from pathlib import Path
from types import ModuleType
from typing import Any

import yaml

ROOT = Path(__file__).resolve().parent.parent


def _schema() -> ModuleType:
    path = ROOT / "module_utils/survivor_npz/npz/schema.py"
    spec = importlib.util.spec_from_file_location("schema", path)
    if spec is None or spec.loader is None:
        raise ImportError(str(path))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _plain(text: Any) -> str:
    """Ansible's markup as Markdown, on one line."""
    lines = text if isinstance(text, list) else [text]
    joined = " ".join(" ".join(str(line).split()) for line in lines)
    return re.sub(r"\b[A-Z]\(([^)]*)\)", r"`\1`", joined).replace("|", "\\|")


def _default(option: dict[str, Any]) -> str:
    if "default" not in option:
        return "required" if option.get("required") else "none"
    value = option["default"]
    return f"`{value if isinstance(value, str) and value else json.dumps(value)}`"


def variables() -> str:
    """The page of all role variables."""
    specs = yaml.safe_load((ROOT / "roles/survivor_npz/meta/argument_specs.yml").read_text(encoding="utf-8"))
    options = {**specs["argument_specs"]["main"]["options"], **specs["argument_specs"]["hook"]["options"]}
    lines = [
        "# Role variables",
        "",
        "Written from `roles/survivor_npz/meta/argument_specs.yml` by `make reference`.",
        "",
        "| variable | type | default | what it is |",
        "|---|---|---|---|",
    ]
    for name, option in options.items():
        kind = option.get("type", "str")
        if "choices" in option:
            kind = " \\| ".join(str(choice) for choice in option["choices"])
        elif "elements" in option:
            kind = f"{kind} of {option['elements']}"
        lines.append(f"| `{name}` | {kind} | {_default(option)} | {_plain(option['description'])} |")
    return "\n".join(lines) + "\n"


def arrays() -> str:
    """The page of the NPZ's arrays and the PRNG tables."""
    schema = _schema()
    kinds = {
        schema.SEED: "an integer from 0 to 4294967295; required",
        schema.RATE: "a number from 0 to 1; the other direction's if it is missing",
        schema.INT: "an integer; 0 if it is missing, counted",
        schema.RANGE: 'an integer, or `"a-b"` or `[a, b]` for b - a; 0 if it is missing, counted',
        schema.NUMBER: "a number; 0 if it is missing, counted",
        schema.MODE: ", ".join(f"{name} {number}" for name, number in schema.SKIP_MODES.items()),
        schema.PRNG: "the id of its name in the chosen table; if it is missing, derived from `prng_base`",
    }
    lines = [
        f"# The NPZ, schema {schema.SCHEMA_VERSION}",
        "",
        "Written from `module_utils/survivor_npz/npz/schema.py` by `make reference`.",
        "Each array has one element per survivor, in the order of the JSON: "
        f"{schema.BYTES_PER_SURVIVOR} bytes per survivor before compression.",
        "",
        "| # | array | dtype | from | rule |",
        "|---|---|---|---|---|",
    ]
    names = {"<u4": "uint32", "<i4": "int32", "<f4": "float32", "|u1": "uint8"}
    for number, field in enumerate(schema.FIELDS, start=1):
        row = (str(number), f"`{field.array}`", names[field.dtype], f"`{field.key}`", kinds[field.kind])
        lines.append("| " + " | ".join(row) + " |")
    left = ", ".join(f"`{name}`" for name in schema.LEFT_OUT)
    lines += ["", f"Not in the NPZ, but listed in the sidecar: {left} and unknown keys.", ""]
    for table, numbers in schema.PRNG_TABLES.items():
        lines += [f"## `prng_type`, table `{table}`", "", "| id | name |", "|---|---|"]
        lines += [
            f"| {number} | {name} |" for name, number in sorted(numbers.items(), key=lambda item: item[1])
        ]
        lines.append("")
    return "\n".join(lines).rstrip() + "\n"


def main() -> int:
    """Write the pages; with --check only tell whether they are up to date."""
    stale = []
    for name, content in (("variables.md", variables()), ("arrays.md", arrays())):
        path = ROOT / "docs" / name
        if not path.exists() or path.read_text(encoding="utf-8") != content:
            stale.append(name)
            if "--check" not in sys.argv[1:]:
                path.write_text(content, encoding="utf-8")
    if stale and "--check" in sys.argv[1:]:
        print(f"docs/{', docs/'.join(stale)}: out of date. Run: make reference", file=sys.stderr)
        return 1
    return 0


if __name__ == "__main__":
    raise SystemExit(main())
