# SPDX-License-Identifier: MIT
"""What a supervisor is asked on its command line, and what it holds open while it works."""

from __future__ import annotations

import errno
import json
import os
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run.supervise import home, main, run
from module_run import in_fork


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    found: list[Any] = []

    def supervise(job: Any, outputs: Any, _tell: Any) -> int:
        found.append((job, outputs))
        return 7

    monkeypatch.setattr(main, "supervise", supervise)
    return found


def test_a_word_of_the_command_line_is_lost(asked: list[Any]) -> None:
    assert main.main(["--foreground", "--", "true"]) == 7
    job: dict[str, Any] = {
        "dir": ".",
        "timeout": None,
        "grace": run.GRACE,
        "creates": [],
        "command": ["true"],
    }
    assert asked.pop() == (job, (1, 2))
    known = '{"npz": {"size": 1}, "proved": ["zeus"], "stamp": {"number": 2}, "other": 3}'
    limits = ["--timeout", "5", "--grace", "2.5", "--creates", "a", "--creates", "b"]
    words = ["--foreground", "--dir", "/p", *limits, "--known", known, "--", "bash", "-c", "x"]
    main.main(words)
    job = {"dir": "/p", "timeout": 5.0, "grace": 2.5, "creates": ["a", "b"], "command": ["bash", "-c", "x"]}
    assert asked.pop()[0] == {**job, "npz": {"size": 1}, "proved": ["zeus"], "stamp": {"number": 2}}


@pytest.mark.parametrize(
    ("words", "says"), [(["true"], "--foreground is required"), (["--foreground"], "no command")]
)
def test_half_a_command_line_starts_something(
    asked: list[Any], capsys: pytest.CaptureFixture[str], words: list[str], says: str
) -> None:
    with pytest.raises(SystemExit) as ended:
        main.main(words)
    assert (ended.value.code, asked) == (2, [])
    assert says in capsys.readouterr().err


def test_a_log_becomes_the_scripts_standard_output_or_a_file_stays_open(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    def opened(*_job: object) -> list[str]:
        return [one for one in os.listdir("/proc/self/fd") if os.path.exists(f"/proc/self/fd/{one}")]

    def begin() -> list[Any]:
        before = opened()
        os.close(0)
        os.close(2)
        return [before, main.main(["--foreground", "--", "true"])]

    monkeypatch.setattr(main, "supervise", opened)
    signalled, (before, after) = in_fork(begin)
    assert (signalled, sorted(after)) == (None, sorted(before))


def test_a_run_is_recorded_under_a_links_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "real").mkdir()
    (tmp_path / "way").symlink_to("real")
    jobs: list[dict[str, Any]] = []

    def disproved(job: dict[str, Any]) -> dict[str, Any]:
        jobs.append(job)
        return {"error": "changed"}

    monkeypatch.setattr(main, "disproved", disproved)
    job = {"dir": str(tmp_path / "way"), "command": ["true"]}
    assert main.supervise(job, (), lambda _answer: None) == main.EXIT_REFUSED
    assert [found["dir"] for found in jobs] == [str(tmp_path / "real")]


def test_a_run_is_not_on_disk_before_it_starts(tmp_path: Path) -> None:
    (tmp_path / home.HOME / "runs").mkdir(parents=True)
    lock = os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT)
    opened = len(os.listdir("/proc/self/fd"))
    before = os.umask(0)
    found = run.Run({"dir": str(tmp_path), "command": ["true"]}, lock)
    os.umask(before)
    found.log.close()
    assert os.stat(found.record["record"]).st_mode & 0o777 == 0o600
    assert len(os.listdir("/proc/self/fd")) == opened
    assert home.read_json(found.record["record"]) == found.record
    text = (tmp_path / "lock").read_bytes()
    assert (len(text), text[-1:]) == (run._NOTE_SIZE, b"\n"), "the next note needs no more space"
    note = json.loads(text)
    assert note == {key: found.record[key] for key in note}
    found.record["command"] = ["x" * 2 * run._NOTE_SIZE]
    found.note()
    text = (tmp_path / "lock").read_bytes()
    assert json.loads(text)["command"] == found.record["command"] and text[-1:] == b"\n"
    assert {"run", "pid", "log", "dir", "supervisor", "supervisor_start"} <= note.keys()
    os.close(lock)


def test_an_old_run_that_cannot_be_removed_keeps_the_next_from_starting(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_what: object, **_how: object) -> None:
        raise OSError(errno.EBUSY, "Device or resource busy")

    for number in range(run.KEEP):
        (tmp_path / home.HOME / "runs" / f"20260101T0000{number:02}Z-1").mkdir(parents=True)
    job, lock = (
        {"dir": str(tmp_path), "command": ["true"]},
        os.open(tmp_path / "lock", os.O_RDWR | os.O_CREAT),
    )
    monkeypatch.setattr(os, "rmdir", refuse)
    found = run.Run({**job, "timeout": 0, "grace": 2.5}, lock)
    found.log.close()
    assert (found.record["timeout"], found.record["grace"]) == (None, 2.5)
    assert len(home.records(str(tmp_path))) == run.KEEP + 1

    def fails(_self: run.Run, _name: str) -> None:
        raise OSError(errno.ENOSPC, "No space left on device")

    monkeypatch.setattr(run.Run, "_prepare", fails)
    monkeypatch.setattr(os, "getpid", lambda: 2)  # a run of the same second has another name
    with pytest.raises(OSError, match="No space left"):
        run.Run(job, lock)
    os.close(lock)
