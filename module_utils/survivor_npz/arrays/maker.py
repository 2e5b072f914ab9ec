"""Make the NPZ and its sidecar in memory: the only module beside its helpers that needs numpy and orjson."""

from __future__ import annotations

import hashlib
from typing import Any, Callable, Dict, List, Optional, Tuple

from ansible.module_utils.survivor_npz.convert import checks as verdict
from ansible.module_utils.survivor_npz.convert.build import Built, build
from ansible.module_utils.survivor_npz.npz import schema, sidecar
from ansible.module_utils.survivor_npz.survivors.file import Source


def make(
    src: str,
    dest: str,
    *,
    prng_encoding: str,
    workers: int,
    piece_bytes: int,
    former: Optional[sidecar.Sidecar],
    lap: Callable[[str], None],
) -> Tuple[bytes, sidecar.Sidecar]:
    """Convert `src`; return the bytes of the NPZ and the content of its sidecar.

    Args:
        former: the sidecar to compare with, None for none.
        lap: told the name of each phase at its end.

    Raises:
        ConvertError: the JSON is refused, or changed while it was read.
    """
    with Source(src) as source:
        built, digest = build(source, prng_encoding, workers, piece_bytes, lap)
        source.check_unchanged()
        facts = {
            "path": src,
            "size": source.size,
            "mtime_ns": source.stamp.mtime_ns,
            "sha256": digest,
        }
    content = _describe(built, facts, dest, prng_encoding, former)
    lap("digest")
    return built.data, content


def _describe(
    built: Built, facts: Dict[str, Any], dest: str, prng_encoding: str, former: Optional[sidecar.Sidecar]
) -> sidecar.Sidecar:
    warnings = verdict.warnings(built.tally, built.from_counts, built.duplicate_seeds, built.unordered_seeds)
    warnings += verdict.compare(former, built.survivor_count, built.ranges)
    notes: List[str] = [
        f"{name} has {count} distinct value{'' if count == 1 else 's'}, which is normal for small windows."
        for name, count in built.few_values.items()
    ]
    if built.tally.from_base:
        notes.append(f"prng_type was made from prng_base in {verdict.counted(built.tally.from_base)}.")
    rates = [field for field in schema.FIELDS if field.kind == schema.RATE]
    return sidecar.compose(
        source=facts,
        output=dest,
        sha256=hashlib.sha256(built.data).hexdigest(),
        sha1=hashlib.sha1(built.data, usedforsecurity=False).hexdigest(),
        size=len(built.data),
        survivor_count=built.survivor_count,
        prng_encoding=prng_encoding,
        matches={field.array: verdict.match_source(field.key, built.from_counts) for field in rates},
        ranges=built.ranges,
        left_out=verdict.left_out(built.tally),
        defaulted=verdict.defaulted(built.tally),
        warnings=warnings,
        notes=notes,
    )
