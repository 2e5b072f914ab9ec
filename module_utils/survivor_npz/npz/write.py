# SPDX-License-Identifier: MIT
"""Write the NPZ: the same arrays give the same bytes, whatever the clock, the path or the machine's load.

The zip is assembled here because `zipfile` deflates one member after the other and cannot take one that is
deflated already: equal columns are deflated once, the others in parallel threads.
"""

from __future__ import annotations

import hashlib
import struct
import zlib
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Callable, NamedTuple

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

Columns = Callable[[Field], NDArray[Any]]


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


def _raw(column: NDArray[Any]) -> memoryview:
    return np.ascontiguousarray(column).data.cast("B") if len(column) else memoryview(b"")


def _is_dense(seeds: NDArray[Any]) -> bool:
    """Whether seeds ascend strictly, by a short step on average. Others are smaller at the default level."""
    steps = len(seeds) - 1
    if steps < 1 or int(seeds[-1]) - int(seeds[0]) > _SHORT_STEP * steps:
        return False
    return bool((seeds[1:] > seeds[:-1]).all())


def pack_column(field: Field, column: NDArray[Any]) -> Member:
    """Deflate one array."""
    header, raw = array_header(field.dtype, len(column)), _raw(column)
    level, memory = _DENSE if field.kind == SEED and _is_dense(column) else _USUAL
    packer = zlib.compressobj(level, zlib.DEFLATED, -zlib.MAX_WBITS, memory)
    data = b"".join((packer.compress(header), packer.compress(raw), packer.flush()))
    low, high = (column.min().item(), column.max().item()) if len(column) else (None, None)
    return Member(zlib.crc32(raw, zlib.crc32(header)), len(header) + len(raw), data, low, high)


def _find_twins(columns: Columns) -> dict[str, Field]:
    """Map each array to the first field with the same bytes: Step 1 writes some counts twice."""
    firsts: dict[tuple[str, bytes], Field] = {}
    return {
        field.array: firsts.setdefault((field.dtype, hashlib.sha256(_raw(columns(field))).digest()), field)
        for field in FIELDS
    }


def pack_columns(columns: Columns, threads: int) -> dict[str, Member]:
    """Deflate all 22 arrays in up to `threads` threads. The result does not depend on their number."""
    twins = _find_twins(columns)
    fields = [field for field in FIELDS if twins[field.array] is field]

    def pack(field: Field) -> Member:
        return pack_column(field, columns(field))

    try:
        with ThreadPoolExecutor(min(threads, len(fields))) as pool:
            packed = list(pool.map(pack, fields))
    except RuntimeError:  # the system allows no more threads
        packed = list(map(pack, fields))
    members = {field.array: member for field, member in zip(fields, packed)}
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
