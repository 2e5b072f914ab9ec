# SPDX-License-Identifier: MIT
"""Damaged files: the oracle's arrays or a clear refusal, never a traceback, a hang or a wrong array."""

from pathlib import Path

import pytest
from campaign import mutate_and_judge, scratch


@pytest.mark.parametrize("seed", [1, 2])
def test_damage_never_passes_unseen(seed: int) -> None:
    answers, faults = mutate_and_judge(Path(scratch()), 400, seed)
    assert not faults, "\n".join(faults[:5])
    assert answers["accepted"] > 20, answers
    assert sum(answers.values()) == 400
