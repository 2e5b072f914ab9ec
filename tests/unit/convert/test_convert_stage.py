# SPDX-License-Identifier: MIT
"""What can't be written is refused before the conversion, and an error of the system names its file."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.convert import stage
from ansible.module_utils.survivor_npz.switch.names import Names
from place import sha256


def test_an_error_names_the_file_that_was_to_be_renamed(tmp_path: Path) -> None:
    for error, place in (
        (OSError(errno.EIO, "Input/output error", "/d/a", None, "/d/b"), "/d/b"),
        (OSError(errno.EIO, "Input/output error", "/d/a"), "/d/a"),
        (OSError(errno.EIO, "Input/output error"), str(tmp_path)),
    ):
        found = stage.refusal(Names(str(tmp_path / "x.npz")), error)
        assert (found.code, found.message.partition(":")[0]) == ("system", place)


def test_an_error_of_the_system_has_another_code_or_says_that_nothing_changed(tmp_path: Path) -> None:
    names = Names(str(tmp_path / "x.npz"))
    for code, numbers in (
        ("not_writable", (errno.EACCES, errno.EPERM, errno.EROFS)),
        ("no_space", (errno.ENOSPC, errno.EDQUOT)),
    ):
        for number in numbers:
            found = stage.refusal(names, OSError(number, "why", names.live))
            assert (found.code, names.live in found.message) == (code, True)
            assert found.message.endswith("The live NPZ was not changed.")
    Path(names.outgoing("0" * 64)).touch()
    found = stage.refusal(names, OSError(errno.EIO, "why", names.live))
    assert found.message.endswith("The switch had begun: the next run completes it.")


@pytest.mark.parametrize("place", ["sidecar", "previous", "sidecar_previous", "pinned"])
def test_a_directory_in_a_needed_place_shows_only_after_the_conversion(tmp_path: Path, place: str) -> None:
    names = Names(str(tmp_path / "x.npz"))
    stage.demand_places(names, None)
    path = getattr(names, place)
    os.mkdir(path)
    with pytest.raises(ConvertError, match=f"^{path} is not a regular file") as refused:
        stage.demand_places(names, None)
    assert refused.value.code == ("sidecar_not_a_file" if place == "sidecar" else "place_not_a_file")


@pytest.mark.parametrize(("flag", "why"), [(0, "Permission denied"), (os.ST_RDONLY, "Read-only file system")])
def test_a_directory_without_permission_shows_only_after_the_conversion(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, flag: int, why: str
) -> None:
    names, asked = Names(str(tmp_path / "x.npz")), []
    monkeypatch.setattr(os, "access", lambda path, mode: asked.append((path, mode)))
    monkeypatch.setattr(os, "statvfs", lambda _path: SimpleNamespace(f_flag=flag | os.ST_NOATIME))
    with pytest.raises(ConvertError) as refused:
        stage.demand_places(names, None)
    assert (refused.value.code, asked) == ("not_writable", [(str(tmp_path), os.W_OK | os.X_OK)])
    assert refused.value.message.startswith(f"{tmp_path}: {why} ({names.live}). ")


def test_a_look_at_the_umask_changes_it() -> None:
    before = os.umask(0o057)
    try:
        assert [stage._umask(), stage._umask()] == [0o057, 0o057]
    finally:
        os.umask(before)


def test_what_a_dead_process_of_this_pid_left_stops_a_run(tmp_path: Path) -> None:
    names, data = Names(str(tmp_path / "x.npz")), b"the bytes of an NPZ"
    made = stage.Made(data, {"npz_sha256": sha256(data), "source": {"mtime_ns": 7}})
    staged = Path(names.staged(made.sha256))
    for target in (str(staged), names.pending(made.sha256), names.sidecar):
        Path(Names.temp(target)).write_bytes(b"half of it")
    stage.stage(names, made, None)
    assert (staged.read_bytes(), staged.stat().st_mtime_ns) == (data, 7)
    staged.rename(names.live)
    stage.refresh(names, made)
    assert json.loads(Path(names.sidecar).read_text()) == made.sidecar
    assert list(names.temp_files()) == []
