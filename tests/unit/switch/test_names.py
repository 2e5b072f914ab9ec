# SPDX-License-Identifier: MIT
"""Small things on which every switch rests: names beside a copy, what was asked for, what is left as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.switch import recover, switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, ownership_of
from ansible.module_utils.survivor_npz.switch.pin import read_pin, settle_pin
from test_switch import NEW, OLD, names, sha

__all__ = ["names"]


@pytest.mark.parametrize(("live", "sidecar"), [("/d/x.npz", "x.meta.json"), ("/d/x.np", "x.np.meta.json")])
def test_a_sidecar_has_another_programs_name(live: str, sidecar: str) -> None:
    names = Names(live)
    assert (names.sidecar, names.sidecar_previous) == (f"/d/{sidecar}", f"/d/.{sidecar}.previous")
    with pytest.raises(ValueError, match="must be absolute"):
        Names("x.npz")


def test_two_versions_do_not_find_each_others_files_and_locks() -> None:
    names, sha256 = Names("/d/x.npz"), "0123456789abcdef" * 4
    assert [names.lock, names.previous, names.pinned] == [
        "/d/.survivor_npz/switch.lock",
        "/d/.x.npz.previous",
        "/d/.x.meta.json.pinned",
    ]
    assert [getattr(names, name)(sha256) for name in ("staged", "outgoing", "pending", "kept_sidecar")] == [
        "/d/.x.npz.0123456789abcdef.staged",
        "/d/.x.npz.0123456789abcdef.outgoing",
        "/d/.x.meta.json.0123456789abcdef.pending",
        "/d/.x.meta.json.0123456789abcdef.previous",
    ]


def test_what_nobody_asked_for_is_given() -> None:
    assert ownership_of(None, "", None) == ownership_of("", None, "") == Ownership(-1, -1, -1)
    assert ownership_of("5", "6", "0640") == Ownership(5, 6, 0o640)


def test_a_file_is_flushed_as_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    durable.sync_dir(str(tmp_path))
    with pytest.raises(NotADirectoryError):
        durable.sync_dir(str(tmp_path / "file"))


def test_what_is_staged_already_needs_a_previous_file(names: Names) -> None:
    assert switch.stage_previous(names, sha(NEW), sidecars=True) == switch.Switch(
        False, sha(OLD), sha(OLD), sha(NEW)
    )
    assert not switch.stage_previous(names, sha(OLD), sidecars=False).changed, "it is live"


def test_a_pin_that_is_right_is_written_again(names: Names) -> None:
    pin = {"path": "/x.json", "size": 3, "mtime_ns": 4}
    assert settle_pin(names, sha(OLD), pin)
    before = os.lstat(names.pinned)
    assert not settle_pin(names, sha(OLD), pin)
    assert os.lstat(names.pinned) == before


def test_a_pin_that_was_left_half_written_stops_the_next(names: Names) -> None:
    Path(Names.temp(names.pinned)).write_text("half")
    pin = {"path": "/x.json", "size": 3, "mtime_ns": 4}
    assert settle_pin(names, sha(OLD), pin)
    assert read_pin(names) == {"sha256": sha(OLD), "source": pin}


def test_a_pin_outlives_the_run_that_wants_the_same_bytes_unpinned(names: Names) -> None:
    pin = {"path": "/x.json", "size": 3, "mtime_ns": 4}
    assert switch.activate(names, sha(OLD), replaces=sha(OLD), sidecars=True, pin=pin, mtime_ns=7).changed
    assert read_pin(names) == {"sha256": sha(OLD), "source": pin}
    assert not switch.activate(names, sha(OLD), replaces=sha(OLD), sidecars=True, mtime_ns=7).changed
    assert read_pin(names), "a call that only sets the mtime leaves it"
    assert switch.activate(names, sha(OLD), replaces=sha(OLD), sidecars=True).changed
    assert read_pin(names) == {}


def test_what_is_no_pin_passes_for_one(names: Names) -> None:
    for text in ("{}", '{"sha256": "x"}', '{"source": 5}', "[1]", "no JSON"):
        Path(names.pinned).write_text(text)
        assert read_pin(names) == {}


def test_a_file_that_was_put_aside_becomes_the_previous_although_it_holds_other_bytes(names: Names) -> None:
    broken = Path(names.outgoing(sha(b"gone")))
    broken.write_bytes(b"half")
    os.link(names.live, names.outgoing(sha(OLD)))
    assert recover.recover(names, sidecars=False)
    assert names.outgoing_files() == {}
    assert not os.path.exists(names.previous)


def test_what_a_crash_left_is_not_seen(names: Names) -> None:
    os.unlink(names.staged(sha(NEW)))
    Path(names.sidecar).write_text("{}")
    assert recover.is_unfinished(names), "a pending sidecar"
    os.unlink(names.pending(sha(NEW)))
    assert not recover.is_unfinished(names)
    os.link(names.live, names.outgoing(sha(OLD)))
    assert recover.is_unfinished(names)
    os.rename(names.outgoing(sha(OLD)), names.directory + "/elsewhere")
    os.unlink(names.sidecar)
    assert recover.is_unfinished(names), "the sidecar is gone"
    os.unlink(names.live)
    assert not recover.is_unfinished(names), "there is no NPZ"
    os.symlink("elsewhere", names.live)
    assert not recover.is_unfinished(names), "another program's link"
