# SPDX-License-Identifier: MIT
"""Facts of an NPZ without numpy: its arrays by their headers, and whether all of it can be read.

Standard library only: rigs need no numpy. Bad content never raises; it becomes a `fault`.
"""

from __future__ import annotations

import ast
import os
import re
import struct
import zipfile
from typing import IO, NamedTuple

from ansible.module_utils.survivor_npz.npz.schema import FIELDS

_MAGIC = b"\x93NUMPY"
_HEADER_LIMIT = 1 << 16
_BLOCK = 1 << 20
_DTYPE = re.compile(r"[<>|=]?([biufcSU])(\d{1,9})")
_END_SIZE = 22  # bytes of the end record, without a comment

_SCHEMA_3 = {field.array: field.dtype for field in FIELDS}
_SCHEMA_1 = {"seeds", "forward_matches", "reverse_matches"}

Arrays = dict[str, tuple[str, tuple[int, ...]]]


class NpzInfo(NamedTuple):
    """What is known of an NPZ.

    Attributes:
        schema_version: 3 (the 22 arrays), 1 (three arrays), 0 (the January version), None (anything else).
        survivor_count: elements of `seeds`, None if there is no such one-dimensional array.
        arrays: name to (dtype string, shape).
        fault: why the file can't be read as NPZ, else None.
    """

    schema_version: int | None
    survivor_count: int | None
    arrays: Arrays
    fault: str | None


class _FaultError(Exception):
    """The file is not an NPZ, or not a complete one."""


def _read_header(file: IO[bytes], name: str) -> tuple[str, tuple[int, ...]]:
    start = file.read(8)
    if start[:6] != _MAGIC or len(start) < 8:
        raise _FaultError(f"{name} is not a numpy array")
    form = "<H" if start[6] == 1 else "<I"
    (length,) = struct.unpack(form, file.read(struct.calcsize(form)))
    if length > _HEADER_LIMIT:
        raise _FaultError(f"{name} has a header of {length} bytes")
    header = ast.literal_eval(file.read(length).decode("latin-1").strip())
    descr, shape = header["descr"], header["shape"]
    if not isinstance(descr, str) or not all(isinstance(n, int) and n >= 0 for n in shape):
        raise _FaultError(f"{name} contains {descr!r} of shape {shape!r}")
    return descr, tuple(shape)


def _payload(descr: str, shape: tuple[int, ...], name: str) -> int:
    """Bytes that an array of this dtype and shape takes."""
    match = _DTYPE.fullmatch(descr)
    if not match:
        raise _FaultError(f"{name} contains {descr!r}, which is neither numbers nor text")
    size = int(match[2]) * (4 if match[1] == "U" else 1)
    for length in shape:
        size *= length
    return size


def _drain(file: IO[bytes]) -> int:
    """Read to the end, which makes zipfile compare the CRC; return the number of bytes."""
    total = 0
    while True:
        block = file.read(_BLOCK)
        if not block:
            return total
        total += len(block)


def _demand_bounds(file: IO[bytes], archive: zipfile.ZipFile) -> None:
    """Refuse bytes before the zip's start or after its end, which `zipfile` ignores."""
    file.seek(-_END_SIZE - len(archive.comment), os.SEEK_END)
    if file.read(4) != b"PK\5\6":
        raise _FaultError("there are bytes after the end of the zip")
    # `zipfile` adds what stands before the zip to each offset.
    if min((entry.header_offset for entry in archive.infolist()), default=0) != 0:
        raise _FaultError("there are bytes before the start of the zip")


def _scan(path: str, whole: bool) -> Arrays:
    arrays: Arrays = {}
    with open(path, "rb") as opened, zipfile.ZipFile(opened) as archive:
        _demand_bounds(opened, archive)
        for entry in archive.infolist():
            name = entry.filename[:-4] if entry.filename.endswith(".npy") else entry.filename
            if name in arrays:
                raise _FaultError(f"{name} appears twice")
            with archive.open(entry) as file:
                descr, shape = arrays[name] = _read_header(file, name)
                if not whole:
                    continue
                wanted, found = _payload(descr, shape, name), _drain(file)
                if wanted != found:
                    raise _FaultError(f"{name} has {found} bytes of data, but its header requires {wanted}")
    return arrays


def _schema_of(arrays: Arrays) -> int | None:
    if {name: descr for name, (descr, _shape) in arrays.items()} == _SCHEMA_3:
        shapes = {shape for _descr, shape in arrays.values()}
        return 3 if len(shapes) == 1 and len(shapes.pop()) == 1 else None
    if set(arrays) == _SCHEMA_1:
        return 1
    return 0 if {"seeds", "scores", "skip_mode_idx"} <= set(arrays) else None


def _info(path: str, whole: bool) -> NpzInfo:
    try:
        arrays = _scan(path, whole)
    except _FaultError as error:
        return NpzInfo(None, None, {}, str(error))
    except Exception as error:  # zipfile, zlib and ast raise a dozen types for bad content
        return NpzInfo(None, None, {}, f"{type(error).__name__}: {error}")
    shape = arrays.get("seeds", ("", ()))[1]
    return NpzInfo(_schema_of(arrays), shape[0] if len(shape) == 1 else None, arrays, None)


def read_info(path: str) -> NpzInfo:
    """Read the headers only: a few KB however large the file is."""
    return _info(path, whole=False)


def read_whole(path: str) -> NpzInfo:
    """Like `read_info`, but read every byte: zip structure, CRC of each array, length against shape."""
    return _info(path, whole=True)
