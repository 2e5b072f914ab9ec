# SPDX-License-Identifier: MIT
"""Playbooks that launch Step 2.5, played for tests, and what they show on the screen."""

from __future__ import annotations

import contextlib
import json
import os
import pty
import re
import select
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Iterator

import yaml
from launch import Place
from localfleet import ROOT, LocalFleet

COUNT = 300  # survivors


def shown(text: str) -> list[str]:
    """The script's own lines on the screen, without the elapsed time."""
    return [line.partition("] ")[2] for line in text.splitlines() if re.match(r"\[\d+:\d\d:\d\d\] ", line)]


class Launcher:
    """Plays playbooks on zeus, whose pipeline directory is the place's, and on a rig; both hold the NPZ."""

    def __init__(self, place: Place, root: Path, hostvars: dict[str, Any] | None = None) -> None:
        self.place, self.root = place, root
        fleet = LocalFleet(root / "fleet", rigs=("rig-6600",), count=COUNT)
        fleet.converge()
        self.sha256 = fleet.sha256("zeus")
        shutil.copytree(fleet.dir("zeus"), place.dir, dirs_exist_ok=True)
        local = {"ansible_connection": "local", "ansible_python_interpreter": sys.executable}
        zeus = {**local, "survivor_npz_pipeline_dir": str(place.dir), **(hostvars or {})}
        rig = {**local, "survivor_npz_pipeline_dir": str(fleet.dir("rig-6600"))}
        groups = {"coordinator": {"hosts": {"zeus": zeus}}, "rigs": {"hosts": {"rig-6600": rig}}}
        variables: dict[str, Any] = {"survivor_npz_extra_paths": []}
        tree = {"all": {"vars": variables, "children": groups}}
        (root / "inventory.yml").write_text(yaml.safe_dump(tree))

    def own(self, *plays: dict[str, Any]) -> str:
        """Write a playbook of the test's own; returns its path."""
        path = self.root / "own.yml"
        path.write_text(yaml.safe_dump(list(plays)))
        return str(path)

    def command(self, playbook: str = "step25.yml", *args: str, **extra: Any) -> list[str]:
        """The command line; a playbook of the project by name, another by its path."""
        program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
        inventory = ("-i", str(self.root / "inventory.yml"))
        return [program, *inventory, "-e", json.dumps(extra), *args, str(ROOT / "playbooks" / playbook)]

    def environment(self) -> dict[str, str]:
        """The project's ansible.cfg and nothing of the caller's Ansible."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        return {
            **kept,
            "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"),
            "ANSIBLE_LOCAL_TEMP": str(self.root / "tmp"),
            "ANSIBLE_SSH_CONTROL_PATH_DIR": str(self.root / "cp"),
            "ANSIBLE_FORCE_COLOR": "0",
            "LC_ALL": "C.UTF-8",
        }

    def play(self, playbook: str = "step25.yml", *args: str, **extra: Any) -> tuple[int, str]:
        """Play to the end; returns exit code and screen."""
        with self.playing(playbook, *args, **extra) as screen:
            return screen.end(), screen.text

    @contextlib.contextmanager
    def playing(
        self, playbook: str = "step25.yml", *args: str, tty: bool = False, **extra: Any
    ) -> Iterator[Screen]:
        """Start to play, on a pipe or on a terminal; yields its screen."""
        command = self.command(playbook, *args, **extra)
        if tty:
            pid, reader = pty.fork()
            if pid == 0:
                os.chdir(self.root)
                os.execvpe(command[0], command, self.environment())  # noqa: S606
            screen = Screen(pid, reader)
        else:
            reader, writer = os.pipe()
            process = subprocess.Popen(
                command,
                cwd=self.root,
                env=self.environment(),
                stdin=subprocess.DEVNULL,
                stdout=writer,
                stderr=writer,
                start_new_session=True,
            )
            os.close(writer)
            process.returncode = 0  # waited for by Screen
            screen = Screen(process.pid, reader)
        try:
            yield screen
        finally:
            screen.close()


class Screen:
    """What an ansible-playbook shows, each line with the moment in which it came."""

    def __init__(self, pid: int, reader: int) -> None:
        self.pid, self._reader = pid, reader
        self.lines: list[tuple[float, str]] = []
        self._rest = b""
        self._rc: int | None = None

    @property
    def text(self) -> str:
        """All of it."""
        return "\n".join(line for _, line in self.lines) + self._rest.decode(errors="replace")

    def _read(self, seconds: float) -> bool:
        ready, _, _ = select.select([self._reader], [], [], seconds)
        if not ready:
            return True
        try:
            data = os.read(self._reader, 1 << 20)
        except OSError:  # a terminal whose last writer is gone
            data = b""
        moment = time.time()
        *whole, self._rest = (self._rest + data).split(b"\n")
        self.lines += [(moment, line.decode(errors="replace").rstrip("\r")) for line in whole]
        return bool(data)

    def wait_for(self, text: str, seconds: float = 120) -> None:
        """Read until the text is on the screen."""
        end = time.monotonic() + seconds
        while text not in self.text:
            if time.monotonic() > end or not self._read(0.2):
                raise AssertionError(f"{text!r} never came:\n{self.text[-5000:]}")

    def end(self, seconds: float = 240) -> int:
        """Read to the end; returns the exit code, negative for a signal."""
        end = time.monotonic() + seconds
        while self._read(0.2):
            if time.monotonic() > end:
                raise AssertionError(f"hung:\n{self.text[-5000:]}")
        if self._rc is None:
            self._rc = os.waitstatus_to_exitcode(os.waitpid(self.pid, 0)[1])
        return self._rc

    def type(self, keys: bytes) -> None:
        """Press keys (on a terminal)."""
        os.write(self._reader, keys)

    def kill(self, number: int) -> None:
        """Signal the controller."""
        os.kill(self.pid, number)

    def close(self) -> None:
        """End it if it isn't over."""
        if self._rc is None:
            with contextlib.suppress(ProcessLookupError):
                os.kill(self.pid, signal.SIGKILL)
            with contextlib.suppress(ChildProcessError):
                os.waitpid(self.pid, 0)
        os.close(self._reader)
