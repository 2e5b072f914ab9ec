# SPDX-License-Identifier: MIT
"""The hooked script stopped while it prepares, or started twice."""

import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from hooked import Hooked, wait_for

WAITING = "\necho $$ > pid\nprintf '%s\\0' \"$@\" > arguments\nexec sleep 60\n"
NOTE_SIGNALS = """
import signal
def note(number, frame):
    with open(directory + "/got", "a") as file:
        file.write(f"{number} ")
    if number != {stubborn}:
        sys.exit(5)
signal.signal(signal.SIGTERM, note)
signal.signal(signal.SIGINT, note)
signal.signal(signal.SIGHUP, note)
open(directory + "/waiting", "w").close()
while True:
    time.sleep(0.05)
"""


@pytest.fixture
def waiting(tmp_path: Path) -> Hooked:
    hooked = Hooked(tmp_path)
    hooked.stand_in(NOTE_SIGNALS.replace("{stubborn}", "0"))
    return hooked


def is_running(hooked: Hooked) -> bool:
    """Whether the script got that far, and its supervisor has noted it."""
    pid = hooked.directory / "pid"
    noted = any(hooked.directory.glob(".survivor_npz/runs/*/record.json")) and hooked.record["pid"]
    return bool(noted and pid.exists() and pid.read_text() and hooked.arguments)


@pytest.fixture
def running(tmp_path: Path) -> Iterator[Hooked]:
    """A hooked script whose first run is on."""
    hooked = Hooked(tmp_path, body=WAITING)
    with hooked.start("1") as process:
        wait_for(lambda: is_running(hooked))
        yield hooked
        if process.poll() is None:
            process.terminate()
        process.communicate(timeout=20)


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_stopped_while_preparing_it_stops_the_playbook_and_never_starts(waiting: Hooked, number: int) -> None:
    with waiting.start("100") as process:
        wait_for((waiting.directory / "waiting").exists)
        process.send_signal(number)
        _out, err = process.communicate(timeout=20)
    assert process.returncode == 128 + number
    assert f"stopped by {signal.Signals(number).name} while preparing" in err.decode()
    assert "Step 2.5 was NOT started." in err.decode()
    assert waiting.arguments is None
    assert (waiting.directory / "got").read_text() == f"{number:d} "


def test_second_signal_kills_a_playbook_that_ignores_the_first(tmp_path: Path) -> None:
    hooked = Hooked(tmp_path)
    hooked.stand_in(NOTE_SIGNALS.replace("{stubborn}", str(int(signal.SIGTERM))))
    with hooked.start("100") as process:
        wait_for((hooked.directory / "waiting").exists)
        process.terminate()
        wait_for((hooked.directory / "got").exists)
        process.terminate()
        process.communicate(timeout=20)
    assert process.returncode == 143
    assert hooked.arguments is None


def test_nohup_stays_nohup(waiting: Hooked) -> None:
    def ignore() -> None:
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    with waiting.start("100", preexec_fn=ignore) as process:
        wait_for((waiting.directory / "waiting").exists)
        process.send_signal(signal.SIGHUP)
        time.sleep(0.2)
        assert process.poll() is None
        process.terminate()
        process.communicate(timeout=20)
    assert (waiting.directory / "got").read_text() == f"{int(signal.SIGTERM)} "


def test_second_start_is_refused_with_pid_start_and_log_before_any_work(running: Hooked) -> None:
    (running.directory / "prepared").unlink()
    done = running.run("2")
    assert done.returncode == 75
    record = running.record
    for known in (f"pid {record['pid']}", record["start"], record["log"], "NOT started"):
        assert known in done.stderr
    assert running.prepared is None, "a refused start must not prepare"
    assert running.arguments == ["1"]


def test_lock_of_a_killed_run_never_blocks_the_next(running: Hooked) -> None:
    os.kill(running.record["supervisor"], signal.SIGKILL)
    pid = int((running.directory / "pid").read_text())
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    (running.directory / "arguments").unlink()
    with running.start("2") as process:
        wait_for(lambda: running.arguments == ["2"])
        process.terminate()
        process.communicate(timeout=20)


def test_stopping_the_hooked_script_stops_its_children(running: Hooked) -> None:
    pid = int((running.directory / "pid").read_text())
    os.kill(running.record["supervisor"], signal.SIGTERM)
    wait_for(lambda: not os.path.exists(f"/proc/{pid}"))
    wait_for(lambda: running.record["verdict"] == "stopped")


def test_hooked_script_keeps_its_pid_so_that_the_callers_handle_stays_good(running: Hooked) -> None:
    assert running.record["supervisor"] > 0
    with open(f"/proc/{running.record['supervisor']}/cmdline", "rb") as file:
        assert b"--foreground" in file.read()


def test_two_starts_at_the_same_moment_run_it_once(tmp_path: Path) -> None:
    """Both prepare, which is harmless; the lock lets one through."""
    hooked = Hooked(tmp_path, body="\nprintf '%s\\0' \"$@\" >> arguments\nexec sleep 2\n")
    both = """
open(directory + f"/at.{os.getpid()}", "w").close()
while sum(name.startswith("at.") for name in os.listdir(directory)) < 2:
    time.sleep(0.01)
"""
    hooked.stand_in(both)
    with hooked.start("1") as one, hooked.start("1") as other:
        errors = {process.communicate(timeout=20)[1].decode() for process in (one, other)}
    assert sorted([one.returncode, other.returncode]) == [0, 75]
    assert hooked.arguments == ["1"]
    assert any("running already" in error for error in errors)
