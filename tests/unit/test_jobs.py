# SPDX-License-Identifier: MIT
"""The jobs of survivor_npz_host: their options, and the pages that describe them."""

from __future__ import annotations

import ast
import importlib
from pathlib import Path
from typing import Any

import pytest
import yaml

ROOT = Path(__file__).resolve().parents[2]
JOBS = ("look", "stage", "switch", "lease", "run")


def documented(job: str) -> dict[str, Any]:
    """The options of a module's page, those of its fragment included."""
    texts = [ROOT / "library" / f"survivor_npz_{job}.py"]
    found: dict[str, Any] = {}
    while texts:
        for node in ast.walk(ast.parse(texts.pop().read_text())):
            if isinstance(node, ast.Assign) and getattr(node.targets[0], "id", "") == "DOCUMENTATION":
                page = yaml.safe_load(ast.literal_eval(node.value))
                found.update(page.get("options", {}))
                wanted = page.get("extends_documentation_fragment", [])
                names = wanted if isinstance(wanted, list) else [wanted]
                texts += [
                    ROOT / "plugins" / "doc_fragments" / f"{name}.py" for name in names if "." not in name
                ]
    return found


def shape(options: dict[str, Any]) -> dict[str, Any]:
    """What both say of each option."""
    return {
        name: {
            "type": option.get("type", "str"),
            "elements": option.get("elements"),
            "required": option.get("required", False),
            "default": option.get("default"),
            "choices": option.get("choices"),
            "options": shape(option.get("options") or option.get("suboptions") or {}),
        }
        for name, option in options.items()
    }


@pytest.mark.parametrize("job", JOBS)
def test_the_page_of_a_module_describes_other_options_than_the_job_takes(job: str) -> None:
    taken = importlib.import_module(f"ansible.module_utils.survivor_npz.jobs.{job}").OPTIONS
    assert shape(documented(job)) == shape(taken)
