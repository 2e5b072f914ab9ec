# SPDX-License-Identifier: MIT
"""docs/pipeline: the encoding table that people paste into the pipeline's documents is the one in force."""

from __future__ import annotations

import re
from pathlib import Path

from ansible.module_utils.survivor_npz.npz.schema import PRNG_TABLES, SKIP_MODES

PAGE = (Path(__file__).resolve().parents[2] / "docs" / "pipeline" / "npz-instructions.md").read_text()


def test_pasted_encoding_table_is_not_the_one_in_force() -> None:
    pasted: dict[str, int] = {}
    for family, *ids in re.findall(r"^\| (\w+) \| (\d+) \| (\d+) \| (\d+) \| (\d+) \|$", PAGE, re.MULTILINE):
        names = (family, f"{family}_hybrid", f"{family}_hybrid_reverse", f"{family}_reverse")
        pasted.update(zip(names, map(int, ids)))
    assert pasted == PRNG_TABLES["registry"]
    assert f"constant {SKIP_MODES['constant']}, variable {SKIP_MODES['variable']}" in PAGE
    legacy = PRNG_TABLES["legacy"]
    assert (
        f"{len(legacy)} names (java_lcg {legacy['java_lcg']} to randu_reverse {legacy['randu_reverse']})"
        in PAGE
    )
