# SPDX-License-Identifier: MIT
"""The atomic switch of one live copy: every refusal, every way back."""

import hashlib
import json
import os
import shutil
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch import cleanup, leftovers, recover, switch
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import is_pinned, write_pin

OLD, NEW = b"old bytes", b"new bytes"


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def put_sidecar(path: str, data: bytes) -> None:
    Path(path).write_text(json.dumps({"npz_sha256": sha(data)}))


@pytest.fixture
def names(tmp_path: Path) -> Names:
    names = Names(str(tmp_path / "bidirectional_survivors_binary.npz"))
    Path(names.live).write_bytes(OLD)
    put_sidecar(names.sidecar, OLD)
    Path(names.staged(sha(NEW))).write_bytes(NEW)
    put_sidecar(names.pending(sha(NEW)), NEW)
    return names


def test_activation_keeps_the_way_back(names: Names) -> None:
    done = switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert done == switch.Switch(True, sha(OLD), sha(NEW), sha(OLD))
    assert Path(names.live).read_bytes() == NEW
    assert Path(names.previous).read_bytes() == OLD
    assert sidecar_sha256(names.sidecar) == sha(NEW)
    assert sidecar_sha256(names.sidecar_previous) == sha(OLD)
    assert leftovers.leftovers(names) == []


def test_second_activation_changes_nothing(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    before = {path: os.lstat(os.path.join(names.directory, path)) for path in os.listdir(names.directory)}
    assert not switch.activate(names, sha(NEW), replaces=sha(NEW), sidecars=True).changed
    after = {path: os.lstat(os.path.join(names.directory, path)) for path in os.listdir(names.directory)}
    assert {k: (v.st_ino, v.st_mtime_ns) for k, v in before.items()} == {
        k: (v.st_ino, v.st_mtime_ns) for k, v in after.items()
    }


def test_dry_run_writes_nothing_and_needs_no_staged_file(names: Names) -> None:
    os.unlink(names.staged(sha(NEW)))
    listing = sorted(os.listdir(names.directory))
    assert switch.activate(names, sha(NEW), replaces=sha(OLD), check=True).changed
    assert sorted(os.listdir(names.directory)) == listing
    assert Path(names.live).read_bytes() == OLD


def test_two_controllers_cannot_interleave(names: Names) -> None:
    Path(names.live).write_bytes(b"someone else's")
    with pytest.raises(SwitchError, match="changed since this run looked") as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD))
    assert refusal.value.code == "moved"
    assert Path(names.live).read_bytes() == b"someone else's"


@pytest.mark.parametrize(
    ("damage", "code"),
    [
        (lambda names: os.unlink(names.staged(sha(NEW))), "not_staged"),
        (lambda names: Path(names.staged(sha(NEW))).write_bytes(b"half"), "corrupt"),
    ],
)
def test_a_staged_file_is_believed_by_checksum_only(names: Names, damage: Any, code: str) -> None:
    damage(names)
    with pytest.raises(SwitchError) as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert refusal.value.code == code
    assert Path(names.live).read_bytes() == OLD
    assert not os.path.exists(names.previous)


def test_an_owned_symlink_is_never_replaced(names: Names, tmp_path: Path) -> None:
    target = tmp_path / "accumulator.npz"
    os.rename(names.live, target)
    os.symlink(target, names.live)
    with pytest.raises(SwitchError, match="survivor_npz_convert: never") as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD))
    assert refusal.value.code == "symlink"
    assert os.path.islink(names.live)


def test_a_directory_at_the_destination_is_refused(names: Names) -> None:
    os.unlink(names.live)
    os.mkdir(names.live)
    with pytest.raises(SwitchError, match="not a regular file") as refusal:
        switch.activate(names, sha(NEW), replaces=None)
    assert refusal.value.code == "not_a_file"


def test_a_missing_directory_is_named(tmp_path: Path) -> None:
    names = Names(str(tmp_path / "nowhere" / "x.npz"))
    with pytest.raises(SwitchError, match=r"nowhere.*Create the directory"):
        switch.activate(names, sha(NEW), replaces=None)


def test_the_first_activation_goes_back_to_no_file(names: Names) -> None:
    os.unlink(names.live)
    os.unlink(names.sidecar)
    switch.activate(names, sha(NEW), replaces=None, sidecars=True)
    assert switch.revert(names, sha(NEW), None, sidecars=True).changed
    assert not os.path.exists(names.live)
    assert not os.path.exists(names.sidecar)


def test_a_revert_finds_no_way_back_after_a_crash_in_the_switch(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD))
    os.rename(names.previous, names.outgoing(sha(OLD)))
    switch.revert(names, sha(NEW), sha(OLD))
    assert Path(names.live).read_bytes() == OLD


def test_an_older_previous_file_keeps_a_revert_from_no_file(names: Names) -> None:
    os.rename(names.live, names.previous)
    switch.activate(names, sha(NEW), replaces=None)
    assert switch.revert(names, sha(NEW), None).after is None
    assert not os.path.exists(names.live) and Path(names.previous).read_bytes() == OLD


def test_a_revert_brings_back_file_and_sidecar(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    shutil.rmtree(names.lock_home)
    assert switch.revert(names, sha(NEW), sha(OLD), sidecars=True, check=True).changed
    assert Path(names.live).read_bytes() == NEW
    assert not os.path.exists(names.lock_home), "a dry run"
    assert switch.revert(names, sha(NEW), sha(OLD), sidecars=True).changed
    assert Path(names.live).read_bytes() == OLD
    assert sidecar_sha256(names.sidecar) == sha(OLD)
    assert os.path.exists(names.lock)
    assert not switch.revert(names, sha(NEW), sha(OLD), sidecars=True).changed
    assert not os.path.exists(names.previous), "the previous file itself went back"


def test_a_revert_never_undoes_another_controllers_switch(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD))
    Path(names.live).write_bytes(b"third")
    with pytest.raises(SwitchError) as refusal:
        switch.revert(names, sha(NEW), sha(OLD))
    assert refusal.value.code == "moved"


def test_rollback_stages_the_previous_file_and_pins_it(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert switch.stage_previous(names, sha(OLD), sidecars=True).changed
    assert not switch.stage_previous(names, sha(OLD), sidecars=True).changed
    for path in (names.previous, names.sidecar_previous):
        assert os.lstat(path).st_nlink == 1, "a switch that is refused leaves it as it was"
    source = {"path": "/x.json", "size": 3, "mtime_ns": 4}
    switch.activate(names, sha(OLD), replaces=sha(NEW), sidecars=True, pin=source)
    assert Path(names.live).read_bytes() == OLD
    assert Path(names.previous).read_bytes() == NEW
    assert sidecar_sha256(names.sidecar) == sha(OLD)
    assert json.loads(Path(names.pinned).read_text()) == {"sha256": sha(OLD), "source": source}
    assert leftovers.leftovers(names) == []
    assert os.lstat(names.live).st_mtime_ns == source["mtime_ns"], "the script's -nt would convert"


def test_the_next_activation_ends_the_pin(names: Names) -> None:
    write_pin(names, sha(OLD), {})
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)
    assert not os.path.exists(names.pinned)


def test_a_previous_file_of_other_bytes_is_no_way_back(names: Names) -> None:
    Path(names.previous).write_bytes(b"rotten")
    with pytest.raises(SwitchError) as refusal:
        switch.stage_previous(names, sha(b"what it should hold"), sidecars=False)
    assert refusal.value.code == "no_previous"


def test_a_pending_sidecar_of_the_live_file_rolls_forward(names: Names) -> None:
    os.replace(names.staged(sha(NEW)), names.live)
    assert recover.recover(names, sidecars=True)
    assert sidecar_sha256(names.sidecar) == sha(NEW)
    assert not recover.recover(names, sidecars=True)


def test_clean_removes_only_what_dead_runs_left(names: Names) -> None:
    dead = f"{names.directory}/.{os.path.basename(names.live)}.tmp.4194305"
    mine = f"{names.directory}/.{os.path.basename(names.live)}.tmp.{os.getppid()}"
    copied = f"{names.directory}/.ansible_tmp8x{os.path.basename(names.staged(sha(NEW)))}"
    stranger = f"{names.directory}/other.npz.tmp.4194305"
    for path in (dead, mine, copied, stranger):
        Path(path).write_bytes(b"x")
    assert cleanup.clean(names, keep={sha(NEW)}, sidecars=False) == [dead, copied]
    assert cleanup.clean(names, sidecars=False) == [names.staged(sha(NEW)), names.pending(sha(NEW))]
    assert os.path.exists(mine)
    assert os.path.exists(stranger)


def test_a_half_written_file_never_stays_when_the_disk_is_full(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(_fd: int) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OSError, match="No space"):
        durable.write_file(names.pinned, b"x")
    assert not os.path.exists(names.pinned)


def test_a_call_that_only_sets_the_mtime_says_so_and_leaves_the_pin(names: Names) -> None:
    write_pin(names, sha(OLD), {"mtime_ns": 4})
    more: dict[str, Any] = {"replaces": sha(OLD), "sidecars": True, "mtime_ns": 1_700_000_000_000_000_007}
    before = os.lstat(names.live).st_mtime_ns
    assert switch.activate(names, sha(OLD), **more, check=True).changed
    assert os.lstat(names.live).st_mtime_ns == before
    assert switch.activate(names, sha(OLD), **more).changed
    assert os.lstat(names.live).st_mtime_ns == more["mtime_ns"]
    assert not switch.activate(names, sha(OLD), **more, check=True).changed
    assert not switch.activate(names, sha(OLD), **more).changed
    assert is_pinned(names, sha(OLD), (None, 4))
