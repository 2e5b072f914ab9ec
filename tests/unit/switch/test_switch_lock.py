# SPDX-License-Identifier: MIT
"""The switch lock: nobody else can hold it, and it guards what it says, whoever moves files meanwhile."""

from __future__ import annotations

import fcntl
import os
import stat
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch import live, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from module_run import in_fork
from test_switch import NEW, OLD, names, sha

__all__ = ["names"]
STRANGER = 54321
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act as another user")


def activate(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)


def mode(path: str) -> int:
    return stat.S_IMODE(os.lstat(path).st_mode)


@pytest.mark.parametrize("open_to", [0o755, 0o701])
def test_the_lock_is_private(names: Names, open_to: int) -> None:
    durable.make_dir(names.lock_home, open_to)  # as an earlier version left it
    activate(names)
    assert (mode(names.lock_home), mode(names.lock)) == (0o700, 0o600)


def test_a_dry_run_makes_no_lock(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, check=True)
    assert not os.path.lexists(names.lock_home)
    durable.make_dir(names.lock_home, 0o755)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, check=True)
    assert (mode(names.lock_home), os.listdir(names.lock_home)) == (0o755, [])


@pytest.mark.parametrize("what", ["file", "symlink"])
def test_something_else_in_the_locks_place_is_followed_or_named_without_a_next_step(
    names: Names, tmp_path: Path, what: str
) -> None:
    if what == "file":
        Path(names.lock_home).write_text("")
    else:
        (tmp_path / "elsewhere").mkdir()
        os.symlink(tmp_path / "elsewhere", names.lock_home)
    with pytest.raises(SwitchError, match="is not a directory") as refusal:
        activate(names)
    assert (refusal.value.code, Path(names.live).read_bytes()) == ("not_a_file", OLD)


def test_a_file_passes_for_the_directory_that_is_to_be_locked(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    with pytest.raises(SwitchError) as refusal, live.exclusive(Names(str(tmp_path / "file" / "x.npz"))):
        pass
    assert refusal.value.code == "no_directory"


def test_a_local_user_who_locks_the_directory_blocks_nobody(names: Names) -> None:
    directory = os.open(names.directory, os.O_RDONLY)
    try:
        fcntl.flock(directory, fcntl.LOCK_EX)
        activate(names)
    finally:
        os.close(directory)
    assert Path(names.live).read_bytes() == NEW


@as_root
def test_a_local_user_cannot_open_the_lock(names: Names, tmp_path: Path) -> None:
    activate(names)
    for place in (tmp_path, *tmp_path.parents):
        if str(place).startswith("/tmp/"):
            durable.chmod(str(place), 0o755)

    def stranger() -> str:
        os.setuid(STRANGER)
        try:
            os.open(names.lock, os.O_RDONLY)
        except PermissionError:
            return "refused"
        return "opened"

    assert in_fork(stranger) == (None, "refused")


@as_root
@pytest.mark.parametrize("what", ["lock_home", "lock"])
def test_another_users_lock_is_named(names: Names, what: str) -> None:
    os.mkdir(names.lock_home, 0o700)
    if what == "lock":
        Path(names.lock).touch()
    path = str(getattr(names, what))
    os.chown(path, STRANGER, STRANGER)
    with pytest.raises(SwitchError) as refusal:
        activate(names)
    assert refusal.value.code == "foreign_lock"
    assert f"{path} belongs to {STRANGER}" in refusal.value.message
    assert Path(names.live).read_bytes() == OLD


@pytest.mark.parametrize("what", ["lock_home", "lock"])
def test_a_symlink_in_the_locks_place_is_not_followed(names: Names, tmp_path: Path, what: str) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    if what == "lock":
        os.mkdir(names.lock_home, 0o700)
        elsewhere /= "file"
    os.symlink(elsewhere, getattr(names, what))
    with pytest.raises(SwitchError, match=r"\.survivor_npz"):
        activate(names)
    assert not list((tmp_path / "elsewhere").iterdir())
    assert Path(names.live).read_bytes() == OLD


def test_a_lock_file_that_was_made_anew_is_the_one_that_counts(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Opened, then deleted by somebody: whoever comes next would lock another file."""
    deleted: list[object] = []
    opened = live._open_lock

    def deletes(here: Names, create: bool) -> int | None:
        lock = opened(here, create)
        if not deleted:
            os.unlink(names.lock)
            deleted.append(lock)
        return lock

    monkeypatch.setattr(live, "_open_lock", deletes)
    with live.exclusive(names):
        other = os.open(names.lock, os.O_RDWR)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    assert deleted


def test_a_symlink_swapped_in_the_middle_redirects_nothing(names: Names, tmp_path: Path) -> None:
    """The live copy's directory is reached through a symlink; somebody turns it before the rename."""
    mine, other, way = tmp_path / "mine", tmp_path / "other", tmp_path / "way"
    for place in (mine, other):
        place.mkdir()
        for path in (names.live, names.staged(sha(NEW))):
            (place / os.path.basename(path)).write_bytes(Path(path).read_bytes())
    way.symlink_to(mine)

    def swap(when: str, what: str, path: str, _taken: object) -> None:
        if (when, what) == ("before", "rename") and path.endswith("/" + os.path.basename(names.live)):
            way.unlink()
            way.symlink_to(other)

    durable.observer = swap
    try:
        switch.activate(Names(str(way / os.path.basename(names.live))), sha(NEW), replaces=sha(OLD))
    finally:
        durable.observer = None
    assert (mine / os.path.basename(names.live)).read_bytes() == NEW
    assert (other / os.path.basename(names.live)).read_bytes() == OLD
    assert (other / os.path.basename(names.staged(sha(NEW)))).exists()


def test_a_message_names_the_directory_as_the_operator_does(names: Names) -> None:
    os.unlink(names.staged(sha(NEW)))
    with pytest.raises(SwitchError) as refusal:
        activate(names)
    assert names.staged(sha(NEW)) in refusal.value.message
    assert "/proc/" not in refusal.value.message


def test_who_waits_for_the_lock_uses_up_descriptors(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(live, "_PATIENCE_S", 0.1)
    with live.exclusive(names):
        before = len(os.listdir("/proc/self/fd"))
        with pytest.raises(SwitchError, match="has held this lock"):
            activate(names)
        assert len(os.listdir("/proc/self/fd")) == before
