"""SIGKILL before and after every step of a switch, then the next run: exhaustive, not by luck."""

import hashlib
import json
import os
import signal
from pathlib import Path
from typing import Callable, Dict

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.switch import cleanup as leftovers
from ansible.module_utils.survivor_npz.switch import switch
from ansible.module_utils.survivor_npz.switch.live import sidecar_sha256
from ansible.module_utils.survivor_npz.switch.names import Names

OLD, NEW = b"old bytes", b"new bytes"


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
    switch.activate(names, sha(NEW), expect=sha(OLD), sidecars=True)


def activated(directory: Path) -> Names:
    names = lay_out(directory)
    activate(names)
    return names


def go_back(names: Names) -> None:
    switch.revert(names, sha(NEW), sha(OLD), sidecars=True)


def roll_back(names: Names) -> None:
    switch.stage_previous(names, sha(OLD), sidecars=True)
    source = {"path": "x.json", "size": 1, "mtime_ns": 2}
    switch.activate(names, sha(OLD), expect=sha(NEW), sidecars=True, pin=source)


def killed_at(step: int, action: Callable[[Names], None], names: Names) -> bool:
    """Run `action` in a child that is SIGKILLed at its step-th crash point; False: it ended before."""
    pid = os.fork()
    if pid == 0:
        count = 0

        def observer(_when: str, _operation: str, _path: str) -> None:
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


ACTIONS: Dict[str, tuple] = {
    "activate": (lay_out, activate, NEW),
    "revert": (activated, go_back, OLD),
    "rollback": (activated, roll_back, OLD),
}


@pytest.mark.parametrize("action", ACTIONS)
def test_a_kill_at_any_step_leaves_old_or_new_and_the_next_run_heals(tmp_path: Path, action: str) -> None:
    prepare, act, goal = ACTIONS[action]
    step = 0
    while True:
        step += 1
        names = prepare(tmp_path / f"{action}-{step}")
        if not killed_at(step, act, names):
            break
        live = Path(names.live).read_bytes()
        assert live in (OLD, NEW), f"step {step}"
        leftovers.clean(names, keep={sha(goal)}, sidecars=True)
        assert Path(names.live).read_bytes() == live
        if live != goal:
            act(names)
        leftovers.clean(names, sidecars=True)
        assert Path(names.live).read_bytes() == goal, f"step {step}"
        assert leftovers.leftovers(names) == [], f"step {step}"
        belongs = sidecar_sha256(names.sidecar)
        assert belongs == sha(goal), f"step {step}"
        kept = Path(names.previous).read_bytes()
        assert kept == (OLD if goal == NEW else kept), f"step {step}: the way back is lost"
        if action == "rollback":
            assert kept == NEW, f"step {step}: the way forward is lost"
    assert step > 10
