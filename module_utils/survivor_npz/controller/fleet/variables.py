# SPDX-License-Identifier: MIT
"""Check the role's variables as an operator gave them: `-e name=value` is always text."""

from __future__ import annotations

import difflib
import json
import os
import re
from collections.abc import Iterable, Mapping
from typing import Any

from ansible.module_utils.common.arg_spec import ArgumentSpecValidator

PREFIX, INTERNAL = "survivor_npz_", "__survivor_npz_"
# Lists for which a text will do, as in `-e survivor_npz_scorer_args=100`, and what it must not contain then:
# modules split a text at commas, and at nothing else.
WORDS = {
    "survivor_npz_skip_rigs": "",
    "survivor_npz_scorer_args": " ,",
    "survivor_npz_scorer_creates": " ,",
    "survivor_npz_same_files": " ,",
}
# The smallest value that makes sense, for numbers and, as a length, for lists.
MINIMUM = {
    "survivor_npz_convert_timeout": 1,
    "survivor_npz_max_clock_skew": 0,
    "survivor_npz_min_survivors": 0,
    "survivor_npz_paths": 1,
    "survivor_npz_reconnect": 0,
    "survivor_npz_room_ratio": 0,
    "survivor_npz_scorer_grace": 0,
    "survivor_npz_scorer_timeout": 0,
    "survivor_npz_sign_of_life": 1,
    "survivor_npz_task_timeout": 1,
    "survivor_npz_workers": 0,
}
CLOSE = 0.75  # below this likeness a suggestion confuses more than it helps
TAGS = ("preflight", "convert", "distribute", "prove", "run")
_ALWAYS_KNOWN = ("all", "tagged", "untagged", "always", "never")
_OF_MOLECULE = ("notest", "molecule-notest", "molecule-idempotence-notest")  # it skips them in every run

Options = Mapping[str, Mapping[str, Any]]


def options_of(specs: Mapping[str, Any]) -> dict[str, Mapping[str, Any]]:
    """Every variable of the role with its specification, whichever entry point names it."""
    found: dict[str, Mapping[str, Any]] = {}
    for spec in specs.values():
        found.update(spec.get("options") or {})
    return found


def _format(name: str, value: Any, kind: str) -> str | None:
    if kind == "list" and isinstance(value, str) and (name not in WORDS or set(value) & set(WORDS[name])):
        example = json.dumps({name: value.split()}, ensure_ascii=False)
        return f"{name} must be a list: -e '{example}'."
    if kind == "dict" and not isinstance(value, Mapping):
        example = json.dumps({name: {"NAME": "value"}})
        return f"{name} must be a mapping: -e '{example}'"
    return None


def _type(name: str, value: Any, option: Mapping[str, Any]) -> str | None:
    kept = {key: option[key] for key in ("type", "elements", "choices") if key in option}
    errors = ArgumentSpecValidator({name: kept}).validate({name: value}).error_messages
    return f"{name}: {'; '.join(str(error) for error in errors)}." if errors else None


def _range(name: str, value: Any, kind: str) -> str | None:
    least = MINIMUM.get(name)
    if least is None or value is None:
        return None
    if kind == "list":
        return f"{name} is empty: this host would hold no NPZ." if len(value) < least else None
    return f"{name} is {value}: {least} or more is needed." if float(value) < least else None


def _content(name: str, value: Any) -> str | None:
    if name == "survivor_npz_mode" and not (
        isinstance(value, str) and re.fullmatch("0?[0-7][0-7][0145]", value)
    ):
        return (
            f"survivor_npz_mode is {value}: give an octal mode in quotes, never world-writable, like '0644'."
        )
    if name == "survivor_npz_pipeline_dir" and not str(value).startswith(("/", "~")):
        return f"survivor_npz_pipeline_dir is {value}: give an absolute path, or one from ~."
    if name == "survivor_npz_report":
        place = os.path.dirname(os.path.expanduser(str(value))) or "."
        return None if os.path.isdir(place) else f"survivor_npz_report is {value}: {place} does not exist."
    if name == "survivor_npz_scorer_args" and "--dry-run" in (value if isinstance(value, list) else [value]):
        return (
            "survivor_npz_scorer_args has --dry-run, which the script takes for a number of trials. "
            "For a dry run: ansible-playbook --check."
        )
    return None


def problems(values: Mapping[str, Any], known: Options) -> list[str]:
    """What is wrong with variables `survivor_npz_*`, one sentence each.

    Args:
        values: those that were set, by name.
        known: every variable with its specification.
    """
    found = []
    for name, value in sorted(values.items()):
        if name not in known:
            # All names begin alike.
            names = [one.removeprefix(PREFIX) for one in known]
            near = difflib.get_close_matches(name.removeprefix(PREFIX), names, cutoff=CLOSE)
            found.append(f"{name}: unknown variable{f'; did you mean {PREFIX}{near[0]}?' if near else '.'}")
            continue
        kind = str(known[name].get("type"))
        wrong = (
            _format(name, value, kind)
            or _type(name, value, known[name])
            or _range(name, value, kind)
            or _content(name, value)
        )
        if wrong:
            found.append(wrong)
    return found


def reserved(names: Iterable[str]) -> list[str]:
    """Variables or groups of an inventory, or of -e, that use the names of the run's own."""
    return sorted(name for name in names if name.startswith(INTERNAL))


def tag_problems(run: Iterable[str], skip: Iterable[str]) -> list[str]:
    """Tags of our own playbooks: unknown ones, and those without which nothing can be proven."""
    found = [
        f"unknown tag {tag}; the tags are {', '.join(TAGS)}."
        for tag in dict.fromkeys([*run, *skip])
        if tag not in (*TAGS, *_ALWAYS_KNOWN, *_OF_MOLECULE)
    ]
    if "preflight" in skip:
        found.append(
            "--skip-tags preflight leaves out the look at the hosts, without which nothing is proven."
        )
    return found
