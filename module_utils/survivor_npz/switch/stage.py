# SPDX-License-Identifier: MIT
"""Stage the goal beside each live copy of one host that lacks it: reuse bytes, spread, check, open.

What the `copy` task brought is one source; a live, staged or previous file with the goal's bytes is another.
Standard library only: it runs on bare rigs.
"""

from __future__ import annotations

import os
import subprocess
from typing import Any

from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.common.digest import sha256_or_none, short
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.switch.live import exclusive, put
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership, give

# Run by the host's own interpreter, with numpy: what a worker does with the file.
OPEN = """
import sys, numpy
with numpy.load(sys.argv[1], allow_pickle=False) as npz:
    lengths = {len(npz[name]) for name in npz.files}
sys.exit(f"arrays of unequal length: {sorted(lengths)}" if len(lengths) != 1 else 0)
"""
OPEN_SECONDS = 45


def make_directory(path: str, owned: Ownership) -> None:
    """Make a directory and those above it that are missing."""
    missing = []
    while not os.path.isdir(path):
        missing.append(path)
        path = os.path.dirname(path)
    for place in reversed(missing):
        durable.make_dir(place, 0o755)
        give(place, owned._replace(mode=-1))
        durable.sync_dir(os.path.dirname(place))


def spread(source: str, path: str, sha256: str, owned: Ownership) -> None:
    """Stage a file's bytes beside the live copy `path`.

    Raises:
        SwitchError: corrupt: the source does not hold `sha256` (any more).
        OSError: as the system says it.
    """
    names = Names(path)
    with exclusive(names) as here:
        staged = here.staged(sha256)
        put(durable.copy, source, staged)
        if sha256_or_none(staged) != sha256:
            durable.unlink(staged)
            raise SwitchError("corrupt", f"{source} no longer holds {short(sha256)}. Run again.")
        give(staged, owned)


def received(path: str, sha256: str) -> None:
    """Check what the `copy` task wrote. The switch flushes it.

    Raises:
        SwitchError: not_staged, corrupt.
    """
    found = sha256_or_none(path)
    if found is None:
        raise SwitchError("not_staged", f"{path} is missing although it was copied. Run again.")
    if found != sha256:
        raise SwitchError("corrupt", f"{path} holds {short(found)} instead of {short(sha256)}. Run again.")


def open_with(python: str, path: str) -> None:
    """Let another interpreter of this host open an NPZ as a worker does.

    Raises:
        SwitchError: cannot_open, with the last line that it wrote.
        OSError: it can't be started.
    """
    command = [os.path.expanduser(python), "-c", OPEN, path]
    try:
        done = subprocess.run(
            command, capture_output=True, check=False, timeout=OPEN_SECONDS, errors="replace"
        )
    except subprocess.TimeoutExpired:
        raise SwitchError("cannot_open", f"{python} did not open {path} in {OPEN_SECONDS} s.") from None
    if done.returncode:
        lines = done.stderr.strip().splitlines() or [f"exit code {done.returncode}"]
        raise SwitchError("cannot_open", f"{lines[-1]} ({python} opening {path})")


def stage(part: dict[str, Any], sha256: str, owned: Ownership, python: str) -> list[dict[str, Any]]:
    """Stage on one host what its part of the plan says.

    Args:
        part: as plan.part_of returns it.
        python: the host's own interpreter that must open the NPZ; "" for none.

    Returns:
        For each copy to switch its `path` and the `sha256` now staged beside it, read from the disk.

    Raises:
        SwitchError, OSError: as the functions above.
    """
    for directory in part["directories"]:
        make_directory(directory, owned)
    for copy in part["restore"]:
        from ansible.module_utils.survivor_npz.switch.switch import stage_previous  # noqa: PLC0415 - a rollback's

        stage_previous(Names(copy["path"]), sha256, sidecars=copy["sidecars"])
    if part["receive"]:
        received(part["receive"], sha256)
    for path in part["spread"]:
        if Names(path).staged(sha256) != part["source"]:
            spread(part["source"], path, sha256, owned)
    wanted = [Names(copy["path"]).staged(sha256) for copy in part["switch"]]
    if part["receive"] and part["receive"] not in wanted:
        durable.unlink(part["receive"])
    found = [
        {"path": copy["path"], "sha256": sha256_or_none(staged)}
        for copy, staged in zip(part["switch"], wanted)
    ]
    if python:
        open_with(python, wanted[0] if wanted else part["source"])
    return found
