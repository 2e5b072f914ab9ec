# SPDX-License-Identifier: MIT
"""Convert Step 1's JSON to the NPZ of schema 3 if needed, and stage or activate it on this host.

The stable entry point, also without Ansible:

    outcome = run(Options(src="/…/survivors.json", dest="/…/survivors_binary.npz"))

numpy and orjson are imported only when something is converted.
"""

from __future__ import annotations

import contextlib
import os
from typing import Any, NamedTuple

from ansible.module_utils.survivor_npz.common.digest import Digests
from ansible.module_utils.survivor_npz.common.errors import ConvertError, SwitchError
from ansible.module_utils.survivor_npz.convert.clock import Clock
from ansible.module_utils.survivor_npz.convert.freshness import Decision, Live, Staged, decide, find_staged
from ansible.module_utils.survivor_npz.convert.libraries import demand_libraries
from ansible.module_utils.survivor_npz.convert.stage import (
    Made,
    demand_places,
    explained,
    refresh,
    refusal,
    stage,
)
from ansible.module_utils.survivor_npz.convert.workers import WORTH_A_FORK, apart
from ansible.module_utils.survivor_npz.npz.sidecar import Sidecar, source_of
from ansible.module_utils.survivor_npz.survivors.file import Source, stat_source
from ansible.module_utils.survivor_npz.switch.cleanup import clean
from ansible.module_utils.survivor_npz.switch.leftovers import leftovers
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.recover import is_unfinished, recover
from ansible.module_utils.survivor_npz.switch.switch import activate


class Options(NamedTuple):
    """What to do. Paths are absolute.

    Attributes:
        src: Step 1's JSON.
        dest: the live NPZ.
        force: convert even if nothing calls for it.
        prng_encoding: `registry` or `legacy`.
        workers: processes that parse; 0 for all CPUs allowed.
        piece_bytes: bytes parsed at once, 1 to 16 MiB.
        activate: make the NPZ live; otherwise leave it staged, with its sidecar pending.
        min_survivors: fewer are refused before anything is written.
        check: predict only. Nothing is written.
    """

    src: str
    dest: str
    force: bool = False
    prng_encoding: str = "registry"
    workers: int = 0
    piece_bytes: int = 1 << 20
    activate: bool = True
    min_survivors: int = 0
    check: bool = False


class Outcome(NamedTuple):
    """What was found and done, or in check mode would be done.

    Attributes:
        changed: a conversion happened, or a staged one became live.
        reason, why: contract section 5, as a word and as a sentence.
        sha256, checksum, size: SHA-256, SHA-1 and bytes of the NPZ that is live now or about to be.
        source: size, mtime_ns and (if known) sha256 of the JSON.
        staged: path of the staged NPZ; None if live holds `sha256` already.
        foreign: another program wrote the live NPZ, which is kept.
        live_sha256, live_mtime_ns, live_count: of the NPZ that was live before, None if unknown.
        elapsed: seconds by phase.
    """

    changed: bool
    reason: str
    why: str
    survivor_count: int | None
    sha256: str
    checksum: str
    size: int
    schema_version: int | None
    dest: str
    sidecar: str
    source: dict[str, Any]
    staged: str | None
    foreign: bool
    live_sha256: str | None
    live_mtime_ns: int | None
    live_count: int | None
    live_is_symlink: bool
    warnings: list[str]
    notes: list[str]
    left_out: dict[str, int]
    left_out_more: int
    defaulted: dict[str, int]
    elapsed: dict[str, float]


class _Job(NamedTuple):
    """One run: what was asked for, what was found."""

    options: Options
    names: Names
    source: os.stat_result
    decision: Decision
    clock: Clock

    @property
    def live_sha256(self) -> str | None:
        """SHA-256 of the live NPZ, None for none."""
        return self.decision.live.digests.sha256 if self.decision.live else None


def run(options: Options) -> Outcome:
    """Finish what an interrupted run left, decide, and convert if there is a reason to.

    Raises:
        ConvertError: refused or failed; the former NPZ and its sidecar are unchanged.
    """
    names = Names(options.dest)
    try:
        with explained(names):
            return _run(options, names)
    except SwitchError as error:
        if isinstance(error.__cause__, OSError):
            raise refusal(names, error.__cause__) from error
        raise ConvertError(error.code, error.message) from error


def _run(options: Options, names: Names) -> Outcome:
    clock = Clock()
    source = stat_source(options.src)
    for path in (names.live, names.sidecar):
        if os.path.exists(path) and os.path.samestat(source, os.stat(path)):
            raise ConvertError("bad_argument", f"src and dest are one file: {path} is the JSON itself.")
    if not options.check and is_unfinished(names):
        recover(names, sidecars=True)
    decision = decide(names, options.src, source, options.force, options.prng_encoding)
    job = _Job(options, names, source, decision, clock)
    if decision.live and not decision.converts:
        _tidy(job)
        clock.lap("decide")
        return _keep(job, decision.live)
    demand_places(names, decision.live)
    found = None if options.force else find_staged(names, source, options.prng_encoding)
    if found:
        clock.lap("decide")
        return _take_up(job, found)
    _tidy(job)
    clock.lap("decide")
    return _convert(job)


def _tidy(job: _Job, *keep: str) -> None:
    """Remove what interrupted runs left, except the staged NPZ `keep` (SHA-256) and its sidecar."""
    if not job.options.check and leftovers(job.names, keep):
        clean(job.names, keep, sidecars=True)


def _outcome(
    job: _Job,
    digests: Digests,
    known: Sidecar,
    *,
    changed: bool,
    warnings: list[str],
    notes: list[str],
    staged: str | None = None,
) -> Outcome:
    """The answer about the NPZ that is live or about to be, and its sidecar."""
    decision, live = job.decision, job.decision.live
    source = {"size": job.source.st_size, "mtime_ns": job.source.st_mtime_ns, "sha256": None}
    if changed or source_of(known) == (source["size"], source["mtime_ns"]):
        source = {key: known["source"][key] for key in source}
    return Outcome(
        changed=changed,
        reason=decision.reason,
        why=decision.why,
        survivor_count=known.get("survivor_count", decision.survivor_count),
        sha256=digests.sha256,
        checksum=digests.sha1,
        size=digests.size,
        schema_version=known.get("schema_version", decision.schema_version),
        dest=job.names.live,
        sidecar=job.names.sidecar,
        source=source,
        staged=staged,
        foreign=decision.foreign,
        live_sha256=job.live_sha256,
        live_mtime_ns=live.digests.mtime_ns if live else None,
        live_count=decision.survivor_count,
        live_is_symlink=bool(live and live.is_symlink),
        warnings=warnings,
        notes=notes,
        left_out=dict(known.get("left_out") or {}),
        left_out_more=int(known.get("left_out_more") or 0),
        defaulted=dict(known.get("defaulted") or {}),
        elapsed=job.clock.total(),
    )


def _keep(job: _Job, live: Live) -> Outcome:
    """Leave the live NPZ as it is."""
    known = job.decision.sidecar or {}
    # The conversion's warnings were warnings when it was done; now they are notes.
    notes = list(known.get("warnings", []))
    return _outcome(
        job, live.digests, known, changed=False, warnings=list(job.decision.warnings), notes=notes
    )


def _demand_enough(job: _Job, count: int) -> None:
    """Refuse too few survivors, and leave nothing staged."""
    least = job.options.min_survivors
    if count < least:
        _tidy(job)
        text = f"{count} survivors, at least {least} are needed (survivor_npz_min_survivors). Nothing was replaced"
        raise ConvertError("too_few", f"{text}, on any host. Look at Step 1's result.")


def _take_up(job: _Job, found: Staged) -> Outcome:
    """Use what an interrupted run staged from this very JSON."""
    known, activates = found.sidecar, job.options.activate
    _demand_enough(job, known["survivor_count"])
    _tidy(job, found.digests.sha256)
    if activates and not job.options.check:
        activate(job.names, found.digests.sha256, replaces=job.live_sha256, sidecars=True)
    job.clock.lap("write")
    notes = ["The conversion that an earlier run staged was used."]
    staged = None if activates else found.path
    warnings = known["warnings"]
    return _outcome(
        job, found.digests, known, changed=activates, warnings=warnings, notes=notes, staged=staged
    )


def _convert(job: _Job) -> Outcome:
    """Convert, and write unless it is only a prediction."""
    made = _make(job)
    _demand_enough(job, made.sidecar["survivor_count"])
    is_live = made.sha256 == job.live_sha256
    if not job.options.check:
        _write(job, made, is_live)
    job.clock.lap("write")
    known = made.sidecar
    digests = Digests(made.sha256, known["npz_sha1"], len(made.data), made.mtime_ns)
    staged = None if is_live or job.options.activate else job.names.staged(made.sha256)
    warnings, notes = known["warnings"], known["notes"]
    return _outcome(job, digests, known, changed=True, warnings=warnings, notes=notes, staged=staged)


def _make(job: _Job) -> Made:
    """Convert in memory."""
    options = job.options
    workers = options.workers or len(os.sched_getaffinity(0))
    source = Source(options.src)
    forks = workers > 1 and source.size > WORTH_A_FORK
    with contextlib.closing(source), apart(source.sha256, forks) as digest:
        demand_libraries()  # Hashing has begun.
        from ansible.module_utils.survivor_npz.convert.build import build  # noqa: PLC0415 - slow, rarely needed

        data, content = build(
            source,
            job.names.live,
            digest=digest,
            prng_encoding=options.prng_encoding,
            workers=workers,
            piece_bytes=options.piece_bytes,
            former=job.decision.sidecar or job.decision.former,
            lap=job.clock.lap,
        )
    return Made(data, content)


def _write(job: _Job, made: Made, is_live: bool) -> None:
    """Stage or activate the NPZ. Bytes that are live already only get their new sidecar and mtime."""
    if is_live:
        refresh(job.names, made)
        # There is nothing to switch: it ends a pin.
        activate(job.names, made.sha256, replaces=made.sha256, sidecars=True)
        return
    stage(job.names, made, job.decision.live)
    if job.options.activate:
        activate(job.names, made.sha256, replaces=job.live_sha256, sidecars=True)
