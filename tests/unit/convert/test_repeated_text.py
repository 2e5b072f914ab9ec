# SPDX-License-Identifier: MIT
"""Text that repeats is told apart by a few bytes: a guess that has to be right for every byte."""

import json
from typing import Any, Dict, List

import numpy as np
import pytest
from ansible.module_utils.survivor_npz.survivors import repeats
from ansible.module_utils.survivor_npz.survivors.pieces import Separator
from ansible.module_utils.survivor_npz.survivors.repeats import Splitter
from shapes import shape_c

TRIALS = 40


def read(splitter: Splitter, survivors: List[Dict[str, Any]]) -> None:
    """Parse a piece; it has to be split, and the values have to be those of the survivors."""
    table = splitter.parse(b", ".join(json.dumps(each).encode() for each in survivors))
    assert len(table.groups) == 2, "what repeats was not parsed once"
    for key in ("seed", "window_size", "trial_number", "intersection_weight"):
        column = table.column(key)
        assert column.expand(np.array(column.values)).tolist() == [each[key] for each in survivors], key


@pytest.fixture
def splitter() -> Splitter:
    return Splitter(Separator(json.dumps([shape_c(1), shape_c(2)]).encode()[1:]))


def test_a_trial_that_ends_like_another_is_not_taken_for_it(splitter: Splitter) -> None:
    for trial in range(TRIALS):
        read(splitter, [shape_c(i, window_size=10 + trial) for i in range(3)])
    mixed = [shape_c(i, window_size=10 + i % TRIALS) for i in range(TRIALS * 3)]
    read(splitter, mixed)


def test_more_trials_than_are_kept_are_read_right(
    splitter: Splitter, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(repeats, "_MOST_TAILS", 5)
    for first in range(0, TRIALS, 4):
        read(splitter, [shape_c(i, trial_number=first + i % 4) for i in range(20)])
