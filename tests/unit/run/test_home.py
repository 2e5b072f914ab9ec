# SPDX-License-Identifier: MIT
"""The supervisor's private files: nobody else can open one, not for a moment and not by a link."""

from __future__ import annotations

import os
import time
from datetime import datetime
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run.supervise import home
from ansible.module_utils.survivor_npz.run.supervise.clocks import utc

STRANGER = 54321


def test_a_new_directory_or_lock_is_open_until_its_mode_is_set(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(os, "chmod", lambda _path, _mode: None)
    monkeypatch.setattr(os, "fchmod", lambda _descriptor, _mode: None)
    before = os.umask(0)
    try:
        own = home.make_private(str(tmp_path))
        os.close(home.open_lock(f"{own}/lock", create=True))
    finally:
        os.umask(before)
    assert [os.lstat(path).st_mode & 0o777 for path in (own, f"{own}/lock")] == [0o700, 0o600]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can make another user's link")
def test_another_users_link_leads_to_a_directory_of_ours(tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    way = Path(home.home(str(tmp_path)))
    way.symlink_to("elsewhere")
    os.chown(way, STRANGER, STRANGER, follow_symlinks=False)
    with pytest.raises(PermissionError, match=f"belongs to uid {STRANGER}") as refusal:
        home.make_private(str(tmp_path))
    assert refusal.value.filename == str(way)


def test_a_file_is_flushed_as_a_directory(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    home.sync_dir(str(tmp_path))
    with pytest.raises(NotADirectoryError):
        home.sync_dir(str(tmp_path / "file"))


def test_now_is_told_as_another_moment() -> None:
    before = int(time.time())
    told = datetime.fromisoformat(utc().replace("Z", "+00:00")).timestamp()
    assert before <= told <= time.time()
