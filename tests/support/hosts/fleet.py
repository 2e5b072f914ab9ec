# SPDX-License-Identifier: MIT
"""Some hosts kept together: brought up, listed for Ansible, taken down."""

from __future__ import annotations

import hashlib
import json
import os
import shutil
import socket
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

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


class Fleet:
    """A fleet of this machine. `Fleet(name)` finds it again in another process.

    Args:
        name: anything unique to the run, such as a temporary folder.
    """

    def __init__(self, name: str) -> None:
        # Short, for podman and the network; the same name gives the same id.
        known = name.startswith("snpz") and len(name) == 12
        self.id = name if known else "snpz" + hashlib.sha256(name.encode()).hexdigest()[:8]
        self.folder = fleets() / self.id
        self.key = self.folder / "id_ed25519"  # All hosts let it in.
        self.known_hosts = self.folder / "known_hosts"
        # For SSH's sockets, whose paths may have 108 bytes: a short folder.
        self.control = Path("/tmp") / self.id
        self._state = self.folder / "fleet.json"
        self.hosts: dict[str, Host] = {}
        if self._state.exists():
            self._load()

    def _load(self) -> None:
        state = json.loads(self._state.read_text())
        self.backend = backend(state["backend"])
        for number, name in enumerate(state.get("names", [])):
            address = f"{state['prefix']}.{FIRST_ADDRESS + number}"
            self.hosts[name] = Host(name, address, self.folder / "hosts" / name, name in state["zeus"])

    def _save(self, **more: object) -> None:
        # A fleet outlives its owner only until the next one comes up.
        owner = int(os.environ.get("HOSTS_OWNER", "0"))
        state = {"backend": self.backend.name, "checkout": str(ROOT), "owner": owner, **more}
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
        _new_key(self.key)
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
        shutil.rmtree(host.key_folder, ignore_errors=True)
        host.key_folder.mkdir()
        _new_key(host.key_folder / KEY)
        self.backend.boot(self.id, host, self.folder)
        self.wait(host)

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

    def hostvars(self, host: Host) -> dict[str, str]:
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
        groups: dict[str, dict[str, object]] = {"coordinator": {}, "rigs": {}}
        for host in self.hosts.values():
            groups["coordinator" if host.zeus else "rigs"][host.name] = self.hostvars(host)
        children = {group: {"hosts": hosts} for group, hosts in groups.items()}
        path.write_text(json.dumps({"all": {"children": children}}))

    def hang_up(self) -> None:
        """End the connections that SSH keeps for a later run."""
        for path in self.control.glob("*") if self.control.is_dir() else ():
            if path.is_socket():
                run("ssh", "-o", f"ControlPath={path}", "-O", "exit", "fleet", check=False)

    def down(self) -> None:
        """Remove every trace of the fleet; no error where there is none."""
        if not self.folder.exists():
            return
        self.hang_up()
        disks.release(self.folder)
        if self._state.exists():
            self._load()
            self.backend.close(self.id)
        shutil.rmtree(self.folder)
        shutil.rmtree(self.control, ignore_errors=True)
        self.hosts = {}


def _new_key(path: Path) -> None:
    run("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-C", path.parent.name, "-f", str(path))


def known() -> list[str]:
    """The ids of all fleets of this machine."""
    return sorted(path.name for path in fleets().iterdir()) if fleets().is_dir() else []


def details(fleet: str) -> dict[str, object]:
    """A fleet's saved state, empty where it has none."""
    try:
        return dict(json.loads((fleets() / fleet / "fleet.json").read_text()))
    except (OSError, ValueError):
        return {}


def reap(checkout: Path | None = None) -> list[str]:
    """Take down fleets whose owner process is gone, and with `checkout` all of that checkout's."""
    ended = []
    for fleet in known():
        state = details(fleet)
        gone = state.get("owner") and not Path(f"/proc/{state['owner']}").exists()
        if gone or (checkout and state.get("checkout") in {str(checkout), None}):
            Fleet(fleet).down()
            ended.append(fleet)
    return ended
