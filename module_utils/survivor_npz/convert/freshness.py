"""Decide whether to convert, and why: contract, section 5. No look at the JSON's bytes.

Standard library only.
An NPZ is known by its SHA-256. Where its sidecar records that digest, the sidecar says what it was made
from; where not, somebody else wrote it, and all that can be asked is whether it is whole and of schema 3.
"""

from __future__ import annotations

import os
import stat
from typing import List, NamedTuple, Optional

from ansible.module_utils.survivor_npz.common.digest import Digests, digests_of
from ansible.module_utils.survivor_npz.common.errors import ConvertError
from ansible.module_utils.survivor_npz.npz import schema, sidecar
from ansible.module_utils.survivor_npz.npz.sidecar import Sidecar
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.pin import is_pinned

MISSING, NEWER, CONTENT, SCHEMA = "missing", "newer", "content", "schema"
CORRUPT, PINNED, FORCED, FRESH = "corrupt", "pinned", "forced", "fresh"
NO_CONVERSION = (PINNED, FRESH)

_UNKNOWN_SOURCE = (
    "{} has no sidecar of ours, so its source is unknown and it is left as it is. If the old converter wrote "
    "it, it calls hybrid survivors java_lcg: convert once with force."
)


class Live(NamedTuple):
    """The live NPZ: digests, and whether a symlink leads to it."""

    digests: Digests
    mode: int
    uid: int
    gid: int
    is_symlink: bool


class Decision(NamedTuple):
    """Why to convert, or not.

    Attributes:
        reason: one of the words above.
        why: the same as a sentence.
        live: the NPZ that is there, None for none.
        sidecar: the sidecar that records this very NPZ, None for none.
        former: the sidecar in the sidecar's place, whosever it is.
        notes: what else was noticed.
        schema_version, survivor_count: of the live NPZ, as far as known.
    """

    reason: str
    why: str
    live: Optional[Live]
    sidecar: Optional[Sidecar]
    former: Optional[Sidecar]
    notes: List[str]
    schema_version: Optional[int]
    survivor_count: Optional[int]

    @property
    def converts(self) -> bool:
        """Whether this reason asks for a conversion."""
        return self.reason not in NO_CONVERSION


def look_at_live(path: str) -> Optional[Live]:
    """The live NPZ, None where there is none.

    Raises:
        ConvertError: dest_not_a_file, dest_unreadable, no_directory.
    """
    directory = os.path.dirname(path)
    try:
        status = os.lstat(path)
        is_symlink = stat.S_ISLNK(status.st_mode)
        if is_symlink:
            status = os.stat(path)
        if stat.S_ISREG(status.st_mode):
            return Live(
                digests_of(path), stat.S_IMODE(status.st_mode), status.st_uid, status.st_gid, is_symlink
            )
    except FileNotFoundError:
        if os.path.islink(path):
            raise symlink_refusal(path) from None
        if not os.path.isdir(directory):
            raise ConvertError(
                "no_directory", f"{directory} is not there. Create it, then run again."
            ) from None
        return None
    except NotADirectoryError:
        raise ConvertError("no_directory", f"{directory} is no directory. Mend the path in dest.") from None
    except OSError as error:
        reason = error.strerror or str(error)
        raise ConvertError(
            "dest_unreadable", f"{path}: {reason}. Make it readable, or move it away."
        ) from error
    kind = "a directory" if stat.S_ISDIR(status.st_mode) else "no regular file"
    raise ConvertError(
        "dest_not_a_file", f"{path} is {kind}. dest must name the NPZ itself; move what is there away."
    )


def symlink_refusal(path: str) -> ConvertError:
    """Why nothing is converted onto a symlink."""
    return ConvertError(
        "symlink",
        f"{path} is a symlink to {os.readlink(path)}, which another program (the pipeline's finalizer) owns: "
        "it is never replaced. Set survivor_npz_convert: never to distribute the file that it points to.",
    )


def belonging_sidecar(names: Names, sha256: str) -> Optional[Sidecar]:
    """The sidecar that records this NPZ, wherever a crash may have left it."""
    for path in (names.sidecar, names.pending(sha256), names.sidecar_previous):
        found = sidecar.load(path)
        if sidecar.records_npz(found, sha256):
            return found
    return None


def decide(names: Names, source: os.stat_result, force: bool, prng_encoding: str) -> Decision:
    """Decide by stats and the small files.

    Args:
        source: stat of the JSON.

    Raises:
        ConvertError: as look_at_live.
    """
    live = look_at_live(names.live)
    former = sidecar.load(names.sidecar)
    if live is None:
        return Decision(MISSING, f"there is no {names.name}", None, None, former, [], None, None)
    known = belonging_sidecar(names, live.digests.sha256)
    state = _judge(names, live, known, source, prng_encoding)
    if force and not state.converts:
        return state._replace(reason=FORCED, why="the operator asked", former=former)
    return state._replace(former=former)


def _judge(
    names: Names, live: Live, known: Optional[Sidecar], source: os.stat_result, prng_encoding: str
) -> Decision:
    """The first reason that holds, in the order of the table."""
    now = (source.st_size, source.st_mtime_ns)
    fault = None
    if known:
        version, count = known.get("schema_version"), known.get("survivor_count")
    else:
        from ansible.module_utils.survivor_npz.npz.inspect import read_whole  # noqa: PLC0415 - a rare need

        info = read_whole(names.live)
        version, count, fault = info.schema_version, info.survivor_count, info.fault
    encoding = known.get("prng_encoding") if known else prng_encoding
    lead = source.st_mtime_ns - live.digests.mtime_ns
    table = (
        (
            PINNED,
            fault is None and is_pinned(names, live.digests.sha256, now),
            "a rollback put this NPZ there, and the JSON is still the one that it ignored",
        ),
        (NEWER, lead > 0, f"the JSON is {lead / 1e9:.9g} s newer than the NPZ"),
        (CORRUPT, fault is not None, f"the NPZ can't be read whole ({fault})"),
        (SCHEMA, version != schema.SCHEMA_VERSION, f"the NPZ is not schema {schema.SCHEMA_VERSION}"),
        (SCHEMA, encoding != prng_encoding, f"prng_type is encoded with the table {encoding}"),
        (
            CONTENT,
            known is not None and sidecar.source_of(known) != now,
            "the JSON is not the one that the NPZ was made from",
        ),
        (FRESH, known is None, "the NPZ is whole, of schema 3 and not older than the JSON"),
        (FRESH, True, "the NPZ was made from this JSON"),
    )
    reason, why = next((reason, why) for reason, holds, why in table if holds)
    notes = [_UNKNOWN_SOURCE.format(names.live)] if reason == FRESH and known is None else []
    return Decision(reason, why, live, known, None, notes, version, count)


class Staged(NamedTuple):
    """A conversion that a dead run left staged."""

    path: str
    sidecar: Sidecar
    digests: Digests


def find_staged(names: Names, source: os.stat_result, prng_encoding: str) -> Optional[Staged]:
    """What a dead run staged from today's JSON, whole: no second conversion is needed. None for nothing."""
    now = (source.st_size, source.st_mtime_ns)
    for prefix, path in names.pending_files().items():
        pending = sidecar.load(path)
        if not pending or sidecar.source_of(pending) != now:
            continue
        sha256 = str(pending.get("npz_sha256"))
        made_alike = (
            pending.get("prng_encoding") == prng_encoding
            and pending.get("schema_version") == schema.SCHEMA_VERSION
            and pending.get("converter_version") == schema.CONVERTER_VERSION
        )
        staged = names.staged(sha256)
        try:
            digests = digests_of(staged) if made_alike and sha256.startswith(prefix) else None
        except OSError:
            continue
        if digests and digests.sha256 == sha256 and sidecar.records_npz(pending, sha256):
            return Staged(staged, pending, digests)
    return None
