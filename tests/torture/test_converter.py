# SPDX-License-Identifier: MIT
"""`make torture` for the converter: every crash point of every start, random kills, mutated inputs.

Counts come from the environment: TORTURE_KILLS (1000), TORTURE_PAIRS (300), TORTURE_MUTATIONS (100000),
TORTURE_SPACES (bytes, 10**9), TORTURE_SEED (1).
"""

import json
import os
import time
from pathlib import Path
from typing import Any, Callable, Iterator, List

import pytest
from campaign import mutate_and_judge, scratch
from crashes import exhaust, fault_of
from kills import campaign
from module_run import fork, run_process
from place import Place
from scenarios import all_scenarios, document

pytestmark = pytest.mark.slow

SEED = int(os.environ.get("TORTURE_SEED", "1"))


def count(name: str, default: int) -> int:
    return int(os.environ.get(f"TORTURE_{name}", str(default)))


@pytest.fixture
def say(capsys: pytest.CaptureFixture[str]) -> Iterator[Callable[[str], None]]:
    def show(text: str) -> None:
        with capsys.disabled():
            print(f"\n  {text}", flush=True)

    yield show


def test_every_crash_point_of_every_start(tmp_path: Path, say: Callable[[str], None]) -> None:
    import random

    steps, faults = 0, []
    scenarios = [found for found in all_scenarios(Path(scratch())) if found.steps]
    for scenario in scenarios:
        steps += len(scenario.steps)
        faults += exhaust(scenario)
    rng = random.Random(SEED)
    pairs = count("PAIRS", 300)
    for _ in range(pairs):
        scenario = rng.choice(scenarios)
        fault = fault_of(scenario, *(rng.randrange(len(scenario.steps)) for _ in range(rng.choice((2, 3)))))
        faults += [fault] if fault else []
    say(f"crash points: {steps} in {len(scenarios)} starts; {pairs} runs killed twice or more")
    say(f"faults: {len(faults)}")
    assert not faults, "\n".join(faults[:20])


def test_random_kills(say: Callable[[str], None]) -> None:
    kills = count("KILLS", 1000)
    start = time.monotonic()
    hit, faults = campaign(Path(scratch()), kills, SEED)
    say(f"random SIGKILLs of all processes: {kills}, {hit} of them met a running conversion")
    say(f"faults: {len(faults)}")
    say(f"that took {time.monotonic() - start:.0f} s")
    assert not faults, "\n".join(faults[:20])


def test_mutated_inputs(say: Callable[[str], None]) -> None:
    total = count("MUTATIONS", 100_000)
    processes = len(os.sched_getaffinity(0))
    where = Path(scratch())
    start = time.monotonic()
    forks = []
    for number in range(processes):
        share = total // processes + (number < total % processes)

        def run(share: int = share, number: int = number) -> List[Any]:
            answers, faults = mutate_and_judge(where / str(number), share, SEED * 1000 + number)
            return [dict(answers), len(faults), faults[:20]]

        forks.append(fork(run))
    answers: dict[str, int] = {}
    number_of_faults, faults = 0, []
    for pid, read in forks:
        with os.fdopen(read, "rb") as pipe:
            answer = json.loads(pipe.read())
        os.waitpid(pid, 0)
        assert "error" not in answer, answer["error"]
        for code, times in answer["value"][0].items():
            answers[code] = answers.get(code, 0) + times
        number_of_faults += answer["value"][1]
        faults += answer["value"][2]
    codes = ", ".join(f"{code} {times}" for code, times in sorted(answers.items(), key=lambda item: -item[1]))
    say(f"mutated inputs: {total} in {time.monotonic() - start:.0f} s, {number_of_faults} faults; {codes}")
    assert not faults, f"(files in {where})\n" + "\n".join(faults)
    assert sum(answers.values()) == total


@pytest.mark.parametrize("place_of_spaces", ["before", "between", "inside", "behind", "unclosed"])
def test_a_gigabyte_of_spaces(tmp_path: Path, place_of_spaces: str, say: Callable[[str], None]) -> None:
    place = Place(tmp_path / "pipeline")
    size = count("SPACES", 10**9)
    text = document(3)
    at = {
        "before": 0,
        "between": text.index(b"{", 5),
        "inside": text.index(b'"score"'),
        "behind": len(text),
        "unclosed": len(text) - 1,
    }[place_of_spaces]
    with open(place.json, "wb") as file:
        file.write(text[:at])
        for _ in range(size >> 20):
            file.write(b" " * (1 << 20))
        file.write(text[at:] if place_of_spaces != "unclosed" else b"")
    start = time.monotonic()
    answer = run_process(place.args(), tmp_path, timeout=300)
    seconds = time.monotonic() - start
    say(f"{size >> 20} MiB of spaces {place_of_spaces}: {answer.get('code', 'converted')}, {seconds:.1f} s")
    if place_of_spaces in ("inside", "unclosed"):
        assert answer["failed"]
        assert answer["code"] == {"inside": "record_too_big", "unclosed": "json_truncated"}[place_of_spaces]
    else:
        assert answer.get("survivor_count") == 3, answer
    place.json.unlink()
