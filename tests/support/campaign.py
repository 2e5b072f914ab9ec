# SPDX-License-Identifier: MIT
"""The mutation campaign: damaged files against the oracle, none may hang, crash or convert wrongly."""

from __future__ import annotations

import atexit
import collections
import random
import shutil
import signal
import tempfile
from pathlib import Path
from typing import Any, Counter, List, NoReturn, Tuple

import mutations
from place import Place, judge

SECONDS_EACH = 20


class Hang(BaseException):
    """A conversion took too long. No `Exception`, so that nothing in the converter can swallow it."""


def scratch() -> str:
    """A directory on a RAM disk where there is one: a hundred thousand fsyncs are not the subject.

    It goes with this process, but for one that holds inputs at fault.
    """
    shm = Path("/dev/shm")
    where = Path(tempfile.mkdtemp(prefix="survivor-npz-test-", dir=shm if shm.is_dir() else None))

    def remove() -> None:
        if not any(where.rglob("fault-*.json")):
            shutil.rmtree(where, ignore_errors=True)

    atexit.register(remove)
    return str(where)


def mutate_and_judge(where: Path, count: int, seed: int) -> Tuple[Counter[str], List[str]]:
    """Judge `count` mutated files.

    Returns:
        (answers by code, "accepted" among them; faults, each with what reproduces it). The first
        twenty files at fault stay in `where`.
    """
    rng = random.Random(seed)
    bases = mutations.bases(rng)
    place = Place(where / "place")
    answers: Counter[str] = collections.Counter()
    faults: List[str] = []

    def too_long(_signal: int, _frame: Any) -> NoReturn:
        raise Hang

    previous = signal.signal(signal.SIGALRM, too_long)
    try:
        for number in range(count):
            data, how = mutations.mutate(rng.choice(bases), rng)
            options = rng.choice(({}, {}, {}, {"prng_encoding": "legacy"}, {"workers": 2}))
            signal.alarm(SECONDS_EACH)
            fault = _fault(place, data, number, answers, dict(options))
            signal.alarm(0)
            if fault:
                faults.append(f"seed {seed}, number {number}, {how}, {options}: {fault}")
                if len(faults) <= 20:
                    (where / f"fault-{seed}-{number}.json").write_bytes(data)
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, previous)
    return answers, faults


def _fault(place: Place, data: bytes, number: int, answers: Counter[str], options: dict[str, Any]) -> str:
    try:
        # A clock of its own: two files within one tick of the kernel's would count as one.
        answer = judge(place, data, mtime_ns=(1_700_000_000 + number) * 10**9, **options)
    except AssertionError as fault:
        return str(fault) or repr(fault)
    except Hang:
        return f"no answer after {SECONDS_EACH} s"
    except Exception as error:
        return f"a traceback: {error!r}"
    answers[answer["code"] if answer.get("failed") else "accepted"] += 1
    return ""
