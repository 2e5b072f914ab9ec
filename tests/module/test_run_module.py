# SPDX-License-Identifier: MIT
"""The module survivor_npz_run: what the preflight, the playbooks and an ad-hoc command rely on."""

from __future__ import annotations

import base64
import fcntl
import json
import subprocess
import time
from typing import Any, Dict

from ansible.module_utils.survivor_npz.controller.run_result import task_result
from launch import SCRIPT, Place, alive
from module_run import ROOT, arguments, command, played, run_here

pytest_plugins = ("launch_fixtures",)
ONE, OTHER = "one", "other"  # names of requests


def run(place: Place, state: str, check: bool = False, **arguments: Any) -> Dict[str, Any]:
    return run_here("survivor_npz_run", {"dir": str(place.dir), "state": state, **arguments}, check)


def start(place: Place, *words: str, check: bool = False, **more: Any) -> Dict[str, Any]:
    return run(place, "started", check, script=SCRIPT, args=list(words), **more)


def test_check_then_real_then_check_again_then_real_again(place: Place) -> None:
    place.script("exec sleep 60")
    answer = start(place, "100", check=True)
    assert (answer["changed"], answer["running"]) == (True, False)
    assert answer["command"] == [str(place.dir / SCRIPT), "100"]
    assert [path.name for path in place.dir.iterdir()] == [SCRIPT]

    answer = start(place, "100")
    assert (answer["changed"], answer["running"]) == (True, True)
    pid = answer["pid"]
    assert alive(pid)
    refused = start(place)
    assert refused["failed"]
    assert refused["refused"]["pid"] == pid
    query = run(place, "query")
    assert {key: query[key] for key in ("running", "pid", "start", "log", "host", "command")} == {
        "running": True,
        **{key: answer[key] for key in ("pid", "start", "log", "host", "command")},
    }

    answer = run(place, "stopped", check=True)
    assert (answer["changed"], answer["running"]) == (True, True)
    assert alive(pid)
    answer = run(place, "stopped")
    assert (answer["changed"], answer["record"]["verdict"]) == (True, "stopped")
    assert not alive(pid)
    for check in (True, False):
        assert run(place, "stopped", check)["changed"] is False
    query = run(place, "query")
    assert (query["running"], query["last"]["verdict"]) == (False, "stopped")


def test_start_repeated_after_a_lost_answer_finds_its_own_run(place: Place) -> None:
    place.script("echo start >> starts; exec sleep 60")
    first = start(place, token=ONE)
    again = start(place, token=ONE)
    assert (again["run"], again["running"]) == (first["run"], True)
    assert start(place, token=OTHER)["failed"]
    assert (place.dir / "starts").read_text() == "start\n"


def test_npz_that_changed_since_the_proof_is_called_a_refusal_not_a_failure(place: Place) -> None:
    place.script("true")
    answer = start(place, npz={"sha256": "5e" * 32, "path": str(place.dir / SCRIPT)})
    assert (answer["failed"], answer["running"]) == (True, False)
    verdict = task_result(answer, "", "", starts=True)
    assert (verdict["verdict"], verdict["started"]) == ("refused", False)
    assert "changed between the proof and the start" in verdict["message"]


def test_dry_stop_promises_nothing_where_no_run_holds_the_lock(place: Place) -> None:
    (place.dir / ".survivor_npz").mkdir()
    with open(place.dir / ".survivor_npz" / "lock", "w") as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        for check in (True, False):
            answer = run(place, "stopped", check)
            assert answer["failed"]
            assert "may be running" in answer["msg"]


def test_start_whose_connection_is_lost_for_good_is_called_lost() -> None:
    assert (
        task_result({"failed": True, "lost": True, "msg": "no route"}, "", "", starts=True)["verdict"]
        == "lost"
    )


def test_script_that_is_over_at_once_is_reported_over(place: Place) -> None:
    place.script("exit 4")
    answer = start(place, proof=5)
    assert (answer["running"], answer["record"]["exit_code"]) == (False, 4)


def test_reading_waits_for_output_but_never_longer_than_told(place: Place) -> None:
    place.script("sleep 1; echo one; exec sleep 60")
    name = start(place, proof=0)["run"]
    began = time.monotonic()
    answer = run(place, "output", run=name, wait=0.3)
    assert (answer["data"], answer["running"]) == ("", True)
    answer = run(place, "output", run=name, wait=20)
    assert base64.b64decode(answer["data"]) == b"one\n"
    assert time.monotonic() - began < 5
    assert run(place, "output", run=name, offset=1, limit=2)["offset"] == 3
    assert base64.b64decode(run(place, "output", run=name, offset=-2)["data"]) == b"e\n"


def test_reading_outside_the_runs_is_refused(place: Place) -> None:
    place.script("true")
    start(place, proof=5)
    for name in ("../../../etc", "20200101T000000Z-1", "", "x/log"):
        answer = run(place, "output", run=name)
        assert answer["failed"]
        assert "Traceback" not in answer["msg"]


def test_missing_script_or_directory_is_one_clear_sentence(place: Place) -> None:
    place.script("true")
    answer = start(Place(place.dir / "x"))
    assert answer["record"]["exit_code"] == 127  # bash says so in the log
    assert "No such file or directory" in answer["record"]["tail"][-1]
    answer = run_here("survivor_npz_run", {"dir": "/nonexistent/dir", "state": "started", "script": "x"})
    assert answer["failed"]
    assert "/nonexistent/dir" in answer["msg"]
    assert run_here("survivor_npz_run", {"dir": "/nonexistent/dir"})["running"] is False


def test_stamp_is_lost_between_the_module_and_the_supervisor(place: Place) -> None:
    place.script("true")
    old = {**run(place, "query")["stamp"], "boot": "another"}
    answer = start(place, stamp=old)
    assert (answer["failed"], answer["running"], answer["refused"]) == (True, False, {"stale": old})
    assert task_result(answer, "", "", starts=True)["verdict"] == "refused"


def test_odd_options_end_in_a_traceback(place: Place) -> None:
    place.script("true")
    odd: tuple[dict[str, Any], ...] = (
        {"environment": {"A=B": "c"}},
        {"environment": {"A": "b\0c"}},
        {"script": None},
    )
    for more in odd:
        answer = run(place, "started", **{"script": SCRIPT, **more})
        assert answer["failed"]
        assert "Cannot start" in answer["msg"] or "No script is named" in answer["msg"]
    assert run(place, "output", run=None)["failed"]


def test_leftover_worker_is_missed_or_a_live_one_is_called_left(place: Place) -> None:
    worker = f"{place.dir}/scorer_trial_worker.py"
    shell = ["bash", "-c", "sleep 60; exit", worker, "evil\x1b[2J"]
    place.script(f"bash -c 'echo $$ > child; sleep 60; exit' {worker}")
    started = start(place)
    mine = place.pid_in("child")
    with subprocess.Popen(shell) as leftover:
        try:
            (found,) = run(place, "workers", match=worker)["workers"]
            assert found["pid"] == leftover.pid
            assert 0 <= found["age"] < 60
            assert found["command"].endswith(f"{worker} evil?[2J")
            assert run(place, "stopped")["record"]["run"] == started["run"]
            assert not alive(mine)
        finally:
            leftover.kill()
    assert run(place, "workers", match=worker)["workers"] == []


def test_search_for_workers_finds_those_who_search(place: Place) -> None:
    word = "scorer_trial_worker.py-that-nobody-runs"
    name, given = played("survivor_npz_run", {"dir": str(place.dir), "state": "workers", "match": word})
    (place.dir / "arguments").write_bytes(arguments(given))
    module = command(str(ROOT / "library" / f"{name}.py"), str(place.dir / "arguments"))
    # As with a controller on this host: it has the word in its command line, and so have its forks.
    shell = ["bash", "-c", '(sleep 5; exit) & "$@"; kill $!', word, *module]
    done = subprocess.run(shell, capture_output=True, text=True, check=False)
    assert json.loads(done.stdout)["workers"] == []
    assert run(place, "workers", match=" ")["failed"]
    assert not (place.dir / ".survivor_npz").exists()
