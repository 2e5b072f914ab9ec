# SPDX-License-Identifier: MIT
"""Two controllers of one fleet: real ansible-playbook processes, each of which can be stopped at a point."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from breakable import BreakableFleet
from localfleet import NPZ, ROOT, Run, parse

PLUGINS = ROOT / "tests" / "hosts" / "plugins"
# Step 2.5's double: writes down what every host has live at the moment of its start.
# Shows another wall clock, and leaves the boot clock alone.
CLOCK = r"""
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>
#include <sys/time.h>
#include <time.h>
static long off(void) { const char *text = getenv("CLOCK_OFF"); return text ? atol(text) : 0; }
int clock_gettime(clockid_t id, struct timespec *now) {
    int (*real)(clockid_t, struct timespec *) = dlsym(RTLD_NEXT, "clock_gettime");
    int code = real(id, now);
    if (code == 0 && (id == CLOCK_REALTIME || id == CLOCK_REALTIME_COARSE)) now->tv_sec += off();
    return code;
}
time_t time(time_t *at) {
    struct timespec now;
    clock_gettime(CLOCK_REALTIME, &now);
    if (at) *at = now.tv_sec;
    return now.tv_sec;
}
int gettimeofday(struct timeval *at, void *zone) {
    struct timespec now;
    (void)zone;
    clock_gettime(CLOCK_REALTIME, &now);
    at->tv_sec = now.tv_sec;
    at->tv_usec = now.tv_nsec / 1000;
    return 0;
}
"""
SCORER = f"""#!/bin/bash
sha256sum "$PWD"/../../*/distributed_prng_analysis/{NPZ} | cut -d' ' -f1 | sort -u | xargs >> started.log
"""
PATIENCE = 900


def wait_for(condition: Callable[[], Any], what: str, seconds: float = PATIENCE) -> None:
    """Wait until a condition holds."""
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end, f"it never happened: {what}"
        time.sleep(0.05)


class Controller:
    """One ansible-playbook. Begins at once.

    Args:
        fleet: whose hosts it works on.
        name: names its folder.
        playbook: of playbooks/.
        pause: stop when this task begins (a part of its name), or when a host begins it: (host, task).
        faults: by host, actions of fakessh that concern this controller's connections only.
        env: added to its environment.
        command: what is started instead of ansible-playbook.
        variables: extra variables.
    """

    def __init__(
        self,
        fleet: SharedFleet,
        name: str,
        playbook: str = "step25.yml",
        *args: str,
        pause: str | tuple[str, str] = "",
        faults: dict[str, tuple[str, str]] | None = None,
        env: dict[str, str] | None = None,
        command: list[str] | None = None,
        **variables: Any,
    ) -> None:
        self.fleet, self.playbook = fleet, playbook
        self.home = fleet.root.with_name(f"{fleet.root.name}.{name}")
        self.home.mkdir()
        for host, fault in (faults or {}).items():
            (self.home / host).write_text(" ".join(fault) + "\n")
        for host, text in fleet.clocks.items():
            (self.home / f"{host}.env").write_text(text)
        self.process = subprocess.Popen(
            command or fleet.command(playbook, *args, "-e", json.dumps(variables)),
            cwd=fleet.dir("zeus"),
            env={**fleet.environment(), **self._pauses(pause), **(env or {})},
            stdin=subprocess.DEVNULL,
            stdout=(self.home / "screen").open("wb"),
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )

    def _pauses(self, pause: str | tuple[str, str]) -> dict[str, str]:
        gate = str(self.home / "controller")
        wait = 'touch "$0.waits"; until [ -e "$0.go" ]; do sleep 0.05; done'
        entry: dict[str, Any] = {"do": ["bash", "-c", wait, gate]}
        if isinstance(pause, str):
            entry["task"] = pause
        else:
            entry["host"], entry["task"] = pause
        return {
            "FAKESSH_FAULTS": str(self.home),
            "ANSIBLE_LOCAL_TEMP": str(self.home / "tmp"),
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT / 'plugins' / 'callback'}:{PLUGINS}",
            "ANSIBLE_CALLBACKS_ENABLED": "at_task",
            "AT_TASK": json.dumps([entry] if pause else []),
            "PYTHONUNBUFFERED": "1",  # the screen as it comes
            "AT_TASK_TRACE": str(self.home / "trace"),
        }

    @property
    def screen(self) -> str:
        """What it has shown so far."""
        return (self.home / "screen").read_text(errors="replace")

    @property
    def looks(self) -> int:
        """How many tasks have looked at hosts."""
        return (self.home / "trace").read_text().count("Look at every copy")

    def wait(self, who: str = "controller") -> None:
        """Wait until the controller, or a host's command, stands where it was to stop."""
        waits = self.home / f"{who}.waits"
        wait_for(lambda: waits.exists() or self.process.poll() is not None, f"{who} stops")
        assert waits.exists(), self.screen

    def go_on(self, who: str = "controller") -> None:
        """Let it go on."""
        (self.home / f"{who}.go").touch()

    def over(self, host: str) -> None:
        """Wait until a host's command that waited has ended."""
        wait_for((self.home / f"{host}.done").exists, f"the command on {host} ends")

    def kill(self) -> None:
        """SIGKILL its process group; its workers are in sessions of their own, and live on."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def end(self) -> Run:
        """Wait for its end."""
        try:
            rc = self.process.wait(PATIENCE)
        except subprocess.TimeoutExpired:
            self.kill()
            raise AssertionError(f"{self.playbook} hung:\n{self.screen}") from None
        run = parse(rc, self.screen)
        assert "Traceback" not in run.out, run.out
        return run

    def close(self) -> None:
        """Leave nothing that waits."""
        for host in ("controller", *self.fleet.rigs):
            self.go_on(host)
        if self.process.poll() is None:
            self.kill()


class SharedFleet(BreakableFleet):
    """A converged fleet with a Step 2.5 that records what it starts on, and controllers that work on it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, rigs=("rig-6600", "rig-6600b"))
        self.converge()
        self.write_scorer(SCORER)
        self.controllers: list[Controller] = []
        self.clocks: dict[str, str] = {}

    def shift_clocks(self, **seconds: int) -> dict[str, str]:
        """Let hosts' wall clocks be off by so many seconds; returns the environment that has such a clock."""
        library = self.root.with_name("clock.so")
        source = library.with_suffix(".c")
        source.write_text(CLOCK)
        if not shutil.which("cc"):
            pytest.skip("no C compiler: a wall clock that is off is made with one")
        subprocess.run(["cc", "-shared", "-fPIC", "-o", library, source, "-ldl"], check=True)
        self.hostvars["zeus"] = {**self.hostvars[self.rigs[0]], "ansible_host": "zeus"}
        self.clocks = {
            host: f"export LD_PRELOAD={library} CLOCK_OFF={off}\n" for host, off in seconds.items()
        }
        return {"LD_PRELOAD": str(library)}

    def controller(self, *args: Any, **options: Any) -> Controller:
        """Let another controller begin."""
        self.controllers.append(Controller(self, f"c{len(self.controllers)}", *args, **options))
        return self.controllers[-1]

    def play(self, *args: Any, **options: Any) -> Run:
        """Let another controller play to its end."""
        return self.controller(*args, **options).end()

    @property
    def live(self) -> set[str | None]:
        """The SHA-256 values that are live on the fleet."""
        return {self.sha256(host) for host in self.hosts}

    @property
    def lease(self) -> dict[str, Any]:
        """The newest lease."""
        found: dict[str, Any] = json.loads((self.dir("zeus") / ".survivor_npz" / "lease.json").read_text())
        return found

    def assert_repaired(self) -> None:
        """The next healthy run brings every host to the same bytes and starts Step 2.5 on them."""
        before = len(self.starts)
        run = self.play()
        assert run.rc == 0, run.out
        assert len(self.starts) == before + 1
        assert self.starts[-1] == self.sha256("zeus")
        self.assert_never_mixed()
        assert len(self.live) == 1

    def assert_never_mixed(self) -> None:
        """No start of Step 2.5 saw hosts with different bytes."""
        assert [line for line in self.starts if " " in line] == []

    def close(self) -> None:
        """End what is left of the controllers."""
        for one in self.controllers:
            one.close()
