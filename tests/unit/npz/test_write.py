# SPDX-License-Identifier: MIT
"""One array of the NPZ: what is written of it depends on its values alone, and nothing of it is lost."""

from __future__ import annotations

import io
import struct
import zipfile
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.npz import write
from ansible.module_utils.survivor_npz.npz.schema import FIELDS
from ansible.module_utils.survivor_npz.npz.write import array_header, is_rising, overlapping, pack_column
from numpy.typing import NDArray

SEEDS, TRIALS, SCORE = (field for field in FIELDS if field.array in ("seeds", "trial_number", "score"))
Array = NDArray[Any]


def cuts(column: Array, *places: int) -> list[Array]:
    return [part for part in np.split(column, places) if len(part)]


def raw(data: bytes) -> bytes:
    return zlib.decompress(data, -zlib.MAX_WBITS)


def deflated(data: bytes, level: int, memory: int) -> bytes:
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    return packer.compress(data) + packer.flush()


@pytest.mark.parametrize("block", [1, 12, 1 << 20])
def test_parts_or_blocks_change_a_byte(monkeypatch: pytest.MonkeyPatch, block: int) -> None:
    monkeypatch.setattr(write, "_BLOCK", 4 * block)
    column = np.array([5, -3, 2**31 - 1, -(2**31), 7, 7, 0], "<i4")
    whole = pack_column(TRIALS, [column])
    content = array_header("<i4", 7) + column.tobytes()
    assert raw(whole.data) == content
    assert (whole.crc, whole.size) == (zlib.crc32(content), len(content))
    assert (whole.low, whole.high) == (-(2**31), 2**31 - 1)
    for places in ((1,), (3, 4), (2, 5, 6)):
        assert pack_column(TRIALS, cuts(column, *places)) == whole
    assert np.load(io.BytesIO(content)).tolist() == column.tolist()


def test_an_empty_column_has_a_smallest_value() -> None:
    empty = pack_column(SCORE, [])
    assert (empty.low, empty.high, raw(empty.data)) == (None, None, array_header("<f4", 0))


@pytest.mark.parametrize("length", [0, 1, 9, 10**6, 10**9])
def test_a_header_is_not_numpys(length: int) -> None:
    header = array_header("<u4", length)
    assert len(header) % 64 == 0 and header.endswith(b"\n")
    file = io.BytesIO(header)
    assert np.lib.format.read_magic(file) == (1, 0)
    shape, fortran, dtype = np.lib.format.read_array_header_1_0(file)
    assert (shape, fortran, dtype.str) == ((length,), False, "<u4")


DENSE, USUAL = (1, 9), (-1, 8)


@pytest.mark.parametrize(
    ("seeds", "how"),
    [
        (range(0, 4000), DENSE),
        (range(0, 16_000, 4), DENSE),
        (range(2**31, 2**31 + 4000), DENSE),
        (range(100, 104), DENSE),
        ([*range(0, 15_996, 4), 15_997], USUAL),
        (range(0, 20_000, 5), USUAL),
        ([*range(3999), 3998], USUAL),
        ([*range(1999), *range(1998, 3999)], USUAL),
        (range(4000, 0, -1), USUAL),
        ([7], USUAL),
    ],
)
def test_seeds_are_deflated_the_slow_or_the_large_way(seeds: Any, how: tuple[int, int]) -> None:
    column = np.array(list(seeds), "<u4")
    for places in ((), (1,), (2000,)):
        packed = pack_column(SEEDS, cuts(column, *places))
        assert packed.data == deflated(array_header("<u4", len(column)) + column.tobytes(), *how)
    numbers = column.astype("<i4")
    other = pack_column(TRIALS, [numbers])
    assert other.data == deflated(array_header("<i4", len(column)) + numbers.tobytes(), *USUAL)


def test_equal_columns_are_deflated_twice() -> None:
    columns = {field.array: [np.full(3, number, field.dtype)] for number, field in enumerate(FIELDS)}
    assert all(twin.array == name for name, twin in write._find_twins(columns).items())
    columns["score"] = [np.full(3, 1, SCORE.dtype)]
    assert write._find_twins(columns)["score"].array == "forward_matches"
    columns["forward_matches"], columns["score"] = [np.zeros(3, SCORE.dtype)], [-np.zeros(3, SCORE.dtype)]
    assert write._find_twins(columns)["score"].array == "score", "0.0 equals -0.0 and has other bytes"


@pytest.mark.parametrize("asked", [2, 99])
def test_more_threads_start_than_are_of_use_or_packed_columns_stay_in_memory(
    monkeypatch: pytest.MonkeyPatch, asked: int
) -> None:
    pools: list[int] = []

    def pool(threads: int) -> ThreadPoolExecutor:
        pools.append(threads)
        return ThreadPoolExecutor(threads)

    monkeypatch.setattr(write, "ThreadPoolExecutor", pool)
    columns = {field.array: [np.zeros(3, field.dtype)] for field in FIELDS}
    kinds = {field.dtype for field in FIELDS}
    members = write.pack_columns(columns, asked)
    assert (columns, list(members)) == ({}, [field.array for field in FIELDS])
    assert pools == [min(asked, len(kinds))]


def test_a_step_down_between_two_parts_is_not_seen() -> None:
    parts = [np.array(part) for part in ([1, 2], [3], [4, 9])]
    assert [part.tolist() for part in overlapping(parts)] == [[1, 2], [2, 3], [3, 4, 9]]
    assert is_rising(parts)
    for wrong in ([[1, 2], [2, 3]], [[1, 3], [2]], [[1, 1]], [[1], [2, 2]]):
        assert not is_rising([np.array(part) for part in wrong])


def test_the_archive_is_one_that_a_strict_reader_refuses() -> None:
    data = write.assemble({field.array: pack_column(field, []) for field in FIELDS})
    with zipfile.ZipFile(io.BytesIO(data)) as read:
        assert read.namelist() == [f"{field.array}.npy" for field in FIELDS]
        assert read.testzip() is None
        for entry in read.infolist():
            assert (entry.date_time, entry.create_system, entry.external_attr >> 16) == (
                (1980, 1, 1, 0, 0, 0),
                3,
                0o600,
            )
            assert (entry.volume, entry.internal_attr, entry.flag_bits, entry.comment) == (0, 0, 0, b"")
        start = read.start_dir
    end = (b"PK\5\6", 0, 0, len(FIELDS), len(FIELDS), len(data) - 22 - start, start, 0)
    assert data[-22:] == struct.pack("<4s4H2LH", *end)
