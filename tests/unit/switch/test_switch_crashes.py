# SPDX-License-Identifier: MIT
"""SIGKILL before and after every step of a switch, then the next run: exhaustive, not by luck."""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Any, Callable, Dict

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.switch import cleanup, leftovers, switch
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names
from ansible.module_utils.survivor_npz.switch.ownership import Ownership
from ansible.module_utils.survivor_npz.switch.pin import is_pinned

OLD, NEW = b"old bytes", b"new bytes"
FOREIGN = b'{"version": "3.1", "source_file": "bidirectional_survivors.json"}'


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def lay_out(directory: Path) -> Names:
    directory.mkdir()
    names = Names(str(directory / "bidirectional_survivors_binary.npz"))
    Path(names.live).write_bytes(OLD)
    Path(names.sidecar).write_text(json.dumps({"npz_sha256": sha(OLD)}))
    Path(names.staged(sha(NEW))).write_bytes(NEW)
    Path(names.pending(sha(NEW))).write_text(json.dumps({"npz_sha256": sha(NEW)}))
    return names


def activate(names: Names) -> None:
    switch.activate(names, sha(NEW), replaces=sha(OLD), sidecars=True)


def activated(directory: Path) -> Names:
    names = lay_out(directory)
    activate(names)
    return names


def go_back(names: Names) -> None:
    switch.revert(names, sha(NEW), sha(OLD), sidecars=True)


def roll_back(names: Names) -> None:
    switch.stage_previous(names, sha(OLD), sidecars=True)
    source = {"path": "x.json", "size": 1, "mtime_ns": 2}
    switch.activate(
        names, sha(OLD), replaces=sha(NEW), sidecars=True, pin=source, owned=Ownership(mode=0o640)
    )


def adjust(names: Names) -> None:
    """Only the mtime, the owner and the mode change, of a copy with the right bytes."""
    wanted = Ownership(os.geteuid(), os.getegid(), 0o640)
    switch.activate(names, sha(OLD), replaces=sha(OLD), sidecars=True, mtime_ns=2, owned=wanted)


def with_foreign_sidecar(directory: Path) -> Names:
    names = lay_out(directory)
    Path(names.sidecar).write_bytes(FOREIGN)
    return names


def activated_over_foreign(directory: Path) -> Names:
    names = with_foreign_sidecar(directory)
    activate(names)
    return names


def sidecar_of(names: Names) -> str:
    """The bytes of the NPZ that the sidecar in its place belongs to, as a digest."""
    return sha(OLD) if Path(names.sidecar).read_bytes() == FOREIGN else str(sidecar_sha256(names.sidecar))


def killed_at(step: int, action: Callable[[Names], None], names: Names) -> bool:
    """Run `action` in a child that is SIGKILLed at its step-th crash point; False: it ended before."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def observer(_when: str, _operation: str, _path: str, _taken: object) -> None:
            nonlocal count
            count += 1
            if count == step:
                os.kill(os.getpid(), signal.SIGKILL)

        durable.observer = observer
        try:
            action(names)
        finally:
            os._exit(0)
    _pid, status = os.waitpid(pid, 0)
    return os.WIFSIGNALED(status)


ACTIONS: Dict[str, Any] = {
    "activate": (lay_out, activate, NEW),
    "activate over another program's": (with_foreign_sidecar, activate, NEW),
    "adjust": (lay_out, adjust, OLD),
    "revert": (activated, go_back, OLD),
    "revert to another program's": (activated_over_foreign, go_back, OLD),
    "rollback": (activated, roll_back, OLD),
    "rollback to another program's": (activated_over_foreign, roll_back, OLD),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_step_leaves_old_or_new_and_the_next_run_heals(tmp_path: Path, action: str) -> None:
    prepare, act, goal = ACTIONS[action]
    step = 0
    while True:
        step += 1
        names = prepare(tmp_path / str(step))
        if not killed_at(step, act, names):
            break
        live = Path(names.live).read_bytes()
        assert live in (OLD, NEW), f"step {step}"
        cleanup.clean(names, keep={sha(goal)}, sidecars=True)
        assert Path(names.live).read_bytes() == live
        if live != goal or act is adjust:
            act(names)
        cleanup.clean(names, sidecars=True)
        assert Path(names.live).read_bytes() == goal, f"step {step}"
        assert leftovers.leftovers(names) == [], f"step {step}"
        assert sidecar_of(names) == sha(goal), f"step {step}"
        assert {os.lstat(path).st_nlink for path in (names.live, names.sidecar)} == {1}, f"step {step}"
        kept = Path(names.previous).read_bytes() if os.path.exists(names.previous) else None
        if act is activate:
            assert kept == OLD, f"step {step}: the way back is lost"
        if act is roll_back:
            assert kept == NEW, f"step {step}: the way forward is lost"
            assert is_pinned(names, sha(OLD), (1, 2)), f"step {step}: the next run would undo it"
        if act in (roll_back, adjust):
            info = os.lstat(names.live)
            assert (info.st_mode & 0o777, info.st_mtime_ns) == (0o640, 2), f"step {step}"
        foreign = "another" in action and goal == NEW
        assert list(names.kept_sidecars()) == ([sha(OLD)[:16]] if foreign else []), f"step {step}"
    assert step > 8
