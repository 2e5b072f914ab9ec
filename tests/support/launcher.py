"""Playbooks that launch Step 2.5, played for tests, and what they show on the screen."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple

import yaml
from launch import Place
from localfleet import NPZ, ROOT

PROVEN = b"survivors, as proved"
SHA256 = hashlib.sha256(PROVEN).hexdigest()
GATE = [
    {
        "name": "Pass the gate, then launch",
        "hosts": "coordinator",
        "gather_facts": False,
        "tasks": [
            {
                "name": "Pass the gate",
                "ansible.builtin.set_fact": {
                    "__survivor_npz_gate": True,
                    "__survivor_npz_dir": "{{ survivor_npz_pipeline_dir }}",
                    "__survivor_npz_expected": {"sha256": SHA256, "survivor_count": 84},
                    "__survivor_npz_fleet": {"coordinator": "zeus", "hosts": ["zeus"]},
                    "__survivor_npz_proof": {
                        "copies": [
                            {
                                "path": NPZ,
                                "kind": "file",
                                "sha256": SHA256,
                                "exists": True,
                                "required": True,
                            }
                        ]
                    },
                    "__survivor_npz_proved": ["zeus", "rig-6600"],
                },
            },
            {
                "name": "Launch",
                "ansible.builtin.include_role": {"name": "survivor_npz", "tasks_from": "run"},
            },
        ],
    }
]


def shown(text: str) -> List[str]:
    """The script's own lines on the screen, without the elapsed time."""
    return [line.partition("] ")[2] for line in text.splitlines() if re.match(r"\[\d+:\d\d:\d\d\] ", line)]


class Launcher:
    """Plays the gate's playbook, or another of the project, on zeus alone."""

    def __init__(self, place: Place, root: Path, hostvars: Optional[Dict[str, Any]] = None) -> None:
        self.place, self.root = place, root
        (place.dir / NPZ).write_bytes(PROVEN)
        variables = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "survivor_npz_pipeline_dir": str(place.dir),
            **(hostvars or {}),
        }
        tree = {"all": {"children": {"coordinator": {"hosts": {"zeus": variables}}}}}
        (root / "inventory.yml").write_text(yaml.safe_dump(tree))
        (root / "gate.yml").write_text(yaml.safe_dump(GATE))

    def command(self, playbook: str = "", *args: str, **extra: Any) -> List[str]:
        """The command line; no playbook means the gate's."""
        path = ROOT / "playbooks" / playbook if playbook else self.root / "gate.yml"
        program = os.path.join(os.path.dirname(sys.executable), "ansible-playbook")
        return [program, "-i", str(self.root / "inventory.yml"), "-e", json.dumps(extra), *args, str(path)]

    def environment(self) -> Dict[str, str]:
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

    def play(self, playbook: str = "", *args: str, **extra: Any) -> Tuple[int, str]:
        """Play to the end; returns exit code and screen."""
        with self.playing(playbook, *args, **extra) as screen:
            return screen.end(), screen.text

    @contextlib.contextmanager
    def playing(self, playbook: str = "", *args: str, tty: bool = False, **extra: Any) -> Iterator[Screen]:
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
        self.lines: List[Tuple[float, str]] = []
        self._rest = b""
        self._rc: Optional[int] = None

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

    def wait_for(self, text: str, seconds: float = 30) -> None:
        """Read until the text is on the screen."""
        end = time.monotonic() + seconds
        while text not in self.text:
            if time.monotonic() > end or not self._read(0.2):
                raise AssertionError(f"{text!r} never came:\n{self.text[-5000:]}")

    def end(self, seconds: float = 90) -> int:
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
