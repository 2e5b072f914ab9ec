# SPDX-License-Identifier: MIT
"""Two controllers at once: Step 2.5 starts on no proof that another controller's work has overtaken.

A has proven the fleet and is about to start; B changes it. Real processes, in forced orders.
"""

from __future__ import annotations

import contextlib
import datetime
import json
import os
import subprocess
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home, lease, main, proof
from launch import Place, until
from module_run import fork

pytest_plugins = ("launch_fixtures",)
A, B, WHO = "token-of-a", "token-of-b", "b@desk, pid 7"


@pytest.fixture
def at(place: Place) -> str:
    place.script("echo > started")
    return str(place.dir)


def stamp(directory: str) -> dict[str, Any]:
    found: dict[str, Any] = control.query(directory)["stamp"]
    return found


def b_takes(directory: str, seconds: float = 100, **more: Any) -> dict[str, Any]:
    seen = stamp(directory)["number"]
    return control.take_lease(directory, B, WHO, seconds, seen=seen, **more)


def a_is_refused(place: Place, text: str, proven: dict[str, Any]) -> str:
    with pytest.raises(control.RunError, match=text) as refusal:
        place.start(stamp=proven)
    assert refusal.value.note == {"stale": proven}
    assert "Nothing was started" in str(refusal.value)
    assert not (place.dir / "started").exists()
    assert home.records(str(place.dir)) == []
    return str(refusal.value)


def test_slow_start_overtaken_by_a_lease_that_holds(place: Place, at: str) -> None:
    proven = stamp(at)
    b_takes(at)
    message = a_is_refused(place, "Another controller is changing the fleet", proven)
    assert WHO in message
    assert "begun 20" in message
    assert "s left" in message


def test_slow_start_overtaken_by_a_transaction_that_ended_within_the_minute(place: Place, at: str) -> None:
    proven = stamp(at)
    b_takes(at)
    lease.end(at, B)
    message = a_is_refused(place, "began a transaction after this run looked", proven)
    assert f"{WHO}, transaction 1, begun 20" in message
    assert place.run(stamp=stamp(at))["verdict"] == "ok"


def test_look_during_the_lease_of_another_passes_for_a_proof(place: Place, at: str) -> None:
    b_takes(at)
    a_is_refused(place, "Another controller is changing the fleet", stamp(at))


def test_lease_that_expired_while_its_holder_lives_passes_for_an_end(place: Place, at: str) -> None:
    b_takes(at, seconds=0.2)
    proven = stamp(at)
    until(lambda: lease.note(lease.read(at))["expired"], "the expiry")
    a_is_refused(place, "looked at before a transaction was over: .*expired at", proven)
    assert place.run(stamp=stamp(at))["verdict"] == "ok", "a killed B blocks nobody"
    own = control.take_lease(at, A, "a@desk", 100, seen=proven["number"])
    assert own["previous"]["controller"] == WHO
    with pytest.raises(lease.LeaseError, match="lost"):
        lease.renew(at, B, 100)
    lease.end(at, A)
    assert place.run(stamp=stamp(at))["verdict"] == "ok"


def test_restart_of_zeus_passes_for_the_end_of_a_lease(
    place: Place, at: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rigs did not restart: what B may do there it may do for as long as its lease was given."""
    b_takes(at, seconds=100)
    found = json.loads((Path(lease.home(at)) / "lease.json").read_text())
    found.update(boot="an earlier boot")
    (Path(lease.home(at)) / "lease.json").write_text(json.dumps(found))
    monkeypatch.setattr(lease, "uptime", lambda: 99.0)
    assert not lease.note(lease.read(at))["expired"]
    monkeypatch.setattr(lease, "uptime", lambda: 101.0)
    assert lease.note(lease.read(at))["expired"]


@pytest.mark.parametrize("ended", [True, False])
def test_own_lease_locks_its_run_out(place: Place, at: str, ended: bool) -> None:
    before = stamp(at)
    own = control.take_lease(at, A, "a@desk", 100, seen=before["number"])
    if ended:
        lease.end(at, A)
    assert place.run(stamp={**before, "number": own["number"], "token": A})["verdict"] == "ok"
    assert place.run(stamp={**before, "token": A})["verdict"] == "ok"


def test_old_proof_passes_for_a_new_one(place: Place, at: str) -> None:
    now = stamp(at)
    a_is_refused(place, "looked at 61 s ago; at most 60 s is allowed", {**now, "clock": now["clock"] - 60.9})
    a_is_refused(place, "looked at -[0-9]+ s ago", {**now, "clock": now["clock"] + 100})
    a_is_refused(place, "restarted after the hosts were looked at", {**now, "boot": "another"})
    assert place.run(stamp={**now, "clock": now["clock"] - 50})["verdict"] == "ok"


@pytest.mark.parametrize("key", ["clock", "number"])
@pytest.mark.parametrize("value", [None, "soon", [], float("nan"), float("inf")])
def test_unusable_stamp_passes_for_a_proof(place: Place, at: str, key: str, value: Any) -> None:
    proven = {**stamp(at), key: value}
    with pytest.raises(control.RunError, match="Nothing was started"):
        place.start(stamp=proven)
    assert not (place.dir / "started").exists()


def test_unreadable_lease_passes_for_none(place: Place, at: str) -> None:
    b_takes(at)
    path = Path(at, ".survivor_npz", "lease.json")
    path.write_text("{}")
    a_is_refused(place, "can't be used as a lease", stamp(at))
    path.unlink()
    assert place.run()["verdict"] == "ok"  # a start by hand, without a proof


SHIFT = """
import datetime, os, time
class Off(datetime.datetime):
    @classmethod
    def now(cls, tz=None):
        return super().now(tz) + datetime.timedelta(seconds=float(os.environ["OFF"]))
datetime.datetime = Off
time.time = lambda real=time.time: real() + float(os.environ["OFF"])
"""


def moment(text: str) -> float:
    return datetime.datetime.fromisoformat(text.replace("Z", "+00:00")).timestamp()


@pytest.mark.parametrize("off", ["-600", "600"])
def test_wall_clock_ten_minutes_off_opens_or_closes_the_gate(place: Place, at: str, off: str) -> None:
    (place.dir / "sitecustomize.py").write_text(SHIFT)
    environment = {**os.environ, "PYTHONPATH": at, "OFF": off}

    def a_starts(proven: dict[str, Any]) -> subprocess.CompletedProcess[str]:
        command = place.foreground("--known", json.dumps({"stamp": proven}))
        return subprocess.run(command, env=environment, capture_output=True, text=True, check=False)

    done = a_starts(stamp(at))
    assert (done.returncode, done.stderr) == (0, "")
    assert abs(moment(control.finished(at)["start"]) - moment(lease.utc()) - float(off)) < 60  # it is off
    proven = stamp(at)
    b_takes(at)
    done = a_starts(proven)
    assert done.returncode == 75
    assert "Another controller is changing the fleet" in done.stderr
    lease.end(at, B)
    assert a_starts(stamp(at)).returncode == 0


def start_and_pause(place: Place, before_check: bool, stop: Path) -> Callable[[], dict[str, Any]]:
    """Start A in a process of its own, which holds the launch lock and waits for `stop` around its check."""
    job = {"dir": str(place.dir), "command": [str(place.dir / "run_scorer_meta_optimizer.sh")]}
    job["stamp"] = stamp(str(place.dir))  # type: ignore[assignment]
    reached = place.dir / "reached"

    def check(job: dict[str, Any]) -> dict[str, Any]:
        found = {} if before_check else proof.disproved(job)
        reached.touch()
        until(stop.exists, "the test goes on")
        return proof.disproved(job) if before_check else found

    def supervise() -> dict[str, Any]:
        main.disproved = check
        answers: list[dict[str, Any]] = []
        main.supervise(job, (), answers.append)
        return answers[0]

    pid, pipe = fork(supervise)
    until(reached.exists, "A holds the launch lock")

    def answer() -> dict[str, Any]:
        with os.fdopen(pipe, "rb") as file:
            data = json.loads(file.read())
        os.waitpid(pid, 0)
        found: dict[str, Any] = data["value"]
        return found

    return answer


def test_lease_is_taken_between_the_launch_lock_and_the_look_at_the_lease(place: Place, at: str) -> None:
    go = place.dir / "go"
    answer = start_and_pause(place, before_check=True, stop=go)
    with pytest.raises(control.RunError, match="running already"):
        b_takes(at)
    go.touch()
    assert "began a transaction after this run looked" in answer()["error"]
    assert not (place.dir / "started").exists()


def test_lease_is_taken_between_the_look_at_the_lease_and_the_start(place: Place, at: str) -> None:
    go = place.dir / "go"
    answer = start_and_pause(place, before_check=False, stop=go)
    with pytest.raises(control.RunError, match="running already"):
        b_takes(at)
    assert lease.read(at)["ended"] is True
    go.touch()
    assert answer()["started"] is True


def test_lease_and_start_at_the_same_moment_both_succeed(place: Place, at: str) -> None:
    place.script("exec sleep 60")
    for _ in range(6):
        won: list[str] = []
        proven = stamp(at)

        def a(proven: dict[str, Any] = proven, won: list[str] = won) -> None:
            with contextlib.suppress(control.RunError):
                won.append(str(place.start(stamp=proven)["pid"]))

        def b(won: list[str] = won) -> None:
            with contextlib.suppress(control.RunError):
                b_takes(at)
                won.append("lease")

        threads = [threading.Thread(target=a), threading.Thread(target=b)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(won) <= 1
        control.stop(at)
        lease.end(at, B)


def test_preparing_during_a_run_locks_the_run_out_or_itself(place: Place, at: str) -> None:
    place.script("exec sleep 60")
    run = place.start(stamp=stamp(at))
    taken = b_takes(at, while_running=True)
    assert taken["running"]
    assert control.query(at)["pid"] == run["pid"]
    lease.end(at, B)
    assert control.stop(at)["verdict"] == "stopped"
