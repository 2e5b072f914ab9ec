# SPDX-License-Identifier: MIT
"""Kill all processes of a conversion at a random moment, and look at what is left."""

from __future__ import annotations

import os
import random
import signal
import time
from functools import partial
from pathlib import Path
from typing import Any, List, Tuple

from crashes import Scenario
from module_run import fork
from place import Place
from scenarios import T0, document


def _group_is_gone(pgid: int) -> bool:
    try:
        os.killpg(pgid, 0)
    except ProcessLookupError:
        return True
    return False


def kill_run(place: Place, after: float, **more: Any) -> bool:
    """Start a run, SIGKILL its whole process group after some seconds; tell if it still ran."""
    pid, read = fork(lambda: place.run(**more) and None)
    os.set_blocking(read, False)
    end = time.monotonic() + after
    while time.monotonic() < end and os.waitid(os.P_PID, pid, os.WEXITED | os.WNOHANG | os.WNOWAIT) is None:
        time.sleep(min(0.0005, max(0.0, end - time.monotonic())))
    try:
        os.killpg(pid, signal.SIGKILL)
    except ProcessLookupError:  # not yet in a session of its own
        os.kill(pid, signal.SIGKILL)
    _pid, status = os.waitpid(pid, 0)
    os.close(read)
    for _ in range(200):
        if _group_is_gone(pid):
            break
        time.sleep(0.005)
    else:
        raise AssertionError("a worker outlived a SIGKILL")
    return os.WIFSIGNALED(status)


def campaign(where: Path, count: int, seed: int, survivors: int = 2_000) -> Tuple[int, List[str]]:
    """Kill `count` runs; every third start is killed again and again before it may finish.

    Returns:
        (how many runs were still running when killed, faults).
    """
    rng = random.Random(seed)

    def prepare(place: Place) -> None:
        place.write(document(survivors // 2, seed=1), T0 - 10**9)
        answer = place.run()
        assert not answer.get("failed"), answer
        place.write(document(survivors, seed=2), T0)

    scenarios = [
        Scenario("update", where / "update", prepare, workers=2),
        Scenario("update, not activated", where / "stage", prepare, workers=2, activate=False),
        Scenario("first", where / "first", lambda p: p.write(document(survivors, seed=3), T0), workers=1),
    ]
    spans = [_span(scenario) for scenario in scenarios]
    hit, faults, done = 0, [], 0
    while done < count:
        number = rng.randrange(len(scenarios))
        scenario = scenarios[number]
        place = scenario.copy("run")
        try:
            for _ in range(rng.choice((1, 1, 3))):
                hit += kill_run(place, rng.uniform(0, 1.1 * spans[number]), **scenario.more)
                done += 1
                scenario.check_after_stop(place)
            scenario.check_healed(place)
        except (AssertionError, ValueError, KeyError, OSError) as fault:
            faults.append(f"{scenario.name}, kill {done}: {fault!r}")
    return hit, faults


def _span(scenario: Scenario) -> float:
    """Seconds that an undisturbed run takes."""
    seconds = []
    for _ in range(3):
        place = scenario.copy("run")
        start = time.monotonic()
        pid, read = fork(partial(place.run, **scenario.more))
        os.waitpid(pid, 0)
        os.close(read)
        seconds.append(time.monotonic() - start)
    return min(seconds)
