# SPDX-License-Identifier: MIT
"""Incidents of launching: exit code lost, output cut, a silent hang, a stale lock. With real processes."""

from __future__ import annotations

import hashlib
import json
import signal
import sys
import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home
from launch import Place, alive

pytest_plugins = ("launch_fixtures",)


def test_exit_code_and_last_lines_are_not_lost(place: Place) -> None:
    place.script("for i in $(seq 50); do echo line $i; done; echo wrong >&2; exit 127")
    record = place.run("100")
    assert (record["verdict"], record["exit_code"]) == ("failed", 127)
    assert record["tail"] == [f"line {i}" for i in range(22, 51)] + ["wrong"]
    assert place.log().count(b"\n") == 51
    known = {key: record[key] for key in ("state", "dir", "host", "start", "end", "npz", "proved", "log")}
    assert all(value is not None for value in known.values())


def test_record_tells_what_was_run_on_which_npz(place: Place) -> None:
    place.script("true")
    npz = {"sha256": "ab" * 32, "survivor_count": 84}
    record = place.run("100", npz=npz, proved=["zeus", "rig-6600"])
    assert record["command"] == [str(place.dir / "run_scorer_meta_optimizer.sh"), "100"]
    assert (record["npz"], record["proved"]) == (npz, ["zeus", "rig-6600"])
    on_disk = json.loads(Path(record["record"]).read_text())
    assert on_disk == record


def test_arguments_pass_no_shell_and_the_script_finds_what_it_expects(place: Place) -> None:
    place.script(
        """printf '<%s>' "$@" > arguments; pwd > where; env > environment; cat > input
        ps -o pid=,sid= -p $$ > session; readlink /proc/$$/fd/0 > stdin"""
    )
    odd = ["$HOME", "a b", "*", "; touch pwned", "~", ""]
    place.run(*odd, environment={"SURVIVOR_NPZ_PROVEN_SHA256": "abc"})
    assert (place.dir / "arguments").read_text() == "".join(f"<{word}>" for word in odd)
    assert not (place.dir / "pwned").exists()
    assert (place.dir / "where").read_text().strip() == str(place.dir)
    environment = (place.dir / "environment").read_text().splitlines()
    assert {"PYTHONUNBUFFERED=1", "SURVIVOR_NPZ_PROVEN_SHA256=abc", f"PWD={place.dir}"} <= set(environment)
    assert (place.dir / "input").read_bytes() == b""
    assert (place.dir / "stdin").read_text() == "/dev/null\n"
    pid, session = (place.dir / "session").read_text().split()
    assert pid == session


def test_a_script_that_is_no_shell_finds_another_directory_or_its_lines_are_mixed_up(
    place: Place, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = 'for _ in range(500): os.write(1, b"out\\n"), os.write(2, b"err\\n")'
    place.script("").write_text(f"#!{sys.executable}\nimport os\nprint(os.environ['PWD'])\n{lines}\n")
    monkeypatch.setenv("PWD", "/")
    assert place.run()["verdict"] == "ok"
    assert place.log() == f"{place.dir}\n".encode() + b"out\nerr\n" * 500


@pytest.mark.parametrize("mode", [0o755, 0o644])
def test_script_starts_whether_executable_or_not(place: Place, mode: int) -> None:
    place.script('echo "$0"', mode)
    assert place.run()["verdict"] == "ok"
    assert place.log().decode().strip() == str(place.dir / "run_scorer_meta_optimizer.sh")


def test_script_without_a_shebang_runs_as_a_shell_would_run_it(place: Place) -> None:
    place.script("").write_text("echo from bash\n")
    assert place.run()["verdict"] == "ok"
    assert place.log() == b"from bash\n"


def test_missing_program_is_a_clear_refusal_that_leaves_no_run_behind(place: Place) -> None:
    with pytest.raises(control.RunError, match=r"Cannot start /no/such/program in .*: No such file"):
        control.start({"dir": str(place.dir), "command": ["/no/such/program"]})
    assert home.records(str(place.dir)) == []
    assert control.query(str(place.dir))["running"] is False


def test_npz_that_another_controller_switched_after_the_proof_is_not_started_on(place: Place) -> None:
    place.script("echo > started")
    live = place.dir / "N.npz"
    live.write_bytes(b"switched since")
    npz = {"sha256": hashlib.sha256(b"proved").hexdigest(), "path": str(live)}
    with pytest.raises(control.RunError, match="changed between the proof and the start") as refusal:
        place.start(npz=npz)
    assert str(refusal.value).endswith("run again")
    live.unlink()
    with pytest.raises(control.RunError, match=r"can't be read \(No such file"):
        place.start(npz=npz)
    assert home.records(str(place.dir)) == []
    assert control.query(str(place.dir))["running"] is False
    live.write_bytes(b"proved")
    assert place.run(npz=npz)["verdict"] == "ok"


def test_silent_hang_meets_its_time_limit(place: Place) -> None:
    place.script("sleep 60")
    start = time.monotonic()
    record = place.run(timeout=1)
    assert time.monotonic() - start < 4
    assert record["verdict"] == "timeout"
    assert "time limit of 1 s" in record["message"]


def test_script_that_ignores_sigterm_ends_with_all_its_children(place: Place) -> None:
    place.script(
        """trap '' TERM INT HUP
        sleep 60 & echo $! > plain
        setsid sleep 60 & echo $! > session
        (setsid env -i sleep 60 & echo $! > bare)
        while :; do sleep 0.1; done"""
    )
    place.start(grace=0.5)
    pids = [place.pid_in(name) for name in ("plain", "session", "bare")]
    record = control.stop(str(place.dir))
    assert (record["verdict"], record["signal"]) == ("stopped", "SIGKILL")
    assert record["stopped"]["killed"] >= 1
    assert not any(alive(pid) for pid in pids)
    assert record["left_running"] == []


def test_script_that_daemonises_does_not_hold_the_verdict_back(place: Place) -> None:
    place.script("setsid sleep 60 & echo $! > daemon; echo done; exit 0")
    start = time.monotonic()
    record = place.run()
    assert time.monotonic() - start < 5
    daemon = place.pid_in("daemon")
    assert record["verdict"] == "ok"
    assert [left["pid"] for left in record["left_running"]] == [daemon]
    assert "1 process" in record["message"]
    assert alive(daemon)
    assert control.query(str(place.dir))["running"] is False


@pytest.mark.parametrize("number", [signal.SIGHUP, signal.SIGKILL])
def test_script_killed_by_a_signal_is_no_success(place: Place, number: signal.Signals) -> None:
    place.script(f"kill -{number:d} $$")
    record = place.run()
    assert (record["verdict"], record["exit_code"]) == ("failed", 128 + number)
    assert record["signal"] == number.name


def test_exit_code_0_without_the_files_it_should_write_is_no_success(place: Place) -> None:
    (place.dir / "old.json").write_text("{}")
    place.script("echo {} > optimal.json; : > empty.json")
    names = ["optimal.json", "old.json", "never.json", "empty.json"]
    record = place.run(creates=names)
    assert record["verdict"] == "failed"
    assert record["creates"] == dict(zip(names, ("written", "stale", "missing", "empty")))
    told = "it did not write what it should: old.json (stale), never.json (missing), empty.json (empty)"
    assert told in record["message"]
    place.script("echo {} > optimal.json; echo {} > old.json")
    assert place.run(creates=names[:2])["verdict"] == "ok"
