# SPDX-License-Identifier: MIT
"""A fleet of directories, with a clock of its own and a network that loses, delays and repeats."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import random
import shutil
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from unittest import mock

from ansible.module_utils.survivor_npz.common import boot
from ansible.module_utils.survivor_npz.common.errors import SwitchError
from ansible.module_utils.survivor_npz.look import copies, live_copy
from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import lease, proof
from ansible.module_utils.survivor_npz.switch import live
from ansible.module_utils.survivor_npz.switch.names import Names

NPZ, ZEUS, RIGS = "survivors.npz", "zeus", ("rig-a", "rig-b", "rig-c")
FLEET = (ZEUS, *RIGS)
TIMEOUT = 60.0
GONE = {"unreachable": True, "msg": "timed out"}
Step = Callable[[], dict[str, Any]]


class Violation(AssertionError):  # noqa: N818 - what it is, not an error of the test
    """A promise was broken."""


class World:
    """The fleet, its clock and its network."""

    def __init__(self, root: Path, seed: int) -> None:
        self.random = random.Random(seed)
        self.root, self.now = root, 1000.0
        self.offset = {name: self.random.uniform(0, 5000) for name in FLEET}
        self.here = ZEUS
        self.running_until = 0.0
        self.starts = 0
        self.late: list[tuple[float, str, Step]] = []
        self.is_calm = False
        self.trace: list[str] = []
        shutil.rmtree(root, ignore_errors=True)
        for name in FLEET:
            (root / name).mkdir(parents=True)
            (root / name / NPZ).write_bytes(b"bytes 0")
            (root / name / NPZ).chmod(0o644)
        (root / ZEUS / "survivors.meta.json").write_text(sidecar(b"bytes 0"))

    def names(self, name: str) -> Names:
        """The files beside a host's copy."""
        return Names(str(self.root / name / NPZ))

    def live(self) -> dict[str, str]:
        """The SHA-256 that is live on each host."""
        return {name: sha256((self.root / name / NPZ).read_bytes()) for name in FLEET}

    def clock(self, kind: int = time.CLOCK_BOOTTIME) -> float:
        """Every clock here: that of the host at work."""
        return self.now + self.offset[self.here]

    @property
    def running(self) -> bool:
        """Whether Step 2.5 runs."""
        return self.now < self.running_until

    def tick(self) -> None:
        """Let time pass; do what was delayed until now."""
        span = (
            self.random.choice((0.05, 0.5, 3.0))
            if self.random.random() < 0.97
            else self.random.uniform(20, 300)
        )
        self.now += span
        for due in sorted((entry for entry in self.late if entry[0] <= self.now), key=lambda entry: entry[0]):
            self.late.remove(due)
            _when, name, step = due
            self._on(name, step)

    def _on(self, name: str, step: Step) -> dict[str, Any]:
        before = self.live() if self.running else None
        self.here = name
        try:
            answer = step()
        except SwitchError as error:
            answer = {"failed": True, "msg": str(error), "code": error.code}
        finally:
            self.here = ZEUS
        if before is not None and self.live() != before:
            raise Violation(f"live bytes changed on {name} while Step 2.5 runs")
        found: dict[str, Any] = json.loads(json.dumps(answer))
        return found

    def ask(self, name: str, what: str, step: Step) -> dict[str, Any]:
        """One operation on a host, with whatever the network does to it."""
        fate = (
            "calm"
            if self.is_calm
            else self.random.choices(("calm", "lost", "answer lost", "late", "twice"), (90, 2, 3, 3, 2))[0]
        )
        self.trace.append(f"{self.now:.1f} {what} on {name}: {fate}")
        if fate in ("lost", "late"):
            self.now += self.random.uniform(5, TIMEOUT)
        if fate == "lost":
            return dict(GONE)
        if fate == "late":
            self.late.append((self.now + self.random.uniform(0, 400), name, step))
            return dict(GONE)
        answer = self._on(name, step)
        if fate == "twice":
            self.late.append((self.now + self.random.uniform(0, 200), name, step))
        if fate == "answer lost":
            self.now += self.random.uniform(5, TIMEOUT)
            return dict(GONE)
        return answer


def sha256(data: bytes) -> str:
    """The digest of bytes."""
    return hashlib.sha256(data).hexdigest()


def sidecar(data: bytes) -> str:
    """A sidecar that records bytes."""
    return json.dumps({"npz_sha256": sha256(data), "source": {"size": 1, "mtime_ns": 1}})


@contextlib.contextmanager
def physics(world: World) -> Iterator[None]:
    """The world's clocks, boots and Step 2.5 in the place of this machine's; nothing is flushed."""

    def in_the_way(_directory: str) -> dict[str, Any]:
        return {"run": "r", "supervisor": 1, "message": "running"} if world.running else {}

    with contextlib.ExitStack() as stack:
        for place, name, value in (
            (time, "clock_gettime", world.clock),
            (boot, "boot_id", lambda: world.here),
            (lease, "boot_id", lambda: world.here),
            (proof, "boot_id", lambda: world.here),
            (os, "fsync", lambda _descriptor: None),
            (control, "in_the_way", in_the_way),
            (control, "refusal", lambda _note: "Step 2.5 is running"),
            (control, "finished", lambda _directory, _run=None: {}),
            (copies, "look_at_content", _content),
            (live_copy, "look_at_content", _content),
            (live, "_PATIENCE_S", 0.0),
        ):
            stack.enter_context(mock.patch.object(place, name, value))
        yield


def _content(path: str, whole: bool = False) -> dict[str, Any]:
    """As look_at_content of a good NPZ: these files hold a few bytes of text."""
    data = Path(path).read_bytes()
    known = {
        "sha256": sha256(data),
        "sha1": "0" * 40,
        "size": len(data),
        "mtime_ns": os.stat(path).st_mtime_ns,
    }
    return {**known, "survivors": 9, "schema": 3, "fault": None}
