# SPDX-License-Identifier: MIT
"""A fleet of real hosts under test: `localfleet` over SSH, with the hosts' own disks to look at."""

from __future__ import annotations

import hashlib
import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import survivors
from hosts.fleet import Fleet
from hosts.image import UID
from hosts.seeding import DIRECTORY, own, seed
from localfleet import JSON, NPZ, ROOT, Run, parse

RAM_FOLDER = Path("/dev/shm/prng/step2")
PLUGINS = ROOT / "tests" / "hosts" / "plugins"


class RealFleet:
    """Hosts of a `Fleet`, seeded as after Step 1, and playbook runs on them."""

    def __init__(self, fleet: Fleet, scratch: Path, count: int = 300) -> None:
        self.fleet = fleet
        self.scratch = scratch
        self.count = count
        self.generation = 0
        self.names = list(fleet.hosts)
        self.zeus = self.names[0]
        self.rigs = self.names[1:]

    def dir(self, host: str) -> Path:
        """A host's pipeline directory, seen from here (also while the host is down)."""
        return self.fleet.hosts[host].home / DIRECTORY

    def npz(self, host: str) -> Path:
        """A host's live NPZ."""
        return self.dir(host) / NPZ

    def ram(self, host: str) -> Path:
        """A running host's RAM-disk copy."""
        pid = self.fleet.backend.pid(self.fleet.id, self.fleet.hosts[host])
        return Path(f"/proc/{pid}/root{RAM_FOLDER}") / NPZ

    def sha256(self, host: str) -> str | None:
        """SHA-256 of a host's live NPZ, None where there is none."""
        return _digest(self.npz(host))

    def ram_sha256(self, host: str) -> str | None:
        """SHA-256 of a running host's RAM-disk copy, None where there is none."""
        return _digest(self.ram(host))

    @property
    def json(self) -> Path:
        """Step 1's output."""
        return self.dir(self.zeus) / JSON

    def staged_size(self) -> int:
        """Bytes of the NPZ that waits on Zeus to be switched live."""
        (path,) = self.dir(self.zeus).glob(f".{NPZ}.*.staged")
        return path.stat().st_size

    def arrived(self, host: str) -> int:
        """Bytes of the NPZ that Ansible's copy has brought to a host, not yet put in place."""
        found = (self.fleet.hosts[host].home / ".ansible" / "tmp").rglob("*source*")
        return sum(path.stat().st_size for path in found if path.is_file())

    @property
    def digests(self) -> dict[str, str | None]:
        """The live SHA-256 of every host."""
        return {host: self.sha256(host) for host in self.names}

    @property
    def starts(self) -> list[list[str]]:
        """Every start of Step 2.5: live SHA-256, proved SHA-256, arguments."""
        log = self.dir(self.zeus) / "started.log"
        return [line.split(" ", 2) for line in log.read_text().splitlines()] if log.exists() else []

    def new_survivors(self, count: int | None = None) -> None:
        """Step 1 has run again: other survivors than before."""
        self.generation += 1
        survivors.write(str(self.json), count or self.count, 25 + self.generation)
        own(self.json)

    def seed(self, host: str) -> None:
        """Make a host's pipeline directory, as an operator does after an installation."""
        seed(self.fleet.hosts[host].home, host == self.zeus)

    def warm_ram(self, host: str, content: bytes = b"old") -> None:
        """Put a copy on the host's RAM disk, as the pipeline's own script does."""
        path = self.ram(host)
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        for folder in (path, path.parent, path.parent.parent):
            os.chown(folder, UID, UID)

    def command(self, playbook: str, *args: str) -> list[str]:
        """The command line of a run."""
        (self.scratch / "trace").unlink(missing_ok=True)
        inventory = self.scratch / "inventory.json.yml"
        self.fleet.inventory(inventory)
        return [
            os.path.join(os.path.dirname(sys.executable), "ansible-playbook"),
            *("-i", str(inventory), "-e", "survivor_npz_report=-"),
            *args,
            str(ROOT / "playbooks" / playbook),
        ]

    def environment(self, at_task: Sequence[Mapping[str, Any]] = ()) -> dict[str, str]:
        """The project's ansible.cfg, and the test's own plugin that acts when a task starts."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        folder = self.scratch / "controller"
        folder.mkdir(exist_ok=True)
        return {
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_CALLBACK_PLUGINS": f"{ROOT / 'plugins' / 'callback'}:{PLUGINS}",
            "ANSIBLE_CALLBACKS_ENABLED": "survivor_npz_report,at_task",
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_LOCAL_TEMP": str(folder),
            "AT_TASK": json.dumps(list(at_task)),
            "AT_TASK_TRACE": str(self.scratch / "trace"),
            "PYTHONPATH": str(ROOT / "tests" / "support"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
        }

    def start(
        self, playbook: str = "step25.yml", *args: str, at_task: Sequence[Mapping[str, Any]] = ()
    ) -> subprocess.Popen[str]:
        """Start a run in a session of its own."""
        return subprocess.Popen(
            self.command(playbook, *args),
            cwd=self.scratch,
            env=self.environment(at_task),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        )

    def finish(self, process: subprocess.Popen[str], timeout: float = 180) -> Run:
        """Wait for a run's end; a run that hangs fails the test."""
        try:
            out, _ = process.communicate(timeout=timeout)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            out, _ = process.communicate()
            raise AssertionError(f"the run hung for {timeout} s:\n{out}") from None
        return parse(process.returncode, out)

    def run(
        self,
        playbook: str = "step25.yml",
        *args: str,
        at_task: Sequence[Mapping[str, Any]] = (),
        timeout: float = 180,
    ) -> Run:
        """Play a playbook to its end.

        Raises:
            AssertionError: a task of `at_task` never started: nothing was broken.
        """
        run = self.finish(self.start(playbook, *args, at_task=at_task), timeout)
        for entry in at_task:
            task = entry["task"]
            met = task < len(self.trace()) if isinstance(task, int) else any(task in t for t in self.trace())
            assert met, f"{task!r} never started: {self.trace()}"
        return run

    def trace(self) -> list[str]:
        """The names of the tasks that the last run started, in their order."""
        path = self.scratch / "trace"
        return path.read_text().splitlines() if path.exists() else []

    def wait_for_task(self, task: str, seconds: float) -> None:
        """Wait until the run is `seconds` into a task."""
        wait_until(lambda: any(task in name for name in self.trace()), 120, task)
        time.sleep(seconds)

    def wait_for_the_dead(self) -> None:
        """Wait until the workers of a killed controller have ended, and the lease that nobody ended."""
        wait_until(lambda: not _runs(str(self.scratch)), 60, "a killed controller's workers")
        place = self.dir(self.zeus) / ".survivor_npz" / "lease.json"
        lease = json.loads(place.read_text()) if place.exists() else {"ended": True}
        if not lease["ended"]:  # all hosts here share this machine's boot clock
            left = lease["expires"] - time.clock_gettime(time.CLOCK_BOOTTIME)
            assert left < 600, lease
            time.sleep(max(0.0, left))

    def second_controller(self) -> RealFleet:
        """Another controller of the same hosts, with a scratch folder of its own."""
        scratch = self.scratch.with_name(self.scratch.name + "-second")
        scratch.mkdir(exist_ok=True)
        return RealFleet(self.fleet, scratch, self.count)

    def assert_healed(self, run: Run) -> str:
        """A healthy run has succeeded: one digest everywhere, launched on it, nothing left over."""
        assert run.rc == 0, run.out
        digests = set(self.digests.values())
        assert len(digests) == 1 and None not in digests, self.digests
        (digest,) = digests
        live, proved, _ = self.starts[-1]
        assert live == proved == digest, (self.starts[-1], digest)
        assert self.leftovers() == []
        return str(digest)

    def leftovers(self) -> list[str]:
        """Unfinished files, ours or those of Ansible, in the pipeline directories."""
        return [
            f"{host}: {path.name}"
            for host in self.names
            for path in sorted(self.dir(host).iterdir())
            if re.search(r"\.tmp|\.(staged|pending)$|ansible", path.name)
        ]


def _digest(path: Path) -> str | None:
    return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None


def _runs(text: str) -> bool:
    """Whether there is a process whose command line holds `text`."""
    for path in Path("/proc").glob("[0-9]*/cmdline"):
        with suppress(OSError):
            if text in path.read_text(errors="replace"):
                return True
    return False


def wait_until(met: Callable[[], object], seconds: float, what: str) -> None:
    """Wait for a condition.

    Raises:
        AssertionError: it did not come true in time.
    """
    end = time.monotonic() + seconds
    while not met():
        assert time.monotonic() < end, f"{what}: not within {seconds} s"
        time.sleep(0.05)
