# SPDX-License-Identifier: MIT
"""Small things on which every switch rests: names beside a copy, what was asked for, what is left as it is."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, ownership_of
from ansible.module_utils.survivor_npz.switch.pin import settle_pin
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
