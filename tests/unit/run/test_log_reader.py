# SPDX-License-Identifier: MIT
"""Reading the log of a run: of the wrong run, from the wrong byte, too late, or for longer than asked."""

from __future__ import annotations

import base64
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.common.boot import boot_id
from ansible.module_utils.survivor_npz.run import log_reader
from ansible.module_utils.survivor_npz.run.control import RunError
from ansible.module_utils.survivor_npz.run.supervise.clocks import uptime
from ansible.module_utils.survivor_npz.run.supervise.processes import look_at

RUN = "20260101T000000Z-1"
TEXT = b"one\ntwo\n"


class Room:
    """The files of one run, whose log was last written 100 s ago."""

    def __init__(self, directory: Path) -> None:
        self.directory = str(directory)
        self.place = directory / ".survivor_npz" / "runs" / RUN
        self.place.mkdir(parents=True)
        self.log = self.place / "log"
        self.log.write_bytes(TEXT)
        os.utime(self.log, (time.time() - 100,) * 2)

    def record(self, state: str, **more: Any) -> None:
        me = look_at(os.getpid())
        assert me
        alive = {"supervisor": os.getpid(), "supervisor_start": me[1], "boot": boot_id()}
        (self.place / "record.json").write_text(json.dumps({"state": state, "pid": 77, **alive, **more}))

    def read(self, **more: Any) -> dict[str, Any]:
        answer = log_reader.read(self.directory, RUN, **more)
        return {**answer, "data": base64.b64decode(answer["data"])}


@pytest.fixture
def room(tmp_path: Path) -> Room:
    return Room(tmp_path)


@pytest.fixture
def slept(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    found: list[float] = []
    monkeypatch.setattr(time, "sleep", found.append)
    return found


@pytest.mark.parametrize("name", ["", "..", f"{RUN}/../{RUN}", f"{RUN}\n"])
def test_a_log_outside_the_runs_is_read(room: Room, name: str) -> None:
    with pytest.raises(RunError, match="is not the name of a run"):
        log_reader.read(room.directory, name)


def test_a_link_in_the_logs_place_is_followed(room: Room, tmp_path: Path) -> None:
    room.record("ended")
    room.log.rename(tmp_path / "elsewhere")
    room.log.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(RunError, match=f"The log of run {RUN} can't be read: Too many levels"):
        room.read()


def test_a_run_whose_supervisor_died_passes_for_running_or_has_no_verdict(room: Room) -> None:
    room.record("running", supervisor_start=-1)
    answer = room.read()
    assert (answer["running"], answer["record"]["verdict"]) == (False, "lost")
    room.record("ended", verdict="ok")
    assert room.read()["record"]["verdict"] == "ok"


@pytest.mark.parametrize(
    ("offset", "data", "following"),
    [(0, TEXT, 8), (4, b"two\n", 8), (-2, b"o\n", 8), (-1, b"\n", 8), (-1000, TEXT, 8), (99, b"", 99)],
)
def test_a_log_is_read_from_another_byte(room: Room, offset: int, data: bytes, following: int) -> None:
    room.record("ended")
    answer = room.read(offset=offset)
    assert (answer["data"], answer["offset"], answer["size"]) == (data, following, 8)


def test_a_reader_waits_for_a_run_that_is_over(room: Room, slept: list[float]) -> None:
    room.record("ended")
    room.log.touch()
    assert room.read(offset=8, wait=60.0)["data"] == b""
    assert slept == []


def test_a_reader_waits_for_the_rest_of_an_old_line(room: Room, slept: list[float]) -> None:
    room.record("running")
    assert room.read(wait=60.0)["data"] == TEXT
    assert slept == []


def test_a_reader_misses_a_line_that_comes_while_it_waits(
    room: Room, monkeypatch: pytest.MonkeyPatch
) -> None:
    room.record("running")
    monkeypatch.setattr(time, "sleep", lambda _seconds: room.log.write_bytes(TEXT + b"three\n"))
    assert room.read(offset=8, wait=60.0)["data"] == b"three\n"


def test_a_word_about_a_run_is_missing_or_each_read_leaves_a_file_open(room: Room) -> None:
    room.record("running")
    opened = len(os.listdir("/proc/self/fd"))
    answer = room.read()
    assert (answer["running"], answer["pid"]) == (True, 77)
    assert 100 <= answer["silent"] < 1000
    room.record("ended")
    answer = room.read()
    assert (answer["elapsed"], answer["pid"], answer["log_cut"]) == (0.0, 77, None)
    room.record("ended", run=RUN, elapsed=12.5, log_cut=5)
    answer = room.read()
    assert (answer["elapsed"], answer["log_cut"]) == (12.5, 5)
    assert len(os.listdir("/proc/self/fd")) == opened


def test_a_run_has_another_age_or_was_silent_before_its_last_word(room: Room) -> None:
    me = look_at(os.getpid())
    assert me
    room.record("running")
    os.utime(room.log, (time.time() + 100,) * 2)
    answer = room.read()
    assert abs(answer["elapsed"] - (uptime() - me[1] / os.sysconf("SC_CLK_TCK"))) < 5
    assert answer["silent"] == 0.0
