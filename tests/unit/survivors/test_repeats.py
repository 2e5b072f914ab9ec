# SPDX-License-Identifier: MIT
"""Text that repeats is parsed once, and never wrongly: where parts do not fit, the whole piece is parsed."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from typing import Any

import numpy as np
import orjson
import pytest
from ansible.module_utils.survivor_npz.survivors import repeats, table
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from ansible.module_utils.survivor_npz.survivors.table import MISSING, Group, Table, make_group, parse_table


def dump(records: list[dict[str, Any]]) -> bytes:
    return b", ".join(map(orjson.dumps, records))


def survivor(seed: int, trial: int = 1, **more: Any) -> dict[str, Any]:
    return {"seed": seed, "score": 0.5, "trial": trial, "name": "x", **more}


def splitter(*records: dict[str, Any]) -> Splitter:
    first = records or (survivor(1), survivor(2))
    return Splitter(Separator(b"[" + dump(list(first)) + b"]")) if not first else _learn(dump(list(first)))


def _learn(text: bytes) -> Splitter:
    return Splitter(Separator(text))


def all_of(found: Table) -> list[dict[str, Any]]:
    return [found.record(number) for number in range(found.length)]


def test_heads_and_tails_are_joined_to_other_records() -> None:
    records = [survivor(seed, seed % 2) for seed in range(20)]
    parsed = splitter().parse(dump(records))
    assert len(parsed.groups) == 2, "it was split"
    assert all_of(parsed) == records
    assert parsed.column("seed").values == list(range(20))
    assert parsed.key_counts() == dict.fromkeys(("seed", "score", "trial", "name"), 20)


# Text in which the guess goes wrong: what follows the cut, or stands before it, is more than it seems.
TRAPS: dict[str, bytes] = {
    "a brace in a head": b'{"seed": 1, "score": {"a": 1},"trial":1},' * 8,
    "an object in a head that has the cut": b'{"seed": 1, "x": {"y": 2,"trial":1},"trial":1},' * 8,
    "a list in a head": b'{"seed": [{}], "score": 1,"trial":1},' * 8,
    "an opening brace in a string of a head": b'{"seed": "{", "score": 1,"trial":1},' * 8,
    "a closing brace in a string of a tail": b'{"seed": 1, "score": 1,"trial":"}"},' * 8,
    "an object after the cut": b'{"seed": 1, "score": 1,"trial":{"a": 1}},' * 8,
    "more than one record in a tail": b'{"seed": 1, "score": 1,"trial":1, "b": [{"a": 1}]},' * 8,
    "the same key in head and tail": b'{"seed": 1, "score": 1,"trial":1, "seed": 2},' * 8,
    "something else than an object": b'5, {"seed": 1, "score": 1,"trial":1},' * 8,
    "an empty object": b"{}," * 8,
    "a head without keys": b'{"trial":1},' * 8,
    "other keys in a head": b'{"seed": 1, "score": 1,"trial":1},{"seed": 1,"trial":1},' * 8,
    "other keys in a head, one of them a tail's": b'{"seed": 1, "score": 1,"trial":1, "x": 5},' * 4
    + b'{"seed": 1, "x": 2,"trial":1},' * 4,
    "a brace from head to head": b'{"seed": 1, "x": [{"score": 1,"trial":1},' * 4
    + b'{"score": 1,"trial":1}]},',
}


@pytest.mark.parametrize("trap", sorted(TRAPS))
def test_a_brace_that_ends_no_record_is_counted_as_one(trap: str) -> None:
    text = TRAPS[trap].rstrip(b",")
    guessing = splitter(survivor(1, 1), survivor(2, 1))
    guessing._cut, guessing._cut_head = b',"trial":', b'"trial":'
    try:
        right = orjson.loads(b"[" + text + b"]")
    except ValueError:
        with pytest.raises(ValueError, match=r".+"):
            guessing.parse(text)
        return
    expected = [item if isinstance(item, dict) else {} for item in right]
    found = guessing.parse(text)
    assert all_of(found) == expected
    for key in {key for record in expected for key in record}:
        column = found.column(key)
        values = [column.values[column.place(number)] for number in range(found.length)]
        assert values == [record.get(key, MISSING) for record in expected]


def test_a_splitter_that_never_pays_tries_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    guessing, tried = splitter(), []
    split = Splitter._split

    def tries(self: Splitter, text: bytes) -> Table | None:
        tried.append(1)
        return split(self, text)

    monkeypatch.setattr(Splitter, "_split", tries)
    text = dump([survivor(seed, seed) for seed in range(10)])
    for _ in range(9):
        assert len(guessing.parse(text).groups) == 1
    assert len(tried) == repeats._MOST_FAILURES
    nothing = splitter({"seed": 1}, {"seed": 2})
    assert len(nothing.parse(dump([{"seed": 1}, {"seed": 2}])).groups) == 1
    assert len(tried) == repeats._MOST_FAILURES, "no field follows the seed: there is nothing to cut"
    assert splitter().parse(dump([survivor(1)])).length == 1
    assert len(tried) == repeats._MOST_FAILURES, "one record has nothing that repeats"


def test_tails_fill_the_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    guessing = splitter()

    def held(trial: int) -> tuple[int, int]:
        """Tails, and their bytes, after one more trial."""
        parsed = guessing.parse(dump([survivor(1, trial), survivor(2, trial)]))
        assert (len(parsed.groups), parsed.record(1)["trial"]) == (2, trial)
        return len(guessing._tails) - 1, sum(map(len, guessing._tails))

    monkeypatch.setattr(repeats, "_MOST_TAILS", 3)
    # The second needs more words to be told from the first, and so forgets it.
    assert [held(trial)[0] for trial in range(10, 17)] == [1, 1, 2, 3, 1, 2, 3]
    size = len(b',"trial":10,"name":"x"}')
    monkeypatch.setattr(repeats, "_MOST_TAILS", 1000)
    monkeypatch.setattr(repeats, "_MOST_TAIL_BYTES", 2 * size)
    guessing._forget(guessing._words)
    assert [held(trial)[1] // size for trial in range(21, 27)] == [1, 2, 3, 1, 2, 3]
    monkeypatch.setattr(repeats, "_LONG_TAIL", size)
    assert held(30)[0] == 1
    monkeypatch.setattr(repeats, "_LONG_TAIL", size - 1)
    assert len(guessing.parse(dump([survivor(1, 77), survivor(2, 77)])).groups) == 1


def test_tails_that_differ_far_from_their_end_are_told_apart_at_any_cost() -> None:
    for words, groups in ((repeats._MOST_WORDS - 4, 2), (repeats._MOST_WORDS, 1)):
        records = [survivor(seed, seed % 2, name="x" * repeats._WORD * words) for seed in range(20)]
        parsed = splitter().parse(dump(records))
        assert (len(parsed.groups), all_of(parsed)) == (groups, records)


@pytest.mark.parametrize("in_tail", [False, True])
def test_a_record_may_be_nested_deeper_if_its_text_repeats(in_tail: bool) -> None:
    def passes(parse: Callable[[bytes], Table], levels: int) -> bool:
        deep = b"[" * levels + b"]" * levels
        head, tail = (b"1", deep) if in_tail else (deep, b"1")
        text = b",".join(b'{"seed":%s,"score":1,"trial":%s}' % (head, tail) for _ in range(8))
        with contextlib.suppress(orjson.JSONDecodeError):
            return parse(text).length == 8
        return False

    expected = [passes(parse_table, levels) for levels in range(1020, 1026)]
    assert sorted(set(expected)) == [False, True]
    assert [passes(splitter().parse, levels) for levels in range(1020, 1026)] == expected


def test_a_known_tail_is_parsed_again(monkeypatch: pytest.MonkeyPatch) -> None:
    guessing = splitter()
    text = dump([survivor(1), survivor(2)])
    first = guessing.parse(text)
    monkeypatch.setattr(guessing, "_learn", None)
    assert guessing.parse(text).groups[1].dicts[0] is first.groups[1].dicts[0]


@pytest.mark.parametrize(
    ("record", "cut"),
    [
        (b'{"seed": 1, "trial" : 2}', b', "trial" : '),
        (b'{"trial": 1, "seed": 2, "score": 3,\n "b": 4}', b',\n "b": '),
        (b'{"seed": 1}', b""),
        (b'{"trial": 1, "seed": 2}', b""),
        (b'{"trial": 1}', b""),
        (b"{}", b""),
        (b"{", b""),
        (b'{"seed": 1, "tri\\u0061l": 2}', b""),
    ],
)
def test_a_record_is_cut_inside_a_value(record: bytes, cut: bytes) -> None:
    assert repeats._find_cut(record) == cut


def test_a_table_counts_or_shows_another_record() -> None:
    differing = make_group([{"a": 1}, {"a": 2, "b": 3}], np.array([0, 1, 1], np.int32))
    same = make_group([{"c": 5, "d": 6}, {"c": 7, "d": 8}, {"c": 9, "d": 0}])
    assert (differing.keys, same.keys) == (None, ["c", "d"])
    found = Table([same, differing], 3)
    assert found.key_counts() == {"c": 3, "d": 3, "a": 3, "b": 2}
    assert found.record(2) == {"c": 9, "d": 0, "a": 2, "b": 3}
    assert (found.column("d").values, found.column("d").has_missing) == ([6, 8, 0], False)
    column = found.column("b")
    assert (column.values, column.has_missing, column.place(2)) == ([MISSING, 3], True, 1)
    assert column.expand(np.array([7, 8])).tolist() == [7, 8, 8]
    assert (column.count(column.missing()), column.count(~column.missing())) == (1, 2)
    assert column.fill(4).values == [4, 3]
    assert not column.fill(4).has_missing
    assert (found.column("a").has_missing, found.column("c").place(2)) == (False, 2)
    absent = found.column("z")
    assert (absent.values, absent.count(absent.missing()), absent.has_missing) == ([MISSING], 3, True)
    assert repr(MISSING) == "missing"
    alone = Table([make_group([{"a": 1}, {"b": 2}])], 2)
    assert alone.key_counts() == {"a": 1, "b": 1}


def test_items_that_are_no_objects_are_lost() -> None:
    found = parse_table(b'{"a": 1}, 5, [1], {"a": 2}')
    assert (found.length, found.strangers) == (4, {1: 5, 2: [1]})
    assert all_of(found) == [{"a": 1}, {}, {}, {"a": 2}]
    with pytest.raises(ValueError, match="empty"):
        parse_table(b" ")
    assert parse_table(b'{"a": 1}').strangers == {}
    assert isinstance(table.make_group([{}]), Group)
