# SPDX-License-Identifier: MIT
"""What was noticed in pieces is the same as what would be noticed in the whole: counts, first records, names."""

from __future__ import annotations

import random
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.arrays import findings
from ansible.module_utils.survivor_npz.arrays.arrays import make_arrays
from ansible.module_utils.survivor_npz.arrays.findings import Fault, Names, Seen, Tally
from ansible.module_utils.survivor_npz.convert import checks
from shapes import shape_c, table_of, without


def tally_of(records: list[dict[str, Any]], encoding: str = "registry") -> Tally:
    return make_arrays(table_of(*records), encoding)[1]


def shown(tally: Tally) -> Any:
    def seen(one: Seen | None) -> Any:
        return one and (one.count, one.first)

    return (
        tally.records,
        tally.bad_records,
        tally.faults,
        seen(tally.rated),
        seen(tally.unrated),
        {key: seen(one) for key, one in sorted(tally.missing.items())},
        {key: seen(one) for key, one in tally.unknown_prng.kept().items()},
        {key: one.count for key, one in tally.other_keys.kept().items()},
        +tally.counts,
    )


def odd(number: int) -> dict[str, Any]:
    """A record with something to notice; every number gives another mixture."""
    record = shape_c(number)
    if number % 3 == 0:
        record = without(record, "score")
    if number % 4 == 0:
        record["prng_type"] = f"unknown{number % 8}"
    if number % 5 == 0:
        record["extra"] = 1
    if number % 7 == 0:
        record = without(without(record, "forward_match_rate"), "reverse_match_rate")
    if number % 11 == 0:
        record = without(record, "forward_match_rate")
    if number % 13 == 0:
        record["offset"] = "x"
    if number % 17 == 0:
        record["forward_count"] = (1 << 24) + 1
    return record


@pytest.mark.parametrize("cut", [1, 7, 20, 59])
def test_pieces_tell_something_else_than_the_whole(cut: int) -> None:
    records = [odd(number) for number in range(1, 61)]
    joined = Tally()
    for at in range(0, len(records), cut):
        joined.add(tally_of(records[at : at + cut]))
    whole = tally_of(records)
    assert shown(joined) == shown(whole)
    assert joined.bad_records == 4
    assert [fault.record for fault in joined.faults] == [12, 25, 38, 51]


def test_a_name_too_many_is_kept_or_one_is_lost(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(findings, "NAMES_KEPT", 10)
    many = [f"name{number:03d}" for number in range(100)]
    random.Random(1).shuffle(many)
    names, parts = Names(), [Names(), Names()]
    for number, name in enumerate(many):
        names.add(name, Seen(1, number))
        parts[number // 50].add(name, Seen(1, number % 50))
    joined = Names()
    joined.join(parts[0], 0)
    joined.join(parts[1], 50)
    for found in (names, joined):
        assert list(found.kept()) == [f"name{number:03d}" for number in range(10)]
        assert found.others() == 90
        assert {name: one.first for name, one in found.kept().items()} == {
            name: many.index(name) for name in found.kept()
        }
        assert len(found._seen) <= 20
    assert Names().others() == 0


def test_a_long_name_fills_the_screen_or_hides_another() -> None:
    names = Names()
    for name in ("x" * 200, "x" * 201, "x" * 201, "x" * 200 + "y"):
        names.add(name, Seen(2, 5))
    kept = names.kept()
    assert [len(name) for name in kept] == [200, 226, 226]
    assert sorted(one.count for one in kept.values()) == [2, 2, 4]


def test_the_first_record_is_not_the_first() -> None:
    names = Names()
    names.add("a", Seen(1, 7))
    names.add("a", Seen(2, 3))
    other = Names()
    other.add("a", Seen(4, 0))
    names.join(other, 100)
    assert (names.kept()["a"].count, names.kept()["a"].first) == (7, 3)
    assert findings._join(None, None, 5) is None


def test_more_faults_than_told_are_kept() -> None:
    tally = Tally()
    for number in range(9):
        tally.fault(Fault(number, None, "x"))
    assert [fault.record for fault in tally.faults] == [0, 1, 2, 3, 4]
    assert str(Fault(7, "5", "odd")) == "record 7 (seed 5): odd"
    assert str(Fault(7, None, "odd")) == "record 7: odd"


@pytest.mark.parametrize(
    ("previous", "count", "ranges", "says"),
    [
        ({"survivor_count": 9}, 4, {}, ["Fewer than half"]),
        ({"survivor_count": 8}, 4, {}, []),
        ({"survivor_count": "9"}, 4, {}, []),
        (None, 4, {"score": (1, 1)}, []),
        ({"ranges": {"score": [1, 2]}}, 4, {"score": (1, 1)}, ["score varied before and is now 1"]),
        ({"ranges": {"score": [1, 1]}}, 4, {"score": (1, 1)}, []),
        ({"ranges": {"score": [1, 2]}}, 4, {"score": (1, 2)}, []),
        ({"ranges": {"score": [1, 2]}}, 2, {"score": (1, 1)}, ["score varied before and is now 1"]),
        ({"ranges": {"score": [1, 2]}}, 1, {"score": (1, 1)}, []),
        ({"ranges": {"score": [1]}}, 4, {"score": (1, 1)}, []),
        ({"ranges": [1]}, 4, {"score": (1, 1)}, []),
    ],
)
def test_a_change_since_the_last_conversion_is_not_told(
    previous: Any, count: int, ranges: Any, says: list[str]
) -> None:
    found = checks.compare(previous, count, ranges)
    assert len(found) == len(says)
    assert all(text in sentence for text, sentence in zip(says, found))
