# SPDX-License-Identifier: MIT
"""Incidents of launching: exit code lost, output cut, a silent hang, a stale lock. With real processes."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import signal
import threading
import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control, log_reader
from ansible.module_utils.survivor_npz.run.supervise import home, lock, processes
from launch import Place, alive, until

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
        ps -o pid=,sid= -p $$ > session"""
    )
    odd = ["$HOME", "a b", "*", "; touch pwned", "~", ""]
    place.run(*odd, environment={"SURVIVOR_NPZ_PROVEN_SHA256": "abc"})
    assert (place.dir / "arguments").read_text() == "".join(f"<{word}>" for word in odd)
    assert not (place.dir / "pwned").exists()
    assert (place.dir / "where").read_text().strip() == str(place.dir)
    environment = (place.dir / "environment").read_text().splitlines()
    assert {"PYTHONUNBUFFERED=1", "SURVIVOR_NPZ_PROVEN_SHA256=abc", f"PWD={place.dir}"} <= set(environment)
    assert (place.dir / "input").read_bytes() == b""
    pid, session = (place.dir / "session").read_text().split()
    assert pid == session


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


def test_lock_held_by_something_else_is_neither_a_run_nor_nothing(place: Place) -> None:
    (place.dir / ".survivor_npz").mkdir()
    path = place.dir / ".survivor_npz" / "lock"
    with open(path, "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        answer = control.query(str(place.dir))
        assert (answer["running"], "run" in answer) == (True, False)
        assert f"fuser -v {path}" in answer["message"]
        with pytest.raises(control.RunError, match=f"its lock {path} is held"):
            control.stop(str(place.dir))
        place.script("true")
        with pytest.raises(control.RunError, match=f"lsof {path}"):
            place.start()


def test_second_launch_is_refused_with_pid_start_and_log_of_the_first(place: Place) -> None:
    place.script("sleep 60")
    first = place.start()
    with pytest.raises(control.RunError) as refusal:
        place.start()
    for known in (
        str(first["pid"]),
        first["start"],
        first["log"],
        "playbooks/follow.yml",
        "playbooks/stop.yml",
    ):
        assert known in str(refusal.value)
    assert len(home.records(str(place.dir))) == 1


def test_of_many_launches_at_once_one_wins(place: Place) -> None:
    place.script("echo start >> starts; sleep 60")
    outcomes = []

    def launch() -> None:
        try:
            outcomes.append(place.start()["pid"])
        except control.RunError as error:
            assert "running already" in str(error)
            outcomes.append(None)

    threads = [threading.Thread(target=launch) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len([pid for pid in outcomes if pid]) == 1
    assert (place.dir / "starts").read_text() == "start\n"


def test_looking_never_makes_a_launch_fail(place: Place) -> None:
    place.script("true")
    over = threading.Event()

    def look() -> None:
        while not over.is_set():
            lock.holder(str(place.dir))

    watcher = threading.Thread(target=look)
    watcher.start()
    try:
        for _ in range(8):
            assert place.run()["verdict"] == "ok"
    finally:
        over.set()
        watcher.join()


def test_looking_writes_nothing(place: Place) -> None:
    answer = control.query(str(place.dir))
    assert (answer["running"], answer["last"], answer["lease"]) == (False, {}, None)
    assert answer["message"] == "Step 2.5 is not running"
    assert list(place.dir.iterdir()) == []


def test_lock_of_a_killed_supervisor_never_blocks(place: Place) -> None:
    place.script("exec sleep 60")
    first = place.start()
    os.kill(first["supervisor"], signal.SIGKILL)
    until(lambda: not alive(first["pid"]), "the script ended with its supervisor")
    place.script("true")
    assert control.finished(str(place.dir))["verdict"] == "lost"
    assert place.run()["verdict"] == "ok"


def test_children_that_outlive_a_killed_supervisor_are_named_refused_and_stopped(place: Place) -> None:
    place.script("trap '' TERM; setsid sleep 60 & echo $! > child; wait")
    first = place.start(grace=0.5)
    child = place.pid_in("child")
    os.kill(first["supervisor"], signal.SIGKILL)
    until(lambda: not alive(first["supervisor"]), "the supervisor died")
    with pytest.raises(control.RunError, match=f"lost its supervisor.*{child}"):
        place.start()
    assert control.query(str(place.dir))["running"] is True
    assert control.stop(str(place.dir))["verdict"] == "stopped"
    assert not alive(child)
    assert not alive(first["pid"])
    place.script("true")
    assert place.run()["verdict"] == "ok"


def test_record_and_lock_from_before_a_restart_never_block(place: Place) -> None:
    place.script("sleep 60")
    record = place.start()
    os.kill(record["supervisor"], signal.SIGKILL)
    until(lambda: not alive(record["supervisor"]), "the supervisor died")
    # The pids of the old boot belong to somebody else now: to this test, say.
    me = os.getpid()
    Path(record["record"]).write_text(json.dumps({**record, "boot": "another", "supervisor": me, "pid": me}))
    place.script("true")
    assert control.stop(str(place.dir)) == {}
    assert place.run()["verdict"] == "ok"


def test_signal_never_hits_a_process_that_got_the_pid_of_another(place: Place) -> None:
    place.script("sleep 60")
    record = place.start()
    stat = processes.look_at(record["pid"])
    assert stat
    assert processes.send((record["pid"], stat[1] - 1), signal.SIGKILL) is False
    assert alive(record["pid"])


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


def test_script_killed_by_a_signal_is_no_success(place: Place) -> None:
    place.script("kill -9 $$")
    record = place.run()
    assert (record["verdict"], record["exit_code"], record["signal"]) == ("failed", 137, "SIGKILL")


def test_binary_and_1_mb_lines_reach_the_log_byte_for_byte(place: Place) -> None:
    place.script("""python3 - <<'E'
import sys
out = sys.stdout.buffer
out.write(bytes(range(256)) * 8 + b"\\n" + b"x" * (1 << 20) + b"\\n\\x00\\xff\\x1b[2J no newline")
E""")
    record = place.run()
    assert place.log() == bytes(range(256)) * 8 + b"\n" + b"x" * (1 << 20) + b"\n\x00\xff\x1b[2J no newline"
    assert len(record["tail"][-1]) <= 600


def test_full_log_disk_stops_neither_script_nor_verdict(small_disk: Path) -> None:
    place = Place(small_disk)
    place.script(
        "for i in $(seq 200); do head -c 20000 /dev/zero | tr '\\0' x; echo; done; echo the end; exit 3"
    )
    try:
        record = place.run()
    finally:
        place.clean()
    assert (record["verdict"], record["exit_code"]) == ("failed", 3)
    assert record["tail"][-1] == "the end"
    assert record["log_cut"]["why"] == "No space left on device"
    assert record["log_cut"]["at"] + record["log_cut"]["lost"] >= record["log_bytes"] == 200 * 20001 + 8
    assert "log is cut" in record["message"]
    assert json.loads(Path(record["record"]).read_text()) == record


@pytest.mark.parametrize("free", [0, 40_000, 150_000, 250_000, 400_000])
def test_disk_almost_full_at_the_start_means_a_whole_run_or_none(small_disk: Path, free: int) -> None:
    place = Place(small_disk)
    place.script("echo started; head -c 500000 /dev/zero | tr '\\0' x; exit 3")
    with open(small_disk / "filler", "wb") as filler:
        stat = os.statvfs(small_disk)
        filler.write(b"x" * max(0, stat.f_bavail * stat.f_frsize - free))
    try:
        record = place.run()
    except control.RunError as error:
        assert "Cannot keep a run record" in str(error)
        assert "No space left on device" in str(error)
        assert home.records(str(small_disk)) == []
        assert free < 250_000
    else:
        assert (record["verdict"], record["exit_code"]) == ("failed", 3)
        assert free > 150_000
    finally:
        place.clean()


def test_memory_stays_flat(place: Place) -> None:
    place.script("head -c $(($1 * 1000000)) /dev/zero | tr '\\0' x; echo; echo > written; sleep 60")
    peaks = []
    for megabytes in (1, 60):
        record = place.start(str(megabytes))
        until((place.dir / "written").exists, "the output", 30)
        until(lambda: os.path.getsize(record["log"]) > megabytes * 1000000, "the log")  # noqa: B023
        status = Path(f"/proc/{record['supervisor']}/status").read_text()
        peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        control.stop(str(place.dir))
        (place.dir / "written").unlink()
    assert peaks[1] < peaks[0] + 4096, f"KiB: {peaks}"


def test_only_the_newest_20_runs_are_kept(place: Place) -> None:
    for number in range(25):
        old = place.dir / ".survivor_npz" / "runs" / f"20200101T0000{number:02d}Z-1"
        old.mkdir(parents=True)
        (old / "record.json").write_text("{}")
    keep = place.dir / ".survivor_npz" / "runs" / "an operator's notes"
    keep.mkdir()
    place.script("true")
    record = place.run()
    kept = [os.path.basename(path) for path in home.records(str(place.dir))]
    assert kept == [f"20200101T0000{number:02d}Z-1" for number in range(6, 25)] + [record["run"]]
    assert keep.exists()


def test_exit_code_0_without_the_files_it_should_write_is_no_success(place: Place) -> None:
    (place.dir / "old.json").write_text("{}")
    place.script("echo {} > optimal.json; : > empty.json")
    names = ["optimal.json", "old.json", "never.json", "empty.json"]
    record = place.run(creates=names)
    assert record["verdict"] == "failed"
    assert record["creates"] == dict(zip(names, ("written", "stale", "missing", "empty")))
    assert "old.json (stale), never.json (missing), empty.json (empty)" in record["message"]
    place.script("echo {} > optimal.json; echo {} > old.json")
    assert place.run(creates=names[:2])["verdict"] == "ok"


def test_garbage_in_the_lock_or_a_record_is_not_believed(place: Place) -> None:
    home = place.dir / ".survivor_npz"
    run = home / "runs" / "20200101T000000Z-1"
    run.mkdir(parents=True)
    (home / "lock").write_bytes(b'{"supervisor": 1, "pid": 1')
    (run / "record.json").write_bytes(b'{"state": "runn')
    more = home / "runs" / "20200102T000000Z-1"
    more.mkdir()
    (more / "record.json").write_text(json.dumps({"state": "running", "supervisor": os.getpid()}))
    assert control.query(str(place.dir))["running"] is False
    place.script("true")
    assert place.run()["verdict"] == "ok"


def test_late_reader_learns_when_each_piece_came(place: Place) -> None:
    place.script("echo one; sleep 1.2; echo two")
    record = place.run()
    answer = log_reader.read(str(place.dir), record["run"])
    assert [byte for byte, _ in answer["times"]] == [0, 4]
    assert answer["times"][0][1] < 0.6
    assert 1.0 < answer["times"][1][1] < 2.5
