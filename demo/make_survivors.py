#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Write realistic Step 1 survivors: the project's own generator, the same bytes for the same arguments.

The shape is C of docs/contract (24 keys, `indent=2`), a handful of trials share the counts, and the
ratios follow from the counts as the producer computes them.
"""

from __future__ import annotations

import argparse
import itertools
import json
import os
import random
from typing import Any, Dict, Iterator, List, Tuple

TRIALS = 18
VARIABLE_SHARE = 0.04
RATES = (0.3333, 0.5, 0.6667, 0.75, 1.0)
RATE_WEIGHTS = (62, 30, 4, 2, 2)
SESSIONS = (["midday", "evening"], ["midday"], ["evening"])

Record = Dict[str, Any]


def _trial(rng: random.Random, number: int) -> Record:
    """One trial's fields, which all of its survivors share."""
    forward, reverse = rng.randint(9_000, 52_000), rng.randint(9_000, 52_000)
    both = rng.randint(min(forward, reverse) // 3, min(forward, reverse))
    skip_min = rng.randint(0, 10)
    skip_max = rng.randint(46, 230)
    variable = rng.random() < VARIABLE_SHARE
    return {
        "window_size": rng.randint(2, 10),
        "offset": rng.randint(0, 88),
        "skip_min": skip_min,
        "skip_max": skip_max,
        "skip_range": skip_max - skip_min,
        "sessions": rng.choice(SESSIONS),
        "trial_number": number,
        "prng_base": "java_lcg",
        "skip_mode": "variable" if variable else "constant",
        "prng_type": "java_lcg_hybrid" if variable else "java_lcg",
        "forward_count": forward,
        "reverse_count": reverse,
        "bidirectional_count": both,
        "intersection_count": both,
        "intersection_ratio": round(both / (forward + reverse - both), 4),
        "survivor_overlap_ratio": round(both / forward, 4),
        "forward_only_count": forward - both,
        "reverse_only_count": reverse - both,
        "bidirectional_selectivity": round(forward / reverse, 4),
        "intersection_weight": round(both / (forward + reverse), 4),
    }


def _draws(count: int, seed: int) -> Iterator[Tuple[Record, Record]]:
    """Yield what is a survivor's own, and its trial, which others share."""
    rng = random.Random(seed)  # noqa: S311 - reproducible data, no secret
    trials: List[Record] = [_trial(rng, number) for number in range(1, TRIALS + 1)]
    for trial, mode, suffix in ((trials[0], "constant", ""), (trials[1], "variable", "_hybrid")):
        trial.update(skip_mode=mode, prng_type=trial["prng_base"] + suffix)
    weights = list(itertools.accumulate(2.0 ** -(rank % 6) for rank in range(TRIALS)))
    rate_weights = list(itertools.accumulate(RATE_WEIGHTS))
    value = -1
    for index in range(count):
        value += rng.randint(1, 3)
        forward, reverse = rng.choices(RATES, cum_weights=rate_weights, k=2)
        trial = trials[index] if index < 2 else rng.choices(trials, cum_weights=weights)[0]
        own = {"seed": value, "forward_match_rate": forward, "reverse_match_rate": reverse}
        yield {**own, "score": round((forward + reverse) / 2, 4)}, trial


def records(count: int, seed: int = 25) -> Iterator[Record]:
    """Yield `count` survivors in ascending order of their seeds; both skip modes occur from 2 on."""
    return ({**own, **trial} for own, trial in _draws(count, seed))


def write(path: str, count: int, seed: int = 25, indent: int | None = 2) -> None:
    """Write the survivors as `json.dump(list, indent=indent)` does, one record in memory at a time."""
    outer = "" if indent is None else "\n" + " " * indent
    comma = ", " if indent is None else f",{outer}" + " " * indent
    trials: Dict[int, Tuple[str, str]] = {}
    with open(path, "w", encoding="utf-8") as file:
        file.write("[")
        empty = True
        for own, trial in _draws(count, seed):
            # With `indent`, json has no fast encoder: a trial is encoded once, and a survivor's numbers by repr.
            if id(trial) not in trials:
                shared = json.dumps(trial, indent=indent).replace("\n", outer)
                start = shared.index('"')
                trials[id(trial)] = shared[:start], comma + shared[start:]
            opening, rest = trials[id(trial)]
            text = comma.join(f'"{name}": {value!r}' for name, value in own.items())
            before = "" if empty else "," if outer else ", "
            file.write(f"{before}{outer}{opening}{text}{rest}")
            empty = False
        file.write("]" if empty or not outer else "\n]")


def main() -> None:
    """Run from the command line."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("out")
    parser.add_argument("--count", type=int, default=98_172)
    parser.add_argument("--seed", type=int, default=25)
    parser.add_argument("--compact", action="store_true")
    parser.add_argument("--keep", action="store_true", help="leave a file that is there")
    args = parser.parse_args()
    if args.keep and os.path.exists(args.out):
        return
    # The demo must not mistake half a file for Step 1's result after a Ctrl-C.
    unfinished = f"{args.out}.unfinished"
    write(unfinished, args.count, args.seed, None if args.compact else 2)
    os.replace(unfinished, args.out)


if __name__ == "__main__":
    main()
