"""Convert Step 1's JSON to the NPZ of schema 3, if need be, and stage or activate it on this host.

The stable entry point for everything but Ansible:

    outcome = convert.run(Options(src="/…/bidirectional_survivors.json",
                                  dest="/…/bidirectional_survivors_binary.npz"))

`Options(src, dest, force=False, prng_encoding="registry", workers=0, piece_bytes=1 MiB, activate=True,
check=False)`; workers=0 means all CPUs allowed. `run` returns an `Outcome` or raises `ConvertError(code,
message)`; nothing live has changed then. numpy and orjson are imported only when something is converted.
"""

from __future__ import annotations

import errno
import os
import stat
from typing import Any, Dict, List, NamedTuple, Optional

from ansible.module_utils.survivor_npz.common.errors import ConvertError, SwitchError
from ansible.module_utils.survivor_npz.convert import freshness
from ansible.module_utils.survivor_npz.convert.freshness import Decision, Staged
from ansible.module_utils.survivor_npz.convert.libraries import demand_libraries
from ansible.module_utils.survivor_npz.convert.outcome import Clock, Options, Outcome
from ansible.module_utils.survivor_npz.convert.stage import Made, System, refresh, refusal, stage
from ansible.module_utils.survivor_npz.npz import sidecar
from ansible.module_utils.survivor_npz.survivors.file import stat_source
from ansible.module_utils.survivor_npz.switch.cleanup import clean, leftovers
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.recover import recover
from ansible.module_utils.survivor_npz.switch.switch import activate

__all__ = ["Options", "Outcome", "run"]


class _Job(NamedTuple):
    """One run: what was asked, what was found."""

    options: Options
    names: Names
    source: os.stat_result
    decision: Decision
    clock: Clock

    @property
    def live_sha256(self) -> Optional[str]:
        """SHA-256 of what is live, None for nothing."""
        return self.decision.live.digests.sha256 if self.decision.live else None


def run(options: Options) -> Outcome:
    """Finish what an earlier run left, decide, and convert if there is a reason to.

    Raises:
        ConvertError: refused or failed; the former NPZ and its sidecar are as they were.
    """
    names = Names(options.dest)
    try:
        with System(names):
            return _run(options, names)
    except SwitchError as error:
        if isinstance(error.__cause__, OSError):
            raise refusal(names, error.__cause__) from error
        raise ConvertError(error.code, str(error)) from error


def _run(options: Options, names: Names) -> Outcome:
    clock = Clock()
    source = stat_source(options.src)
    _demand_two_files(source, names)
    if not options.check:
        _recover(names)
    decision = freshness.decide(names, source, options.force, options.prng_encoding)
    job = _Job(options, names, source, decision, clock)
    if not decision.converts:
        _tidy(job)
        clock.lap("decide")
        return _unchanged(job)
    _demand_room(job)
    found = None if options.force else freshness.find_staged(names, source, options.prng_encoding)
    if found:
        clock.lap("decide")
        return _take_up(job, found)
    _tidy(job)
    clock.lap("decide")
    return _convert(job)


def _demand_two_files(source: os.stat_result, names: Names) -> None:
    """Step 1's work is not to be replaced by what is made of it."""
    for path in (names.live, names.sidecar):
        if os.path.exists(path) and os.path.samestat(source, os.stat(path)):
            raise ConvertError("bad_argument", f"{path} is the JSON itself: src and dest are one file.")


def _recover(names: Names) -> None:
    """Roll forward a crashed switch. The common case, nothing to do, costs two listings."""
    is_ours = os.path.isfile(names.live) and not os.path.islink(names.live)
    if is_ours and (names.outgoing_files() or names.pending_files() or not os.path.exists(names.sidecar)):
        recover(names, sidecars=True)


def _tidy(job: _Job, keep: str = "") -> None:
    """Remove what dead runs left, but for the staged NPZ `keep` and its sidecar."""
    kept = {keep} if keep else set()
    if not job.options.check and leftovers(job.names, kept):
        clean(job.names, kept, sidecars=True)


def _demand_room(job: _Job) -> None:
    """Refuse before any work what could not be put into place after it."""
    if job.decision.live and job.decision.live.is_symlink:
        raise freshness.symlink_refusal(job.names.live)
    names = job.names
    for path in (names.sidecar, names.previous, names.sidecar_previous, names.pinned):
        if os.path.lexists(path) and not stat.S_ISREG(os.lstat(path).st_mode):
            raise ConvertError(
                "sidecar_not_a_file" if path == names.sidecar else "place_not_a_file",
                f"{path} is no regular file, and its place is needed. Move it away.",
            )
    if not os.access(names.directory, os.W_OK | os.X_OK):
        number = errno.EROFS if os.statvfs(names.directory).f_flag & os.ST_RDONLY else errno.EACCES
        raise refusal(names, OSError(number, os.strerror(number), names.live))


def _unchanged(job: _Job) -> Outcome:
    live, known = job.decision.live, job.decision.sidecar
    if live is None:
        raise ConvertError("internal", f"{job.names.live}: no NPZ, yet nothing to convert. Report this.")
    is_same = known is not None and sidecar.source_of(known) == (job.source.st_size, job.source.st_mtime_ns)
    # What the conversion had to warn about was said as warnings when it was done.
    notes = job.decision.notes + (list(known.get("warnings", [])) if known else [])
    digests = live.digests
    answer = _Answer(digests.sha256, digests.sha1, digests.size, known or {}, [], notes)
    return _outcome(
        job, answer, changed=False, source_sha256=known["source"]["sha256"] if is_same and known else None
    )


class _Answer(NamedTuple):
    """The NPZ that is or is to be live."""

    sha256: str
    sha1: str
    size: int
    sidecar: sidecar.Sidecar
    warnings: List[str]
    notes: List[str]


def _outcome(
    job: _Job, answer: _Answer, *, changed: bool, source_sha256: Optional[str], staged: Optional[str] = None
) -> Outcome:
    decision, known, live = job.decision, answer.sidecar, job.decision.live
    source: Dict[str, Any] = {"size": job.source.st_size, "mtime_ns": job.source.st_mtime_ns}
    if changed:
        source = {key: known["source"][key] for key in source}
    return Outcome(
        changed=changed,
        reason=decision.reason,
        why=decision.why,
        survivor_count=known.get("survivor_count", decision.survivor_count),
        sha256=answer.sha256,
        checksum=answer.sha1,
        size=answer.size,
        schema_version=known.get("schema_version", decision.schema_version),
        dest=job.names.live,
        sidecar=job.names.sidecar,
        source={**source, "sha256": source_sha256},
        staged=staged,
        live_sha256=job.live_sha256,
        live_mtime_ns=live.digests.mtime_ns if live else None,
        live_count=decision.survivor_count,
        live_is_symlink=bool(live and live.is_symlink),
        warnings=answer.warnings,
        notes=answer.notes,
        left_out=dict(known.get("left_out") or {}),
        defaulted=dict(known.get("defaulted") or {}),
        elapsed=job.clock.total(),
    )


def _take_up(job: _Job, found: Staged) -> Outcome:
    """Use what an earlier run staged from this very JSON."""
    pending, digests = found.sidecar, found.digests
    _tidy(job, digests.sha256)
    if job.options.activate and not job.options.check:
        activate(job.names, digests.sha256, replaces=job.live_sha256, sidecars=True)
    job.clock.lap("write")
    notes = [*job.decision.notes, "An earlier run had staged this conversion: it was taken up, not repeated."]
    answer = _Answer(*digests[:3], pending, list(pending.get("warnings", [])), notes)
    staged = None if job.options.activate else found.path
    return _outcome(
        job,
        answer,
        changed=job.options.activate,
        source_sha256=pending["source"].get("sha256"),
        staged=staged,
    )


def _convert(job: _Job) -> Outcome:
    made = _make(job)
    is_live = made.sha256 == job.live_sha256
    if not job.options.check:
        _put(job, made, is_live)
    job.clock.lap("write")
    known = made.sidecar
    answer = _Answer(
        made.sha256,
        known["npz_sha1"],
        len(made.data),
        known,
        known["warnings"],
        job.decision.notes + known["notes"],
    )
    staged = None if is_live or job.options.activate else job.names.staged(made.sha256)
    return _outcome(job, answer, changed=True, source_sha256=known["source"]["sha256"], staged=staged)


def _make(job: _Job) -> Made:
    """Convert in memory. numpy and orjson come in here and nowhere else."""
    demand_libraries()
    from ansible.module_utils.survivor_npz.arrays.maker import make  # noqa: PLC0415 - dear imports, rarely needed

    options = job.options
    data, content = make(
        options.src,
        job.names.live,
        prng_encoding=options.prng_encoding,
        workers=options.workers or len(os.sched_getaffinity(0)),
        piece_bytes=options.piece_bytes,
        former=job.decision.sidecar or job.decision.former,
        lap=job.clock.lap,
    )
    return Made(data, content)


def _put(job: _Job, made: Made, is_live: bool) -> None:
    """Write what was made. Bytes that are live already only get their sidecar and mtime."""
    if is_live:
        refresh(job.names, made)
        activate(job.names, made.sha256, replaces=made.sha256, sidecars=True)
        _tidy(job)
        return
    stage(job.names, made, job.decision.live)
    _tidy(job, made.sha256)
    if job.options.activate:
        activate(job.names, made.sha256, replaces=job.live_sha256, sidecars=True)
