"""Read the role's variables as an operator gave them: `-e name=value` is always text."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Mapping
from typing import Any, Dict, List, Optional

Options = Mapping[str, Mapping[str, Any]]

# Lists for which a text will do, as in `-e survivor_npz_scorer_args=100`, and what it may not hold then: the
# modules part a text at commas, and at nothing else.
WORDS = {"survivor_npz_skip_rigs": "", "survivor_npz_scorer_args": " ,", "survivor_npz_scorer_creates": " ,"}
# The least value that makes sense, for numbers and, as a length, for lists.
LEAST = {
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


def _wrong(name: str, value: Any, kind: str) -> Optional[str]:
    if kind == "list" and isinstance(value, str) and (name not in WORDS or set(value) & set(WORDS[name])):
        given = json.dumps({name: value.split()}, ensure_ascii=False)
        return f"{name} is one text, and a list is needed: -e '{given}'"
    if kind == "dict" and not isinstance(value, Mapping):
        given = json.dumps({name: {"NAME": "value"}})
        return f"{name} is no mapping: -e '{given}'"
    least = LEAST.get(name)
    if least is None or value is None:
        return None
    if kind == "list":
        return f"{name} is empty: this host would hold no NPZ." if len(value) < least else None
    return f"{name} is {value}: {least} or more is needed." if float(value) < least else None


def misgiven(values: Mapping[str, Any], specs: Mapping[str, Mapping[str, Options]]) -> List[str]:
    """What is wrong with the variables `survivor_npz_*` of a host, beyond their types.

    Args:
        values: all variables of that prefix, by name.
        specs: `argument_specs` of the role.
    """
    known: Dict[str, str] = {}
    for spec in specs.values():
        known.update({name: str(option.get("type", "str")) for name, option in spec["options"].items()})
    found = []
    for name, value in sorted(values.items()):
        if name not in known:
            near = difflib.get_close_matches(name, known, 1)
            found.append(f"{name} is no variable of this project{f' ({near[0]}?)' if near else ''}.")
            continue
        wrong = _wrong(name, value, known[name])
        if wrong:
            found.append(wrong)
    place = values.get("survivor_npz_pipeline_dir")
    if isinstance(place, str) and not place.startswith(("/", "~")):
        found.append(f"survivor_npz_pipeline_dir is {place}: give an absolute path, or one from ~.")
    report = str(values.get("survivor_npz_report") or "")
    if report not in ("", "-") and not os.path.isdir(os.path.dirname(os.path.expanduser(report)) or "."):
        found.append(f"survivor_npz_report is {report}: its directory is not there.")
    return found
