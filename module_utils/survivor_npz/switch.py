"""The atomic switch of one live copy on one host: activate, go back, stage the previous, clean.

docs/state-machine.md is the law for the order of steps. Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import stat
from typing import Any, Collection, Dict, Iterator, List, NamedTuple, Optional

from ansible.module_utils.survivor_npz import durable
from ansible.module_utils.survivor_npz.digest import sha256_or_none
from ansible.module_utils.survivor_npz.names import PREFIX_LENGTH, Names


class Switch(NamedTuple):
    """What a step did, or in a dry run would do, to one live copy (digests; None: no file)."""

    changed: bool
    before: Optional[str]
    after: Optional[str]
    previous: Optional[str]


class SwitchError(Exception):
    """A switch that was refused. Nothing live has changed.

    Codes: moved, not_staged, corrupt, symlink, not_a_file, no_previous, no_directory, system.
    """

    def __init__(self, code: str, message: str) -> None:
        super().__init__(message)
        self.code = code


def _short(sha256: Optional[str]) -> str:
    return sha256[:12] if sha256 else "no file"


@contextlib.contextmanager
def _exclusive(names: Names) -> Iterator[None]:
    """Hold the directory's flock, so that two controllers can't pass the same check together."""
    try:
        fd = os.open(names.directory, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError as error:
        raise SwitchError(
            "no_directory", f"{names.directory}: {error.strerror}. Create the directory, then run again."
        ) from error
    try:
        fcntl.flock(fd, fcntl.LOCK_EX)
        yield
    except OSError as error:
        raise SwitchError(
            "system",
            f"{error.filename2 or error.filename or names.live}: {error.strerror or error}. "
            "Mend the file system or its permissions, then run again.",
        ) from error
    finally:
        os.close(fd)


def live_sha256(names: Names) -> Optional[str]:
    """SHA-256 of the live file, None where there is none.

    Raises:
        SwitchError: a symlink or something else than a regular file stands there.
    """
    try:
        mode = os.lstat(names.live).st_mode
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(mode):
        raise SwitchError(
            "symlink",
            f"{names.live} is a symlink to {os.readlink(names.live)}, which somebody else owns: it is never "
            "replaced. Set survivor_npz_convert: never to distribute the file that it points to.",
        )
    if not stat.S_ISREG(mode):
        raise SwitchError("not_a_file", f"{names.live} is not a regular file. Move it away, then run again.")
    return sha256_or_none(names.live)


def _compare(names: Names, live: Optional[str], expect: Optional[str]) -> None:
    if live != expect:
        raise SwitchError(
            "moved",
            f"{names.live} changed since this run looked at it: {_short(expect)} then, {_short(live)} now. "
            "Another controller or program writes it; find out which, then run again.",
        )


def _relink(source: str, target: str) -> None:
    """Let `target` atomically become another name of the file `source`."""
    temp = Names.temp(target)
    durable.unlink(temp)
    durable.link(source, temp)
    durable.replace(temp, target)
    # rename(2) does nothing when both names are one file already; then the temp name is still there.
    durable.unlink(temp)


def sidecar_sha256(path: str) -> Optional[str]:
    """The NPZ's SHA-256 that a sidecar names; None for no, or no readable, sidecar."""
    try:
        with open(path, encoding="utf-8") as file:
            content = json.load(file)
    except (OSError, ValueError):
        return None
    value = content.get("npz_sha256") if isinstance(content, dict) else None
    return value if isinstance(value, str) else None


def _keep_previous(names: Names, live: Optional[str], sidecars: bool) -> None:
    if live is None:
        return
    _relink(names.live, names.previous)
    if not sidecars:
        return
    if sidecar_sha256(names.sidecar) == live:
        _relink(names.sidecar, names.sidecar_previous)
    else:
        # A sidecar of some other file would lend the previous NPZ a wrong source.
        durable.unlink(names.sidecar_previous)


def _adopt_pending(names: Names, sha256: str) -> bool:
    pending = names.pending(sha256)
    if sidecar_sha256(pending) != sha256:
        return False
    durable.replace(pending, names.sidecar)
    durable.sync_dir(names.directory)
    return True


def recover_sidecars(names: Names, check: bool = False) -> bool:
    """Roll a sidecar forward that a crash left pending after its NPZ went live; tell if there was one."""
    if not names.pending_files():
        return False
    with _exclusive(names):
        live = live_sha256(names)
        if live is None or sidecar_sha256(names.pending(live)) != live:
            return False
        return check or _adopt_pending(names, live)


def write_pin(names: Names, sha256: str, source: Dict[str, Any]) -> None:
    """Mark `sha256` as live on purpose while the JSON has this stat (`path`, `size`, `mtime_ns`)."""
    temp = Names.temp(names.pinned)
    durable.unlink(temp)
    content = json.dumps({"sha256": sha256, "source": source}, indent=2, sort_keys=True) + "\n"
    durable.write_file(temp, content.encode())
    durable.replace(temp, names.pinned)


def activate(
    names: Names,
    sha256: str,
    *,
    expect: Optional[str],
    sidecars: bool = False,
    pin: Optional[Dict[str, Any]] = None,
    check: bool = False,
) -> Switch:
    """Make the staged file `sha256` live, if live still is `expect` (None: no file).

    Args:
        sidecars: the pending sidecar follows, the live one becomes the previous (coordinator).
        pin: stat of the JSON that a rollback ignores; without it an existing pin ends.
        check: predict only. A staged file that isn't there yet is then no error.

    Raises:
        SwitchError: nothing live has changed; the message names the file and the next step.
    """
    with _exclusive(names):
        live = live_sha256(names)
        if live == sha256:
            if not check and sidecars:
                _adopt_pending(names, sha256)
                _settle_pin(names, sha256, pin)
            if not check:
                durable.unlink(names.staged(sha256))
            return Switch(False, live, live, None)
        _compare(names, live, expect)
        if check:
            return Switch(True, live, sha256, live)
        staged = names.staged(sha256)
        found = sha256_or_none(staged)
        if found is None:
            raise SwitchError("not_staged", f"{staged} is not there: nothing to activate. Run again.")
        if found != sha256:
            raise SwitchError(
                "corrupt",
                f"{staged} holds {_short(found)} instead of {_short(sha256)}: it was changed after it was "
                "staged. Run again: it will be staged anew.",
            )
        durable.sync_file(staged)
        _keep_previous(names, live, sidecars)
        if sidecars and pin is not None:
            write_pin(names, sha256, pin)
        durable.replace(staged, names.live)
        durable.sync_dir(names.directory)
        if sidecars:
            if not _adopt_pending(names, sha256):
                durable.unlink(names.sidecar)
            _settle_pin(names, sha256, pin)
        return Switch(True, live, sha256, live)


def _settle_pin(names: Names, sha256: str, pin: Optional[Dict[str, Any]]) -> None:
    if pin is not None:
        write_pin(names, sha256, pin)
    elif os.path.lexists(names.pinned):
        durable.unlink(names.pinned)


def revert(
    names: Names, new: str, old: Optional[str], *, sidecars: bool = False, check: bool = False
) -> Switch:
    """Go back from `new` to `old`, which the activation kept (None: there was no file).

    Raises:
        SwitchError: live is neither, or what is kept is not `old`; nothing has changed then.
    """
    with _exclusive(names):
        live = live_sha256(names)
        if live == old:
            return Switch(False, live, live, None)
        _compare(names, live, new)
        if old is not None and sha256_or_none(names.previous) != old:
            raise SwitchError(
                "no_previous",
                f"{names.previous} does not hold {_short(old)}: there is no way back on this host. "
                "Run playbooks/step25.yml again to bring the whole fleet to one state.",
            )
        if check:
            return Switch(True, live, old, new)
        if old is None:
            durable.unlink(names.live)
        else:
            _relink(names.previous, names.live)
        durable.sync_dir(names.directory)
        if sidecars:
            if old is not None and sidecar_sha256(names.sidecar_previous) == old:
                _relink(names.sidecar_previous, names.sidecar)
            else:
                durable.unlink(names.sidecar)
            durable.sync_dir(names.directory)
        return Switch(True, live, old, old)


def stage_previous(names: Names, sha256: str, *, sidecars: bool = False, check: bool = False) -> Switch:
    """Rollback's first step: stage the previous file, which must hold `sha256`.

    Raises:
        SwitchError: `no_previous` where it does not, so that the caller stages by `copy` instead.
    """
    with _exclusive(names):
        live = live_sha256(names)
        if sha256_or_none(names.previous) != sha256:
            raise SwitchError("no_previous", f"{names.previous} does not hold {_short(sha256)}.")
        staged = names.staged(sha256)
        changed = live != sha256 and sha256_or_none(staged) != sha256
        if changed and not check:
            if sidecars and sidecar_sha256(names.sidecar_previous) == sha256:
                _relink(names.sidecar_previous, names.pending(sha256))
            _relink(names.previous, staged)
            durable.sync_dir(names.directory)
        return Switch(changed, live, live, sha256)


def _started_at(pid: int) -> Optional[float]:
    """When a process started (Unix seconds), None where it is gone. Source: proc(5), field 22."""
    try:
        with open(f"/proc/{pid}/stat", encoding="latin-1") as file:
            ticks = int(file.read().rpartition(")")[2].split()[19])
        with open("/proc/stat", encoding="latin-1") as file:
            booted = next(int(line.split()[1]) for line in file if line.startswith("btime "))
    except (OSError, StopIteration, ValueError):
        return None
    return booted + ticks / os.sysconf("SC_CLK_TCK")


def _is_abandoned(path: str, pid: int) -> bool:
    """Whether the writer of an unfinished file is gone, its pid perhaps taken over since."""
    if pid == os.getpid():
        return True
    started = _started_at(pid)
    if started is None:
        return True
    try:
        # Two seconds of slack: the boot time is known in whole seconds only.
        return started > os.lstat(path).st_ctime + 2
    except FileNotFoundError:
        return False


def leftovers(names: Names, keep: Collection[str] = ()) -> List[str]:
    """What dead runs left: staged and pending files not in `keep` (SHA-256), unfinished files."""
    kept = {sha256[:PREFIX_LENGTH] for sha256 in keep}
    found = [path for prefix, path in names.staged_files().items() if prefix not in kept]
    found += [path for prefix, path in names.pending_files().items() if prefix not in kept]
    found += [path for path, pid in names.temp_files() if _is_abandoned(path, pid)]
    return found + names.foreign_temp_files()


def clean(names: Names, keep: Collection[str] = (), *, check: bool = False) -> List[str]:
    """Remove `leftovers` and return their paths. A pending sidecar of the live NPZ rolls forward first.

    Raises:
        SwitchError: a file can't be removed.
    """
    if not os.path.isdir(names.directory):
        return []
    recover_sidecars(names, check=check)
    with _exclusive(names):
        found = leftovers(names, keep)
        if not check:
            for path in found:
                durable.unlink(path)
            if found:
                durable.sync_dir(names.directory)
        return found
