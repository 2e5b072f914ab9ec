# SPDX-License-Identifier: MIT
"""An NPZ read without numpy: what is no array, not all of one, or more than one, is a fault."""

from __future__ import annotations

import io
import struct
import zipfile
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.npz import inspect
from ansible.module_utils.survivor_npz.npz.inspect import read_info, read_whole

Members = list[tuple[str, bytes]]


def npy(text: str, data: bytes = b"", version: int = 1) -> bytes:
    length = struct.pack("<H" if version == 1 else "<I", len(text))
    return b"\x93NUMPY" + bytes([version, 0]) + length + text.encode() + data


def header(shape: str = "(2,)", descr: str = "'<u4'") -> str:
    return f"{{'descr': {descr}, 'fortran_order': False, 'shape': {shape}, }}\n"


EIGHT = b"12345678"


def archive(path: Path, members: Members) -> str:
    with zipfile.ZipFile(path, "w") as made:
        for name, data in members:
            made.writestr(name, data)
    return str(path)


@pytest.mark.parametrize(
    ("data", "fault"),
    [
        (b"", "seeds is not a numpy array"),
        (b"\x93NUMPY\x01", "seeds is not a numpy array"),
        (b"\x93NUMPX" + npy(header(), EIGHT)[6:], "seeds is not a numpy array"),
        (npy(header() + " " * (1 << 16), EIGHT, version=2), "has a header of"),
        (npy(header(descr="[('a', '<u4')]"), EIGHT), "contains [('a', '<u4')] of shape (2,)"),
        (npy(header("(-1,)"), EIGHT), "of shape (-1,)"),
        (npy(header("(2.0,)"), EIGHT), "of shape (2.0,)"),
        (npy(header(), EIGHT[:7]), "has 7 bytes of data, but its header requires 8"),
        (npy(header(), EIGHT + b"9"), "has 9 bytes of data, but its header requires 8"),
        (npy(header(descr="'|O'"), EIGHT), "neither numbers nor text"),
        (npy(header(descr="'<u4x'"), EIGHT), "neither numbers nor text"),
        (npy("{}", EIGHT), "KeyError"),
    ],
)
def test_half_an_array_or_none_passes_for_one(tmp_path: Path, data: bytes, fault: str) -> None:
    info = read_whole(archive(tmp_path / "x.npz", [("seeds.npy", data)]))
    assert info.fault and fault in info.fault
    assert (info.schema_version, info.survivor_count, info.arrays) == (None, None, {})


def test_a_name_that_stands_twice_hides_an_array(tmp_path: Path) -> None:
    good = npy(header(), EIGHT)
    with pytest.warns(UserWarning, match="Duplicate"):
        path = archive(tmp_path / "x.npz", [("seeds.npy", good), ("seeds.npy", good)])
    assert "seeds appears twice" in (read_info(path).fault or "")
    assert "twice" in (read_info(archive(tmp_path / "y.npz", [("a", good), ("a.npy", good)])).fault or "")


@pytest.mark.parametrize(
    ("data", "shape", "dtype"),
    [
        (npy(header(), EIGHT), (2,), "<u4"),
        (npy(header(), EIGHT, version=2), (2,), "<u4"),
        (npy(header("(1, 2)"), EIGHT), (1, 2), "<u4"),
        (npy(header("()", "'<f8'"), EIGHT), (), "<f8"),
        (npy(header("(1,)", "'<U2'"), EIGHT), (1,), "<U2"),
        (npy(header("(0,)"), b""), (0,), "<u4"),
    ],
)
def test_a_good_array_has_a_fault(tmp_path: Path, data: bytes, shape: Any, dtype: str) -> None:
    info = read_whole(archive(tmp_path / "x.npz", [("seeds.npy", data)]))
    assert (info.fault, info.arrays) == (None, {"seeds": (dtype, shape)})
    assert info.survivor_count == (shape[0] if len(shape) == 1 else None)


def test_a_header_as_long_as_allowed_is_a_fault(tmp_path: Path) -> None:
    text = header()
    limit = inspect._HEADER_LIMIT
    for length, good in ((limit, True), (limit + 1, False)):
        data = npy(text + " " * (length - len(text)), EIGHT, version=2)
        assert (read_whole(archive(tmp_path / "x.npz", [("a.npy", data)])).fault is None) is good


def test_headers_tell_of_data_that_is_not_all_there(tmp_path: Path) -> None:
    path = archive(tmp_path / "x.npz", [("seeds.npy", npy(header(), b"123"))])
    assert (read_info(path).fault, read_info(path).survivor_count) == (None, 2)


@pytest.mark.parametrize(("before", "after"), [(b"x", b""), (b"", b"x"), (b"", b"")])
def test_bytes_around_the_zip_are_not_seen(tmp_path: Path, before: bytes, after: bytes) -> None:
    path = tmp_path / "x.npz"
    for comment in (b"", b"a comment"):
        made = io.BytesIO()
        with zipfile.ZipFile(made, "w") as zipped:
            zipped.writestr("seeds.npy", npy(header(), EIGHT))
            zipped.comment = comment
        path.write_bytes(before + made.getvalue() + after)
        fault = read_info(str(path)).fault
        assert (fault is None) == (not before and not after), (fault, comment)
    with zipfile.ZipFile(path, "w"):
        pass
    assert read_whole(str(path)) == (None, None, {}, None)


@pytest.mark.parametrize(
    ("names", "version"),
    [
        (["seeds", "forward_matches", "reverse_matches"], 1),
        (["seeds", "scores", "skip_mode_idx", "more"], 0),
        (["seeds", "scores"], None),
        (["seeds", "forward_matches", "reverse_matches", "more"], None),
    ],
)
def test_an_older_schema_is_told_as_another(tmp_path: Path, names: list[str], version: int | None) -> None:
    path = tmp_path / "x.npz"
    np.savez(path, **dict[str, Any]({name: np.zeros(3) for name in names}))
    assert (read_whole(str(path)).schema_version, read_info(str(path)).survivor_count) == (version, 3)


def test_bytes_before_an_archive_that_counts_them_are_no_fault(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"before")
    with zipfile.ZipFile(path, "a") as made:
        made.writestr("seeds.npy", npy(header(), EIGHT))
    assert read_info(str(path)).fault == "there are bytes before the start of the zip"


def test_an_old_npz_of_three_arrays_has_no_schema(tmp_path: Path) -> None:
    names = ("seeds", "scores", "skip_mode_idx")
    path = archive(tmp_path / "x.npz", [(f"{name}.npy", npy(header(), EIGHT)) for name in names])
    assert read_info(path).schema_version == 0
