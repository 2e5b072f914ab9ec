# SPDX-License-Identifier: MIT
"""The short form of `make mutants`: what once survived is killed, and the list of survivors is about this code."""

from __future__ import annotations

import functools
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "tools"))

import mutants  # noqa: E402 - it lies in tools/
from mutant_tests import Server, server  # noqa: E402
from mutation import Mutant  # noqa: E402


@functools.cache
def mutants_in(file: str) -> list[Mutant]:
    return mutants.mutants_of(f"{mutants.CODE}/{file}")


def found(entry: dict[str, str]) -> list[Mutant]:
    """The mutants that an entry of the list names."""
    return [
        mutant for mutant in mutants_in(entry["file"]) if mutants.key_of(entry) in mutants.listed_as(mutant)
    ]


def test_a_survivor_is_listed_that_the_code_has_no_more() -> None:
    assert [entry for entry in mutants.listed()["survivor"] if not found(entry) or not entry["reason"]] == []


@pytest.fixture(scope="module")
def plays() -> Iterator[Server]:
    """A copy of the checkout on which every test of the list passes."""
    tests = sorted({entry["test"] for entry in mutants.listed()["named"]})
    with server(isolated=False) as found:  # these mutants signal nobody
        told = found.play([], {}, 240, tests)
        assert told["code"] == 0, told["tests"] or "the tests did not run"
        yield found


@pytest.mark.parametrize("entry", mutants.listed()["named"], ids=lambda entry: str(entry["what"]))
def test_nobody_sees_that(plays: Server, entry: dict[str, Any]) -> None:
    (mutant,) = found(entry)
    told = plays.play([], {mutant.path: mutant.text}, 120, [entry["test"]], "-x")
    assert told["code"] == 1, told["tests"] or "the tests did not run"
