# SPDX-License-Identifier: MIT
"""The foreground supervisor that the script's header calls: a script under it behaves as it would alone."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from launch import SUPERVISOR, Place, alive, until

pytest_plugins = ("launch_fixtures",)


def run(place: Place, *options: str, **keywords: Any) -> subprocess.CompletedProcess[bytes]:
    keywords = {"stdin": subprocess.DEVNULL, "capture_output": True, "timeout": 60, **keywords}
    return subprocess.run(place.foreground(*options), check=False, **keywords)


def test_output_errors_and_exit_code_pass_through(place: Place) -> None:
    place.script("echo out; echo err >&2; exit 42")
    done = run(place)
    assert (done.returncode, done.stdout, done.stderr) == (42, b"out\n", b"err\n")
    assert sorted(place.log().split()) == [b"err", b"out"]
    assert control.finished(str(place.dir))["exit_code"] == 42


def test_script_may_read_standard_input(place: Place) -> None:
    place.script("cat")
    done = run(place, stdin=None, input=b"typed\n")
    assert (done.returncode, done.stdout) == (0, b"typed\n")


def test_orchestrator_without_terminal_input_or_output_can_start_it(place: Place) -> None:
    place.script("echo hello; echo oops >&2; exit 5")

    def close_all() -> None:
        for descriptor in (0, 1, 2):
            os.close(descriptor)

    process = subprocess.Popen(
        place.foreground(),
        preexec_fn=close_all,  # noqa: PLW1509 - one thread only
        start_new_session=True,
    )
    assert process.wait(30) == 5
    assert sorted(place.log().split()) == [b"hello", b"oops"]


def test_second_run_is_refused_on_standard_error(place: Place) -> None:
    place.script("sleep 60")
    first = place.start()
    done = run(place)
    assert done.returncode == 75
    assert f"pid {first['pid']}, started {first['start']}".encode() in done.stderr
    assert b"Traceback" not in done.stderr


def test_hooked_script_is_not_started_on_an_npz_that_changed_after_the_look_at_it(place: Place) -> None:
    place.script("echo started")
    npz = {"sha256": "5e" * 32, "path": str(place.dir / "run_scorer_meta_optimizer.sh")}
    done = run(place, "--known", json.dumps({"npz": npz}))
    assert (done.returncode, done.stdout) == (75, b"")
    assert b"changed between the proof and the start of Step 2.5" in done.stderr


def test_playbook_is_refused_while_the_script_runs_by_hand(place: Place) -> None:
    place.script("sleep 60")
    with subprocess.Popen(place.foreground(), stdin=subprocess.DEVNULL) as process:
        until(lambda: control.query(str(place.dir))["running"], "the run by hand")
        with pytest.raises(control.RunError, match="running already"):
            place.start()
        process.terminate()
        assert process.wait(15) == 143


def test_time_limit_holds_without_output_and_with_a_reader_that_hangs(place: Place) -> None:
    place.script("yes")
    with subprocess.Popen(place.foreground("--timeout", "1"), stdout=subprocess.PIPE) as process:
        assert process.wait(15) == 124  # nobody reads the pipe
    assert control.finished(str(place.dir))["verdict"] == "timeout"


def test_broken_pipe_does_not_stop_the_script(place: Place) -> None:
    place.script("for i in $(seq 2000); do echo line $i; done; echo > finished; exit 6")
    with subprocess.Popen(place.foreground(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        process.stdout.close()
        assert process.wait(30) == 6
    assert place.log().count(b"\n") == 2000
    assert (place.dir / "finished").exists()


def test_slow_reader_loses_nothing(place: Place) -> None:
    place.script("head -c 600000 /dev/zero | tr '\\0' x; exit 0")
    with subprocess.Popen(place.foreground(), stdout=subprocess.PIPE) as process:
        assert process.stdout
        seen = 0
        time.sleep(3)  # longer than the patience with those who hold the pipe open
        while data := process.stdout.read(65536):
            seen += len(data)
        assert process.wait(15) == 0
    assert seen == 600000


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_ending_the_supervisor_ends_the_script_with_its_children(place: Place, number: int) -> None:
    place.script("setsid sleep 60 & echo $! > child; wait")
    with subprocess.Popen(place.foreground(), stdin=subprocess.DEVNULL) as process:
        child = place.pid_in("child")
        process.send_signal(number)
        assert process.wait(15) == 128 + number
    assert not alive(child)
    assert control.finished(str(place.dir))["verdict"] == "stopped"


def test_missing_program_or_directory_is_a_clear_error(place: Place) -> None:
    base = [sys.executable, str(SUPERVISOR), "--foreground", "--dir"]
    gone = place.dir / "gone"
    for rest, code in (([str(place.dir), "--", "/no/such"], 127), ([str(gone), "--", "true"], 125)):
        done = subprocess.run([*base, *rest], capture_output=True, check=False)
        assert done.returncode == code
        assert done.stderr.startswith(b"survivor_npz: Cannot ")
        assert b"Traceback" not in done.stderr
    assert not gone.exists()
