# SPDX-License-Identifier: MIT
"""`make red`: without its protection, the test of each row of docs/incidents.md fails."""

from __future__ import annotations

from typing import Callable, Dict, Iterator, Tuple

import pytest
from protections import Protection
from protections.checkout import Checkout, Outcome, checkout, why_not_red
from protections.table import PROTECTIONS

pytestmark = pytest.mark.slow

Green = Callable[[str], Outcome]


@pytest.fixture(scope="module")
def whole() -> Iterator[Checkout]:
    """A copy with all protections."""
    with checkout() as copy:
        yield copy


@pytest.fixture(scope="module")
def green(whole: Checkout) -> Green:
    """Plays a test with all protections, once."""
    known: Dict[str, Outcome] = {}

    def play(test: str) -> Outcome:
        if test not in known:
            known[test] = whole.play(test)
        return known[test]

    return play


def name_of(case: Tuple[int, Protection]) -> str:
    number, protection = case
    return f"{number:02d} {protection.row} - {protection.without}".replace("::", ":")


@pytest.mark.parametrize("case", list(enumerate(PROTECTIONS, 1)), ids=name_of)
def test_without_its_protection_the_test_fails(
    case: Tuple[int, Protection], green: Green, capsys: pytest.CaptureFixture[str]
) -> None:
    _, protection = case
    outcome = green(protection.test)
    if outcome.skipped and not outcome.failures and not outcome.errors:
        pytest.skip(f"{protection.test} can't run here: {outcome.skipped[0].splitlines()[0]}")
    assert outcome.passed and not outcome.failures and not outcome.errors, outcome.screen
    with checkout(protection.edits) as copy:
        outcome = copy.play(protection.test)
    why = why_not_red(outcome, protection.fails)
    assert not why, f"{why}\n\n{outcome.screen[-6000:]}"
    with capsys.disabled():
        print(f"\n  red: {protection.row} | {protection.without} | {protection.test}", flush=True)
