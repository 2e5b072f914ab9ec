# SPDX-License-Identifier: MIT
"""The disk operations: no link is followed, nobody reads early, nothing that is not wanted is overwritten."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Callable

import pytest
from ansible.module_utils.survivor_npz.common import durable


def test_a_file_can_be_read_before_it_has_its_mode(tmp_path: Path) -> None:
    seen = []

    def observe(when: str, what: str, path: str, _taken: object) -> None:
        seen.append((when, what, os.lstat(path).st_mode & 0o777 if os.path.exists(path) else None))

    old, durable.observer = os.umask(0), observe
    try:
        durable.write_file(str(tmp_path / "x"), b"secret", 0o640)
    finally:
        durable.observer = None
        os.umask(old)
    assert seen[:3] == [("before", "create", None), ("after", "create", 0o600), ("before", "write", 0o600)]
    assert seen[-2:] == [("before", "fsync", 0o640), ("after", "fsync", 0o640)]
    assert [what for when, what, _ in seen if when == "before"] == ["create", "write", "chmod", "fsync"]


def test_the_mode_of_what_a_symlink_leads_to_is_changed(tmp_path: Path) -> None:
    target, way = tmp_path / "target", tmp_path / "way"
    target.write_bytes(b"x")
    target.chmod(0o600)
    way.symlink_to(target)
    with pytest.raises(OSError, match="symbolic") as refusal:
        durable.chmod(str(way), 0o644)
    assert (refusal.value.errno, refusal.value.filename) == (errno.ELOOP, str(way))
    assert target.stat().st_mode & 0o777 == 0o600
    act: Callable[[], object]
    for act in (
        lambda: durable.copy(str(way), str(tmp_path / "copy")),
        lambda: durable.sync_file(str(way)),
        lambda: durable.write_file(str(way), b"y"),
    ):
        with pytest.raises(OSError, match=r"symbolic|exists"):
            act()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["target", "way"]
    assert target.read_bytes() == b"x"


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
@pytest.mark.parametrize(("uid", "gid"), [(54321, 0), (0, 54321), (0, 0)])
def test_a_copy_is_another_users_or_newer_than_its_source(tmp_path: Path, uid: int, gid: int) -> None:
    source, target = str(tmp_path / "source"), str(tmp_path / "target")
    os.chown(tmp_path, 0, 54322)
    tmp_path.chmod(0o2755)  # what is made here gets this group at first
    Path(source).write_bytes(b"x")
    os.chown(source, uid, gid)
    os.chmod(source, 0o641)
    os.utime(source, ns=(7, 7))
    durable.copy(source, target)
    for info in (os.lstat(source), os.lstat(target)):
        assert (info.st_uid, info.st_gid, info.st_mode & 0o777, info.st_mtime_ns) == (uid, gid, 0o641, 7)


def test_an_error_that_is_no_refusal_of_links_is_hidden_by_a_copy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(*_args: object, **_kwargs: object) -> None:
        raise OSError(errno.EIO, os.strerror(errno.EIO))

    (tmp_path / "x").write_bytes(b"x")
    monkeypatch.setattr(os, "link", fails)
    with pytest.raises(OSError, match="Input/output"):
        durable.link(str(tmp_path / "x"), str(tmp_path / "y"))
    assert not (tmp_path / "y").exists()


def test_a_small_file_is_still_in_a_buffer_when_it_is_flushed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    sizes: list[int] = []
    monkeypatch.setattr(os, "fsync", lambda descriptor: sizes.append(os.fstat(descriptor).st_size))
    durable.write_file(str(tmp_path / "x"), b"small")
    assert sizes == [5]


def test_what_is_to_be_flushed_stays_in_memory(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, flushed = tmp_path / "x", []
    monkeypatch.setattr(os, "fsync", lambda descriptor: flushed.append(os.fstat(descriptor).st_ino))
    durable.write_file(str(path), b"x")
    durable.sync_file(str(path))
    durable.sync_dir(str(tmp_path))
    assert flushed == [path.stat().st_ino, path.stat().st_ino, tmp_path.stat().st_ino]
    assert path.stat().st_mode & 0o777 == 0o644


def test_a_link_to_a_link_is_one_to_its_target(tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.symlink_to(tmp_path / "nowhere")
    durable.link(str(way), str(tmp_path / "second"))
    assert os.readlink(tmp_path / "second") == os.readlink(way)
    assert durable.unlink(str(way)) is True
    assert durable.unlink(str(way)) is False


def test_the_times_or_the_owner_of_what_a_symlink_leads_to_are_changed(tmp_path: Path) -> None:
    target, way, seen = tmp_path / "target", tmp_path / "way", []
    target.write_bytes(b"x")
    way.symlink_to(target)
    before, other = target.stat(), 54321 if os.geteuid() == 0 else os.geteuid()
    durable.observer = lambda when, what, path, _taken: seen.append((when, what, path))
    try:
        durable.set_mtime(str(way), 7)
        durable.chown(str(way), other, -1)
    finally:
        durable.observer = None
    assert target.stat() == before
    assert (way.lstat().st_mtime_ns, way.lstat().st_uid) == (7, other)
    assert seen == [(when, what, str(way)) for what in ("utime", "chown") for when in ("before", "after")]
