# SPDX-License-Identifier: MIT
"""Starts on disk from which a conversion may be stopped, each with the arguments of that run."""

from __future__ import annotations

import json
from pathlib import Path
from typing import List

from crashes import Scenario
from place import Place
from survivors import records

T0 = 1_700_000_000_000_000_007


def document(count: int, seed: int = 5) -> bytes:
    """A survivors file of the project's own generator."""
    return json.dumps(list(records(count, seed=seed)), indent=2).encode()


def empty(place: Place) -> None:
    place.write(document(5), T0)


def outdated(place: Place) -> None:
    place.write(document(4, seed=1), T0 - 10**9)
    done(place.run())
    place.write(document(5), T0)


def twice_outdated(place: Place) -> None:
    place.write(document(3, seed=2), T0 - 2 * 10**9)
    done(place.run())
    outdated(place)


def touched(place: Place) -> None:
    place.write(document(5), T0 - 10**9)
    done(place.run())
    place.write(document(5), T0)


def foreign(place: Place) -> None:
    """An NPZ that the old converter wrote: no sidecar, another schema."""
    import numpy as np

    place.write(document(5), T0)
    np.savez(place.npz, seeds=np.arange(3, dtype="u4"))


def littered(place: Place) -> None:
    """What many dead runs left, and a live NPZ that is outdated."""
    outdated(place)
    names = place.names
    for path in (names.staged("a" * 64), names.pending("a" * 64), names.pending("b" * 64)):
        Path(path).write_bytes(b"{}")
    # A process id beyond the kernel's limit is never alive.
    for path in (names.live, names.sidecar, names.staged("c" * 64), names.previous):
        temp = Path(names.temp(path))
        temp.with_suffix(".4194999").write_bytes(b"half")


def staged(place: Place) -> None:
    """A conversion that was staged but never activated."""
    outdated(place)
    done(place.run(activate=False))


def staged_of_old(place: Place) -> None:
    """A staged conversion whose JSON has changed since."""
    outdated(place)
    place.write(document(6, seed=9), T0 - 5)
    done(place.run(activate=False))
    place.write(document(5), T0)


def done(answer: dict[str, object]) -> None:
    assert not answer.get("failed"), answer


STARTS = (empty, outdated, twice_outdated, touched, foreign, littered, staged, staged_of_old)


def all_scenarios(where: Path) -> List[Scenario]:
    """Every start, with and without activation, and forced."""
    found = []
    for start in STARTS:
        for activate in (True, False):
            name = f"{start.__name__}, {'' if activate else 'not '}activated"
            found.append(Scenario(name, where / name.replace(" ", "-"), start, activate=activate))
    found.append(Scenario("outdated, forced", where / "forced", outdated, force=True))
    found.append(Scenario("outdated, two workers", where / "workers", outdated, workers=2))
    return found
