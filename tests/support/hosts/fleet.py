"""Some hosts kept together: brought up, listed for Ansible, taken down."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Dict, List, Optional, Sequence

from hosts import disks
from hosts.backends import backend
from hosts.commands import HostsError, run
from hosts.image import USER
from hosts.model import KEY, Host
from hosts.paths import ROOT, fleets

FIRST_ADDRESS = 10
BOOT_SECONDS = 60.0
SSH_OPTIONS = (
    "StrictHostKeyChecking=yes",
    "IdentitiesOnly=yes",
    "HashKnownHosts=no",
    "ServerAliveInterval=5",
    "ServerAliveCountMax=2",
)


def fleet_id(name: str) -> str:
    """A short id for podman and the network; the same name gives the same id."""
    return "snpz" + hashlib.sha256(name.encode()).hexdigest()[:8]


class Fleet:
    """A fleet of this machine. `Fleet(name)` finds it again in another process.

    Args:
        name: anything unique to the run, such as a temporary folder.
    """

    def __init__(self, name: str) -> None:
        self.id = name if name.startswith("snpz") and len(name) == 12 else fleet_id(name)
        self.folder = fleets() / self.id
        self.hosts: Dict[str, Host] = {}
        if self._state.exists():
            self._load()

    @property
    def _state(self) -> Path:
        return self.folder / "fleet.json"

    @property
    def key(self) -> Path:
        """The private key that all hosts let in."""
        return self.folder / "id_ed25519"

    @property
    def known_hosts(self) -> Path:
        """The hosts' real public keys."""
        return self.folder / "known_hosts"

    @property
    def control(self) -> Path:
        """For SSH's sockets, whose paths may have 108 bytes: a short folder."""
        return Path("/tmp") / self.id

    def _host(self, name: str, number: int, prefix: str, zeus: bool) -> Host:
        return Host(name, f"{prefix}.{FIRST_ADDRESS + number}", self.folder / "hosts" / name, zeus)

    def _load(self) -> None:
        state = json.loads(self._state.read_text())
        self.backend = backend(state["backend"])
        names = state.get("names", [])
        for number, name in enumerate(names):
            self.hosts[name] = self._host(name, number, state["prefix"], name in state["zeus"])

    def _save(self, **more: object) -> None:
        state = {"backend": self.backend.name, "checkout": str(ROOT), "owner": owner(), **more}
        part = self._state.with_suffix(".part")
        part.write_text(json.dumps(state))
        part.replace(self._state)

    def up(self, names: Sequence[str], zeus: Sequence[str] = ("zeus",), apart: bool = False) -> None:
        """Bring the hosts up and wait until each one's sshd answers.

        Args:
            names: host names.
            zeus: those of them that have numpy and orjson.
            apart: the hosts neither know nor reach each other; only this machine reaches them.

        Raises:
            HostsError: a host didn't come up.
        """
        self.down()
        self.backend = backend()
        self.folder.mkdir(parents=True)
        self.control.mkdir(mode=0o700, exist_ok=True)
        # Written before anything is made: `clean` finds what a killed run left.
        self._save()
        prefix = self.backend.open(self.id)
        self._save(names=list(names), zeus=list(zeus), prefix=prefix)
        self._load()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", self.id, "-f", str(self.key))
        lines = [f"{host.address} {host.name}" for host in self.hosts.values()]
        (self.folder / "etc-hosts").write_text(
            "\n".join(["127.0.0.1 localhost", *([] if apart else lines), ""])
        )
        with ThreadPoolExecutor(4) as pool:
            list(pool.map(self._make, self.hosts.values()))
        self.trust()
        if apart:
            for host in self.hosts.values():
                self._isolate(host, prefix)

    def _isolate(self, host: Host, prefix: str) -> None:
        """The host hears this machine only."""
        pid = str(self.backend.pid(self.id, host))
        rule = ["!", "-s", f"{prefix}.1", "-i", "eth0", "-j", "DROP"]
        run("nsenter", "-t", pid, "-n", "iptables", "-A", "INPUT", *rule)

    def _make(self, host: Host) -> None:
        disks.make(host)
        self._new_key(host)
        self.backend.boot(self.id, host, self.folder)
        self.wait(host)

    def _new_key(self, host: Host) -> None:
        host.key_folder.mkdir(parents=True, exist_ok=True)
        for path in host.key_folder.iterdir():
            path.unlink()
        run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", host.name, "-f", str(host.key_folder / KEY))

    def trust(self) -> None:
        """Write known_hosts from the hosts' keys of now."""
        lines = [f"{host.address} {host.public_key}" for host in self.hosts.values()]
        self.known_hosts.write_text("\n".join([*lines, ""]))

    def wait(self, host: Host) -> None:
        """Wait for the host's sshd.

        Raises:
            HostsError: it doesn't answer.
        """
        end = time.monotonic() + BOOT_SECONDS
        while time.monotonic() < end:
            try:
                with socket.create_connection((host.address, 22), 2) as connection:
                    connection.settimeout(2)
                    if connection.recv(4) == b"SSH-":
                        return
            except OSError:
                pass
            time.sleep(0.1)
        raise HostsError(f"{host.name} ({host.address}): no sshd after {BOOT_SECONDS:g} s")

    def reimage(self, name: str) -> None:
        """A new root file system, an empty disk and a new host key; known_hosts stays as it is."""
        host = self.hosts[name]
        self.backend.remove(self.id, host)
        disks.release(host.folder)
        self._make(host)

    def hostvars(self, host: Host) -> Dict[str, str]:
        """Ansible's variables for a host."""
        options = " ".join(f"-o {option}" for option in SSH_OPTIONS)
        return {
            "ansible_connection": "ssh",
            "ansible_host": host.address,
            "ansible_user": USER,
            "ansible_ssh_private_key_file": str(self.key),
            "ansible_ssh_common_args": f"-o UserKnownHostsFile={self.known_hosts} {options}",
            "ansible_control_path_dir": str(self.control),
            "ansible_python_interpreter": "/usr/bin/python3",
        }

    def inventory(self, path: Path) -> None:
        """Write an inventory with the groups `coordinator` and `rigs`.

        It is JSON, so YAML too, in one line, since Ansible's ini plugin would take several lines for hosts.
        """
        groups: Dict[str, Dict[str, Dict[str, Dict[str, str]]]] = {
            "coordinator": {"hosts": {}},
            "rigs": {"hosts": {}},
        }
        for host in self.hosts.values():
            groups["coordinator" if host.zeus else "rigs"]["hosts"][host.name] = self.hostvars(host)
        path.write_text(json.dumps({"all": {"children": groups}}))

    def hang_up(self) -> None:
        """End the connections that SSH keeps for a later run."""
        for path in self.control.glob("*") if self.control.is_dir() else ():
            if path.is_socket():
                run("ssh", "-o", f"ControlPath={path}", "-O", "exit", "fleet", check=False)

    def down(self) -> None:
        """Remove every trace of the fleet; no error where there is none."""
        if not self._state.exists() and not self.folder.exists():
            return
        self.hang_up()
        disks.release(self.folder)
        if self._state.exists():
            self._load()
            self.backend.close(self.id)
        shutil.rmtree(self.folder)
        shutil.rmtree(self.control, ignore_errors=True)
        self.hosts = {}


def owner() -> int:
    """The process for which a fleet is kept: a fleet outlives it only until the next one comes up."""
    return int(os.environ.get("HOSTS_OWNER", "0"))


def known() -> List[str]:
    """The ids of all fleets of this machine."""
    return sorted(path.name for path in fleets().iterdir()) if fleets().is_dir() else []


def details(fleet: str) -> Dict[str, object]:
    """A fleet's saved state, empty where it has none."""
    try:
        return dict(json.loads((fleets() / fleet / "fleet.json").read_text()))
    except (OSError, ValueError):
        return {}


def _gone(process: object) -> bool:
    return isinstance(process, int) and process > 0 and not Path(f"/proc/{process}").exists()


def reap(checkout: Optional[Path] = None) -> List[str]:
    """Take down fleets whose owner process is gone, and with `checkout` all of that checkout's."""
    ended = []
    for fleet in known():
        state = details(fleet)
        if _gone(state.get("owner")) or (checkout and state.get("checkout") in {str(checkout), None}):
            Fleet(fleet).down()
            ended.append(fleet)
    return ended
