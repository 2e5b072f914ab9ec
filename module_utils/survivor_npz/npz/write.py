# SPDX-License-Identifier: MIT
"""Write the NPZ: the same arrays give the same bytes, whatever the clock, the path or the machine's load.

The zip is assembled here because `zipfile` deflates one member after the other and cannot take one that is
deflated already: equal columns are deflated once, the others in parallel threads.
"""

from __future__ import annotations

import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Iterator, NamedTuple

import numpy as np
from ansible.module_utils.survivor_npz.npz.schema import FIELDS, SEED, Field
from numpy.typing import NDArray

# Of a zip: what local headers and directory entries share, the rest of an entry, the end record.
_ENTRY = struct.Struct("<5H3I2H")
_CENTRAL = struct.Struct("<3H2I")
_END = struct.Struct("<4s4H2IH")
_VERSION = 20
_MADE_BY = struct.pack("<H", 3 << 8 | _VERSION)  # Unix
_DEFLATED = 8
_DATE = (1 << 5) | 1  # 1980-01-01, the zip format's zero
_MODE = 0o600 << 16
_HEADER_ALIGN = 64

# (level, memory) of savez_compressed.
_USUAL = (zlib.Z_DEFAULT_COMPRESSION, zlib.DEF_MEM_LEVEL)
# For seeds that ascend in short steps without repeats: the default level takes nine times as long and
# finds no better matches.
_DENSE = (1, 9)
_SHORT_STEP = 4
_BLOCK = 1 << 20

# One column, in parts that none of are empty; and all of them by the name of their array.
Parts = list[NDArray[Any]]
Columns = dict[str, Parts]


class Member(NamedTuple):
    """One deflated array: CRC, size and deflated bytes of its zip entry; its smallest and largest value."""

    crc: int
    size: int
    data: bytes
    low: float | None
    high: float | None


def array_header(dtype: str, length: int) -> bytes:
    """The `.npy` header, version 1.0, of a one-dimensional array."""
    text = f"{{'descr': '{dtype}', 'fortran_order': False, 'shape': ({length},), }}"
    padding = -(10 + len(text) + 1) % _HEADER_ALIGN
    body = text.encode("latin-1") + b" " * padding + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(body)) + body


def _blocks(parts: Parts) -> Iterator[bytes]:
    """The column's bytes in blocks of one size, whatever its parts, so that these can't change the result."""
    waiting = bytearray()
    for part in parts:
        waiting += np.ascontiguousarray(part).data.cast("B")
        whole = len(waiting) // _BLOCK * _BLOCK
        for at in range(0, whole, _BLOCK):
            yield bytes(waiting[at : at + _BLOCK])
        del waiting[:whole]
    if waiting:
        yield bytes(waiting)


def overlapping(parts: Parts) -> Iterator[NDArray[Any]]:
    """The parts, each with the value before its first."""
    for number, part in enumerate(parts):
        yield np.concatenate((parts[number - 1][-1:], part)) if number else part


def is_rising(parts: Parts) -> bool:
    """Whether each value is greater than the one before it."""
    return all((part[1:] > part[:-1]).all() for part in overlapping(parts))


def _is_dense(seeds: Parts) -> bool:
    """Whether seeds ascend strictly, by a short step on average. Others are smaller at the default level."""
    steps = sum(map(len, seeds)) - 1
    if steps < 1 or int(seeds[-1][-1]) - int(seeds[0][0]) > _SHORT_STEP * steps:
        return False
    return is_rising(seeds)


def pack_column(field: Field, parts: Parts) -> Member:
    """Deflate one array."""
    length = sum(map(len, parts))
    header = array_header(field.dtype, length)
    level, memory = _DENSE if field.kind == SEED and _is_dense(parts) else _USUAL
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    crc, data = zlib.crc32(header), [packer.compress(header)]
    lows, highs = [], []
    for block in _blocks(parts):
        crc = zlib.crc32(block, crc)
        data.append(packer.compress(block))
        values = np.frombuffer(block, field.dtype)
        lows.append(values.min().item())
        highs.append(values.max().item())
    data.append(packer.flush())
    size = len(header) + length * field.itemsize
    return Member(crc, size, b"".join(data), min(lows, default=None), max(highs, default=None))


def _are_same(one: Parts, other: Parts) -> bool:
    """Whether two columns have the same bytes, in parts of the same lengths."""
    return all(np.array_equal(a.view(f"u{a.itemsize}"), b.view(f"u{b.itemsize}")) for a, b in zip(one, other))


def _find_twins(columns: Columns) -> dict[str, Field]:
    """Map each array to the first field with the same bytes: Step 1 writes some counts twice."""
    firsts: dict[str, Field] = {}
    for field in FIELDS:
        alike = (
            first
            for first in firsts.values()
            if first.dtype == field.dtype and _are_same(columns[first.array], columns[field.array])
        )
        firsts[field.array] = next(alike, field)
    return firsts


def pack_columns(columns: Columns, threads: int) -> dict[str, Member]:
    """Deflate all 22 arrays in up to `threads` threads. The result does not depend on their number.

    Each column is taken out of `columns`, so that its memory can be used again.
    """
    twins = _find_twins(columns)
    fields = [field for field in FIELDS if twins[field.array] is field]
    for name in columns.keys() - {field.array for field in fields}:
        del columns[name]

    members: dict[str, Member] = {}

    def pack(field: Field) -> None:
        if field.array in columns:
            members[field.array] = pack_column(field, columns.pop(field.array))

    try:
        with ThreadPoolExecutor(min(threads, len(fields))) as pool:
            list(pool.map(pack, fields))
    except RuntimeError:  # the system allows no more threads
        list(map(pack, fields))
    return {field.array: members[twins[field.array].array] for field in FIELDS}


def assemble(members: dict[str, Member]) -> bytes:
    """The bytes of the NPZ, arrays in the order of the schema."""
    parts: list[bytes] = []
    directory: list[bytes] = []
    offset = 0
    for field in FIELDS:
        member, name = members[field.array], f"{field.array}.npy".encode("ascii")
        entry = _ENTRY.pack(
            _VERSION, 0, _DEFLATED, 0, _DATE, member.crc, len(member.data), member.size, len(name), 0
        )
        directory += [b"PK\1\2", _MADE_BY, entry, _CENTRAL.pack(0, 0, 0, _MODE, offset), name]
        parts += [b"PK\3\4", entry, name, member.data]
        offset += 4 + len(entry) + len(name) + len(member.data)
    central = b"".join(directory)
    end = _END.pack(b"PK\5\6", 0, 0, len(FIELDS), len(FIELDS), len(central), offset, 0)
    return b"".join([*parts, central, end])
