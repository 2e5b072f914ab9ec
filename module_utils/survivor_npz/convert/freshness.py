# SPDX-License-Identifier: MIT
"""Decide whether to convert, and why: contract, section 5. The JSON's content is not read.

Standard library only.
An NPZ is identified by its SHA-256. If its sidecar records that digest, the sidecar says what it was made
from. Otherwise it is foreign: another program wrote it, and all that can be checked is whether it is complete
and of schema 3.
"""

from __future__ import annotations

import os
import stat
from typing import Any, NamedTuple

from ansible.module_utils.survivor_npz.common import json_object
from ansible.module_utils.survivor_npz.common.digest import Digests, digests_of, short
from ansible.module_utils.survivor_npz.common.errors import ConvertError, SwitchError
from ansible.module_utils.survivor_npz.npz.inspect import read_whole
from ansible.module_utils.survivor_npz.npz.schema import CONVERTER_VERSION, SCHEMA_VERSION
from ansible.module_utils.survivor_npz.npz.sidecar import (
    Sidecar,
    is_by_old_converter,
    records_npz,
    source_of,
)
from ansible.module_utils.survivor_npz.switch.leftovers import leftovers
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import is_pinned, read_pin
from ansible.module_utils.survivor_npz.switch.recover import is_unfinished

MISSING, NEWER, CONTENT, SCHEMA, CORRUPT = "missing", "newer", "content", "schema", "corrupt"
OLD_CONVERTER, PINNED, FORCED, FRESH = "old_converter", "pinned", "forced", "fresh"
_NO_CONVERSION = (PINNED, FRESH)


class Live(NamedTuple):
    """The live NPZ: digests and stat, and whether a symlink leads to it."""

    digests: Digests
    status: os.stat_result
    is_symlink: bool


class Decision(NamedTuple):
    """Why to convert, or not.

    Attributes:
        reason: one of the words above.
        why: the reason as a sentence.
        live: the NPZ that is there, None for none.
        sidecar: the sidecar that records this very NPZ, None for none.
        former: the sidecar on disk, whoever wrote it.
        warnings: what the operator has to know about an NPZ that is kept.
        foreign: whether a foreign NPZ is kept.
        schema_version, survivor_count: of the live NPZ, as far as known.
    """

    reason: str
    why: str
    live: Live | None = None
    sidecar: Sidecar | None = None
    former: Sidecar | None = None
    warnings: tuple[str, ...] = ()
    foreign: bool = False
    schema_version: int | None = None
    survivor_count: int | None = None

    @property
    def converts(self) -> bool:
        """Whether this reason calls for a conversion."""
        return self.reason not in _NO_CONVERSION


def look_at_live(path: str) -> Live | None:
    """The live NPZ, None if there is none.

    Raises:
        ConvertError: dest_not_a_file, dest_unreadable, no_directory.
    """
    directory = os.path.dirname(path)
    if not os.path.isdir(directory):
        raise ConvertError(
            "no_directory", f"{directory} is not a directory. Create it or correct dest, then run again."
        )
    is_symlink = os.path.islink(path)
    try:
        status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return Live(digests_of(path), status, is_symlink)
    except FileNotFoundError:
        if is_symlink:
            raise symlink_refusal(path) from None
        return None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvertError(
            "dest_unreadable", f"{path}: {reason}. Make it readable, or move it away."
        ) from error
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "not a regular file"
    raise ConvertError(
        "dest_not_a_file", f"{path} is {kind}. Let dest name the NPZ itself, or move that away."
    )


def symlink_refusal(path: str) -> ConvertError:
    """Why nothing is converted onto a symlink."""
    return ConvertError(
        "symlink",
        f"{path} is a symlink to {os.readlink(path)}, which another program (the pipeline's finalizer) owns: "
        "it is never replaced. Set survivor_npz_convert: never to distribute the file that it points to.",
    )


def belonging_sidecar(names: Names, sha256: str) -> Sidecar | None:
    """The sidecar that records this NPZ, wherever a crash may have left it."""
    for path in (names.sidecar, names.pending(sha256), names.sidecar_previous):
        found = json_object.load(path)
        if records_npz(found, sha256):
            return found
    return None


def decide(names: Names, src: str, source: os.stat_result, force: bool, prng_encoding: str) -> Decision:
    """Decide by stats and the small files.

    Args:
        src, source: path and stat of the JSON.

    Raises:
        ConvertError: as look_at_live.
    """
    live = look_at_live(names.live)
    former = json_object.load(names.sidecar)
    if live is None:
        return Decision(MISSING, f"there is no {names.name}", former=former)
    decision = _judge(names, live, former, (src, source.st_size, source.st_mtime_ns), prng_encoding)
    if force and not decision.converts:
        return decision._replace(reason=FORCED, why="the operator asked for it", warnings=(), foreign=False)
    return decision


def _judge(
    names: Names, live: Live, former: Sidecar | None, source: tuple[str, int, int], prng_encoding: str
) -> Decision:
    """The first reason that holds, in the order of the table."""
    sha256 = live.digests.sha256
    known = belonging_sidecar(names, sha256)
    fault, is_old = None, False
    encoding = known.get("prng_encoding") if known else prng_encoding
    if known:
        version, count = known.get("schema_version"), known.get("survivor_count")
    else:
        info = read_whole(names.live)
        version, count, fault = info.schema_version, info.survivor_count, info.fault
        is_old = is_by_old_converter(former, live.digests.size, count, source)
    pinned = fault is None and is_pinned(names, sha256, source[1:])
    lead = source[2] - live.digests.mtime_ns
    table = (
        (
            PINNED,
            pinned,
            "a rollback activated this NPZ, and the JSON that it ignores has not changed",
        ),
        (NEWER, lead > 0, f"the JSON is {lead / 1e9:.9g} s newer than the NPZ"),
        (CORRUPT, fault is not None, f"the NPZ is damaged or incomplete ({fault})"),
        (SCHEMA, version != SCHEMA_VERSION, f"the NPZ is not schema {SCHEMA_VERSION}"),
        (SCHEMA, encoding != prng_encoding, f"prng_type is encoded with the table {encoding}"),
        (OLD_CONVERTER, is_old, "the old converter, which labels hybrids java_lcg, made the NPZ"),
        (
            CONTENT,
            read_pin(names).get("sha256") == sha256,
            "the NPZ that is live on purpose was not made from this JSON",
        ),
        (
            CONTENT,
            known is not None and source_of(known) != source[1:],
            "the NPZ was made from another state of the JSON",
        ),
        (FRESH, known is None, "the NPZ is complete, of schema 3 and not older than the JSON"),
        (FRESH, True, "the NPZ was made from this JSON"),
    )
    reason, why = next((reason, why) for reason, holds, why in table if holds)
    foreign = reason == FRESH and known is None
    warnings = (_foreign_warning(names, sha256, former),) if foreign else ()
    return Decision(reason, why, live, known, former, warnings, foreign, version, count)


def _foreign_warning(names: Names, sha256: str, former: Sidecar | None) -> str:
    recorded = (former or {}).get("npz_sha256")
    evidence = "it has no sidecar of this project"
    if isinstance(recorded, str):
        evidence = f"its SHA-256 is {short(sha256)}, and its sidecar records {short(recorded)}"
    return (
        f"{names.live} was written by another program ({evidence}). It is kept, because its "
        "source is unknown; if the old converter wrote it, it labels hybrids java_lcg. To replace it with a "
        "conversion of the JSON, run once with -e survivor_npz_force=true."
    )


def foresee(src: str, dest: str, force: bool, prng_encoding: str) -> dict[str, Any]:
    """The decision as a look reports it. Reads only.

    Returns:
        `due`: whether the converter has work here: a conversion, something to clean up, or a refusal to explain;
        if not, `reason`, `why`, `warnings`, and what the sidecar records of the conversion: `source`, `notes`
        (its warnings then), `left_out`, `defaulted`.
    """
    names = Names(dest)
    try:
        found = decide(names, src, os.stat(src), force, prng_encoding)
        if found.converts or is_unfinished(names) or leftovers(names):
            return {"due": True}
    except (ConvertError, SwitchError, OSError):
        return {"due": True}
    known = found.sidecar or {}
    return {
        "due": False,
        "reason": found.reason,
        "why": found.why,
        "warnings": list(found.warnings),
        "source": known.get("source") or {},
        "notes": list(known.get("warnings") or []),
        "left_out": known.get("left_out") or {},
        "defaulted": known.get("defaulted") or {},
    }


class Staged(NamedTuple):
    """A conversion that an interrupted run left staged."""

    path: str
    sidecar: Sidecar
    digests: Digests


def find_staged(names: Names, source: os.stat_result, prng_encoding: str) -> Staged | None:
    """What an interrupted run staged, complete, from this JSON: it need not be converted again."""
    now = (source.st_size, source.st_mtime_ns)
    wanted = {
        "prng_encoding": prng_encoding,
        "schema_version": SCHEMA_VERSION,
        "converter_version": CONVERTER_VERSION,
    }
    for prefix, path in names.pending_files().items():
        pending = json_object.load(path)
        if not pending or source_of(pending) != now or not wanted.items() <= pending.items():
            continue
        sha256 = str(pending.get("npz_sha256"))
        staged = names.staged(sha256)
        try:
            digests = digests_of(staged) if sha256.startswith(prefix) else None
        except OSError:
            continue
        if digests and digests.sha256 == sha256 and records_npz(pending, sha256):
            return Staged(staged, pending, digests)
    return None
