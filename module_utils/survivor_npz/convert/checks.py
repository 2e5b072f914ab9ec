"""What the tally of a whole file means: refusal, or warnings and notes."""

from __future__ import annotations

from typing import Any, Dict, List, Optional

from ansible.module_utils.survivor_npz.arrays.findings import NAMES_KEPT, Seen, Tally
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.common.quote import shown
from ansible.module_utils.survivor_npz.npz import schema

_NAMES_SHOWN = 50
_AGAIN = "Nothing was replaced. Correct Step 1 (window_optimizer.py) and run it again."


def counted(count: int) -> str:
    """A number of records in words."""
    return f"{count:,} record" + ("" if count == 1 else "s")


def judge(path: str, tally: Tally, encoding: str) -> bool:
    """Refuse the file, or tell whether its match arrays come from counts (shape A).

    Raises:
        ConvertError: bad_field, mixed_rates, no_counts, unknown_prng.
    """
    if tally.bad_records:
        listed = "; ".join(map(str, tally.faults))
        rest = tally.bad_records - len(tally.faults)
        more = f"; and {counted(rest)} more" if rest else ""
        raise ConvertError(
            "bad_field", f"{path}: {counted(tally.bad_records)} can't be converted: {listed}{more}. {_AGAIN}"
        )
    if tally.rated and tally.unrated:
        raise ConvertError(
            "mixed_rates",
            f"{path}: {counted(tally.rated.count)} with match rates (the first is {tally.rated.first}) and "
            f"{counted(tally.unrated.count)} without any (the first is {tally.unrated.first}): counts can't "
            f"stand in for rates in the same array. {_AGAIN}",
        )
    from_counts = tally.unrated is not None
    if from_counts:
        for count in schema.COUNT_FOR_RATE.values():
            seen = tally.missing.get(count)
            if seen:
                raise ConvertError(
                    "no_counts",
                    f"{path}: {counted(seen.count)} without match rates and without {count} (the first is "
                    f"{seen.first}): nothing can fill the match arrays. {_AGAIN}",
                )
    if tally.unknown_prng:
        raise ConvertError(
            "unknown_prng",
            f"{path}: the table {encoding} has no id for {_listed(tally.unknown_prng)}. Correct "
            "prng_type in Step 1, or choose the other table with prng_encoding (survivor_npz_prng_encoding).",
        )
    return from_counts


def _listed(unknown: Dict[str, Seen]) -> str:
    """Each name with its number of records, the most frequent first."""
    names = sorted(unknown, key=lambda name: (-unknown[name].count, unknown[name].first))
    told = [
        f"{shown(name)} ({counted(unknown[name].count)}, the first is {unknown[name].first})"
        for name in names[:_NAMES_SHOWN]
    ]
    rest = len(names) - len(told)
    if rest:
        least = "at least " if len(names) >= NAMES_KEPT else ""
        told.append(f"and {least}{rest} more name" + ("" if rest == 1 else "s"))
    return ", ".join(told)


def match_source(key: str, from_counts: bool) -> str:
    """Which key of the JSON filled a match array."""
    return schema.COUNT_FOR_RATE[key] if from_counts else key


def defaulted(tally: Tally) -> Dict[str, int]:
    """Optional fields that became 0, with the number of records."""
    return {key: seen.count for key, seen in sorted(tally.missing.items())}


def left_out(tally: Tally) -> Dict[str, int]:
    """Keys of the JSON that no array holds, with the number of records."""
    return dict(sorted(tally.other_keys.items()))


def warnings(tally: Tally, from_counts: bool, duplicates: int, unordered: int) -> List[str]:
    """What the operator has to know, with counts."""
    told: List[str] = []
    if from_counts:
        told.append(
            "No record has match rates (an old Step 1): forward_count and reverse_count stand in for "
            f"forward_matches and reverse_matches in {counted(tally.records)}."
        )
    missing = defaulted(tally)
    if missing:
        fields = ", ".join(f"{key} ({count:,})" for key, count in missing.items())
        told.append(f"Missing fields became 0 (number of records): {fields}.")
    for counts, text in (
        (tally.borrowed, "took the other direction's rate, having none of their own"),
        (tally.rounded, "with an int that float32 can't hold exactly; it was rounded"),
        (tally.vanished, "with a value so small that float32 makes it 0"),
        (tally.hybrid_as_base, "with a hybrid PRNG, which the legacy table encodes as its base"),
        (tally.falling, "with a larger value before a smaller one: the difference is negative"),
    ):
        told += [f"{key}: {counted(count)} {text}." for key, count in sorted(counts.items())]
    if tally.disagreeing:
        told.append(f"prng_type disagrees with skip_mode in {counted(tally.disagreeing)}.")
    if duplicates:
        told.append(f"Duplicate seeds: {counted(duplicates)}.")
    if unordered:
        told.append(f"Seeds out of order: {counted(unordered)} with a smaller seed than the one before.")
    return told


def compare(previous: Optional[Dict[str, Any]], count: int, ranges: Dict[str, Any]) -> List[str]:
    """Warnings from the comparison with the previous sidecar, if there is one."""
    if not previous:
        return []
    told: List[str] = []
    before = previous.get("survivor_count")
    if type(before) is int and count * 2 < before:
        told.append(
            f"Fewer than half the survivors of the previous conversion: {count:,} now, {before:,} then."
        )
    known = previous.get("ranges")
    ranges_then = known if isinstance(known, dict) and count > 1 else {}
    for name, now in ranges.items():
        then = ranges_then.get(name)
        if isinstance(then, list) and len(then) == 2 and then[0] != then[1] and now[0] == now[1]:
            told.append(f"{name} varied before and is now {now[0]} in every record.")
    return told
