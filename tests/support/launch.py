"""Real runs of Step 2.5 for tests: a pipeline directory, a playbook that starts at the gate, an sshd."""

from __future__ import annotations

import contextlib
import getpass
import json
import os
import pty
import re
import select
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import yaml
from ansible.module_utils.survivor_npz import runs, supervisor
from localfleet import ROOT

SUPERVISOR = ROOT / "module_utils" / "survivor_npz" / "supervisor.py"
SCRIPT = "run_scorer_meta_optimizer.sh"
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")
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
                    "__survivor_npz_expected": {"sha256": "5e" * 32, "survivor_count": 84},
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


def until(true: Callable[[], Any], what: str, seconds: float = 15) -> Any:
    """Wait for something to become true; return it."""
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        if found := true():
            return found
        time.sleep(0.05)
    raise AssertionError(f"not within {seconds} s: {what}")


def alive(pid: int) -> bool:
    """Whether a process lives (a zombie doesn't)."""
    return supervisor.look_at(pid) is not None


def shown(text: str) -> List[str]:
    """The script's own lines on the screen, without the elapsed time."""
    return [line.partition("] ")[2] for line in text.splitlines() if re.match(r"\[\d+:\d\d:\d\d\] ", line)]


class Place:
    """A pipeline directory with a script; starts runs in it and cleans up after them."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.dir.mkdir(parents=True, exist_ok=True)

    def script(self, text: str, mode: int = 0o755) -> Path:
        """Write the script; `text` follows a bash shebang."""
        path = self.dir / SCRIPT
        path.write_text(f"#!/bin/bash\n{text}\n")
        path.chmod(mode)
        return path

    def start(self, *arguments: str, **job: Any) -> Dict[str, Any]:
        """Start the script under a supervisor; returns the run's record."""
        command = runs.command(str(self.dir), SCRIPT, list(arguments))
        return runs.start({"dir": str(self.dir), "command": command, **job})

    def end(self, seconds: float = 20) -> Dict[str, Any]:
        """Wait for the run to end; returns its record."""
        until(lambda: not runs.query(str(self.dir))["running"], "the end of the run", seconds)
        return runs.finished(str(self.dir))

    def run(self, *arguments: str, **job: Any) -> Dict[str, Any]:
        """Start, wait for the end, return the record."""
        self.start(*arguments, **job)
        return self.end()

    def foreground(self, *arguments: str, command: Optional[List[str]] = None) -> List[str]:
        """The command line of a foreground run."""
        script = command or [str(self.dir / SCRIPT)]
        return [
            sys.executable,
            str(SUPERVISOR),
            "--foreground",
            "--dir",
            str(self.dir),
            *arguments,
            "--",
            *script,
        ]

    def log(self) -> bytes:
        """The last run's log."""
        return Path(supervisor.records(str(self.dir))[-1], "log").read_bytes()

    def pid_in(self, name: str) -> int:
        """The pid that the script wrote into a file."""
        path = self.dir / name
        return int(until(lambda: path.exists() and path.read_text().strip(), f"{name} written"))

    def clean(self) -> None:
        """End whatever still runs."""
        with contextlib.suppress(runs.RunError, OSError):
            runs.stop(str(self.dir))
        for path in supervisor.records(str(self.dir)):
            for process in supervisor.family(os.path.basename(path)):
                supervisor.send(process, signal.SIGKILL)


class Sshd:
    """An sshd on a loopback port of its own, with a host key of its own. One shared file system."""

    def __init__(self, directory: Path) -> None:
        self.dir = directory
        self.dir.mkdir()
        for name in ("host", "user"):
            command = ["ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", str(self.dir / name)]
            subprocess.run(command, check=True, stdin=subprocess.DEVNULL)
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        (self.dir / "authorized").write_text((self.dir / "user.pub").read_text())
        key = (self.dir / "host.pub").read_text()
        (self.dir / "known").write_text(f"[127.0.0.1]:{self.port} {key}")
        settings = {
            "Port": self.port,
            "ListenAddress": "127.0.0.1",
            "HostKey": self.dir / "host",
            "AuthorizedKeysFile": self.dir / "authorized",
            "StrictModes": "no",
            "UsePAM": "no",
            "UseDNS": "no",
            "PasswordAuthentication": "no",
            "PermitRootLogin": "yes",
            "PidFile": "none",
        }
        (self.dir / "config").write_text("".join(f"{key} {value}\n" for key, value in settings.items()))
        (self.dir / "log").touch()
        self.process: Optional[subprocess.Popen[bytes]] = None
        self.up()

    def up(self) -> None:
        """Listen."""
        if os.geteuid() == 0:
            Path("/run/sshd").mkdir(exist_ok=True)
        assert SSHD
        command = [SSHD, "-D", "-f", str(self.dir / "config"), "-E", str(self.dir / "log")]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

        def answers() -> bool:
            with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1) as peer:
                return peer.recv(4) == b"SSH-"
            return False

        until(answers, f"sshd answers ({(self.dir / 'log').read_text()})")

    def cut(self) -> None:
        """Break every connection, and take no new one."""
        assert self.process
        mine = self.process.pid
        below = supervisor.family("none", mine)
        sessions = {pid for pid, _ in below if b"sshd" in Path(f"/proc/{pid}/cmdline").read_bytes()}
        self.process.kill()
        self.process.wait()
        for pid in sessions:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    def hostvars(self) -> Dict[str, Any]:
        """What an inventory has to say to reach it."""
        options = f"-o UserKnownHostsFile={self.dir / 'known'} -o IdentitiesOnly=yes -o ConnectTimeout=3"
        return {
            "ansible_connection": "ssh",
            "ansible_host": "127.0.0.1",
            "ansible_port": self.port,
            "ansible_user": getpass.getuser(),
            "ansible_ssh_private_key_file": str(self.dir / "user"),
            "ansible_ssh_common_args": options,
        }


class Launcher:
    """Plays the gate's playbook, or another of the project, on zeus alone."""

    def __init__(self, place: Place, root: Path, hostvars: Optional[Dict[str, Any]] = None) -> None:
        self.place, self.root = place, root
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
