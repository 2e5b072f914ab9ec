# SPDX-License-Identifier: MIT
"""Who else could put a file of their own in the place of a copy: named before anything is staged there."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.look.directory import distrust, look_at_directory
from ansible.module_utils.survivor_npz.look.host import look

STRANGER, PARTNER = 54321, 54322
pytestmark = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give directories to other users")


@pytest.fixture
def shm(tmp_path: Path) -> Path:
    """A directory as /dev/shm is: root's, world-writable, sticky; in it what the pipeline makes."""
    place = tmp_path / "shm"
    place.mkdir()
    durable.chmod(str(place), 0o1777)
    (place / "prng" / "step2").mkdir(parents=True)
    return place


def look_at(directory: Path, **more: Any) -> dict[str, Any]:
    found = look(str(directory), ["survivors.npz"], [], **more)["copies"][0]["directory"]
    return dict(found)


def test_a_ram_disk_is_a_safe_place(shm: Path) -> None:
    for place in (shm, shm / "prng" / "step2", shm / "not" / "there"):
        found = look_at(place)
        assert (found["untrusted"], found["exposed"]) == ([], []), place
    for system in ("/dev/shm", "/tmp"):
        if os.path.isdir(system):
            assert distrust(system, {0}) == ([], [])


@pytest.mark.parametrize("below", ["prng/step2", "prng"])
def test_another_users_directory_on_the_way(shm: Path, below: str) -> None:
    if below == "prng":
        os.chown(shm / "prng" / "step2", PARTNER, PARTNER)
    os.chown(shm / below, STRANGER, STRANGER)
    found = look_at(shm / "prng" / "step2", login=str(PARTNER))
    (fault,) = found["untrusted"]
    assert fault.startswith(f"directory {shm / below} belongs to {STRANGER}")


def test_directories_of_those_who_run_it_are_safe(shm: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    place = shm / "prng" / "step2"
    os.chown(place, STRANGER, STRANGER)
    assert look_at(place)["untrusted"]
    assert not look_at(place, login=str(STRANGER))["untrusted"], "the user that Ansible logs in as"
    assert not look_at(place, accounts={"owner": str(STRANGER)})["untrusted"], "survivor_npz_owner"
    monkeypatch.setenv("SUDO_UID", str(STRANGER))
    assert not look_at(place)["untrusted"], "the user who became root"


def test_only_up_to_a_directory_of_roots(shm: Path) -> None:
    """What root put below another user's directory is root's to answer for."""
    os.chown(shm, STRANGER, STRANGER)
    assert look_at(shm / "prng" / "step2")["untrusted"] == []


def test_a_symlink_of_another_user_on_the_way(shm: Path, tmp_path: Path) -> None:
    """The attack that replaced other files of the operator: /dev/shm/prng/step2 was a symlink."""
    mine = tmp_path / "operators"
    mine.mkdir()
    link = shm / "prng" / "step3"
    link.symlink_to(mine)
    assert look_at(link)["untrusted"] == [], "root's own symlink"
    os.lchown(link, STRANGER, STRANGER)
    assert look_at(link, login=str(STRANGER))["untrusted"] == [], "one's own symlink"
    for place in (link, link / "below"):
        (fault,) = look_at(place)["untrusted"]
        assert fault.startswith(f"{link} is a symlink that belongs to {STRANGER}")
    outer = tmp_path / "outer"
    outer.symlink_to(link)
    (fault,) = look_at(outer)["untrusted"]
    assert fault.startswith(f"{link} is a symlink"), "also where one's own symlink leads to it"


def test_a_directory_without_the_right_to_write_or_to_enter_passes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for lacking in (os.W_OK, os.X_OK, 0):
        monkeypatch.setattr(os, "access", lambda _path, mode, lacking=lacking: not mode & lacking)
        assert look_at_directory(str(tmp_path))["writable"] is (lacking == 0)
    os.chown(tmp_path, STRANGER, 0)
    assert look_at_directory(str(tmp_path))["owner"] == str(STRANGER)


def test_what_is_no_directory_passes_for_one_with_room(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    found = look_at_directory(str(tmp_path / "file" / "below"))
    assert (found["in_the_way"], found["writable"], found["free"]) == (str(tmp_path / "file"), False, 0)


def test_a_loop_of_symlinks_is_in_the_way(tmp_path: Path) -> None:
    (tmp_path / "a").symlink_to("b")
    (tmp_path / "b").symlink_to("a")
    assert look_at(tmp_path / "a")["in_the_way"] == str(tmp_path / "a")


def test_a_world_writable_directory_needs_the_sticky_bit(shm: Path) -> None:
    place = shm / "prng" / "step2"
    durable.chmod(str(place), 0o777)
    (fault,) = look_at(place)["untrusted"]
    assert fault.startswith(f"directory {place} is world-writable")
    durable.chmod(str(place), 0o1777)
    assert look_at(place)["untrusted"] == []


def test_a_group_writable_directory_is_a_warning(shm: Path) -> None:
    place = shm / "prng" / "step2"
    os.chown(place, 0, PARTNER)
    durable.chmod(str(place), 0o775)
    found = look_at(place)
    assert found["untrusted"] == []
    (warning,) = found["exposed"]
    assert warning.startswith(f"directory {place} is group-writable: the members of {PARTNER}")
    assert found["mode"] == "0775"


def test_a_directory_to_be_made_is_judged_by_the_one_above_it(shm: Path) -> None:
    os.chown(shm / "prng", STRANGER, STRANGER)
    found = look_at_directory(str(shm / "prng" / "step3" / "new"), {0})
    assert not found["exists"]
    assert found["untrusted"][0].startswith(f"directory {shm / 'prng'} belongs to {STRANGER}")
