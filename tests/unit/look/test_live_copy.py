# SPDX-License-Identifier: MIT
"""What a look says of a live file: the proof reads no more than this."""

from __future__ import annotations

import errno
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.look import live_copy
from ansible.module_utils.survivor_npz.look.live_copy import look_at_live
from ansible.module_utils.survivor_npz.switch.live import exclusive
from ansible.module_utils.survivor_npz.switch.names import Names
from test_copies import names, sha

__all__ = ["names"]


def look(names: Names) -> dict[str, Any]:
    return look_at_live(names.live, required=True)


def test_a_missing_file_says_more_than_that_it_is_missing(names: Names) -> None:
    os.unlink(names.live)
    found = look(names)
    assert found == {
        "path": names.live,
        "required": True,
        "kind": "absent",
        "sha256": None,
        "exists": False,
    }


@pytest.mark.parametrize(("user", "mine"), [(0, True), (54321, True), (54322, False)])
def test_a_file_of_another_user_passes_for_ones_own(
    monkeypatch: pytest.MonkeyPatch, user: int, mine: bool
) -> None:
    monkeypatch.setattr(os, "geteuid", lambda: user)
    info = os.stat_result((0o100644, 1, 1, 1, 54321, 54321, 0, 0, 0, 0))
    assert live_copy.attributes(info)["mine"] is mine


def test_a_look_waits_for_a_switch_where_nobody_asks_it_to(names: Names) -> None:
    with exclusive(names):
        assert look(names)["sha256"] == sha(names.live)


@pytest.mark.parametrize("kind", ["symlink", "fifo", "under a file", "loop"])
def test_what_is_no_file_is_read_or_called_absent(names: Names, tmp_path: Path, kind: str) -> None:
    target = tmp_path / "target.npz"
    os.rename(names.live, target)
    if kind == "symlink":
        os.symlink(target, names.live)
        found = look(names)
        assert (found["kind"], found["target"], found["sha256"]) == ("symlink", str(target), sha(str(target)))
    elif kind == "fifo":
        os.mkfifo(names.live)
        found = look(names)
        assert (found["kind"], found["exists"], found["sha256"]) == ("other", True, None)
        assert "error" not in found
    elif kind == "under a file":
        found = look_at_live(f"{target}/x.npz", required=False)
        assert (found["kind"], found["exists"], found["required"]) == ("absent", False, False)
    else:
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        found = look_at_live(f"{loop}/x.npz", required=True)
        assert (found["kind"], found["exists"], found["sha256"]) == ("other", True, None)
        assert found["error"] == f"{loop}/x.npz: {os.strerror(errno.ELOOP)}"


def test_a_copy_that_cannot_be_read_has_no_reason(names: Names, monkeypatch: pytest.MonkeyPatch) -> None:
    def fails(path: str) -> Any:
        raise OSError(errno.EIO, os.strerror(errno.EIO), path)

    monkeypatch.setattr(live_copy, "digests_of", fails)
    found = look(names)
    assert (found["error"], found["sha256"]) == (f"{names.live}: Input/output error", None)
    assert live_copy._reason(OSError("odd")) == "odd"
