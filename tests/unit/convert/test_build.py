# SPDX-License-Identifier: MIT
"""Pieces and segments: a gap that was guessed wrongly costs time, never a record."""

from __future__ import annotations

import contextlib
import errno
import json
import mmap
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import build, checks, segments
from ansible.module_utils.survivor_npz.npz import schema
from ansible.module_utils.survivor_npz.survivors.file import Source
from ansible.module_utils.survivor_npz.survivors.pieces import Gap
from place import Place, judge
from shapes import Bench, shape_c
from survivors import records


@pytest.mark.parametrize("workers", [2, 1])
@pytest.mark.parametrize("broken", [False, True])
def test_the_rest_is_lost_after_a_wrongly_guessed_gap(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, workers: int, broken: bool
) -> None:
    """Each gap lies inside a record, or inside a string that looks like the end of one."""
    found = [{**record, "note": "},{" * (i % 3)} for i, record in enumerate(records(60))]
    document = json.dumps(found).encode()
    if broken:
        document = document[:-2] + b"x}]"
    places = [document.index(b"},{", at) for at in range(100, len(document) - 3000, 3000)]
    guessed: list[Any] = []

    def gaps(*_given: object) -> list[Gap]:
        guessed.append(1)
        return [Gap(at + 1, at + 2) for at in places]

    monkeypatch.setattr(build, "find_gaps", gaps)
    monkeypatch.setattr(build, "WORTH_A_FORK", 0)
    answer = judge(Place(tmp_path), document, workers=workers)
    assert len(guessed) == (workers > 1)
    assert bool(answer.get("failed")) == broken
    if broken:
        assert "record 59" in answer["msg"]


def test_a_map_that_cannot_be_had_is_a_traceback(monkeypatch: pytest.MonkeyPatch) -> None:
    for number, expected in ((errno.ENOMEM, MemoryError), (errno.EPERM, PermissionError)):

        def fails(*_args: object, number: int = number, **_kwargs: object) -> mmap.mmap:
            raise OSError(number, "no")

        monkeypatch.setattr(mmap, "mmap", fails)
        with pytest.raises(expected):
            segments.Store([segments.Segment(0, 100, 4)])


def test_two_segments_write_into_each_other() -> None:
    plan = segments.plan_segments(1, [Gap(99, 101), Gap(200, 202)], 400)
    assert [(part.start, part.end, part.capacity) for part in plan] == [
        (1, 99, 4),
        (101, 200, 4),
        (202, 400, 7),
    ]
    store = segments.Store(plan)
    for number, part in enumerate(plan):
        for at, column in enumerate(store.columns(number).values()):
            assert len(column) == part.capacity
            column[:] = (number * 50 + at) % 127
    for number in range(len(plan)):
        for at, column in enumerate(store.columns(number).values()):
            assert set(column.tolist()) == {(number * 50 + at) % 127}


@pytest.mark.parametrize(
    ("seeds", "expected"),
    [
        ([5], (0, 0)),
        ([1, 2, 3], (0, 0)),
        ([1, 1, 2], (1, 0)),
        ([3, 1, 3, 3], (2, 1)),
        ([2, 1], (0, 1)),
    ],
)
def test_duplicates_or_a_wrong_order_are_miscounted(seeds: list[int], expected: tuple[int, int]) -> None:
    for cut in range(len(seeds) + 1):
        parts = [np.array(part, np.uint32) for part in (seeds[:cut], seeds[cut:]) if part]
        if parts:
            assert build._count_duplicates(parts) == expected, cut


def test_no_memory_has_no_advice(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(*_args: object) -> None:
        raise MemoryError

    monkeypatch.setattr(build, "find_span", fails)
    place = Place(tmp_path)
    place.write(b"[]", 7)
    with contextlib.closing(Source(str(place.json))) as source:
        for workers, says in ((1, "Free some memory."), (2, "Free some memory, or run with workers: 1.")):
            with pytest.raises(ConvertError) as caught:
                build.build(
                    source,
                    str(place.npz),
                    digest=lambda: "",
                    prng_encoding="registry",
                    workers=workers,
                    piece_bytes=1,
                    former=None,
                    lap=lambda _name: None,
                )
            assert caught.value.code == "no_memory"
            assert caught.value.message.endswith(says)


@pytest.mark.parametrize("step", ["_read", "pack_columns"])
def test_a_json_that_changed_is_judged_or_converted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    bench = Bench(tmp_path)
    done, judged = getattr(build, step), list[int]()

    def changes(*given: object) -> object:
        found = done(*given)
        with bench.json.open("a") as file:
            file.write(" ")
        return found

    def judge_text(*_given: object) -> bool:
        judged.append(1)
        return False

    monkeypatch.setattr(build, step, changes)
    monkeypatch.setattr(checks, "judge", judge_text)
    with pytest.raises(ConvertError) as refused:
        bench.convert([shape_c(1)])
    assert (refused.value.code, bool(judged)) == ("source_changed", step == "pack_columns")
    assert bench.names() == ["s.json"]


def test_few_values_are_noted_of_a_short_array_or_miscounted() -> None:
    rates = [field.array for field in schema.FIELDS if field.kind == schema.RATE]
    parts = {
        "few": [np.array([1.0, 2.0] * 8), np.array([2.0, 3.0])],
        "short": [np.array([1.0, 2.0] * 8)],
        "many": [np.arange(17.0), np.array([1.0])],
    }
    for name, expected in (("few", 3), ("short", None), ("many", None)):
        found = build._few_values(dict.fromkeys(rates, parts[name]))
        assert found == ({} if expected is None else dict.fromkeys(rates, expected)), name


def test_what_is_packed_is_kept_in_memory() -> None:
    part = {name: np.zeros(1) for name in {field.array for field in schema.FIELDS}}
    slices = [dict(part), {name: array[:0] for name, array in part.items()}]
    columns = build._columns(slices, False)
    assert slices == [], "its arrays would be held until the end"
    assert columns.keys() == part.keys()
    assert all([len(array) for array in parts] == [1] for parts in columns.values())
