# SPDX-License-Identifier: MIT
"""Staging on one host: what is believed, whose files they are, and what a rig's own Python says of them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Any, Iterator

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch import stage, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership
from test_switch import NEW, OLD, names, put_sidecar, sha

__all__ = ["names"]
STRANGER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")
NOTHING: dict[str, Any] = {
    "directories": [],
    "restore": [],
    "receive": None,
    "spread": [],
    "source": None,
    "switch": [],
}


@pytest.fixture
def steps() -> Iterator[list[tuple[str, str]]]:
    """The steps that are done, and on which file or directory."""
    found: list[tuple[str, str]] = []

    def observe(when: str, what: str, path: str, _taken: object) -> None:
        if when == "after":
            found.append((what, path))

    durable.observer = observe
    yield found
    durable.observer = None


def test_a_directory_is_lost_in_a_power_cut_or_closed_to_the_workers(
    tmp_path: Path, steps: list[tuple[str, str]]
) -> None:
    deep = tmp_path / "prng" / "step2"
    old = os.umask(0o077)
    try:
        stage.make_directory(str(deep), Ownership(mode=0o640))
    finally:
        os.umask(old)
    for place, above in ((deep.parent, tmp_path), (deep, deep.parent)):
        assert place.stat().st_mode & 0o777 == 0o755, "a file's mode is none for a directory"
        assert steps.index(("mkdir", str(place))) < steps.index(("fsync_dir", str(above)))
    done = list(steps)
    stage.make_directory(str(deep), Ownership())
    assert steps == done


@as_root
def test_a_new_directory_belongs_to_root(tmp_path: Path) -> None:
    stage.make_directory(str(tmp_path / "prng" / "step2"), Ownership(STRANGER, STRANGER, 0o640))
    for place in (tmp_path / "prng", tmp_path / "prng" / "step2"):
        assert (place.stat().st_uid, place.stat().st_gid) == (STRANGER, STRANGER)
    assert tmp_path.stat().st_uid == 0


def test_a_source_that_changed_is_staged(names: Names, tmp_path: Path) -> None:
    source = tmp_path / "source"
    source.write_bytes(b"other bytes")
    os.unlink(names.staged(sha(NEW)))
    with pytest.raises(SwitchError, match="no longer holds") as refusal:
        stage.spread(str(source), names.live, sha(NEW), Ownership())
    assert refusal.value.code == "corrupt"
    assert names.staged_files() == {}
    source.write_bytes(NEW)
    stage.spread(str(source), names.live, sha(NEW), Ownership(mode=0o640))
    assert Path(names.staged(sha(NEW))).read_bytes() == NEW
    assert os.lstat(names.staged(sha(NEW))).st_mode & 0o777 == 0o640


def test_what_came_over_the_network_is_not_what_was_sent(names: Names) -> None:
    staged = names.staged(sha(NEW))
    stage.received(staged, sha(NEW))
    Path(staged).write_bytes(b"half")
    with pytest.raises(SwitchError, match="instead of") as refusal:
        stage.received(staged, sha(NEW))
    assert refusal.value.code == "corrupt"
    os.unlink(staged)
    with pytest.raises(SwitchError, match="is missing") as refusal:
        stage.received(staged, sha(NEW))
    assert refusal.value.code == "not_staged"


def script(path: Path, text: str) -> str:
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return str(path)


def test_a_rigs_python_cannot_open_it_and_it_goes_live(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    npz = tmp_path / "x.npz"
    np.savez_compressed(npz, seeds=np.arange(3), score=np.arange(3))
    stage.open_with(sys.executable, str(npz))
    monkeypatch.setenv("HOME", str(tmp_path))
    (tmp_path / "python").symlink_to(sys.executable)
    stage.open_with("~/python", str(npz))
    np.savez_compressed(npz, seeds=np.arange(3), score=np.arange(4))
    with pytest.raises(SwitchError, match=r"^arrays of unequal length: \[3, 4\] \(.* opening .*x\.npz\)$"):
        stage.open_with(sys.executable, str(npz))
    with pytest.raises(SwitchError, match="exit code 7") as refusal:
        stage.open_with(script(tmp_path / "silent", "exit 7"), str(npz))
    assert refusal.value.code == "cannot_open"
    with pytest.raises(SwitchError, match=r"^last"):
        stage.open_with(script(tmp_path / "odd", r"printf 'first\n\377\nlast\n' >&2; exit 1"), str(npz))
    with pytest.raises(FileNotFoundError):
        stage.open_with(str(tmp_path / "nowhere"), str(npz))
    monkeypatch.setattr(stage, "OPEN_SECONDS", 0.1)
    with pytest.raises(SwitchError, match="did not open") as refusal:
        stage.open_with(script(tmp_path / "hangs", "exec sleep 60"), str(npz))
    assert refusal.value.code == "cannot_open"


def opens(seen: Path) -> Any:
    """An interpreter that notes which file it was given."""
    return script(seen.with_name("notes"), f'echo "$3" >> {seen}')


def test_bytes_that_are_here_are_fetched_again(names: Names, tmp_path: Path) -> None:
    """A rig with two copies: one holds the goal as its previous file, the other gets it from there."""
    other = Names(str(tmp_path / "ram" / "copy.npz"))
    staged, there = names.staged(sha(NEW)), other.staged(sha(NEW))
    os.replace(staged, names.previous)
    os.replace(names.pending(sha(NEW)), names.sidecar_previous)
    part = {
        **NOTHING,
        "directories": [other.directory],
        "restore": [{"path": names.live, "sidecars": True}],
        "spread": [other.live],
        "source": staged,
        "switch": [{"path": names.live}, {"path": other.live}],
    }
    found = stage.stage(part, sha(NEW), Ownership(), opens(tmp_path / "seen"))
    assert found == [{"path": path, "sha256": sha(NEW)} for path in (names.live, other.live)]
    assert Path(there).read_bytes() == Path(names.previous).read_bytes() == NEW
    assert os.path.exists(names.pending(sha(NEW))), "the sidecar is restored with it"
    assert (tmp_path / "seen").read_text() == f"{staged}\n"


def test_a_received_file_is_left_where_no_copy_needs_it(names: Names, tmp_path: Path) -> None:
    came = tmp_path / "came"
    came.write_bytes(NEW)
    os.unlink(names.staged(sha(NEW)))
    part = {**NOTHING, "receive": str(came), "spread": [names.live], "source": str(came)}
    part["switch"] = [{"path": names.live}]
    found = stage.stage(part, sha(NEW), Ownership(), opens(tmp_path / "seen"))
    assert found == [{"path": names.live, "sha256": sha(NEW)}]
    assert not came.exists()
    assert (tmp_path / "seen").read_text() == f"{names.staged(sha(NEW))}\n"
    part.update(receive=names.staged(sha(NEW)), source=names.staged(sha(NEW)))
    before = os.lstat(names.staged(sha(NEW))).st_ino
    assert stage.stage(part, sha(NEW), Ownership(), "")[0]["sha256"] == sha(NEW)
    assert os.lstat(names.staged(sha(NEW))).st_ino == before, "it is its own source"
    Path(names.staged(sha(NEW))).write_bytes(b"half")
    with pytest.raises(SwitchError, match="instead of"):
        stage.stage(part, sha(NEW), Ownership(), "")


def test_a_staged_file_is_reported_by_what_was_to_be_there(names: Names, tmp_path: Path) -> None:
    part = {**NOTHING, "switch": [{"path": names.live}]}
    Path(names.staged(sha(NEW))).write_bytes(b"half")
    assert stage.stage(part, sha(NEW), Ownership(), "")[0]["sha256"] == sha(b"half")
    stage.stage({**NOTHING, "source": names.live}, sha(OLD), Ownership(), opens(tmp_path / "seen"))
    assert (tmp_path / "seen").read_text() == f"{names.live}\n", "nothing is staged: the live file is opened"


def test_a_sidecar_of_other_bytes_is_restored_with_the_previous(names: Names) -> None:
    os.replace(names.staged(sha(NEW)), names.previous)
    os.unlink(names.pending(sha(NEW)))
    put_sidecar(names.sidecar_previous, b"of something else")
    part = {**NOTHING, "restore": [{"path": names.live, "sidecars": True}]}
    stage.stage(part, sha(NEW), Ownership(), "")
    assert Path(names.staged(sha(NEW))).read_bytes() == NEW
    assert names.pending_files() == {}
    os.unlink(names.staged(sha(NEW)))
    put_sidecar(names.sidecar_previous, NEW)
    part["restore"] = [{"path": names.live, "sidecars": False}]
    assert stage.stage(part, sha(NEW), Ownership(), "") == []
    assert names.pending_files() == {}, "not on a rig"
    os.unlink(names.sidecar_previous)
    with pytest.raises(SwitchError, match="lost its sidecar") as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert (refusal.value.code, Path(names.live).read_bytes()) == ("not_staged", OLD)
