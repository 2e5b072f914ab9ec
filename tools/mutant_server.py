#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Play tests on a copy of the checkout, again and again, each time with another file changed.

usage: mutant_server.py ROOT, with requests on stdin and answers on stdout, one JSON object a line

pytest and the libraries are imported once. Each request is played in a fork of this process, which imports the
project anew. As process 1 of a PID namespace it then ends whatever the tests left, and a mutant that signals
the wrong processes meets none but its own.
"""

from __future__ import annotations

import contextlib
import importlib
import json
import os
import signal
import sys
import time
from pathlib import Path
from typing import Any, Callable

import hypothesis
import pytest

PRELOADED = ("numpy", "orjson", "yaml", "ansible.module_utils.basic", "ansible.plugins.loader")
HITS = "hits"


class Chosen:
    """Plays these tests in this order, and tells about each: seconds, whether it passed, the lines it ran."""

    def __init__(self, root: Path, tests: list[str]) -> None:
        self.hits = root.parent / HITS
        self.place = {name: number for number, name in enumerate(tests)}
        self.told: dict[str, dict[str, Any]] = {}

    def pytest_collection_modifyitems(self, items: list[pytest.Item]) -> None:
        """Those that were asked for; all if none was."""
        if self.place:
            items[:] = sorted(
                (item for item in items if item.nodeid in self.place),
                key=lambda item: self.place[item.nodeid],
            )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Add one phase of a test."""
        told = self.told.setdefault(report.nodeid, {"seconds": 0.0, "passed": False, "failed": False})
        told["seconds"] += report.duration
        told["passed"] |= report.when == "call" and report.passed
        told["failed"] |= report.failed

    def pytest_runtest_logfinish(self, nodeid: str) -> None:
        """Take the lines that the test ran from where tools/mutants.py lets the code write them."""
        if self.hits.exists():
            self.told[nodeid]["lines"] = sorted(set(self.hits.read_text().splitlines()))
            os.truncate(self.hits, 0)
            for module in list(sys.modules.values()):
                getattr(module, "_mutants_seen", set()).clear()


def play(root: Path, request: dict[str, Any]) -> None:
    """In the fork: run pytest and write what it told."""
    os.setsid()
    screen = os.open(root.parent / "screen", os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    nothing = os.open(os.devnull, os.O_RDONLY)
    for descriptor, taken in ((0, nothing), (1, screen), (2, screen)):
        os.dup2(taken, descriptor)
    chosen = Chosen(root, request["tests"])
    options = [
        "-p",
        "no:cacheprovider",
        "-p",
        "no:xdist",
        "--hypothesis-seed=0",
        f"--basetemp={root.parent / 't'}",
    ]
    code = pytest.main([*options, *request["options"], *request["files"]], plugins=[chosen])
    (root.parent / "told").write_text(json.dumps({"code": int(code), "tests": chosen.told}))


def in_fork(function: Callable[[], None], seconds: float) -> bool:
    """Call it in a child that gets that long, and end everything it started; whether it ended by itself."""
    child, end = os.fork(), time.monotonic() + seconds
    if child == 0:
        try:
            function()
        finally:
            os._exit(0)
    ended = False
    while not ended and time.monotonic() < end:
        ended = reap(child)
        time.sleep(0.005)
    with contextlib.suppress(ProcessLookupError):  # nobody is left
        if os.getpid() == 1:
            os.kill(-1, signal.SIGKILL)
        elif not ended:
            os.killpg(child, signal.SIGKILL)
    while reap(None):
        time.sleep(0.005)
    return ended


def reap(child: int | None) -> bool:
    """Collect who ended; whether `child` did (None: whether any child is left)."""
    while True:
        try:
            pid, _status = os.waitpid(-1, os.WNOHANG)
        except ChildProcessError:
            return False
        if pid == 0:
            return child is None
        if pid == child:
            return True


def answer(root: Path, request: dict[str, Any], number: int) -> dict[str, Any]:
    """Change the files, play, change them back."""
    told = root.parent / "told"
    told.unlink(missing_ok=True)
    changed = [root / name for name in request["changes"]]
    whole = [(path.read_bytes(), path.stat().st_mtime_ns) for path in changed]
    for path, text in zip(changed, request["changes"].values()):
        path.write_text(text, encoding="utf-8")
        # Python believes compiled code by the source's time: no two changes may have the same.
        os.utime(path, (1_600_000_000 + number, 1_600_000_000 + number))
    try:
        ended = in_fork(lambda: play(root, request), request["seconds"])
    finally:
        for path, (data, mtime_ns) in zip(changed, whole):
            path.write_bytes(data)
            os.utime(path, ns=(mtime_ns, mtime_ns))
    return {"code": None, "tests": {}, **(json.loads(told.read_text()) if ended and told.exists() else {})}


def main(root: Path) -> None:
    """Answer until stdin ends."""
    os.chdir(root)
    for name in PRELOADED:
        importlib.import_module(name)
    # One failure is enough: nobody reads its smallest example.
    phases = (hypothesis.Phase.explicit, hypothesis.Phase.generate)
    hypothesis.settings.register_profile("mutants", phases=phases, database=None)
    hypothesis.settings.load_profile("mutants")
    with contextlib.suppress(BrokenPipeError):  # nobody listens any more
        for number, line in enumerate(sys.stdin):
            print(json.dumps(answer(root, json.loads(line), number)), flush=True)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
