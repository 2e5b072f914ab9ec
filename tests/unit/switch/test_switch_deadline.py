# SPDX-License-Identifier: MIT
"""Two controllers: after its permission ends one changes nothing more; the next waits for a late rename."""

from __future__ import annotations

import os
import time
from pathlib import Path
from typing import Any, Callable

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.boot import stamp
from ansible.module_utils.survivor_npz.common.digest import Digests, digests_of
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.look import live_copy
from ansible.module_utils.survivor_npz.look.host import look
from ansible.module_utils.survivor_npz.switch import live, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership
from module_run import fork
from test_switch import NEW, OLD, names, sha

__all__ = ["names"]


def until(seconds: float, **more: Any) -> dict[str, Any]:
    now = stamp()
    return {**now, "clock": now["clock"] + seconds, **more}


ENDED = [until(-1.0), until(1000.0, boot="another boot of this host")]
SAYS = "nothing live was changed here; run again"


@pytest.mark.parametrize("limit", ENDED)
@pytest.mark.parametrize("check", [True, False])
def test_a_controller_whose_permission_ended_does_not_switch(names: Names, limit: Any, check: bool) -> None:
    with pytest.raises(SwitchError, match=SAYS) as refusal:
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, valid_until=limit, check=check)
    assert refusal.value.code == "expired"
    assert Path(names.live).read_bytes() == OLD


@pytest.mark.parametrize("limit", ENDED)
def test_a_controller_whose_permission_ended_changes_nothing_else_either(names: Names, limit: Any) -> None:
    mtime, mode = os.lstat(names.live).st_mtime_ns, os.lstat(names.live).st_mode
    act: Callable[[], object]
    for act in (
        lambda: switch.activate(names, sha(OLD), replaces=sha(OLD), mtime_ns=7, valid_until=limit),
        lambda: switch.adjust(names, Ownership(mode=0o600), valid_until=limit),
    ):
        with pytest.raises(SwitchError) as refusal:
            act()
        assert refusal.value.code == "expired"
    assert (os.lstat(names.live).st_mtime_ns, os.lstat(names.live).st_mode) == (mtime, mode)
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, valid_until=until(1000.0))
    with pytest.raises(SwitchError, match=SAYS):
        switch.revert(names, sha(NEW), sha(OLD), sidecars=True, valid_until=limit)
    assert Path(names.live).read_bytes() == NEW
    # Nothing to change needs no permission.
    assert not switch.activate(names, sha(NEW), replaces=sha(NEW), valid_until=limit).changed


def test_a_permission_lasts_a_second_too_long() -> None:
    live.demand_permission(until(60.0))
    with pytest.raises(SwitchError, match=SAYS):
        live.demand_permission(until(-0.01))


def test_a_permission_that_ends_in_the_middle_stops_before_the_rename(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    limit, moments = until(1000.0), [0.0, 2000.0]
    monkeypatch.setattr(live, "stamp", lambda: {**limit, "clock": limit["clock"] - 1000 + moments.pop(0)})
    with pytest.raises(SwitchError, match=SAYS):
        switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True, valid_until=limit)
    assert moments == []
    assert Path(names.live).read_bytes() == OLD


def switching(names: Names, pause: float, replaces: str | None = sha(OLD)) -> tuple[int, int]:
    """A controller's process that passed its last check and pauses right before the rename."""

    def pauses() -> None:
        def observe(when: str, what: str, path: str, _taken: object) -> None:
            if (when, what, os.path.basename(path)) == ("before", "rename", os.path.basename(names.live)):
                Path(names.directory, "paused").touch()
                time.sleep(pause)

        durable.observer = observe
        switch.activate(names, sha(NEW), replaces=replaces, sidecars=True, valid_until=until(1000.0))

    found = fork(pauses)
    while not Path(names.directory, "paused").exists():
        time.sleep(0.005)
    return found


def settled(names: Names) -> dict[str, Any]:
    """The entry of a copy that need not be on the host, from a look that settles first."""
    found = look(names.directory, [], [names.live], settle=True)
    copy: dict[str, Any] = found["copies"][0]
    return copy


def test_a_late_rename_lands_before_the_look_that_settles(names: Names) -> None:
    pid, read = switching(names, 0.5)
    plain = look(names.directory, [names.live], [])["copies"][0]
    assert plain["sha256"] == sha(OLD), "the rename was still to come"
    assert settled(names)["sha256"] == sha(NEW)
    os.waitpid(pid, 0)
    os.close(read)


def test_a_copy_that_is_just_being_made_is_not_missing(names: Names) -> None:
    os.unlink(names.live)
    pid, read = switching(names, 0.5, replaces=None)
    found = settled(names)
    os.waitpid(pid, 0)
    os.close(read)
    assert (found["kind"], found["sha256"]) == ("file", sha(NEW))


@pytest.mark.parametrize("old", [OLD, None])
def test_a_copy_that_does_not_settle_proves_nothing(
    names: Names, monkeypatch: pytest.MonkeyPatch, old: bytes | None
) -> None:
    monkeypatch.setattr(live, "_PATIENCE_S", 0.1)
    if old is None:
        os.unlink(names.live)
    replaces = sha(old) if old else None
    pid, read = switching(names, 60, replaces)
    copy = settled(names)
    os.kill(pid, 9)
    os.waitpid(pid, 0)
    os.close(read)
    assert (copy["sha256"], copy["exists"]) == (None, True)
    assert names.lock in copy["error"]
    assert settled(names)["sha256"] == replaces, "a killed process holds no lock"


def test_to_settle_creates_nothing(names: Names, tmp_path: Path) -> None:
    before = sorted(tmp_path.rglob("*"))
    assert settled(names)["sha256"] == sha(OLD)
    gone = look(str(tmp_path / "gone"), ["x.npz"], [], settle=True)["copies"][0]
    assert (gone["kind"], gone.get("error")) == ("absent", None)
    assert sorted(tmp_path.rglob("*")) == before


def test_the_stamp_of_a_look_is_older_than_what_it_read(
    names: Names, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, read = stamp(), []

    def digests(path: str) -> Digests:
        read.append(stamp()["clock"])
        return digests_of(path)

    monkeypatch.setattr(live_copy, "digests_of", digests)
    found = look(names.directory, [names.live], [])["stamp"]
    assert found["boot"] == before["boot"]
    assert before["clock"] <= found["clock"] <= read[0]
