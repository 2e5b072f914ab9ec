# SPDX-License-Identifier: MIT
"""What the tally of a whole file means: refusal, warnings or notes."""

from __future__ import annotations

from typing import Any

from ansible.module_utils.survivor_npz.arrays.findings import Names, Tally
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.common.quote import quote
from ansible.module_utils.survivor_npz.npz import schema

_NAMES_LISTED = 50
_WARNINGS = {
    "borrowed": "took the other direction's rate because their own is missing",
    "rounded": "with an integer that float32 can't represent exactly; it was rounded",
    "vanished": "with a value so small that float32 makes it 0",
    "hybrid_as_base": "with a hybrid PRNG, which the legacy table encodes as its base",
    "falling": "with a larger value before a smaller one: the difference is negative",
    "disagreeing": "in which it disagrees with skip_mode",
}
_AGAIN = "Nothing was replaced. Correct Step 1 (window_optimizer.py) and run it again."


def _records(count: int) -> str:
    return f"{count:,} record" + ("" if count == 1 else "s")


def judge(path: str, tally: Tally, encoding: str) -> bool:
    """Refuse the file, or tell whether its match arrays come from counts (shape A).

    Raises:
        ConvertError: bad_field, mixed_rates, no_counts, unknown_prng.
    """
    if tally.bad_records:
        listed = "; ".join(map(str, tally.faults))
        rest = tally.bad_records - len(tally.faults)
        more = f"; and {_records(rest)} more" if rest else ""
        raise ConvertError(
            "bad_field", f"{path}: {_records(tally.bad_records)} can't be converted: {listed}{more}. {_AGAIN}"
        )
    if tally.rated and tally.unrated:
        raise ConvertError(
            "mixed_rates",
            f"{path}: {_records(tally.rated.count)} with match rates (the first is {tally.rated.first}) and "
            f"{_records(tally.unrated.count)} without any (the first is {tally.unrated.first}): rates and "
            f"counts can't share an array. {_AGAIN}",
        )
    from_counts = tally.unrated is not None
    for count in schema.COUNT_FOR_RATE.values() if from_counts else ():
        seen = tally.missing.get(count)
        if seen:
            raise ConvertError(
                "no_counts",
                f"{path}: {_records(seen.count)} without match rates and without {count} (the first is "
                f"{seen.first}): nothing can fill the match arrays. {_AGAIN}",
            )
    unknown = _list_names(tally.unknown_prng)
    if unknown:
        raise ConvertError(
            "unknown_prng",
            f"{path}: the table {encoding} has no id for {unknown}. Correct prng_type in Step 1, or choose "
            "the other table with prng_encoding (survivor_npz_prng_encoding).",
        )
    return from_counts


def _list_names(unknown: Names) -> str:
    """Each name with its number of records, the most frequent first."""
    seen = unknown.kept()
    names = sorted(seen, key=lambda name: (-seen[name].count, seen[name].first))
    listed = [
        f"{quote(name)} ({_records(seen[name].count)}, the first is {seen[name].first})"
        for name in names[:_NAMES_LISTED]
    ]
    rest = len(names) - len(listed) + unknown.others()
    if rest:
        listed.append(f"and {rest:,} more name" + ("" if rest == 1 else "s"))
    return ", ".join(listed)


def match_sources(from_counts: bool) -> dict[str, str]:
    """Which key of the JSON filled each match array."""
    rates = [field for field in schema.FIELDS if field.kind == schema.RATE]
    return {field.array: schema.COUNT_FOR_RATE[field.key] if from_counts else field.key for field in rates}


def left_out(tally: Tally) -> dict[str, int]:
    """Keys of the JSON that no array holds, with their records: at most 1,000, in sorted order."""
    return {key: seen.count for key, seen in tally.other_keys.kept().items()}


def defaulted(tally: Tally) -> dict[str, int]:
    """Missing fields that became 0, with their records."""
    return {key: seen.count for key, seen in sorted(tally.missing.items())}


def warnings(tally: Tally, from_counts: bool, duplicates: int, unordered: int) -> list[str]:
    """What the operator has to know, with counts."""
    found: list[str] = []
    if from_counts:
        found.append(
            "No record has match rates (an old Step 1): forward_count and reverse_count replace them in "
            f"forward_matches and reverse_matches, in {_records(tally.records)}."
        )
    missing = defaulted(tally)
    if missing:
        fields = ", ".join(f"{key} ({count:,})" for key, count in missing.items())
        found.append(f"Missing fields became 0 (number of records): {fields}.")
    found += _counted(tally, _WARNINGS)
    if duplicates:
        found.append(f"Duplicate seeds: {_records(duplicates)}.")
    if unordered:
        found.append(f"Seeds out of order: {_records(unordered)} with a smaller seed than the one before.")
    others = tally.other_keys.others()
    if others:
        found.append(f"The JSON has {others:,} more unknown keys than the sidecar lists.")
    return found


def notes(tally: Tally, few_values: dict[str, int]) -> list[str]:
    """What is worth knowing and needs no action."""
    found = [
        f"{name} has {number} distinct value{'' if number == 1 else 's'}, which is normal for small windows."
        for name, number in few_values.items()
    ]
    return found + _counted(tally, {"from_base": "without it; it was derived from prng_base"})


def _counted(tally: Tally, texts: dict[str, str]) -> list[str]:
    """A sentence for each count of these, in their order."""
    return [
        f"{key}: {_records(count)} {text}."
        for noticed, text in texts.items()
        for (what, key), count in sorted(tally.counts.items())
        if what == noticed and count
    ]


def compare(previous: dict[str, Any] | None, count: int, ranges: dict[str, Any]) -> list[str]:
    """Warnings from the comparison with the previous sidecar, if there is one."""
    if not previous:
        return []
    found: list[str] = []
    before = previous.get("survivor_count")
    if type(before) is int and count * 2 < before:
        found.append(
            f"Fewer than half the survivors of the previous conversion: {count:,} now, {before:,} then."
        )
    known = previous.get("ranges")
    ranges_then = known if isinstance(known, dict) and count > 1 else {}
    for name, now in ranges.items():
        then = ranges_then.get(name)
        if isinstance(then, list) and len(then) == 2 and then[0] != then[1] and now[0] == now[1]:
            found.append(f"{name} varied before and is now {now[0]} in every record.")
    return found
