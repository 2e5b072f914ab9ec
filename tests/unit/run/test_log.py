# SPDX-License-Identifier: MIT
"""The log of a run: what is lost is told, and what is kept is dated right. In this process."""

from __future__ import annotations

import base64
import errno
import json
import os
import struct
import time
from pathlib import Path
from types import SimpleNamespace

import pytest
from ansible.module_utils.survivor_npz.common.boot import boot_id
from ansible.module_utils.survivor_npz.run import log_reader
from ansible.module_utils.survivor_npz.run.supervise import log
from ansible.module_utils.survivor_npz.run.supervise.processes import look_at
from ansible.module_utils.survivor_npz.run.supervise.run import Run


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
    assert kept.cut["lost"] == 35, "of the output: what the log says of it is none"
    assert kept.write(b"here again\n") is False
    assert kept.write(b"and again\n") is False
    assert kept.seen == 67
    text = (tmp_path / "log").read_bytes()
    notice = b"\n[survivor_npz: 35 bytes of output are missing here: No space left on device]\n"
    assert text == b"first line\n" + notice + b"here again\nand again\n", "it says so once"
    assert kept.size == len(text)
    assert kept.tail()[-1] == "and again"
    full[0] = True
    moment[0] += 1
    assert kept.write(b"more\n") is False, "the log was cut before"
    full[0] = False
    moment[0] += 5
    assert kept.write(b"end\n") is False
    assert (tmp_path / "log").read_bytes().endswith(notice.replace(b"35", b"5") + b"end\n")
    assert kept.cut == {"at": 11, "lost": 40, "why": "No space left on device"}
    times = (tmp_path / "times").read_bytes()
    kept.close()
    for descriptor in (kept._log, kept._times):
        with pytest.raises(OSError, match="Bad file descriptor"):
            os.fstat(descriptor)
    assert struct.unpack("<Q", times[:7] + b"\0")[0] == 0
    for name in ("log", "times"):
        assert (tmp_path / name).stat().st_mode & 0o777 == 0o600


def test_a_disk_that_fills_up_within_a_line_has_a_wrong_count_of_what_is_missing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write, moment, free = os.write, [100.0], [1000]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])

    def writes(descriptor: int, data: bytes) -> int:
        if not free[0]:
            raise OSError(errno.EDQUOT, "Disk quota exceeded")
        done = write(descriptor, data[: free[0]])
        free[0] -= done if descriptor == kept._log else 0
        return done

    kept = log.Log(str(tmp_path))
    monkeypatch.setattr(os, "write", writes)
    notice = "\n[survivor_npz: {} bytes of output are missing here: Disk quota exceeded]\n"
    said, told = [], [(4, "0123456789"), (5, "abcdef"), (len(notice.format(12)) + 3, "ghijkl"), (1000, "end")]
    for free[0], text in told:
        said.append(kept.write(text.encode()))
        moment[0] += 5
    kept.close()
    assert said == [True, False, False, False]
    assert (tmp_path / "log").read_text() == (
        "0123" + notice.format(12)[:5] + notice.format(12) + "ghi" + notice.format(3) + "end"
    )
    assert (kept.cut or {})["lost"] == 15


def test_the_last_lines_are_too_long_too_many_or_of_another_run(tmp_path: Path) -> None:
    kept = log.Log(str(tmp_path))
    kept.write(b"".join(b"%d\n" % number for number in range(40)))
    kept.write(b"50 %\r100 %~\r\n" + b"x" * 700 + b"\xff\n\n")
    assert kept.tail()[:2] == ["12", "13"] and len(kept.tail()) == 30
    assert kept.tail()[-2:] == ["100 %~", "x" * 600]
    kept.write(b"end~\n")
    assert kept.tail()[-1] == "end~"
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
    assert log_reader._times(str(path), 20, 35) == (35, every[2:4])
    assert log_reader._times(str(path), 85, 1000) == (1000, every[8:])
    assert log_reader._times(str(tmp_path / "gone"), 5, 7) == (7, [])
    path.write_bytes(b"")
    assert log_reader._times(str(path), 0, 7) == (7, [])


def test_a_reader_that_asks_for_now_waits_or_is_not_told_of_a_cut(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    run, me = "20260101T000000Z-1", look_at(os.getpid())
    assert me
    place = tmp_path / ".survivor_npz" / "runs" / run
    place.mkdir(parents=True)
    (place / "log").write_text("half a li")
    alive = {"state": "running", "supervisor": os.getpid(), "supervisor_start": me[1], "boot": boot_id()}
    (place / "record.json").write_text(json.dumps({**alive, "elapsed": -1.0}))  # written at its start
    note, cut = tmp_path / ".survivor_npz" / "lock", {"at": 4, "lost": 1, "why": "full"}
    note.write_text(json.dumps({"run": run, "log_cut": cut}))
    slept: list[float] = []
    monkeypatch.setattr(time, "sleep", slept.append)
    answer = log_reader.read(str(tmp_path), run)
    assert (answer["running"], answer["log_cut"], slept) == (True, cut, [])
    assert 0 <= answer["waited"] < 30
    assert answer["elapsed"] >= 0 and answer["size"] == len("half a li")
    assert base64.b64decode(answer["data"]) == b"half a li", "all of it, from the first byte"
    assert "record" not in answer
    note.write_text(json.dumps({"run": "20260101T000000Z-2", "log_cut": cut}))
    answer = log_reader.read(str(tmp_path), run, wait=0.1)
    assert (answer["log_cut"], slept) == (None, [log_reader.SETTLE])


def test_two_times_are_kept_of_half_a_second_or_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    kept = log.Log(str(tmp_path))
    for moment[0] in (100.0, 100.25, 100.5, 100.75):
        kept.write(b"x")
    kept.close()
    times = (tmp_path / "times").read_bytes()
    assert list(struct.iter_unpack("<QQ", times)) == [(0, 0), (2, 500)]


def test_a_moment_of_the_log_is_not_in_milliseconds(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    moment = [100.0]
    monkeypatch.setattr(time, "monotonic", lambda: moment[0])
    kept = log.Log(str(tmp_path))
    moment[0] += 3600
    kept.write(b"an hour later")
    kept.close()
    assert struct.unpack("<QQ", (tmp_path / "times").read_bytes()) == (0, 3_600_000)


def test_who_watches_learns_of_a_cut_log_only_at_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    one, noted = object.__new__(Run), []
    one.log = SimpleNamespace(write=lambda _data: True, cut={"at": 1})  # type: ignore[assignment]
    one.record = {}
    monkeypatch.setattr(one, "note", lambda: noted.append(dict(one.record)))
    one.keep(b"x")
    assert noted == [{"log_cut": {"at": 1}}]
