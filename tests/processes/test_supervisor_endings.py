# SPDX-License-Identifier: MIT
"""The end of a run: who outlives the script, what it should have written, and on which NPZ it ran."""

from __future__ import annotations

import contextlib
import hashlib
import os
import selectors
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import output
from launch import Place, alive, until
from module_run import fork

pytest_plugins = ("launch_fixtures",)
# Writes for longer than a supervisor waits, then says that it came to its end.
DAEMON = (
    "setsid bash -c 'for i in $(seq 60); do echo line $i || exit; sleep 0.1; done; echo > survived' & "
    "echo $! > daemon; echo script"
)


@pytest.mark.parametrize("foreground", [False, True])
def test_child_that_outlives_the_script_dies_of_its_next_line(place: Place, foreground: bool) -> None:
    place.script(DAEMON)
    began = time.monotonic()
    if foreground:
        # The caller reads to the end of the pipe: nobody may keep that open.
        done = subprocess.run(place.foreground(), capture_output=True, timeout=30, check=False)
        assert done.returncode == 0
        record = control.finished(str(place.dir))
    else:
        record = place.run()
    assert time.monotonic() - began < 5.5
    assert record["verdict"] == "ok"
    assert "still running that it started" in record["message"]
    assert place.dir.joinpath("survived").exists() is False
    place.script("true")
    assert place.run()["verdict"] == "ok"  # the lock is free, whoever still writes
    until((place.dir / "survived").exists, "the daemon's end")
    daemon = place.pid_in("daemon")
    until(lambda: not alive(daemon), "the daemon's exit")
    lines = Path(record["log"]).read_bytes().split(b"\n")
    assert b"script" in lines
    assert [line for line in lines if line.startswith(b"line")] == [b"line %d" % i for i in range(1, 61)]


def test_child_that_writes_for_ever_holds_the_verdict_back(monkeypatch: pytest.MonkeyPatch) -> None:
    kept: list[bytes] = []
    pipe, _writer = os.pipe()
    carried = output.Output(SimpleNamespace(keep=kept.append), selectors.PollSelector(), ())  # type: ignore[arg-type]
    carried.carry(os.fdopen(pipe, "rb", 0))

    def read(_descriptor: int, size: int) -> bytes:
        assert len(kept) < 1000, "it reads for ever"
        return b"x" * size

    monkeypatch.setattr(output.os, "read", read)
    carried.drain()
    assert sum(map(len, kept)) == 1 << 20  # what a pipe can hold


def test_reader_of_a_daemons_output_outlives_the_daemon(place: Place) -> None:
    place.script("setsid sleep 3.2 & echo $! > daemon; exit 0")
    place.run()
    daemon = place.pid_in("daemon")
    pipe = os.readlink(f"/proc/{daemon}/fd/1")

    def holders() -> list[str]:
        found = []
        for entry in Path("/proc").glob("[0-9]*/fd/*"):
            with contextlib.suppress(OSError):
                found += [entry.parts[2]] if os.readlink(entry) == pipe else []
        return found

    assert len(set(holders())) == 2
    until(lambda: not holders(), "nobody holds the pipe")


def test_child_that_is_about_to_exit_is_called_left_running(place: Place) -> None:
    place.script("sleep 0.3 >/dev/null 2>&1 & exit 0")
    record = place.run()
    assert record["left_running"] == []
    assert "still running" not in record["message"]


def test_empty_directory_or_a_new_link_to_an_old_file_passes_for_written(place: Place) -> None:
    old = place.dir / "old"
    old.mkdir()
    (old / "result.json").write_text("{}")
    (place.dir / "kept.json").symlink_to("old/result.json")
    (place.dir / "moved.json").symlink_to("nowhere")
    place.script(
        """sleep 0.05; mkdir empty full; echo {} > full/a.json
        ln -s old/result.json link.json; ln -s old linked
        ln -sfn old/result.json moved.json
        echo {} > new.json; ln -s new.json fresh.json; mkfifo pipe"""
    )
    states = {
        "empty": "empty",
        "full": "written",
        "full/a.json": "written",
        "link.json": "stale",
        "linked/result.json": "stale",
        "kept.json": "stale",
        "moved.json": "stale",
        "fresh.json": "written",
        "pipe": "empty",
    }
    record = place.run(creates=list(states))
    assert record["creates"] == states
    assert record["verdict"] == "failed"
    place.script("echo {} > old/result.json")
    assert place.run(creates=["kept.json"])["verdict"] == "ok"


@pytest.mark.parametrize("script", ["true", "exit 3"])
def test_npz_that_changes_during_the_run_passes_for_the_proven_one(place: Place, script: str) -> None:
    live = place.dir / "N.npz"
    live.write_bytes(b"proven")
    npz: dict[str, Any] = {"sha256": hashlib.sha256(b"proven").hexdigest(), "path": str(live)}
    place.script(f"echo again > N.npz; {script}")
    record = place.run(npz=npz)
    assert record["verdict"] == "failed"
    assert f"{live} changed while it ran: its SHA-256 is " in record["message"]
    assert record["exit_code"] == (0 if script == "true" else 3)
    live.write_bytes(b"proven")
    place.script("rm N.npz")
    assert "changed while it ran: it can't be read" in place.run(npz=npz)["message"]


def test_a_caller_that_dies_before_the_answer_takes_the_supervisor_with_it(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    place.script("sleep 0.5; echo done")

    def die(*_socket: object, **_how: object) -> None:
        os.kill(os.getpid(), signal.SIGKILL)

    monkeypatch.setattr(socket.socket, "makefile", die)  # called once the job is sent
    pid, _answer = fork(place.start)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL
    until(lambda: control.query(str(place.dir))["running"], "the start")
    record = place.end()
    assert (record["verdict"], record.get("tail")) == ("ok", ["done"])


def test_a_supervisor_that_dies_at_once_is_waited_for(place: Place, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "executable", "/bin/false")
    with pytest.raises(control.RunError, match="The supervisor died before it could start anything"):
        place.start()


def test_a_supervisor_that_never_answers_is_waited_for(
    place: Place, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hangs = tmp_path / "hangs"
    hangs.write_text("#!/bin/sh\ncat > /dev/null\nexec sleep 5\n")
    hangs.chmod(0o755)
    monkeypatch.setattr(sys, "executable", str(hangs))
    monkeypatch.setattr(control, "_PATIENCE_S", 0.1)
    with pytest.raises(control.RunError, match=r"not answered for 0\.1 s, and may still start"):
        place.start()
