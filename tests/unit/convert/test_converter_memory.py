# SPDX-License-Identifier: MIT
"""Memory is bounded whatever the file's size, and running out of it ends in a message that helps."""

import errno
import json
import mmap
import threading
import tracemalloc
from pathlib import Path
from typing import Any

import orjson
import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import segments
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from shapes import Bench, shape_c

MIB = 1 << 20


@pytest.fixture
def bench(tmp_path: Path) -> Bench:
    return Bench(tmp_path)


def peak(bench: Bench, data: bytes) -> int:
    """Bytes that a conversion takes at most, but for the map of its arrays."""
    bench.json.write_bytes(data)
    tracemalloc.start()
    try:
        bench.again(force=True)
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_long_records_do_not_pile_up_in_memory(bench: Bench) -> None:
    sessions = ([f"s{trial:05}-{n}" for n in range(60_000)] for trial in range(16))
    # What is learnt from the first record, of a usual length, must not be kept of all others.
    records = [shape_c(99), *(shape_c(i, sessions=each) for i, each in enumerate(sessions))]
    assert peak(bench, json.dumps(records).encode()) < 40 * MIB


def test_text_that_repeats_for_a_while_does_not_pile_up_in_memory() -> None:
    sessions = [f"trial-{n}" for n in range(3_000)]
    piece = b", ".join(json.dumps(shape_c(i, sessions=sessions)).encode() for i in range(3))
    splitter = Splitter(Separator(json.dumps([shape_c(1), shape_c(2)]).encode()[1:]))
    tracemalloc.start()
    for number in range(200):
        table = splitter.parse(piece.replace(b"trial-", b"%d-" % number))
        assert len(table.groups) == 2, "what repeats was not parsed once"
    found = tracemalloc.get_traced_memory()[0]
    tracemalloc.stop()
    assert found < 33 * MIB


def test_text_that_repeats_is_still_parsed_once(bench: Bench, monkeypatch: pytest.MonkeyPatch) -> None:
    data = json.dumps([shape_c(i, trial_number=i // 500) for i in range(20_000)], indent=2).encode()
    parsed = 0
    loads = orjson.loads

    def counted(text: bytes) -> Any:
        nonlocal parsed
        parsed += len(text)
        return loads(text)

    monkeypatch.setattr(orjson, "loads", counted)
    bench.convert(data)
    assert parsed < len(data) / 3


def refused(bench: Bench, workers: int) -> str:
    with pytest.raises(ConvertError) as caught:
        bench.convert([shape_c(1)], workers=workers)
    assert caught.value.code == "no_memory", caught.value.message
    return caught.value.message


def test_a_map_that_does_not_fit_is_called_out_of_memory(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_args: Any, **_more: Any) -> mmap.mmap:
        raise OSError(errno.ENOMEM, "Cannot allocate memory")

    monkeypatch.setattr(segments.mmap, "mmap", full)
    assert "workers: 1" in refused(bench, 2)
    assert "workers" not in refused(bench, 1)


def test_a_parser_without_memory_does_not_blame_the_json(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(text: bytes) -> Any:
        raise orjson.JSONDecodeError("memory allocation failed", "", 0)

    monkeypatch.setattr(orjson, "loads", full)
    refused(bench, 1)


@pytest.mark.parametrize("room", [100_000, 3, 0])
def test_no_more_threads_than_columns_are_started(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, room: int
) -> None:
    started = 0

    class Thread(threading.Thread):
        def start(self) -> None:
            nonlocal started
            if started >= room:
                raise RuntimeError("can't start new thread")
            started += 1
            super().start()

    bench.convert([shape_c(i) for i in range(50)])
    expected = bench.npz.read_bytes()
    monkeypatch.setattr(threading, "Thread", Thread)
    bench.convert([shape_c(i) for i in range(50)], workers=100_000)
    assert started <= min(room, len(FIELDS))
    assert bench.npz.read_bytes() == expected
