"""The sidecar: what the NPZ was made from, and what it does not hold."""

from __future__ import annotations

import json
import time
from typing import Any, Dict, List, Optional, Tuple

from ansible.module_utils.survivor_npz.common import json_object as smallfile
from ansible.module_utils.survivor_npz.npz import schema

Sidecar = Dict[str, Any]


def load(path: str) -> Optional[Sidecar]:
    """A sidecar, of whatever program; None where there is none that can be read."""
    return smallfile.load(path)


def records_npz(content: Optional[Sidecar], sha256: str) -> bool:
    """Whether a sidecar is one of ours, whole, and records the NPZ with this SHA-256."""
    if not content or content.get("npz_sha256") != sha256:
        return False
    kinds = {"source": dict, "left_out": dict, "defaulted": dict, "warnings": list, "survivor_count": int}
    whole = all(isinstance(content.get(key), kind) for key, kind in kinds.items())
    return whole and source_of(content) is not None and isinstance(content["source"].get("sha256"), str)


def source_of(sidecar: Optional[Sidecar]) -> Optional[Tuple[int, int]]:
    """(size, mtime in ns) of the JSON that a sidecar of ours records."""
    source = sidecar.get("source") if sidecar else None
    if not isinstance(source, dict):
        return None
    size, mtime_ns = source.get("size"), source.get("mtime_ns")
    return (size, mtime_ns) if isinstance(size, int) and isinstance(mtime_ns, int) else None


def arrays_by_group() -> Dict[str, List[str]]:
    """The names of the arrays as the pipeline's tools list them."""
    groups: Dict[str, List[str]] = {}
    for field in schema.FIELDS:
        groups.setdefault(field.group, []).append(field.array)
    return groups


def compose(
    *,
    source: Dict[str, Any],
    output: str,
    sha256: str,
    sha1: str,
    size: int,
    survivor_count: int,
    prng_encoding: str,
    matches: Dict[str, str],
    ranges: Dict[str, Any],
    left_out: Dict[str, int],
    defaulted: Dict[str, int],
    warnings: List[str],
    notes: List[str],
) -> Sidecar:
    """The content. The first keys are those that the pipeline's own tools know."""
    return {
        "version": schema.CONVERTER_VERSION,
        "source_file": source["path"],
        "output_file": output,
        "survivor_count": survivor_count,
        "forward_matches_source": matches["forward_matches"],
        "reverse_matches_source": matches["reverse_matches"],
        "arrays": arrays_by_group(),
        "array_count": len(schema.FIELDS),
        "input_size_bytes": source["size"],
        "output_size_bytes": size,
        "compression_ratio": round(source["size"] / size, 3),
        "converted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "encodings": {
            "skip_mode": schema.SKIP_MODES,
            "prng_type": schema.PRNG_TABLES[prng_encoding],
        },
        "schema_version": schema.SCHEMA_VERSION,
        "converter_version": schema.CONVERTER_VERSION,
        "prng_encoding": prng_encoding,
        "npz_sha256": sha256,
        "npz_sha1": sha1,
        "source": source,
        "left_out": left_out,
        "defaulted": defaulted,
        "warnings": warnings,
        "notes": notes,
        "ranges": {name: list(ends) for name, ends in ranges.items()},
    }


def dump(sidecar: Sidecar) -> bytes:
    """The bytes of the file."""
    return (json.dumps(sidecar, indent=2) + "\n").encode("utf-8")
