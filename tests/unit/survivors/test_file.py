# SPDX-License-Identifier: MIT
"""The open JSON: a file that is written, replaced, cut or broken while it is read is never believed."""

from __future__ import annotations

import errno
import functools
import hashlib
import os
import time
from pathlib import Path
from typing import Callable, Iterator

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.survivors import file
from ansible.module_utils.survivor_npz.survivors.file import Source, rerun, stat_source

DATA = b"0123456789"


@pytest.fixture
def path(tmp_path: Path) -> Path:
    found = tmp_path / "s.json"
    found.write_bytes(DATA)
    os.utime(found, ns=(7, 7))
    return found


@pytest.fixture
def source(path: Path) -> Iterator[Source]:
    found = Source(str(path))
    yield found
    found.close()


def refusal(act: Callable[[], object]) -> ConvertError:
    with pytest.raises(ConvertError) as caught:
        act()
    return caught.value


def replaced(path: Path) -> None:
    """Another file with the same bytes and times."""
    other = path.with_name("other")
    other.write_bytes(DATA)
    os.utime(other, ns=(7, 7))
    os.replace(other, path)


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (replaced, "inode"),
        (lambda path: path.unlink(), "ctime_ns"),
        (lambda path: os.truncate(path, 5), "size 10 then, 5 now"),
        (lambda path: os.utime(path, ns=(7, 8)), "mtime_ns 7 then, 8 now"),
    ],
)
def test_a_json_that_changed_while_it_was_read_is_believed(
    source: Source, path: Path, change: Callable[[Path], None], says: str
) -> None:
    source.check_unchanged()
    change(path)
    refused = refusal(source.check_unchanged)
    assert refused.code == "source_changed"
    assert "inode" in says or says in refused.message
    assert "device" not in refused.message, "what is the same is not named"


@pytest.mark.parametrize(
    ("change", "says"), [(replaced, "another file replaced it"), (lambda path: path.unlink(), "removed")]
)
def test_another_file_has_its_name_now(
    path: Path, tmp_path: Path, change: Callable[[Path], None], says: str
) -> None:
    """The open file keeps a second name, and so its stat but for the time of the change."""
    os.link(path, tmp_path / "kept")
    source = Source(str(path))
    change(path)
    source.stamp = file.stamp_of(os.fstat(source.fd))
    assert says in refusal(source.check_unchanged).message
    source.close()


def test_a_file_that_is_written_right_now_is_read(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    before = len(os.listdir("/proc/self/fd"))
    slept: list[float] = []
    now = time.time_ns()
    os.utime(path, ns=(now, now))
    monkeypatch.setattr(time, "time_ns", lambda: now + 19_999_999)
    monkeypatch.setattr(time, "sleep", slept.append)
    refused = refusal(lambda: Source(str(path)))
    assert (refused.code, "right now" in refused.message) == ("source_changed", True)
    assert slept == [0.02] * 10
    assert len(os.listdir("/proc/self/fd")) == before
    for later in (20_000_000, -1):  # a tick old; or a clock that went back
        monkeypatch.setattr(time, "time_ns", lambda later=later: now + later)
        Source(str(path)).close()
    assert len(slept) == 10


@pytest.mark.parametrize(
    ("age", "says"),
    [(-6, None), (-5, "0 s ago"), (0, "0 s ago"), (120, "120 s ago"), (121, None)],
)
def test_an_old_file_is_called_still_being_written(
    age: int, says: str | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(time, "time", lambda: 1000.0)
    text = rerun((1000 - age) * 10**9)
    assert ("Step 1 may still be writing" in text) == (says is not None)
    assert (says or "again") in text


def test_a_file_that_comes_in_parts_loses_one(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    whole = os.pread
    monkeypatch.setattr(os, "pread", lambda fd, length, offset: whole(fd, min(length, 3), offset))
    assert source.read(1, 8) == DATA[1:9]
    assert source.read(4, 100) == DATA[4:]
    assert (source.read(10, 1), source.read(0, 0), source.read(11, 5)) == (b"", b"", b"")
    monkeypatch.setattr(file, "_BLOCK", 4)
    assert source.sha256() == hashlib.sha256(DATA).hexdigest()


def test_a_file_that_was_cut_gives_what_is_left(source: Source, path: Path) -> None:
    os.truncate(path, 5)
    for offset in (0, 5, 7):
        refused = refusal(functools.partial(source.read, offset, 10))
        assert (refused.code, "truncated" in refused.message) == ("source_changed", True)
    assert source.read(0, 5) == DATA[:5]


def test_a_broken_disk_passes_for_the_end_of_the_file(
    source: Source, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(_fd: int, _length: int, _offset: int) -> bytes:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    monkeypatch.setattr(os, "pread", fails)
    refused = refusal(lambda: source.read(3, 1))
    assert refused.code == "json_unreadable"
    assert "Input/output error at byte 3" in refused.message


def test_what_is_no_readable_file_has_the_wrong_code(path: Path, tmp_path: Path) -> None:
    loop = tmp_path / "loop"
    loop.symlink_to(loop)
    codes = {
        tmp_path / "gone": "json_missing",
        path / "below": "json_missing",
        tmp_path: "json_not_a_file",
        loop: "json_unreadable",
    }
    for place, code in codes.items():
        refused = refusal(functools.partial(stat_source, str(place)))
        assert (refused.code, refused.message.startswith(str(place))) == (code, True)
        assert refusal(functools.partial(Source, str(place))).code == code
    assert stat_source(str(path)).st_size == 10


def test_a_file_of_another_user_is_a_traceback(path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(_path: str, _flags: int) -> int:
        raise PermissionError(errno.EACCES, os.strerror(errno.EACCES))

    monkeypatch.setattr(os, "open", fails)
    refused = refusal(lambda: Source(str(path)))
    assert (refused.code, "Permission denied" in refused.message) == ("json_unreadable", True)
