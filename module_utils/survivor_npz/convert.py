"""Convert Step 1's JSON to the NPZ of schema 3, if need be, and stage or activate it on this host.

The stable entry point for everything but Ansible:

    outcome = convert.run(Options(src="/…/bidirectional_survivors.json",
                                  dest="/…/bidirectional_survivors_binary.npz"))

`Options(src, dest, force=False, prng_encoding="registry", workers=0, piece_bytes=512 KiB, activate=True,
check=False)`; workers=0 means all CPUs allowed. `run` returns an `Outcome` or raises `ConvertError(code,
message)`; nothing live has changed then. numpy and orjson are imported only when something is converted.
"""

from __future__ import annotations

import os
import time
from typing import Any, Dict, List, NamedTuple, Optional

from ansible.module_utils.survivor_npz import durable, freshness, sidecar
from ansible.module_utils.survivor_npz.errors import ConvertError
from ansible.module_utils.survivor_npz.freshness import Decision
from ansible.module_utils.survivor_npz.leftovers import clean, leftovers
from ansible.module_utils.survivor_npz.names import Names
from ansible.module_utils.survivor_npz.recover import SwitchError, exclusive, recover
from ansible.module_utils.survivor_npz.source import stat_source
from ansible.module_utils.survivor_npz.stage import System, stage
from ansible.module_utils.survivor_npz.switch import activate

PIECE_BYTES = 512 << 10


class Options(NamedTuple):
    """What to do. Paths are absolute.

    Attributes:
        src: the JSON of Step 1.
        dest: the live NPZ.
        force: convert even if nothing asks for it.
        prng_encoding: `registry` or `legacy`.
        workers: processes that parse; 0 for all CPUs allowed.
        piece_bytes: bytes parsed at once, 1 to 16 MiB.
        activate: make the NPZ live; else leave it staged, with its sidecar pending.
        check: predict only. Nothing is written.
    """

    src: str
    dest: str
    force: bool = False
    prng_encoding: str = "registry"
    workers: int = 0
    piece_bytes: int = PIECE_BYTES
    activate: bool = True
    check: bool = False


class Outcome(NamedTuple):
    """What was found and done, or in check mode would be done.

    Attributes:
        changed: a conversion happened, or what was staged became live.
        reason, why: contract section 5, as a word and as a sentence.
        sha256, checksum, size: SHA-256, SHA-1 and bytes of the NPZ that is to be live now.
        staged: path of the staged NPZ; None where live holds `sha256` already.
        live_sha256, live_mtime_ns, live_count: of the NPZ that was live before, None where unknown.
        source: size, mtime_ns and (where known) sha256 of the JSON.
        elapsed: seconds by phase.
    """

    changed: bool
    reason: str
    why: str
    survivor_count: Optional[int]
    sha256: str
    checksum: str
    size: int
    schema_version: Optional[int]
    dest: str
    sidecar: str
    source: Dict[str, Any]
    staged: Optional[str]
    live_sha256: Optional[str]
    live_mtime_ns: Optional[int]
    live_count: Optional[int]
    live_is_symlink: bool
    warnings: List[str]
    notes: List[str]
    left_out: Dict[str, int]
    defaulted: Dict[str, int]
    elapsed: Dict[str, float]


class _Clock:
    """Seconds by phase."""

    def __init__(self) -> None:
        self.elapsed: Dict[str, float] = {}
        self._start = self._last = time.monotonic()

    def lap(self, phase: str) -> None:
        now = time.monotonic()
        self.elapsed[phase] = round(now - self._last, 4)
        self._last = now

    def total(self) -> Dict[str, float]:
        return {**self.elapsed, "total": round(time.monotonic() - self._start, 4)}


def run(options: Options) -> Outcome:
    """Finish what an earlier run left, decide, and convert if there is a reason to.

    Raises:
        ConvertError: refused or failed; the former NPZ and its sidecar are as they were.
    """
    try:
        return _run(options, Names(options.dest))
    except SwitchError as error:
        raise ConvertError(error.code, str(error)) from error


def _run(options: Options, names: Names) -> Outcome:
    clock = _Clock()
    source = stat_source(options.src)
    if not options.check:
        _recover(names)
    decision = freshness.decide(names, source, options.force, options.prng_encoding)
    if not decision.converts:
        if not options.check:
            _tidy(names)
        clock.lap("decide")
        return _unchanged(options, names, source, decision, clock)
    if decision.live and decision.live.is_symlink:
        raise freshness.symlink_refusal(names.live)
    if not options.force:
        found = freshness.find_staged(names, source, options.prng_encoding)
        if found:
            clock.lap("decide")
            return _take_up(options, names, source, decision, found, clock)
    if not options.check:
        _tidy(names)
    clock.lap("decide")
    return _convert(options, names, decision, clock)


def _recover(names: Names) -> None:
    """Roll forward a crashed switch. The common case, nothing to do, costs three listings."""
    if names.outgoing_files() or names.pending_files() or not os.path.exists(names.sidecar):
        if os.path.isdir(names.directory) and os.path.isfile(names.live) and not os.path.islink(names.live):
            recover(names, sidecars=True)


def _tidy(names: Names, keep: str = "") -> None:
    kept = {keep} if keep else set()
    if leftovers(names, kept):
        clean(names, kept, sidecars=True)


def _unchanged(
    options: Options, names: Names, source: os.stat_result, decision: Decision, clock: _Clock
) -> Outcome:
    live, known = decision.live, decision.sidecar or {}
    if live is None:
        raise ConvertError("internal", f"{names.live}: no NPZ, yet nothing to convert. Report this.")
    recorded = known.get("source")
    is_same = sidecar.source_of(decision.sidecar) == (source.st_size, source.st_mtime_ns)
    sha256 = recorded.get("sha256") if isinstance(recorded, dict) and is_same else None
    return _outcome(
        options,
        names,
        decision,
        known,
        clock,
        changed=False,
        sha256=live.digests.sha256,
        checksum=live.digests.sha1,
        size=live.digests.size,
        source=_source_facts(source, sha256),
        # What the conversion had to warn about was said when it was done.
        warnings=[],
        notes=decision.notes + (list(known.get("warnings", [])) if decision.sidecar else []),
    )


def _source_facts(source: os.stat_result, sha256: Optional[str]) -> Dict[str, Any]:
    return {"size": source.st_size, "mtime_ns": source.st_mtime_ns, "sha256": sha256}


def _outcome(
    options: Options,
    names: Names,
    decision: Decision,
    known: Dict[str, Any],
    clock: _Clock,
    *,
    changed: bool,
    sha256: str,
    checksum: str,
    size: int,
    source: Dict[str, Any],
    warnings: List[str],
    notes: List[str],
    staged: Optional[str] = None,
) -> Outcome:
    live = decision.live
    return Outcome(
        changed=changed,
        reason=decision.reason,
        why=decision.why,
        survivor_count=known.get("survivor_count", decision.survivor_count),
        sha256=sha256,
        checksum=checksum,
        size=size,
        schema_version=known.get("schema_version", decision.schema_version),
        dest=names.live,
        sidecar=names.sidecar,
        source=source,
        staged=staged,
        live_sha256=live.digests.sha256 if live else None,
        live_mtime_ns=live.digests.mtime_ns if live else None,
        live_count=decision.survivor_count,
        live_is_symlink=bool(live and live.is_symlink),
        warnings=warnings,
        notes=notes,
        left_out=dict(known.get("left_out") or {}),
        defaulted=dict(known.get("defaulted") or {}),
        elapsed=clock.total(),
    )


def _take_up(
    options: Options,
    names: Names,
    source: os.stat_result,
    decision: Decision,
    found: "tuple[str, sidecar.Sidecar, freshness.Digests]",
    clock: _Clock,
) -> Outcome:
    """Use what an earlier run staged from this very JSON."""
    path, pending, digests = found
    if not options.check:
        _tidy(names, digests.sha256)
        if options.activate:
            _activate(names, digests.sha256, decision)
    clock.lap("write")
    return _outcome(
        options,
        names,
        decision,
        pending,
        clock,
        changed=options.activate,
        sha256=digests.sha256,
        checksum=digests.sha1,
        size=digests.size,
        source=_source_facts(source, pending["source"].get("sha256")),
        warnings=list(pending.get("warnings", [])),
        notes=[*decision.notes, "An earlier run had staged this conversion: it was taken up, not repeated."],
        staged=None if options.activate else path,
    )


def _activate(names: Names, sha256: str, decision: Decision) -> None:
    expect = decision.live.digests.sha256 if decision.live else None
    activate(names, sha256, expect=expect, sidecars=True)


def _convert(options: Options, names: Names, decision: Decision, clock: _Clock) -> Outcome:
    made = _make(options, names, decision, clock)
    sha256 = made.sidecar["npz_sha256"]
    before = decision.live.digests.sha256 if decision.live else None
    staged = None if sha256 == before or options.activate else names.staged(sha256)
    if not options.check:
        with System(names):
            _put(options, names, decision, made, sha256 == before)
    clock.lap("write")
    return _outcome(
        options,
        names,
        decision,
        made.sidecar,
        clock,
        changed=True,
        sha256=sha256,
        checksum=made.sidecar["npz_sha1"],
        size=len(made.data),
        source={key: made.sidecar["source"][key] for key in ("size", "mtime_ns", "sha256")},
        warnings=made.sidecar["warnings"],
        notes=decision.notes + made.sidecar["notes"],
        staged=staged,
    )


class _Made(NamedTuple):
    data: bytes
    sidecar: sidecar.Sidecar


def _make(options: Options, names: Names, decision: Decision, clock: _Clock) -> _Made:
    """Convert in memory. numpy and orjson come in here and nowhere else."""
    from ansible.module_utils.survivor_npz.make import make  # noqa: PLC0415 - dear imports, rarely needed

    data, content = make(
        options.src,
        names.live,
        prng_encoding=options.prng_encoding,
        workers=options.workers or len(os.sched_getaffinity(0)),
        piece_bytes=options.piece_bytes,
        former=decision.sidecar or decision.former,
        lap=clock.lap,
    )
    return _Made(data, content)


def _put(options: Options, names: Names, decision: Decision, made: _Made, is_live: bool) -> None:
    """Write what was made. The bytes that are live already only get their sidecar and mtime."""
    sha256, mtime_ns = made.sidecar["npz_sha256"], made.sidecar["source"]["mtime_ns"]
    content = sidecar.dump(made.sidecar)
    if is_live:
        with exclusive(names):
            _refresh(names, content, mtime_ns)
        activate(names, sha256, expect=sha256, sidecars=True)
        _tidy(names)
        return
    stage(names, sha256, made.data, content, mtime_ns, decision.live)
    _tidy(names, sha256)
    if options.activate:
        _activate(names, sha256, decision)


def _refresh(names: Names, content: bytes, mtime_ns: int) -> None:
    temp = Names.temp(names.sidecar)
    durable.unlink(temp)
    durable.write_file(temp, content)
    durable.set_mtime(names.live, mtime_ns)
    durable.replace(temp, names.sidecar)
    durable.sync_dir(names.directory)


