# SPDX-License-Identifier: MIT
"""Hosts as network namespaces with overlay file systems: for machines without podman. No systemd in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import tarfile
import time
from contextlib import suppress
from pathlib import Path

from hosts import image, mirror
from hosts.commands import HostsError, run
from hosts.model import HOME, Host
from hosts.paths import fleets, images, locked

SCRIPT = Path(__file__).with_name("netns-init.sh")
SUBNETS = range(1, 250)
LAYERS = ("upper", "work", "root")
SECONDS = 10.0


class Netns:
    """See `model.Backend`."""

    name = "netns"

    def root(self) -> Path:
        """The unpacked root file system, the lower layer of all hosts."""
        folder = images() / f"root-{mirror.suite()}-{image.tag()}"
        tarball = image.base()
        with locked("import"):
            if not folder.is_dir():
                part = folder.with_name(f"{folder.name}.{os.getpid()}.part")
                with tarfile.open(tarball) as archive:
                    members = (entry for entry in archive if not entry.name.lstrip("./").startswith("dev/"))
                    archive.extractall(part, members=members, filter="fully_trusted")  # noqa: S202 - built here
                part.replace(folder)
        return folder

    def open(self, fleet: str) -> str:
        """A bridge with the first subnet that no interface here has."""
        self.root()
        with locked("network"):
            taken = run("ip", "-4", "-o", "address", "show")
            for number in SUBNETS:
                prefix = f"10.88.{number}"
                if f" {prefix}." not in taken:
                    run("ip", "link", "add", fleet, "type", "bridge")
                    run("ip", "address", "add", f"{prefix}.1/24", "dev", fleet)
                    run("ip", "link", "set", fleet, "up")
                    return prefix
        raise HostsError("no subnet is free for test hosts")

    def boot(self, fleet: str, host: Host, folder: Path) -> None:
        for layer in LAYERS:
            (host.folder / layer).mkdir(exist_ok=True)
        settings = {
            "LOWER": self.root(),
            "KEYS": folder / "id_ed25519.pub",
            "HOSTS": folder / "etc-hosts",
            "HOST": host.folder,
            "NAME": host.name,
            "HOME_DIR": HOME,
            "LIBRARIES": image.libraries() if host.zeus else "",
            "SITE": image.site(),
        }
        lines = [f"{name}={value}\n" for name, value in settings.items()]
        (host.folder / "settings").write_text("".join(lines))
        self.start(fleet, host)

    def start(self, fleet: str, host: Host) -> None:
        """Namespaces of its own, a cable to the bridge, then sshd as the first process."""
        settings = dict(line.split("=", 1) for line in (host.folder / "settings").read_text().splitlines())
        with (host.folder / "console.log").open("wb") as log:
            process = subprocess.Popen(
                [
                    *("unshare", "--mount", "--propagation=private", "--net", "--uts", "--pid", "--ipc"),
                    *("--fork", "--kill-child", "sh", "-e", str(SCRIPT)),
                ],
                env={**os.environ, **settings},
                stdin=subprocess.PIPE,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        _record(host).write_text(str(process.pid))
        first, cable = str(_first(process.pid)), _cable(fleet, host)
        run("ip", "link", "add", cable, "type", "veth", "peer", "name", "eth0", "netns", first)
        run("ip", "link", "set", cable, "master", fleet, "up")
        inside = ("nsenter", "-t", first, "-n", "ip")
        run(*inside, "link", "set", "eth0", "address", host.mac)
        run(*inside, "address", "add", f"{host.address}/24", "dev", "eth0")
        for link in ("lo", "eth0"):
            run(*inside, "link", "set", link, "up")
        if process.stdin:
            process.stdin.close()  # The script waits for its network.

    def kill(self, fleet: str, host: Host) -> None:
        parent = _parent(_record(host))
        if parent:
            os.kill(_first(parent), signal.SIGKILL)
        end = time.monotonic() + SECONDS
        while parent and _runs(parent) and time.monotonic() < end:
            with suppress(ChildProcessError):
                os.waitpid(parent, os.WNOHANG)
            time.sleep(0.02)
        _record(host).unlink(missing_ok=True)
        run("ip", "link", "delete", _cable(fleet, host), check=False)

    def remove(self, fleet: str, host: Host) -> None:
        self.kill(fleet, host)
        for layer in LAYERS:
            shutil.rmtree(host.folder / layer, ignore_errors=True)

    def pid(self, fleet: str, host: Host) -> int:
        parent = _parent(_record(host))
        return _first(parent) if parent else 0

    def close(self, fleet: str) -> None:
        """End every host that left a pid, then the cables and the bridge."""
        for record in sorted((fleets() / fleet / "hosts").glob("*/pid")):
            parent = _parent(record)
            if parent and str(SCRIPT) in Path(f"/proc/{parent}/cmdline").read_text():
                os.kill(parent, signal.SIGKILL)
        for line in run("ip", "-o", "link", "show", "master", fleet, check=False).splitlines():
            run("ip", "link", "delete", line.split()[1].partition("@")[0], check=False)
        run("ip", "link", "delete", fleet, check=False)

    def known(self) -> list[str]:
        found = run("ip", "-o", "link", "show", "type", "bridge").splitlines()
        return [name for line in found if (name := line.split()[1].rstrip(":")).startswith("snpz")]

    def forget_images(self) -> None:
        """They lie in the cache, which goes as a whole."""


def _cable(fleet: str, host: Host) -> str:
    return f"{fleet[4:]}{host.address.rpartition('.')[2]}"


def _record(host: Host) -> Path:
    """Where the id of a host's `unshare` is noted."""
    return host.folder / "pid"


def _parent(record: Path) -> int:
    """The id of a host's `unshare`; 0 once it has ended."""
    pid = int(record.read_text() or 0) if record.exists() else 0
    return pid if pid and _runs(pid) else 0


def _first(parent: int) -> int:
    """The child of `unshare`: process 1 of the host."""
    end = time.monotonic() + SECONDS
    while time.monotonic() < end:
        with suppress(OSError):
            children = Path(f"/proc/{parent}/task/{parent}/children").read_text().split()
            if children:
                return int(children[0])
        time.sleep(0.01)
    raise HostsError("a test host has no first process")


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False
