# SPDX-License-Identifier: MIT
"""Real runs of Step 2.5 for tests: a pipeline directory with a script, and an sshd before it."""

from __future__ import annotations

import contextlib
import getpass
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Optional

from ansible.module_utils.survivor_npz.run import control
from ansible.module_utils.survivor_npz.run.supervise import home, processes
from localfleet import ROOT

SUPERVISOR = ROOT / "module_utils" / "survivor_npz" / "run" / "supervise"
SCRIPT = "run_scorer_meta_optimizer.sh"
SSHD = shutil.which("sshd", path=os.environ.get("PATH", "") + ":/usr/sbin:/usr/local/sbin")


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
    return processes.look_at(pid) is not None


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
        command = control.command(str(self.dir), SCRIPT, list(arguments))
        return control.start({"dir": str(self.dir), "command": command, **job})

    def end(self, seconds: float = 20) -> Dict[str, Any]:
        """Wait for the run to end; returns its record."""
        until(lambda: not control.query(str(self.dir))["running"], "the end of the run", seconds)
        return control.finished(str(self.dir))

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
        return Path(home.records(str(self.dir))[-1], "log").read_bytes()

    def pid_in(self, name: str) -> int:
        """The pid that the script wrote into a file."""
        path = self.dir / name
        return int(until(lambda: path.exists() and path.read_text().strip(), f"{name} written"))

    def clean(self) -> None:
        """End whatever still control."""
        with contextlib.suppress(control.RunError, OSError):
            control.stop(str(self.dir))
        for path in home.records(str(self.dir)):
            for process in processes.family(os.path.basename(path)):
                processes.send(process, signal.SIGKILL)


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
        (self.dir / "banner").write_text("Welcome to zeus.\n\n" * 3)  # in the field it ate a first line
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
            "Banner": self.dir / "banner",
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
        below = processes.family("none", mine)
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
