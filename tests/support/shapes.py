# SPDX-License-Identifier: MIT
"""Records of every shape that the field has met (contract, section 2), and a quick way to convert them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Dict, List

import numpy as np
from ansible.module_utils.survivor_npz.convert import api, freshness
from ansible.module_utils.survivor_npz.survivors.table import Table, make_group
from numpy.typing import NDArray

Record = Dict[str, Any]
INTERSECTION = (
    "intersection_count",
    "intersection_ratio",
    "forward_only_count",
    "reverse_only_count",
    "survivor_overlap_ratio",
    "intersection_weight",
    "bidirectional_selectivity",
)


def shape_c(seed: int = 7, **more: Any) -> Record:
    """A record with all 24 keys."""
    record: Record = {
        "seed": seed,
        "forward_match_rate": 0.5,
        "reverse_match_rate": 0.25,
        "score": 0.375,
        "window_size": 3,
        "offset": 38,
        "skip_min": 5,
        "skip_max": 56,
        "skip_range": 51,
        "trial_number": 6,
        "sessions": ["midday", "evening"],
        "prng_base": "java_lcg",
        "skip_mode": "constant",
        "prng_type": "java_lcg",
        "forward_count": 32053,
        "reverse_count": 32044,
        "bidirectional_count": 20964,
        "intersection_count": 20964,
        "forward_only_count": 11089,
        "reverse_only_count": 11080,
        "intersection_ratio": 0.48,
        "survivor_overlap_ratio": 0.65,
        "bidirectional_selectivity": 1.0002,
        "intersection_weight": 0.32,
    }
    return {**record, **more}


def without(record: Record, *keys: str) -> Record:
    """The record less some keys."""
    return {key: value for key, value in record.items() if key not in keys}


def table_of(*records: Record) -> Table:
    """The records as a table in one group."""
    return Table([make_group(list(records))], len(records))


def shape_a(seed: int = 7, **more: Any) -> Record:
    """No match rates, and a count as score."""
    return {**without(shape_c(seed), "forward_match_rate", "reverse_match_rate"), "score": 361000, **more}


class Bench:
    """A directory to convert in."""

    def __init__(self, directory: Path) -> None:
        self.json, self.npz = directory / "s.json", directory / "s.npz"

    def convert(self, survivors: Any, **more: Any) -> api.Outcome:
        """Write survivors as Step 1 does (bytes as they are) and convert them."""
        data = survivors if isinstance(survivors, bytes) else json.dumps(survivors, indent=2).encode()
        self.json.write_bytes(data)
        return self.again(**{"force": True, **more})

    def again(self, **more: Any) -> api.Outcome:
        """Run with what is there. What a look foresees must be what the run then does."""
        options = api.Options(str(self.json), str(self.npz), **{"workers": 1, **more})
        names = self.names()
        foreseen = freshness.foresee(options.src, options.dest, options.force, options.prng_encoding)
        assert self.names() == names
        outcome = api.run(options)
        assert foreseen["due"] or (foreseen["reason"], foreseen["why"]) == (outcome.reason, outcome.why)
        assert foreseen["due"] or not (outcome.changed or self.names() != names)
        return outcome

    def arrays(self) -> Dict[str, NDArray[Any]]:
        """The arrays of the NPZ."""
        with np.load(self.npz, allow_pickle=False) as npz:
            return {name: npz[name] for name in npz.files}

    def sidecar(self) -> Dict[str, Any]:
        """The sidecar."""
        content: Dict[str, Any] = json.loads((self.npz.parent / "s.meta.json").read_text())
        return content

    def source(self) -> Dict[str, Any]:
        """The JSON as a pin records it."""
        status = self.json.stat()
        return {"path": str(self.json), "size": status.st_size, "mtime_ns": status.st_mtime_ns}

    def names(self) -> List[str]:
        """Every file in the directory, but for the locks."""
        return sorted(path.name for path in self.npz.parent.iterdir() if path.name != ".survivor_npz")
