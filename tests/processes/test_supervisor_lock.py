# SPDX-License-Identifier: MIT
"""The launch lock: one run at a time, and none that a dead one blocks. With real processes."""

from __future__ import annotations

import fcntl
import json
import os
import signal
import threading
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home, lock, processes
from launch import Place, alive, until

pytest_plugins = ("launch_fixtures",)


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
