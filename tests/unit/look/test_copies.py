# SPDX-License-Identifier: MIT
"""What a look says of one copy: decisions read these words, so each must be there and right."""

from __future__ import annotations

import errno
import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.common.accounts import group_name, user_name
from ansible.module_utils.survivor_npz.look import copies, directory
from ansible.module_utils.survivor_npz.look.distributed_config import listed, read_nodes
from ansible.module_utils.survivor_npz.switch.names import Names


@pytest.fixture
def names(tmp_path: Path) -> Names:
    found = Names(str(tmp_path / "x.npz"))
    np.savez_compressed(found.live, seeds=np.arange(5, dtype=np.uint32))
    return found


def sha(path: str) -> str:
    return hashlib.sha256(Path(path).read_bytes()).hexdigest()


def look_at(names: Names, **more: Any) -> dict[str, Any]:
    asked: dict[str, Any] = {"required": True, "whole": False, "settled": False, "trusted": (), **more}
    return copies.look_at(names.live, **asked)


def record(path: str, **content: Any) -> None:
    Path(path).write_text(json.dumps(content))


def test_a_word_of_the_look_at_a_copy_is_missing(names: Names) -> None:
    os.chmod(names.live, 0o604)
    os.utime(names.live, ns=(5, 7))
    found = look_at(names)
    info = os.lstat(names.live)
    expected = {
        "path": names.live,
        "required": True,
        "exists": True,
        "kind": "file",
        "mode": "0604",
        "owner": user_name(info.st_uid),
        "group": group_name(info.st_gid),
        "mine": True,
        "sha256": sha(names.live),
        "size": info.st_size,
        "mtime_ns": 7,
        "survivors": 5,
        "schema": None,
        "fault": None,
        "pin": {},
        "previous": None,
        "staged": {},
        "leftovers": [],
        "foreign": False,
        "source_mtime_ns": None,
    }
    assert {key: found[key] for key in expected} == expected
    assert "error" not in found and "target" not in found


def test_a_staged_file_that_cannot_be_read_passes_for_one(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    Path(names.staged("1" * 64)).write_bytes(b"x")

    def fails(path: str) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(copies, "sha256_or_none", fails)
    assert look_at(names)["staged"] == {}


def test_a_sidecar_speaks_for_another_npz(names: Names) -> None:
    mine, other = sha(names.live), "0" * 64
    cases: list[tuple[dict[str, Any], int | None, bool]] = [
        ({"npz_sha256": mine, "source": {"mtime_ns": 7}}, 7, False),
        ({"npz_sha256": mine, "source": {"mtime_ns": "7"}}, None, False),
        ({"npz_sha256": mine, "source": [7]}, None, False),
        ({"npz_sha256": other, "source": {"mtime_ns": 7}}, None, True),
        ({"source": {"mtime_ns": 7}}, None, False),
    ]
    for content, moment, foreign in cases:
        record(names.sidecar, **content)
        found = look_at(names)
        assert (found["source_mtime_ns"], found["foreign"]) == (moment, foreign), content
    record(names.sidecar, npz_sha256=other, source={"mtime_ns": 7})
    os.unlink(names.live)
    found = look_at(names)
    assert (found["source_mtime_ns"], found["foreign"]) == (None, False), "there is no NPZ"
    record(names.sidecar, source={"mtime_ns": 7})
    assert look_at(names)["source_mtime_ns"] is None, "no NPZ, and none recorded"


def test_the_previous_file_is_told_as_the_live_one_or_a_link_is_believed(names: Names) -> None:
    Path(names.previous).write_bytes(b"previous")
    os.chmod(names.previous, 0o640)
    kept = sha(names.previous)
    record(names.sidecar_previous, npz_sha256=kept, source={"mtime_ns": 5})
    found = look_at(names)["previous"]
    expected = {"path": names.previous, "mode": "0640", "sha256": kept, "size": 8, "source_mtime_ns": 5}
    assert {key: found[key] for key in expected} == expected
    assert found["old_converter"] is False
    assert found["foreign"] is False
    os.rename(names.previous, names.directory + "/elsewhere")
    os.symlink(names.directory + "/elsewhere", names.previous)
    assert look_at(names)["previous"] is None


def test_a_previous_file_that_cannot_be_read_breaks_the_look(names: Names) -> None:
    os.mkdir(names.previous)
    found = look_at(names)["previous"]
    assert (found["path"], found["error"]) == (names.previous, f"{names.previous}: Is a directory")


def test_a_previous_file_of_the_old_converter_passes_for_anybodys(names: Names) -> None:
    os.rename(names.live, names.previous)
    size = os.lstat(names.previous).st_size
    facts = {"version": "3.0.0", "survivor_count": 5, "output_size_bytes": size}
    record(names.kept_sidecar(sha(names.previous)), **facts)
    assert look_at(names)["previous"]["old_converter"] is True
    record(names.kept_sidecar(sha(names.previous)), **{**facts, "survivor_count": 6})
    assert look_at(names)["previous"]["old_converter"] is False


def test_what_a_broken_switch_left_is_not_seen(names: Names) -> None:
    outgoing = names.outgoing(sha(names.live))
    os.link(names.live, outgoing)
    dead = Names.temp(names.live)
    Path(dead).write_bytes(b"half")
    stray = names.kept_sidecar("f" * 64)
    record(stray, version="3.0.0")
    assert look_at(names)["leftovers"] == [dead, stray, outgoing]


def test_a_kernel_without_a_boot_id_makes_two_directories_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails() -> str:
        raise FileNotFoundError(2, "No such file")

    monkeypatch.setattr(directory, "boot_id", fails)
    identity = directory.look_at_directory(str(tmp_path))["identity"]
    info = tmp_path.stat()
    assert identity == f"{os.uname().nodename}:{info.st_dev}:{info.st_ino}"


def test_the_pipelines_nodes_pass_for_none(tmp_path: Path) -> None:
    path = tmp_path / "distributed_config.json"
    assert listed(str(path)) is None
    zeus, rig = {"hostname": "localhost", "gpu_count": 2}, {"hostname": "rig-6600", "gpu_count": 8}
    off = {"hostname": "rig-off", "gpu_count": 0}
    path.write_text(json.dumps({"nodes": [zeus, rig, off]}))
    assert listed(str(path)) == {"hostnames": ["localhost", "rig-6600"], "trouble": None}
    for text in ('{"nodes": [\n', '{"nodes": [{"host'):
        path.write_text(text)
        found = listed(str(path)) or {}
        assert found["hostnames"] == []
        assert found["trouble"].endswith("(the file ends there: was it cut?)")
    path.write_text('{"nodes": [}, {"hostname": "localhost"}]}')
    assert "was it cut" not in (listed(str(path)) or {})["trouble"]
    for control in "\n\x1f":
        path.write_text(json.dumps({"nodes": [zeus, {**rig, "script_path": f"a{control}b"}]}))
        assert "is not text" in (listed(str(path)) or {})["trouble"]
    path.write_text('{"a": 1, "b": 1, "b": 2}')
    assert "the key 'b' stands twice" in (listed(str(path)) or {})["trouble"]
    kept = {"gpu_type": "RX 6600", "python_env": "/opt/a b/bin"}
    path.write_text(json.dumps({"nodes": [zeus, {**rig, **kept, "other": 1}]}))
    assert read_nodes(str(path))[1].notes == {"gpu_count": 8, **kept}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make root's links")
def test_a_link_of_roots_is_distrusted_or_one_of_a_strangers_is_not(tmp_path: Path) -> None:
    way = tmp_path / "way"
    way.symlink_to(tmp_path)
    assert directory.distrust(str(way), {54321}) == ([], [])
    os.chown(way, 54322, 54322, follow_symlinks=False)
    ((fault,), exposed) = directory.distrust(str(way), {54321})
    assert fault.startswith(f"{way} is a symlink that belongs to 54322")
    assert exposed == []


def test_links_are_followed_for_ever_or_not_to_their_end(tmp_path: Path) -> None:
    place = tmp_path / "end"
    place.mkdir()
    for number in range(45):
        way = tmp_path / f"way{number}"
        way.symlink_to(place)
        place = way
    assert directory._links(str(tmp_path / "way9")) == [str(tmp_path / f"way{n}") for n in range(9, -1, -1)]
    assert len(directory._links(str(place))) == 40, "as many as the kernel follows"
    (tmp_path / "loop").symlink_to("loop")
    assert len(directory._links(str(tmp_path / "loop"))) == 40


@pytest.mark.parametrize(("read_only", "may"), [(False, False), (True, True), (False, True)])
def test_a_directory_that_takes_no_file_is_called_writable(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, read_only: bool, may: bool
) -> None:
    system = list(os.statvfs(tmp_path))
    system[8] = os.ST_RDONLY if read_only else 0
    monkeypatch.setattr(os, "statvfs", lambda _path: os.statvfs_result(system))
    monkeypatch.setattr(os, "access", lambda _path, _how: may)
    assert directory.look_at_directory(str(tmp_path))["writable"] is (may and not read_only)


def test_a_home_without_a_name_is_looked_for_without_end() -> None:
    assert directory._nearest("~/nowhere/at/all") == ""


def test_a_word_about_a_directory_is_missing(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    for place in ("gone", "file/x", "."):
        found = directory.look_at_directory(str(tmp_path / place))
        words = {"path", "exists", "nearest", "identity", "writable", "free", "owner", "mode"}
        assert {*words, "in_the_way", "untrusted", "exposed"} <= found.keys()
        assert (found["identity"] is None, found["exists"]) == (place != ".", place == ".")
    system = os.statvfs(tmp_path)
    assert found["free"] == pytest.approx(system.f_bavail * system.f_frsize, rel=0.5)
