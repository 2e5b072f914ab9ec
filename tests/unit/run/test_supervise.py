# SPDX-License-Identifier: MIT
"""One supervised run from its start to its verdict, in a fork of this process: fast, and with nothing real."""

from __future__ import annotations

import errno
import hashlib
import json
import os
import signal
import socket
import time
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run.supervise import clocks, home, lease, main, processes, proof
from ansible.module_utils.survivor_npz.run.supervise.supervisor import Supervisor
from launch import until
from module_run import in_fork


def supervise(directory: Path, *command: str, **job: Any) -> tuple[int, list[Any], dict[str, Any], str]:
    """Exit code, what was told, the record and the log."""
    told: list[Any] = []
    given = {"dir": str(directory), "command": list(command), **job}
    signalled, code = in_fork(lambda: [main.supervise(given, (), told.append), told])
    assert signalled is None
    paths = home.records(str(directory))
    record = home.read_json(os.path.join(paths[-1], "record.json")) if paths else {}
    log = Path(paths[-1], "log").read_text() if record else ""
    return code[0], code[1], record, log


def bash(directory: Path, text: str, **job: Any) -> tuple[int, list[Any], dict[str, Any], str]:
    return supervise(directory, "bash", "-c", text, **job)


@pytest.mark.parametrize(
    ("text", "code", "verdict"),
    [("echo out; echo err >&2", 0, "ok"), ("exit 3", 3, "failed"), ("kill -9 $$", 137, "failed")],
)
def test_an_exit_code_is_told_as_another(tmp_path: Path, text: str, code: int, verdict: str) -> None:
    found, told, record, log = bash(tmp_path, text)
    assert (found, record["exit_code"], record["state"]) == (code, code, "ended")
    assert (record["verdict"], "137 (a signal, SIGKILL)" in record["message"]) == (verdict, code == 137)
    assert (log, record["tail"]) == (("out\nerr\n", ["out", "err"]) if code == 0 else ("", record["tail"]))
    (answer,) = told
    unknown = {key: answer[key] for key in ("verdict", "end", "exit_code", "signal")}
    assert unknown == dict.fromkeys(unknown) and 0 <= answer["elapsed"] < 60
    assert answer["started"] is True and answer["state"] == "running" and answer["pid"] == record["pid"]
    assert not Path(record["record"]).stat().st_mode & 0o077


def test_a_connection_that_ends_takes_the_run_with_it(tmp_path: Path) -> None:
    found, _told, record, log = bash(tmp_path, "kill -HUP $PPID; sleep 0.1; echo goes on")
    assert (found, record["verdict"], log) == (0, "ok", "goes on\n")


def test_an_argument_that_is_no_utf_8_leaves_no_record(tmp_path: Path) -> None:
    found, _told, record, _log = supervise(tmp_path, "true", "\udcff")
    assert (found, record["verdict"], record["command"]) == (0, "ok", ["true", "\udcff"])


def test_a_word_of_the_record_is_missing(tmp_path: Path) -> None:
    npz = {"survivor_count": 3}
    before = clocks.utc()
    _code, _told, record, _log = bash(tmp_path, "echo x; exit 3", npz=npz, proved=["zeus"], environment={})
    pid, start = record["supervisor"], record["supervisor_start"]
    place = os.path.dirname(record["record"])
    expected = {
        "version": 1,
        "run": os.path.basename(place),
        "state": "ended",
        "verdict": "failed",
        "host": socket.gethostname(),
        "dir": str(tmp_path),
        "command": ["bash", "-c", "echo x; exit 3"],
        "npz": npz,
        "proved": ["zeus"],
        "token": None,
        "timeout": None,
        "grace": 5.0,
        "exit_code": 3,
        "signal": None,
        "boot": clocks.boot_id(),
        "log": f"{place}/log",
        "log_bytes": 2,
        "log_cut": None,
        "record": f"{place}/record.json",
        "tail": ["x"],
    }
    assert {key: record[key] for key in expected} == expected
    assert before <= record["start"] <= record["end"] <= clocks.utc()
    assert 0 <= record["elapsed"] < 60
    assert record["run"].endswith(f"-{pid}") and start > 0 and record["pid"] not in (None, pid)
    assert sorted(os.listdir(place)) == ["log", "record.json", "times"]


@pytest.mark.parametrize(
    ("command", "job", "code", "says"),
    [
        (["/no/such/script"], {}, 127, "Cannot start /no/such/script in {}: No such file or directory"),
        (["{}"], {}, 126, "Cannot start {} in {}: Permission denied"),
        (["a\0b"], {}, 126, "embedded null byte"),
        (["true"], {"environment": {"a=b": "c"}}, 126, "illegal environment variable name"),
    ],
)
def test_a_script_that_cannot_start_leaves_a_run(
    tmp_path: Path, command: list[str], job: Any, code: int, says: str
) -> None:
    words = [word.format(tmp_path) for word in command]
    found, told, record, _log = supervise(tmp_path, *words, **job)
    assert (found, record) == (code, {})
    assert list(told[0]) == ["error"] and says.format(tmp_path, tmp_path) in told[0]["error"]


def test_a_supervisor_that_breaks_leaves_the_script(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pid = tmp_path / "pid"

    def breaks(_self: Supervisor) -> int:
        until(lambda: pid.exists() and pid.read_text().endswith("\n"), "a script that ignores SIGTERM", 10)
        raise RuntimeError("odd")

    monkeypatch.setattr(Supervisor, "watch", breaks)
    began = time.monotonic()
    _code, _told, record, _log = bash(tmp_path, f"trap '' TERM; echo $$ > {pid}; exec sleep 60")
    assert time.monotonic() - began < 30
    until(lambda: processes.look_at(int(pid.read_text())) is None, "the end of the script", 5)
    assert (record["verdict"], record["state"]) == ("failed", "ended")
    assert "The supervisor failed, and Step 2.5 was stopped: RuntimeError('odd')" in record["message"]
    assert processes.family(record["run"]) == set()


def test_a_child_that_was_just_being_started_outlives_a_broken_supervisor(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    looks: list[set[processes.Process]] = []

    def late(run: str, root: int | None = None) -> set[processes.Process]:
        found = processes.family(run, root)
        looks.append(found)
        return set() if len(looks) == 1 else found

    def breaks(_self: Supervisor) -> int:
        raise RuntimeError("odd")

    monkeypatch.setattr(Supervisor, "watch", breaks)
    monkeypatch.setattr(main, "family", late)
    began = time.monotonic()
    _code, _told, record, _log = bash(tmp_path, "exec sleep 60")
    assert time.monotonic() - began < 30
    assert processes.family(record["run"]) == set()


def test_a_script_that_ignores_its_end_goes_on(tmp_path: Path) -> None:
    code, _told, record, log = bash(
        tmp_path, "trap 'echo told' TERM; echo on; kill $PPID; while :; do sleep 0.05; done", grace=0.4
    )
    assert (code, record["verdict"]) == (128 + signal.SIGTERM, "stopped")
    assert log.startswith("on\n") and "told\n" in log
    assert record["stopped"]["killed"] >= 1 and record["stopped"]["signalled"] >= 1
    assert processes.family(record["run"]) == set()


def test_a_limit_is_passed(tmp_path: Path) -> None:
    code, _told, record, _log = bash(tmp_path, "exec sleep 60", timeout=0.3)
    assert (code, record["verdict"], record["timeout"]) == (124, "timeout", 0.3)
    assert "passed its time limit of 0.3 s and was stopped" in record["message"]
    assert record["elapsed"] >= 0.3
    code, _told, record, _log = bash(tmp_path, "exit 0", timeout=60)
    assert (code, record["verdict"]) == (0, "ok"), "the limit is still to come"


def test_a_directory_that_cannot_keep_a_record_is_a_traceback(tmp_path: Path) -> None:
    (tmp_path / home.HOME).write_text("")
    code, told, record, _log = supervise(tmp_path, "true")
    assert (code, record) == (main.EXIT_TROUBLE, {})
    assert told[0]["error"].startswith(f"Cannot keep a run record: {tmp_path}/{home.HOME}")


def test_a_refusal_of_the_system_has_no_place_or_is_lost_with_its_directory(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_what: object, **_how: object) -> None:
        raise OSError(errno.ENOLCK, "No locks available")

    monkeypatch.setattr(os, "rmdir", refuse)
    _code, told, _record, _log = supervise(tmp_path, "/no/such/script")
    assert told[0]["error"].startswith("Cannot start /no/such/script")
    monkeypatch.setattr(main, "disproved", lambda _job: {"error": "It changed", "refused": {}})
    _code, told, _record, _log = supervise(tmp_path, "true")
    assert told == [{"error": "It changed", "refused": {}}]
    monkeypatch.setattr(main, "take_lock", refuse)
    code, told, _record, _log = supervise(tmp_path, "true")
    assert code == main.EXIT_TROUBLE
    assert told == [{"error": f"Cannot keep a run record: {tmp_path}/{home.HOME}: No locks available"}]


def test_a_held_lock_is_passed_by(tmp_path: Path) -> None:
    home.make_private(str(tmp_path))
    held = home.open_lock(os.path.join(home.home(str(tmp_path)), "lock"), create=True)
    assert home.try_lock(held)
    code, told, record, _log = supervise(tmp_path, "true")
    os.close(held)
    assert (code, record) == (main.EXIT_REFUSED, {})
    assert told[0]["refused"] == {"lock": os.path.join(home.home(str(tmp_path)), "lock")}


def stamp(**changes: Any) -> dict[str, Any]:
    return {"boot": clocks.boot_id(), "clock": clocks.uptime(), "number": 0, **changes}


def held(directory: Path, **changes: Any) -> None:
    now = clocks.uptime()
    content = {"number": 1, "token": "t", "controller": "c", "boot": clocks.boot_id(), "begun": now}
    content.update(expires=now + 60, begun_utc="noon", ended=False)
    content.update(changes)
    path = Path(home.make_private(str(directory)), "lease.json")
    path.write_text(json.dumps(content))


def test_a_proof_holds_too_long_or_not_at_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    where, now = str(tmp_path), clocks.uptime()
    monkeypatch.setattr(proof, "uptime", lambda: now)
    assert proof.stale(where, {}) == ""
    for age, good in ((0, True), (60, True), (60.1, False), (-1, True), (-1.1, False)):
        found = proof.stale(where, stamp(clock=now - age))
        assert (found == "") is good, (age, found)
    assert "61 s ago; at most 60 s is allowed. Run again. Nothing was started" in proof.stale(
        where, stamp(clock=now - 61)
    )
    assert "restarted" in proof.stale(where, stamp(boot="another"))
    for wrong in ({"clock": "x"}, {"number": None}, {"clock": float("inf"), "number": float("inf")}):
        assert "no usable stamp" in proof.stale(where, stamp(clock=now) | wrong)
    held(tmp_path)
    assert "is changing the fleet" in proof.stale(where, stamp(clock=now, number=1))
    assert proof.stale(where, stamp(clock=now, number=1) | {"token": "t"}) == ""
    held(tmp_path, ended=True)
    assert proof.stale(where, stamp(clock=now, number=1)) == ""
    assert "after this run looked" in proof.stale(where, stamp(clock=now))
    assert "after this run looked" in proof.stale(where, stamp(clock=now - 1000))
    held(tmp_path, expires=clocks.uptime() - 5)
    assert proof.stale(where, stamp(clock=now, number=1)) == ""
    assert "before a transaction was over: c, transaction 1" in proof.stale(
        where, stamp(clock=now - 10, number=1)
    )
    Path(home.home(where), "lease.json").write_text("{")
    assert "is not JSON" in proof.stale(where, stamp(clock=now))


def test_other_bytes_than_the_proven_ones_are_started_on(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"x")
    right = "2d711642b726b04401627ca9fbac32f5c8530fb1903cc4db02258717921a4881"
    npz = {"sha256": right, "path": str(path)}
    assert proof.other_bytes(npz) == proof.other_bytes({}) == proof.other_bytes({"path": "x"}) == ""
    assert proof.other_bytes({**npz, "sha256": "0" * 64}).startswith(
        f"its SHA-256 is {right[:12]}…, proven was 0000"
    )
    assert proof.other_bytes({**npz, "path": str(tmp_path / "gone")}).startswith("it can't be read (No such")
    job = {"dir": str(tmp_path), "npz": npz, "stamp": stamp()}
    assert proof.disproved(job) == proof.disproved({"dir": str(tmp_path)}) == {}
    path.write_bytes(b"y")
    refused = proof.disproved(job)
    assert refused["refused"] == {"changed": npz}
    assert refused["error"].startswith(f"{path} changed between the proof and the start of Step 2.5: its SHA")
    old = {**job, "stamp": stamp(boot="another")}
    assert proof.disproved(old)["refused"] == {"stale": old["stamp"]}
    code, told, record, _log = supervise(tmp_path, "true", npz=npz)
    assert (code, told, record) == (main.EXIT_REFUSED, [{**refused}], {})


def test_a_script_that_changed_the_npz_wrote_what_it_should(tmp_path: Path) -> None:
    path = tmp_path / "x.npz"
    path.write_bytes(b"x")
    npz = {"sha256": hashlib.sha256(b"x").hexdigest(), "path": str(path)}
    code, _told, record, _log = bash(tmp_path, f"echo y > {path}", npz=npz)
    assert (code, record["verdict"], "did not write" in record["message"]) == (0, "failed", False)
    assert f"{path} changed while it ran" in record["message"]


def test_what_a_child_says_after_the_script_is_lost(tmp_path: Path) -> None:
    _code, _told, record, log = bash(tmp_path, "(sleep 0.9; echo late) & exit 0")
    assert (record["tail"], log) == (["late"], "late\n")


def test_the_note_of_an_earlier_run_shows_through(tmp_path: Path) -> None:
    lock = Path(home.make_private(str(tmp_path)), "lock")
    lock.write_text("x" * 20_000)
    _code, _told, record, _log = bash(tmp_path, "true")
    assert json.loads(lock.read_text())["run"] == record["run"]


def test_a_stop_is_told_as_an_end(tmp_path: Path) -> None:
    code, _told, record, _log = bash(tmp_path, "kill -TERM $PPID; sleep 60")
    assert (code, record["verdict"]) == (128 + signal.SIGTERM, "stopped")
    assert "Step 2.5 was stopped" in record["message"]
    assert lease.state(str(tmp_path))["lease"] is None
