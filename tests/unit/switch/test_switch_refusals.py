# SPDX-License-Identifier: MIT
"""What a switch checks, and what it must leave alone, where nothing else would notice that it did not."""

from __future__ import annotations

import calendar
import errno
import fcntl
import json
import os
import re
import time
from pathlib import Path
from typing import Iterator
from unittest import mock

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch import cleanup, leftovers, live, recover, switch
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, differs, ownership_of
from ansible.module_utils.survivor_npz.switch.pin import is_pinned, read_pin, settle_pin, write_pin
from test_switch import NEW, OLD, names, put_sidecar, sha
from test_switch_foreign import FOREIGN

__all__ = ["names"]
as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can give files away")


def activate(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)


@pytest.fixture(autouse=True)
def no_descriptor_is_left_open() -> Iterator[None]:
    before = len(os.listdir("/proc/self/fd"))
    yield
    assert len(os.listdir("/proc/self/fd")) <= before


def test_a_revert_brings_back_bytes_that_never_were_live(names: Names) -> None:
    activate(names)
    Path(names.previous).write_bytes(b"rotten")
    with pytest.raises(SwitchError, match=r"step25\.yml") as refusal:
        switch.revert(names, sha(NEW), sha(OLD), sidecars=True)
    assert refusal.value.code == "no_previous"
    assert Path(names.live).read_bytes() == NEW
    os.unlink(names.previous)
    with pytest.raises(SwitchError) as refusal:
        switch.revert(names, sha(NEW), sha(OLD), sidecars=True)
    assert refusal.value.code == "no_previous"


def test_a_switch_on_a_rig_takes_a_sidecar_that_is_not_ours(names: Names) -> None:
    Path(names.sidecar).write_bytes(FOREIGN)
    switch.activate(names, sha(NEW), replaces=sha(OLD))
    assert names.kept_sidecars() == {}
    put_sidecar(names.sidecar, b"another")
    switch.revert(names, sha(NEW), sha(OLD))
    assert sidecar_sha256(names.sidecar) == sha(b"another")


def test_a_dry_run_completes_what_another_run_began(names: Names) -> None:
    outgoing = names.outgoing(sha(OLD))
    os.link(names.live, outgoing)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, check=True)
    switch.revert(names, sha(NEW), sha(OLD), sidecars=True, check=True)
    assert os.path.exists(outgoing)
    Path(names.staged(sha(NEW))).replace(names.live)
    assert switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True) == switch.Switch(
        False, sha(NEW), sha(NEW), None
    )
    assert not os.path.exists(outgoing)
    assert Path(names.previous).read_bytes() == OLD
    assert sidecar_sha256(names.sidecar) == sha(NEW)


def test_a_switch_that_was_broken_off_on_a_rig_passes_for_whole(names: Names) -> None:
    os.unlink(names.pending(sha(NEW)))
    os.link(names.live, names.outgoing(sha(OLD)))
    os.replace(names.staged(sha(NEW)), names.live)
    assert recover.recover(names, sidecars=True)
    assert not recover.recover(names, sidecars=False)


def test_a_rollback_is_converted_away_after_a_crash_before_its_pin(names: Names) -> None:
    renamed: list[str] = []
    durable.observer = lambda when, what, path, _taken: (
        renamed.append(os.path.basename(path)) if (when, what) == ("after", "rename") else None
    )
    try:
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, pin={"mtime_ns": 4})
    finally:
        durable.observer = None
    assert renamed.index(os.path.basename(names.pinned)) < renamed.index(names.name)


@pytest.mark.parametrize(("given", "kind"), [(("nobody-here", ""), "user"), (("", "nobody-here"), "group")])
def test_a_group_that_is_missing_is_called_a_user(given: tuple[str, str], kind: str) -> None:
    with pytest.raises(SwitchError, match=f"no {kind} nobody-here here"):
        ownership_of(*given, "0644")


def test_a_refusal_of_the_system_passes_for_a_switch(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(path: str, _mode: int) -> None:
        raise PermissionError(errno.EPERM, "Operation not permitted", path)

    monkeypatch.setattr(durable, "chmod", refuse)
    durable.make_dir(names.lock_home, 0o700)
    with pytest.raises(SwitchError, match="Operation not permitted") as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), owned=Ownership(mode=0o640))
    assert (refusal.value.code, "[Errno" in refusal.value.message) == ("system", False)
    assert Path(names.live).read_bytes() == OLD
    with pytest.raises(SwitchError) as refusal:
        switch.adjust(names, Ownership(mode=0o640))
    assert refusal.value.code == "system"
    monkeypatch.setattr(live, "_take_lock", mock.Mock(side_effect=OSError("a reason of its own")))
    with pytest.raises(SwitchError, match=r"\.npz: a reason of its own"):
        switch.adjust(names, Ownership(mode=0o640))


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EIO])
def test_a_lock_that_cannot_be_taken_passes_for_taken(
    names: Names, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def refuse(_lock: int, _how: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr(fcntl, "flock", refuse)
    with pytest.raises(SwitchError, match=os.strerror(number)) as refusal:
        activate(names)
    assert refusal.value.code == "system"
    assert Path(names.live).read_bytes() == OLD


def test_a_place_for_the_lock_that_vanishes_means_no_lock(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(durable, "make_dir", lambda _path, _mode: None)
    with pytest.raises(SwitchError) as refusal:
        activate(names)
    assert refusal.value.code == "system"
    assert Path(names.live).read_bytes() == OLD


@as_root
@pytest.mark.parametrize("what", ["lock_home", "lock"])
def test_another_users_lock_stays_open(names: Names, what: str) -> None:
    os.mkdir(names.lock_home, 0o700)
    Path(names.lock).touch()
    os.chown(getattr(names, what), 54321, 54321)
    with pytest.raises(SwitchError):
        activate(names)


def test_a_lock_that_is_private_is_made_so_again(names: Names) -> None:
    activate(names)
    steps: list[str] = []
    durable.observer = lambda _when, what, _path, _taken: steps.append(what)
    try:
        assert not switch.activate(names, sha(NEW), replaces=sha(NEW), sidecars=True).changed
    finally:
        durable.observer = None
    assert steps == ["unlink", "unlink"], "what is right is left alone but for a second staged file"


def test_the_end_of_a_permission_is_told_as_another_time(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = stamp()
    with pytest.raises(SwitchError) as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), valid_until={**now, "clock": now["clock"] - 3600})
    told = re.search(r"ended at (\S+ \S+) UTC", refusal.value.message)
    assert told
    ended = calendar.timegm(time.strptime(told.group(1), "%Y-%m-%d %H:%M:%S"))
    assert abs(time.time() - 3600 - ended) < 60
    with pytest.raises(SwitchError, match="when this host restarted"):
        live.demand_permission({"boot": "another", "clock": now["clock"] + 3600})
    monkeypatch.setattr(live, "stamp", lambda: now)
    live.demand_permission({**now, "clock": now["clock"] + 0.5})
    live.demand_permission(now)


def test_a_file_of_the_same_process_is_in_the_way(names: Names) -> None:
    """What a failed step of this very process left, and a rename that does nothing."""
    outgoing = names.outgoing(sha(OLD))
    Path(Names.temp(outgoing)).write_bytes(b"half")
    live.put(durable.link, names.live, outgoing)
    live.put(durable.link, names.live, outgoing)
    assert os.path.samefile(names.live, outgoing)
    assert names.temp_files() == []


def test_a_folder_that_cannot_be_listed_passes_for_empty(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fails(path: str) -> list[str]:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    assert Names("/nowhere/x.npz").staged_files() == {}
    assert cleanup.clean(Names("/nowhere/x.npz"), sidecars=False) == []
    monkeypatch.setattr(os, "listdir", fails)
    with pytest.raises(OSError, match="Input/output"):
        names.staged_files()


def test_a_file_that_its_writer_has_just_renamed_is_abandoned(names: Names) -> None:
    path = f"{names.directory}/.x.tmp.{os.getppid()}"
    assert not leftovers._is_abandoned(path, os.getppid())
    Path(path).write_bytes(b"x")
    assert not leftovers._is_abandoned(path, os.getppid())
    assert leftovers._is_abandoned(path, os.getpid())


def test_a_file_of_another_process_that_had_this_pid(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    path = f"{names.directory}/.x.tmp.{os.getppid()}"
    Path(path).write_bytes(b"x")
    changed = os.lstat(path).st_ctime
    for later, abandoned in ((3.0, True), (2.0, False), (1.0, False), (-5.0, False)):
        monkeypatch.setattr(leftovers, "started_at", lambda _pid, at=changed + later: at)
        assert leftovers._is_abandoned(path, os.getppid()) is abandoned


def test_a_rollback_that_a_power_cut_broke_off_loses_a_sidecar(names: Names) -> None:
    """NPZs were exchanged, sidecars were not, and the pending one is gone."""
    os.unlink(names.pending(sha(NEW)))
    os.replace(names.staged(sha(NEW)), names.previous)
    put_sidecar(names.sidecar, NEW)
    put_sidecar(names.sidecar_previous, OLD)
    assert recover.recover(names, sidecars=True)
    assert (sidecar_sha256(names.sidecar), sidecar_sha256(names.sidecar_previous)) == (sha(OLD), sha(NEW))
    assert names.pending_files() == {}
    assert not recover.recover(names, sidecars=True)


def test_a_pin_that_only_defers_a_conversion_passes_for_a_rollback(names: Names) -> None:
    source = {"path": "/x.json", "size": 3, "mtime_ns": 4}
    deferred = {**source, "unconverted": True}
    assert settle_pin(names, sha(OLD), deferred, check=True)
    assert read_pin(names) == {}
    assert settle_pin(names, sha(OLD), deferred)
    content = {"sha256": sha(OLD), "source": source, "unconverted": True}
    assert json.loads(Path(names.pinned).read_text()) == read_pin(names) == content
    assert not is_pinned(names, sha(OLD), (3, 4))
    assert not settle_pin(names, sha(OLD), deferred)
    write_pin(names, sha(OLD), source)
    assert is_pinned(names, sha(OLD), (3, 4))
    assert not settle_pin(names, sha(OLD), deferred), "it never replaces a rollback's in force"
    assert not is_pinned(names, sha(OLD), (3, 5))
    assert not is_pinned(names, sha(NEW), (3, 4))
    assert settle_pin(names, sha(OLD), {**deferred, "size": 5})
    assert settle_pin(names, sha(OLD), None, check=True)
    assert os.path.exists(names.pinned)
    assert settle_pin(names, sha(OLD), None)
    assert not settle_pin(names, sha(OLD), None)


@as_root
@pytest.mark.parametrize("wanted", [Ownership(uid=0), Ownership(gid=0), Ownership(mode=0o640)])
def test_another_owner_group_or_mode_passes_for_the_wanted_one(names: Names, wanted: Ownership) -> None:
    os.chown(names.live, 54321, 54321)
    assert differs(names.live, wanted)
    assert switch.adjust(names, wanted).changed
    assert not differs(names.live, wanted)
    info = os.lstat(names.live)
    assert (info.st_uid, info.st_gid).count(54321) == 1 + (wanted.mode != -1)


@pytest.mark.parametrize("change", ["adjust", "activate"])
def test_an_owner_or_mtime_is_lost_in_a_power_cut(names: Names, change: str) -> None:
    steps: list[tuple[str, str]] = []
    durable.observer = lambda when, what, path, _taken: (
        steps.append((what, os.path.basename(path))) if when == "after" else None
    )
    try:
        if change == "adjust":
            switch.adjust(names, Ownership(mode=0o640))
        else:
            switch.activate(names, sha(NEW), replaces=sha(OLD), owned=Ownership(mode=0o640), mtime_ns=5)
    finally:
        durable.observer = None
    name = os.path.basename(names.live if change == "adjust" else names.staged(sha(NEW)))
    chmod = steps.index(("chmod", name))
    flushed = steps.index(("fsync", name), chmod)
    if change == "activate":
        assert steps.index(("utime", name)) < flushed
        renamed = steps.index(("rename", names.name))
        assert flushed < renamed
        assert steps[renamed + 1][0] == "fsync_dir", "the old file may lose its other name only after that"
