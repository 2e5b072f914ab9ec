# SPDX-License-Identifier: MIT
"""A rig behind a jump host, and one whose sshd listens on another port: by the operator's own SSH settings."""

from __future__ import annotations

import json
import signal
import subprocess
from pathlib import Path

from hosts.fleet import SSH_OPTIONS
from realfleet import RealFleet, wait_until

PORT = 2222


def inventory(fleet: RealFleet, path: Path) -> None:
    """As `~/.ssh/config` and the inventory of a site say it: rig-6600 on another port, rig-6600b behind it."""
    hosts = fleet.fleet.hosts
    near, far = hosts["rig-6600"], hosts["rig-6600b"]
    common = [
        f"IdentityFile {fleet.fleet.key}",
        f"UserKnownHostsFile {fleet.fleet.known_hosts}",
        *(option.replace("=", " ") for option in SSH_OPTIONS),
    ]
    config = path.with_name("ssh_config")
    lines = [
        f"Host {near.address}",
        f"  Port {PORT}",
        f"  HostKeyAlias {near.address}",
        f"Host {far.address}",
        f"  ProxyJump {fleet.fleet.hostvars(near)['ansible_user']}@{near.address}",
        "Host *",
        *(f"  {line}" for line in common),
        "",
    ]
    config.write_text("\n".join(lines))
    groups: dict[str, dict[str, object]] = {"coordinator": {}, "rigs": {}}
    for host in hosts.values():
        variables = fleet.fleet.hostvars(host) | {"ansible_ssh_common_args": f"-F {config}"}
        groups["coordinator" if host.zeus else "rigs"][host.name] = variables
    children = {group: {"hosts": members} for group, members in groups.items()}
    path.write_text(json.dumps({"all": {"children": children}}))


def test_rig_behind_a_jump_host_and_on_another_port(fleet: RealFleet) -> None:
    near = fleet.fleet.hosts["rig-6600"]
    pid = fleet.fleet.backend.pid(fleet.fleet.id, near)
    pid_file = Path(f"/proc/{pid}/root/run/second-sshd.pid")
    options = ["-p", str(PORT), "-o", "PidFile=/run/second-sshd.pid"]
    subprocess.run(["nsenter", "-t", str(pid), "--all", "/usr/sbin/sshd", *options], check=True)
    wait_until(pid_file.exists, 20, "the second sshd")
    fleet.fleet.hang_up()
    path = fleet.scratch / "ways.json.yml"
    inventory(fleet, path)
    try:
        fleet.assert_healed(fleet.run("step25.yml", "-i", str(path)))
        fleet.fleet.hang_up()
    finally:
        inside = int(pid_file.read_text())
        subprocess.run(
            ["nsenter", "-t", str(pid), "--all", "kill", f"-{signal.SIGTERM:d}", str(inside)], check=True
        )


def test_the_jump_host_is_down(fleet: RealFleet) -> None:
    """Both rigs are named, and nothing is changed."""
    path = fleet.scratch / "ways.json.yml"
    inventory(fleet, path)
    before = fleet.digests
    fleet.fleet.hang_up()
    run = fleet.run("step25.yml", "-i", str(path))  # nobody listens on the other port here
    assert run.rc == 2, run.out
    assert set(run.report["faults"]) == {"rig-6600", "rig-6600b"}, run.tail
    assert fleet.digests == before
