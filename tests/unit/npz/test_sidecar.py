# SPDX-License-Identifier: MIT
"""Whose sidecar it is, and of which NPZ: half a sidecar, or another program's, is not believed."""

from __future__ import annotations

import datetime
import time
from typing import Any, Iterator

import pytest
from ansible.module_utils.survivor_npz.npz.sidecar import (
    dump,
    is_by_old_converter,
    is_old_converters,
    records_npz,
    source_of,
)

WHOLE: dict[str, Any] = {
    "npz_sha256": "a",
    "source": {"size": 1, "mtime_ns": 2, "sha256": "b"},
    "left_out": {},
    "defaulted": {},
    "warnings": [],
    "survivor_count": 3,
}


def test_half_a_sidecar_is_believed() -> None:
    assert records_npz(WHOLE, "a")
    assert not records_npz(WHOLE, "b")
    assert not records_npz(None, "a")
    for key in WHOLE:
        assert not records_npz({k: value for k, value in WHOLE.items() if k != key}, "a"), key
        assert not records_npz({**WHOLE, key: "a" if key != "npz_sha256" else "b"}, "a"), key
    for key in WHOLE["source"]:
        broken = {k: value for k, value in WHOLE["source"].items() if k != key}
        assert not records_npz({**WHOLE, "source": broken}, "a"), key
    assert source_of(WHOLE) == (1, 2)
    for nothing in (
        None,
        {},
        {"source": 1},
        {"source": {"size": 1}},
        {"source": {"size": "1", "mtime_ns": 2}},
    ):
        assert source_of(nothing) is None


OLD: dict[str, Any] = {"version": "3.1.0", "output_size_bytes": 9, "survivor_count": 5}


@pytest.mark.parametrize(
    "change",
    [
        {"version": "4.0.0"},
        {"version": None},
        {"version": "v3"},
        {"output_size_bytes": 8},
        {"survivor_count": 4},
        {"npz_sha256": None},
    ],
)
def test_another_program_passes_for_the_old_converter(change: dict[str, Any]) -> None:
    assert is_old_converters(OLD, 9, 5)
    assert is_old_converters({**OLD, "version": 2}, 9, 5)
    assert not is_old_converters({**OLD, **change}, 9, 5)
    assert not is_old_converters({**OLD, "survivor_count": None}, 9, None)
    assert not is_old_converters(None, 9, 5)


@pytest.fixture
def in_berlin(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Local time is Berlin's: on 25 October 2026, 3:00 became 2:00 again."""
    with monkeypatch.context() as patch:
        patch.setenv("TZ", "CET-1CEST,M3.5.0,M10.5.0/3")
        time.tzset()
        yield
    time.tzset()


@pytest.mark.parametrize(
    ("converted", "modified", "after"),
    [
        ("2026-06-01T12:00:00.123456", "2026-06-01T10:00:00.123456", True),
        ("2026-06-01T12:00:00.123456", "2026-06-01T10:00:00.123457", False),
        ("2026-10-25T02:30:00", "2026-10-25T01:00:00", True),
        ("2026-10-25T02:30:00", "2026-10-25T01:30:01", False),
    ],
)
@pytest.mark.usefixtures("in_berlin")
def test_an_npz_older_than_the_json_passes_for_made_from_it(
    converted: str, modified: str, after: bool
) -> None:
    mtime = datetime.datetime.fromisoformat(modified).replace(tzinfo=datetime.timezone.utc)
    mtime_ns = (int(mtime.timestamp()) * 10**6 + mtime.microsecond) * 1000 + 999
    content = {**OLD, "source_file": "/field/s.json", "input_size_bytes": 7, "converted_at": converted}
    assert is_by_old_converter(content, 9, 5, ("/pipeline/s.json", 7, mtime_ns)) is after
    assert not is_by_old_converter(content, 9, 5, ("/pipeline/s.json", 8, 0))
    assert not is_by_old_converter(content, 9, 5, ("/pipeline/t.json", 7, 0))
    assert not is_by_old_converter({**content, "converted_at": 1}, 9, 5, ("/pipeline/s.json", 7, 0))


def test_a_sidecar_is_one_long_line() -> None:
    assert dump({"a": [1]}) == b'{\n  "a": [\n    1\n  ]\n}\n'
