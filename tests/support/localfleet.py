# SPDX-License-Identifier: MIT
"""A fleet on local connections: zeus and rigs, each with a pipeline directory and a "RAM disk" of its own."""

from __future__ import annotations

import fcntl
import hashlib
import json
import os
import re
import shutil
import signal
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Callable, Dict, List, Mapping, Optional, Sequence

import survivors
import yaml

ROOT = Path(__file__).resolve().parents[2]
DEFAULTS = yaml.safe_load((ROOT / "roles" / "survivor_npz" / "defaults" / "main.yml").read_text())
EXTRA_PATHS = DEFAULTS["survivor_npz_extra_paths"]
NPZ = "bidirectional_survivors_binary.npz"
JSON = "bidirectional_survivors.json"
SCORER = """#!/usr/bin/env bash
# Test double of Step 2.5: records each start with its arguments and environment.
echo "trial started with: $*"
printf '%s\\n' "$*" >> started.log
env | sort > environment.log
"""


def once(beside: Path, name: str, make: Callable[[Path], None]) -> Path:
    """A directory that one process of a test run fills, for all of its tests to copy.

    Args:
        beside: a path below the run's own temporary directory, which pytest removes.
    """
    above = (beside, *beside.parents)
    runs = (path for path in above if re.fullmatch(r"pytest-\d+", path.name))
    # A run with --basetemp has no such directory: each test's own stands right in the one it names.
    base = next(runs, None) or next(path.parent for path in above if path.name.startswith("test_"))
    place = base / name
    with open(base / f"{name}.lock", "w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not place.exists():
            part = base / f"{name}.part"
            shutil.rmtree(part, ignore_errors=True)
            make(part)
            part.rename(place)
    return place


@dataclass
class Run:
    """One finished ansible-playbook."""

    rc: int
    out: str
    recap: Dict[str, Dict[str, int]] = field(default_factory=dict)
    report: Dict[str, Any] = field(default_factory=dict)

    @property
    def tail(self) -> str:
        """What stands on the screen after the recap."""
        return self.out.rpartition("PLAY RECAP")[2]

    @property
    def changed(self) -> List[str]:
        """Hosts whose recap says `changed`, sorted."""
        return sorted(host for host, counts in self.recap.items() if counts.get("changed"))


class LocalFleet:
    """Builds the directories and an inventory under `root`; `run` plays a playbook on them.

    Args:
        root: an empty directory of the test's own.
        rigs: inventory names of the rigs.
        count: survivors in the JSON (None: no JSON).
    """

    def __init__(
        self, root: Path, rigs: Sequence[str] = ("rig-6600", "rig-6600b"), count: Optional[int] = 300
    ) -> None:
        self.root = root
        self.rigs = list(rigs)
        self.hosts = ["zeus", *self.rigs]
        self.hostvars: Dict[str, Dict[str, Any]] = {host: {} for host in self.hosts}
        self.vars: Dict[str, Any] = {"survivor_npz_scorer_args": ["7"]}
        for host in self.hosts:
            self.dir(host).mkdir(parents=True)
        for name in ("train_history.json", "holdout_history.json"):
            (self.dir("zeus") / name).write_text("[]")
        self.write_scorer(SCORER)
        self.count = count
        if count is not None:
            self.write_survivors(count)

    def converge(self) -> None:
        """Bring a new fleet to where `prepare.yml` brings it: a test's start, not its subject."""
        assert self.count == 300

        def make(place: Path) -> None:
            fleet = LocalFleet(place, self.rigs)
            run = fleet.run("prepare.yml", timeout=280)
            assert run.rc == 0, run.out

        made = once(self.root, f"converged-{'-'.join(self.rigs)}", make)
        for host in self.hosts:
            shutil.copytree(made / host, self.root / host, dirs_exist_ok=True)

    def dir(self, host: str) -> Path:
        """A host's pipeline directory."""
        return self.root / host / "distributed_prng_analysis"

    def npz(self, host: str) -> Path:
        """A host's live NPZ."""
        return self.dir(host) / NPZ

    def ram(self, host: str) -> Path:
        """A host's RAM-disk copy (its directory isn't made)."""
        return self.root / host / "shm" / "step2" / NPZ

    @property
    def json(self) -> Path:
        """Step 1's output."""
        return self.dir("zeus") / JSON

    @property
    def starts(self) -> List[str]:
        """The arguments of every start of the scorer double."""
        log = self.dir("zeus") / "started.log"
        return log.read_text().splitlines() if log.exists() else []

    def wait_for_lease(self) -> None:
        """Wait until the lease of a run that could not end it is over."""
        lease = json.loads((self.dir("zeus") / ".survivor_npz" / "lease.json").read_text())
        while not lease["ended"] and time.clock_gettime(time.CLOCK_BOOTTIME) < lease["expires"]:
            time.sleep(0.1)

    def write_survivors(self, count: int, seed: int = 25) -> None:
        """Write Step 1's output anew."""
        survivors.write(str(self.json), count, seed)

    def write_scorer(self, text: str) -> None:
        """Write Step 2.5's script on zeus."""
        script = self.dir("zeus") / "run_scorer_meta_optimizer.sh"
        script.write_text(text)
        script.chmod(0o755)

    def sha256(self, host: str) -> Optional[str]:
        """SHA-256 of a host's live NPZ, None where there is none."""
        path = self.npz(host)
        return hashlib.sha256(path.read_bytes()).hexdigest() if path.exists() else None

    def tree(self) -> Dict[str, str]:
        """Every file, link and directory of the fleet with its content's digest, mode and mtime."""
        found = {}
        for path in sorted(self.root.rglob("*")):
            stat = path.lstat()
            content = hashlib.sha256(path.read_bytes()).hexdigest() if path.is_file() else ""
            found[str(path.relative_to(self.root))] = f"{stat.st_mode:o} {stat.st_mtime_ns} {content}"
        # The inventory is the harness's own.
        return {name: value for name, value in found.items() if not name.startswith("inventory")}

    def agrees(self) -> bool:
        """Whether every host has the same NPZ live."""
        return len({self.sha256(host) for host in self.hosts}) == 1 and self.sha256("zeus") is not None

    def leftovers(self) -> List[str]:
        """Unfinished files of a run."""
        marks = (".staged", ".pending", ".tmp.", ".outgoing")
        return [name for name in self.tree() if any(mark in name for mark in marks)]

    def inventory(self) -> Path:
        """Write the inventory from `hosts`, `hostvars` and `vars`; return its path."""
        shm = str(self.root / "{{ inventory_hostname }}" / "shm")
        common: Dict[str, Any] = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "survivor_npz_pipeline_dir": str(self.dir("{{ inventory_hostname }}")),
            # Those of the role, in a RAM disk of the fleet's own.
            "survivor_npz_extra_paths": [path.replace("/dev/shm/prng", shm) for path in EXTRA_PATHS],
            **self.vars,
        }
        content = {
            "all": {
                "vars": common,
                "children": {
                    "coordinator": {"hosts": {"zeus": self.hostvars["zeus"]}},
                    "rigs": {"hosts": {rig: self.hostvars[rig] for rig in self.rigs}},
                },
            }
        }
        path = self.root / "inventory.json.yml"
        path.write_text(json.dumps(content))
        return path

    def command(self, playbook: str, *args: str) -> List[str]:
        """The command line that plays `playbooks/<playbook>` on this fleet."""
        return [
            os.path.join(os.path.dirname(sys.executable), "ansible-playbook"),
            *("-i", str(self.inventory())),
            *("-e", "survivor_npz_report=-"),
            *args,
            str(ROOT / "playbooks" / playbook),
        ]

    def environment(self, env: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
        """The environment of a run: the project's ansible.cfg and nothing of the caller's Ansible."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_FORCE_COLOR": "0",
            "ANSIBLE_LOCAL_TEMP": str(self.root / "inventory.tmp"),
            "LC_ALL": "C.UTF-8",
            "COLUMNS": "160",
            **(env or {}),
        }

    def run(
        self,
        playbook: str = "step25.yml",
        *args: str,
        check: bool = False,
        env: Optional[Mapping[str, str]] = None,
        extra: Optional[Mapping[str, Any]] = None,
        timeout: float = 120,
    ) -> Run:
        """Play a playbook to its end; `extra` become extra variables, `check` adds --check."""
        options = list(args)
        if check:
            options.append("--check")
        if extra:
            options += ["-e", json.dumps(dict(extra))]
        command = self.command(playbook, *options)
        with subprocess.Popen(
            command,
            cwd=self.root,
            env=self.environment(env),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            start_new_session=True,
        ) as process:
            try:
                out, _ = process.communicate(timeout=timeout)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                out, _ = process.communicate()
                raise AssertionError(f"{playbook} hung for {timeout} s:\n{out}") from None
        return parse(process.returncode, out)


def parse(rc: int, out: str) -> Run:
    """Read recap and report off the screen."""
    recap = {}
    for line in out.rpartition("PLAY RECAP")[2].splitlines():
        match = re.match(r"(\S+)\s+:((?:\s+\w+=\d+)+)\s*$", line)
        if match:
            recap[match.group(1)] = {k: int(v) for k, v in re.findall(r"(\w+)=(\d+)", match.group(2))}
    report: Dict[str, Any] = {}
    for line in reversed(out.splitlines()):
        if line.startswith("{"):
            report = json.loads(line)
            break
    return Run(rc, out, recap, report)
