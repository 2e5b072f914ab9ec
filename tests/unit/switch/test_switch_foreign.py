# SPDX-License-Identifier: MIT
"""Another program's NPZ, sidecar or link in a switch, and who owns what."""

import os
from pathlib import Path
from typing import Callable
from unittest import mock

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch import leftovers, recover, switch
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, ownership_of
from test_switch import NEW, OLD, names, put_sidecar, sha

__all__ = ["names"]


def test_a_file_that_somebody_else_owns_is_copied_where_it_cannot_be_linked(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_args: object, **_kwargs: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", refuse)
    switch.activate(names, sha(NEW), replaces=sha(OLD))
    assert Path(names.previous).read_bytes() == OLD


def facts(path: str) -> tuple[int, int, int, int]:
    info = os.lstat(path)
    return info.st_uid, info.st_gid, info.st_mode & 0o7777, info.st_mtime_ns


@pytest.mark.parametrize("back", [False, True])
def test_the_old_converter_writes_in_place_and_spares_the_previous(names: Names, back: bool) -> None:
    """Whatever was done, no kept file is a second name of the live NPZ or of its sidecar."""
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    if back:
        switch.revert(names, sha(NEW), sha(OLD), sidecars=True)
    else:
        switch.stage_previous(names, sha(OLD), sidecars=True)
        switch.activate(names, sha(OLD), replaces=sha(NEW), sidecars=True, pin={"mtime_ns": 4})
    for path in (names.live, names.sidecar):
        assert os.lstat(path).st_nlink == 1, path
    with open(names.live, "r+b") as file:
        file.write(b"OVERWRITTEN")
    if not back:
        assert Path(names.previous).read_bytes() == NEW


FOREIGN = b'{"version": "3.1", "source_file": "bidirectional_survivors.json"}'


@pytest.mark.parametrize("foreign", [FOREIGN, b'{"npz_sha256": 5}'])
def test_another_programs_sidecar_follows_its_npz_and_comes_back(names: Names, foreign: bytes) -> None:
    Path(names.sidecar).write_bytes(foreign)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert sidecar_sha256(names.sidecar) == sha(NEW)
    assert Path(names.kept_sidecar(sha(OLD))).read_bytes() == foreign
    assert leftovers.leftovers(names) == [], "it belongs to the previous NPZ"
    switch.stage_previous(names, sha(OLD), sidecars=True)
    switch.activate(names, sha(OLD), replaces=sha(NEW), sidecars=True, pin={"mtime_ns": 4})
    assert Path(names.sidecar).read_bytes() == foreign
    assert sidecar_sha256(names.sidecar_previous) == sha(NEW)
    assert names.kept_sidecars() == {}


def test_another_programs_sidecar_comes_back_in_a_revert(names: Names) -> None:
    Path(names.sidecar).write_bytes(FOREIGN)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    switch.revert(names, sha(NEW), sha(OLD), sidecars=True)
    assert (Path(names.live).read_bytes(), Path(names.sidecar).read_bytes()) == (OLD, FOREIGN)
    assert names.kept_sidecars() == {}


def test_another_programs_sidecar_is_never_lent_to_another_npz(names: Names) -> None:
    Path(names.sidecar).write_bytes(FOREIGN)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    third = b"third"
    Path(names.staged(sha(third))).write_bytes(third)
    put_sidecar(names.pending(sha(third)), third)
    switch.activate(names, sha(third), replaces=sha(NEW), sidecars=True)
    assert names.kept_sidecars() == {}, "its NPZ is neither live nor the previous any more"
    assert sidecar_sha256(names.sidecar) == sha(third)


def test_the_mtime_of_a_file_behind_a_symlink_is_never_set(names: Names, tmp_path: Path) -> None:
    target = tmp_path / "accumulator.npz"
    os.rename(names.live, target)
    os.symlink(target, names.live)
    before = facts(str(target))
    act: Callable[[], object]
    for act in (
        lambda: switch.activate(names, sha(OLD), replaces=sha(OLD), sidecars=True, mtime_ns=7),
        lambda: switch.adjust(names, Ownership(mode=0o600)),
    ):
        with pytest.raises(SwitchError) as refusal:
            act()
        assert refusal.value.code == "symlink"
    assert facts(str(target)) == before


def test_owner_and_mode_are_right_from_the_moment_of_the_switch(names: Names) -> None:
    mine = (os.geteuid(), os.getegid())
    wanted = Ownership(54321, 54321, 0o640) if os.geteuid() == 0 else Ownership(*mine, 0o640)
    seen = []

    def watch(when: str, what: str, path: str, _taken: object) -> None:
        if (when, what, path.endswith("binary.npz")) == ("after", "rename", True):
            seen.append(facts(names.live))

    durable.observer = watch
    try:
        switch.activate(names, sha(NEW), replaces=sha(OLD), owned=wanted, mtime_ns=5)
    finally:
        durable.observer = None
    assert seen == [(*wanted, 5)]


def test_owner_and_mode_of_a_copy_with_the_right_bytes(names: Names) -> None:
    wanted = Ownership(mode=0o640)
    assert switch.adjust(names, wanted, check=True) == switch.Switch(True, sha(OLD), sha(OLD), None)
    assert facts(names.live)[2] != 0o640
    assert switch.adjust(names, wanted).changed
    assert facts(names.live)[2] == 0o640
    with mock.patch.object(durable, "chmod", side_effect=PermissionError("another user's file")):
        assert not switch.adjust(names, wanted).changed
        ended = {"boot": "another", "clock": 0.0}
        assert not switch.adjust(names, wanted, valid_until=ended).changed, "there is nothing to permit"
    os.unlink(names.live)
    with pytest.raises(SwitchError, match="is gone") as refusal:
        switch.adjust(names, wanted)
    assert refusal.value.code == "moved"


@pytest.mark.parametrize(
    ("given", "code"),
    [
        (("nosuchuser", "", ""), "no_account"),
        (("", "nosuchgroup", ""), "no_account"),
        (("", "", "u=rw"), "bad_mode"),
    ],
)
def test_an_owner_or_mode_that_cannot_be_given_is_named(given: tuple[str, str, str], code: str) -> None:
    with pytest.raises(SwitchError) as refusal:
        ownership_of(*given)
    assert refusal.value.code == code
    assert next(text for text in given if text) in refusal.value.message


@pytest.mark.parametrize("place", ["sidecar", "sidecar_previous", "pinned"])
def test_what_has_a_sidecars_name_stops_a_switch_in_its_middle(names: Names, place: str) -> None:
    path = Path(getattr(names, place))
    path.unlink(missing_ok=True)
    path.mkdir()
    with pytest.raises(SwitchError, match="not a regular file") as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert (refusal.value.code, Path(names.live).read_bytes()) == ("not_a_file", OLD)
    assert not os.path.exists(names.previous)
    assert switch.activate(names, sha(NEW), replaces=sha(OLD)).changed, "a rig has no sidecars"


def test_a_kept_sidecar_replaces_another_programs_newer_one(names: Names) -> None:
    Path(names.kept_sidecar(sha(OLD))).write_bytes(FOREIGN)
    Path(names.sidecar).write_bytes(b"{}")
    recover.recover(names, sidecars=True)
    assert Path(names.sidecar).read_bytes() == b"{}"


def test_a_sidecar_that_was_kept_for_the_live_npz_is_removed_or_takes_the_place_of_its_own(
    names: Names,
) -> None:
    os.unlink(names.pending(sha(NEW)))
    kept = Path(names.kept_sidecar(sha(OLD)))
    kept.write_bytes(FOREIGN)
    stray = Path(names.kept_sidecar(sha(b"gone")))
    stray.write_bytes(FOREIGN)
    assert leftovers.strays(names) == [str(stray)]
    put_sidecar(names.sidecar, OLD)
    assert not recover.recover(names, sidecars=True)
    assert (sidecar_sha256(names.sidecar), kept.read_bytes()) == (sha(OLD), FOREIGN)


def test_a_directory_with_a_kept_sidecars_name_becomes_the_sidecar(names: Names) -> None:
    os.unlink(names.pending(sha(NEW)))
    os.unlink(names.sidecar)
    os.mkdir(names.kept_sidecar(sha(OLD)))
    assert not recover.recover(names, sidecars=True)
    assert not os.path.exists(names.sidecar)


def test_another_programs_sidecar_without_an_npz_breaks_the_first_switch(names: Names) -> None:
    os.unlink(names.live)
    Path(names.sidecar).write_bytes(FOREIGN)
    switch.activate(names, sha(NEW), replaces=None, sidecars=True)
    assert sidecar_sha256(names.sidecar) == sha(NEW)
    assert names.kept_sidecars() == {}
