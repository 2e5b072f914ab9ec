# SPDX-License-Identifier: MIT
"""Hosts as rootful podman containers with systemd as their first process."""

from __future__ import annotations

import json
from functools import lru_cache
from pathlib import Path

from hosts import image
from hosts.commands import run
from hosts.model import HOME, Host
from hosts.paths import locked

LABEL = "survivor-npz-fleet"
REPOSITORY = "localhost/survivor-npz-host"
SHARED_MEMORY = "32m"
# Without CAP_SYS_RESOURCE podman's own defaults are refused.
ULIMITS = ("--ulimit=nofile=4096:4096", "--ulimit=nproc=4096:4096")


@lru_cache(maxsize=1)
def _runtime() -> list[str]:
    # crun refuses hybrid cgroups, runc takes them; podman keeps the runtime of each container.
    version = run("podman", "info", "--format", "{{.Host.CgroupsVersion}}").strip()
    return [] if version == "v2" else ["--runtime=runc"]


def _remove(*containers: str) -> None:
    run("podman", "rm", "--force", "--time=0", "--volumes", "--ignore", *containers)


def _name(fleet: str, host: Host) -> str:
    return f"{fleet}-{host.name}"


class Podman:
    """See `model.Backend`."""

    name = "podman"

    def image(self) -> str:
        """The imported image, imported on first use."""
        name = f"{REPOSITORY}:{image.tag()}"
        tarball = image.base()
        with locked("import"):
            if not run("podman", "images", "--quiet", name).strip():
                run("podman", "import", "--quiet", str(tarball), name, timeout=300)
        return name

    def open(self, fleet: str) -> str:
        """Podman picks a subnet that is free, so parallel runs can't collide."""
        self.image()
        run("podman", "network", "create", "--disable-dns", f"--label={LABEL}={fleet}", fleet)
        found = json.loads(run("podman", "network", "inspect", fleet))
        return str(found[0]["subnets"][0]["subnet"]).rpartition(".")[0]

    def boot(self, fleet: str, host: Host, folder: Path) -> None:
        mounts = [
            f"{host.home}:{HOME}",
            f"{host.key_folder}:/etc/ssh/fleet-host-key:ro",
            f"{folder / 'id_ed25519.pub'}:/etc/ssh/fleet_keys:ro",
            f"{folder / 'etc-hosts'}:/etc/hosts:ro",
        ]
        if host.zeus:
            mounts.append(f"{image.libraries()}:/{image.site()}:ro")
        run(
            *("podman", "run", "--detach", "--replace", "--systemd=always", *_runtime(), *ULIMITS),
            *(f"--name={_name(fleet, host)}", f"--hostname={host.name}", f"--label={LABEL}={fleet}"),
            *(f"--network={fleet}", f"--ip={host.address}", f"--mac-address={host.mac}"),
            *("--no-hosts", "--dns=none", f"--shm-size={SHARED_MEMORY}"),
            *(f"--volume={mount}" for mount in mounts),
            *(self.image(), "/sbin/init"),
        )

    def start(self, fleet: str, host: Host) -> None:
        run("podman", "start", _name(fleet, host))

    def kill(self, fleet: str, host: Host) -> None:
        run("podman", "kill", _name(fleet, host))
        run("podman", "wait", _name(fleet, host))

    def remove(self, fleet: str, host: Host) -> None:
        _remove(_name(fleet, host))

    def pid(self, fleet: str, host: Host) -> int:
        return int(run("podman", "inspect", "--format", "{{.State.Pid}}", _name(fleet, host)))

    def close(self, fleet: str) -> None:
        found = run("podman", "ps", "--all", "--quiet", f"--filter=label={LABEL}={fleet}").split()
        if found:
            _remove(*found)
        if run("podman", "network", "ls", "--quiet", f"--filter=name=^{fleet}$").strip():
            run("podman", "network", "rm", "--force", fleet)

    def known(self) -> list[str]:
        form = '{{index .Labels "' + LABEL + '"}}'
        containers = run("podman", "ps", "--all", f"--filter=label={LABEL}", f"--format={form}").split()
        networks = run("podman", "network", "ls", "--quiet", f"--filter=label={LABEL}").split()
        return sorted({*containers, *networks})

    def forget_images(self) -> None:
        found = run("podman", "images", "--quiet", REPOSITORY).split()
        if found:
            run("podman", "rmi", "--force", *sorted(set(found)))
