# SPDX-License-Identifier: MIT
"""What a look says of a host: the words that decisions read, and none of them about something else."""

from __future__ import annotations

import grp
import importlib.util
import os
import pwd
import socket
import sys
import time
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.look import host, live_copy
from ansible.module_utils.survivor_npz.npz.inspect import NpzInfo

as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")
STRANGER = 54321


def look(place: Path, **more: Any) -> dict[str, Any]:
    return host.look(str(place), ["x.npz"], [], **more)


def test_a_word_of_the_look_is_missing_or_about_something_else(tmp_path: Path) -> None:
    before, now = stamp(), time.time()
    found = look(tmp_path, now=now - 100)
    user = pwd.getpwuid(os.geteuid()).pw_name
    assert {key: found[key] for key in ("hostname", "executable", "user", "directory")} == {
        "hostname": socket.gethostname(),
        "executable": sys.executable,
        "user": user,
        "directory": str(tmp_path),
    }
    assert found["python"].split(".")[:2] == [str(part) for part in sys.version_info[:2]]
    assert (found["stamp"]["boot"], found["stamp"]["clock"] >= before["clock"]) == (before["boot"], True)
    assert 0 <= found["time"] - now < 60
    assert 100 <= found["skew"] < 160
    assert (found["files"], found["accounts"], found["libraries"]) == ([], {}, {})
    assert look(tmp_path)["skew"] is None


@pytest.mark.parametrize(("mode", "executable"), [(0o755, True), (0o644, False)])
def test_a_file_that_a_run_needs_is_told_as_another(tmp_path: Path, mode: int, executable: bool) -> None:
    path = tmp_path / "script.sh"
    path.write_bytes(b"#!/bin/sh\n")
    path.chmod(mode)
    os.utime(path, ns=(5, 7))
    assert host.look_at_file("script.sh", str(tmp_path)) == {
        "name": "script.sh",
        "path": str(path),
        "exists": True,
        "readable": True,
        "executable": executable,
        "size": 10,
        "mtime_ns": 7,
    }
    assert host.look_at_file("gone", str(tmp_path)) == {
        "name": "gone",
        "path": str(tmp_path / "gone"),
        "exists": False,
        "error": "No such file or directory",
    }
    assert not host.look_at_file(".", str(tmp_path))["exists"], "a directory is no file"


def test_a_library_that_lies_there_without_its_papers_passes_for_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "nopapers.py").write_text("")
    monkeypatch.syspath_prepend(str(tmp_path))
    importlib.invalidate_caches()
    assert host.library_version("nopapers") == "unknown"
    assert host.library_version("numpy") == metadata.version("numpy")
    assert host.library_version("no_such_library") is None


@as_root
def test_a_user_is_promised_what_only_root_can_give(monkeypatch: pytest.MonkeyPatch) -> None:
    root = pwd.getpwuid(0).pw_name
    assert host.look_at_owner(str(STRANGER)) == {
        "wanted": str(STRANGER),
        "name": str(STRANGER),
        "grantable": True,
    }
    assert host.look_at_owner("nobody-here") == {"wanted": "nobody-here", "name": None, "grantable": False}
    assert host.look_at_group("nobody-here") == {"wanted": "nobody-here", "name": None, "grantable": False}
    monkeypatch.setattr(os, "geteuid", lambda: STRANGER)
    monkeypatch.setattr(os, "getegid", lambda: STRANGER + 1)
    monkeypatch.setattr(os, "getgroups", lambda: [STRANGER + 2])
    assert host.look_at_owner(str(STRANGER))["grantable"]
    assert host.look_at_owner(root) == {"wanted": root, "name": root, "grantable": False}
    for number, mine in ((1, True), (2, True), (0, False), (3, False)):
        assert host.look_at_group(str(STRANGER + number))["grantable"] is mine
    group = grp.getgrgid(0).gr_name
    assert host.look_at_group(group) == {"wanted": group, "name": group, "grantable": False}
    monkeypatch.setattr(os, "geteuid", lambda: 0)
    assert host.look_at_group(group)["grantable"], "root gives a file to any group"


def test_a_stranger_is_trusted_because_somebody_else_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert host._trusted(["", "nobody-here", str(STRANGER + 1)]) == {
        0,
        os.geteuid(),
        STRANGER,
        STRANGER + 1,
    }
    monkeypatch.delenv("SUDO_UID")
    assert host._trusted([]) == {0, os.geteuid()}


def test_every_byte_is_read_twice_where_nobody_asks_for_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "x.npz").write_bytes(b"x")
    whole: list[str] = []
    read = live_copy.read_whole

    def reads(path: str) -> NpzInfo:
        whole.append(path)
        return read(path)

    monkeypatch.setattr(live_copy, "read_whole", reads)
    look(tmp_path)
    assert whole == []
    assert look(tmp_path, whole=True)["copies"][0]["fault"]
    assert whole == [str(tmp_path / "x.npz")]


def test_a_directory_is_looked_for_in_another_home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    for given, meant in (("pipeline", "pipeline"), ("~/a/../b", "b"), ("~", ".")):
        assert host.look(given, [], [])["directory"] == os.path.normpath(tmp_path / meant)


def test_a_path_that_need_not_exist_passes_for_one_that_must(tmp_path: Path) -> None:
    (tmp_path / "way").symlink_to(tmp_path)
    found = host.look(str(tmp_path), ["a.npz", "way/a.npz"], ["b.npz", "a.npz"])
    assert [(copy["path"], copy["required"]) for copy in found["copies"]] == [
        (str(tmp_path / "a.npz"), True),
        (str(tmp_path / "b.npz"), False),
    ]
    assert {"staged", "directory"} <= found["copies"][0].keys()
