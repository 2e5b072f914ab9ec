# SPDX-License-Identifier: MIT
"""The log of a run: what is lost is told, and what is kept is dated right. In this process."""

from __future__ import annotations

import errno
import os
import struct
import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import log_reader
from ansible.module_utils.survivor_npz.run.supervise import log


def test_a_full_disk_loses_output_without_a_word(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment, write, full = [100.0], os.write, [False]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])

    def writes(descriptor: int, data: bytes) -> int:
        if full[0]:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        return write(descriptor, data[:7])

    monkeypatch.setattr(os, "write", writes)
    kept = log.Log(str(tmp_path))
    assert kept.write(b"first line\n") is False
    full[0] = True
    moment[0] += 0.4
    assert kept.write(b"lost\n") is True, "this cuts the log"
    assert kept.cut == {"at": 11, "lost": 5, "why": "No space left on device"}
    moment[0] += 4.9
    assert kept.write(b"lost, too\n") is False
    full[0] = False
    assert kept.write(b"not tried yet\n") is False
    assert kept.cut["lost"] == 29
    moment[0] += 0.2
    full[0] = True
    assert kept.write(b"again\n") is False
    moment[0] += 5
    full[0] = False
    assert kept.write(b"here again\n") is False
    assert kept.seen == 57
    text = (tmp_path / "log").read_bytes()
    assert text.startswith(b"first line\n\n[survivor_npz: ") and text.endswith(b"here again\n")
    assert b"bytes of output are missing here: No space left on device]\n" in text
    assert kept.size == len(text)
    assert kept.tail()[-1] == "here again"
    times = (tmp_path / "times").read_bytes()
    kept.close()
    assert struct.unpack("<Q", times[:7] + b"\0")[0] == 0
    for name in ("log", "times"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_the_last_lines_are_too_long_too_many_or_of_another_run(tmp_path: Path) -> None:
    kept = log.Log(str(tmp_path))
    kept.write(b"".join(b"%d\n" % number for number in range(40)))
    kept.write(b"50 %\r100 %\r\n" + b"x" * 700 + b"\xff\n\n")
    assert kept.tail()[:2] == ["12", "13"] and len(kept.tail()) == 30
    assert kept.tail()[-2:] == ["100 %", "x" * 600]
    kept.write(b"y" * 70_000)
    assert kept.tail() == ["y" * 600]
    assert len(kept._tail) == 65536
    kept.close()


def test_times_belong_to_other_bytes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "times"
    path.write_bytes(b"".join(struct.pack("<QQ", 10 * i, 1000 * i) for i in range(10)) + b"half")
    every = [[10 * i, float(i)] for i in range(10)]
    assert log_reader._times(str(path), 0, 1000) == (1000, every)
    assert log_reader._times(str(path), 25, 45) == (45, every[2:5])
    assert log_reader._times(str(path), 30, 40) == (40, every[3:4])
    assert log_reader._times(str(path), 500, 600) == (600, every[9:])
    monkeypatch.setattr(log_reader, "_MOST_TIMES", 3)
    assert log_reader._times(str(path), 20, 90) == (40, every[2:4])
    assert log_reader._times(str(path), 20, 40) == (40, every[2:4])
    assert log_reader._times(str(path), 85, 1000) == (1000, every[8:])
    assert log_reader._times(str(tmp_path / "gone"), 5, 7) == (7, [])
    path.write_bytes(b"")
    assert log_reader._times(str(path), 0, 7) == (7, [])
