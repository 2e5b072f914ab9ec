# SPDX-License-Identifier: MIT
"""The sidecar: what the NPZ was made from, and what it does not hold."""

from __future__ import annotations

import datetime
import hashlib
import json
import os
import time
from typing import Any

from ansible.module_utils.survivor_npz.npz import schema

Sidecar = dict[str, Any]

_OLD_CONVERTER = 3  # its last major version
_KINDS = {"left_out": dict, "defaulted": dict, "warnings": list, "survivor_count": int}


def records_npz(content: Sidecar | None, sha256: str) -> bool:
    """Whether a sidecar is complete and records the NPZ with this SHA-256. Only this project's do."""
    if not content or content.get("npz_sha256") != sha256:
        return False
    complete = all(isinstance(content.get(key), kind) for key, kind in _KINDS.items())
    return complete and source_of(content) is not None and isinstance(content["source"].get("sha256"), str)


def source_of(content: Sidecar | None) -> tuple[int, int] | None:
    """(size, mtime in ns) of the JSON that a sidecar or a pin records; None if it records none."""
    source = content.get("source") if content else None
    if not isinstance(source, dict):
        return None
    size, mtime_ns = source.get("size"), source.get("mtime_ns")
    return (size, mtime_ns) if isinstance(size, int) and isinstance(mtime_ns, int) else None


def is_old_converters(content: Sidecar | None, npz_size: int, survivor_count: int | None) -> bool:
    """Whether a sidecar shows that the old converter made an NPZ of this size and length, from whatever JSON."""
    major = str((content or {}).get("version")).partition(".")[0]
    return (
        content is not None
        and "npz_sha256" not in content
        and survivor_count is not None
        and major.isdecimal()
        and int(major) <= _OLD_CONVERTER
        and content.get("output_size_bytes") == npz_size
        and content.get("survivor_count") == survivor_count
    )


def is_by_old_converter(
    content: Sidecar | None, npz_size: int, survivor_count: int | None, source: tuple[str, int, int]
) -> bool:
    """Whether a sidecar shows that the old converter made the live NPZ from this JSON.

    Args:
        npz_size, survivor_count: bytes of the live NPZ and length of its arrays.
        source: path, size and mtime in ns of the JSON.
    """
    if not content or not is_old_converters(content, npz_size, survivor_count):
        return False
    path, size, mtime_ns = source
    try:
        # A local time. In the hour that a clock change repeats, assume the later one.
        made = datetime.datetime.fromisoformat(content["converted_at"]).replace(fold=1)
        made_after = made.timestamp() >= mtime_ns // 1000 / 1e6
    except (KeyError, TypeError, ValueError, OverflowError, OSError):
        return False
    return (
        os.path.basename(str(content.get("source_file"))) == os.path.basename(path)
        and content.get("input_size_bytes") == size
        and made_after
    )


def _groups() -> dict[str, list[str]]:
    """The names of the arrays by group, as the pipeline's tools list them."""
    groups: dict[str, list[str]] = {}
    for field in schema.FIELDS:
        groups.setdefault(field.group, []).append(field.array)
    return groups


def compose(
    data: bytes,
    *,
    source: dict[str, Any],
    output: str,
    survivor_count: int,
    prng_encoding: str,
    matches: dict[str, str],
    found: dict[str, Any],
) -> Sidecar:
    """The content of a sidecar. The first keys are those that the pipeline's own tools know.

    Args:
        data: the bytes of the NPZ.
        source: path, size, mtime_ns and sha256 of the JSON.
        output: path of the live NPZ.
        matches: which key of the JSON filled each match array.
        found: left_out, left_out_more, defaulted, warnings, notes, ranges.
    """
    return {
        "version": schema.CONVERTER_VERSION,
        "source_file": source["path"],
        "output_file": output,
        "survivor_count": survivor_count,
        "forward_matches_source": matches["forward_matches"],
        "reverse_matches_source": matches["reverse_matches"],
        "arrays": _groups(),
        "array_count": len(schema.FIELDS),
        "input_size_bytes": source["size"],
        "output_size_bytes": len(data),
        "compression_ratio": round(source["size"] / len(data), 3),
        "converted_at": time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime()),
        "encodings": {
            "skip_mode": schema.SKIP_MODES,
            "prng_type": schema.PRNG_TABLES[prng_encoding],
        },
        "schema_version": schema.SCHEMA_VERSION,
        "converter_version": schema.CONVERTER_VERSION,
        "prng_encoding": prng_encoding,
        "npz_sha256": hashlib.sha256(data).hexdigest(),
        "npz_sha1": hashlib.sha1(data, usedforsecurity=False).hexdigest(),
        "source": source,
        **found,
    }


def dump(sidecar: Sidecar) -> bytes:
    """The bytes of the file."""
    return (json.dumps(sidecar, indent=2) + "\n").encode("utf-8")
