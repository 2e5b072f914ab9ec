# SPDX-License-Identifier: MIT
"""The system packages that the hosts need: announce, install where we may, else one line and no tests."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Mapping

from hosts.commands import HostsError, run

# program -> Debian package that has it
NEEDED: dict[str, str] = {
    "podman": "podman",
    "runc": "runc",
    "iptables": "iptables",
    "mmdebstrap": "mmdebstrap",
    "ssh": "openssh-client",
    "nsenter": "util-linux",
    "mkfs.ext4": "e2fsprogs",
}
PODMAN = {"podman", "runc"}
FORBID = "HOSTS_NO_INSTALL"
SBIN = "/usr/local/sbin:/usr/sbin:/sbin"


def missing(programs: Mapping[str, str] = NEEDED) -> list[str]:
    """The Debian packages whose programs are not on this machine."""
    path = os.environ.get("PATH", os.defpath) + os.pathsep + SBIN
    unused = PODMAN if os.environ.get("HOSTS_BACKEND") == "netns" else set()
    needed = {program: package for program, package in programs.items() if package not in unused}
    return sorted({package for program, package in needed.items() if not shutil.which(program, path=path)})


def ensure(programs: Mapping[str, str] = NEEDED) -> None:
    """Install what is missing, after saying so.

    Raises:
        HostsError: the machine can't run the hosts; the message is the one line for the screen.
    """
    if os.geteuid() != 0:
        raise HostsError("the test hosts need root (containers with disks and networks of their own)")
    packages = missing(programs)
    if not packages:
        return
    wanted = " ".join(packages)
    if os.environ.get(FORBID):
        raise HostsError(f"{FORBID} is set; install by hand: apt-get install {wanted}")
    if not shutil.which("apt-get"):
        raise HostsError(f"no apt-get here; install by hand: {wanted}")
    sys.stderr.write(
        f"hosts: installing with apt-get, because real test hosts need them: {wanted} "
        f"(set {FORBID}=1 to forbid it)\n"
    )
    env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
    run("apt-get", "update", "-qq", env=env, timeout=300)
    run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=env, timeout=900)
