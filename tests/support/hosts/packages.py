"""The system packages that the hosts need: announce, install where we may, else one line and no tests."""

from __future__ import annotations

import os
import shutil
import sys
from typing import Dict, List, Mapping, Optional

from hosts.commands import HostsError, run

# program -> Debian package that has it
NEEDED: Dict[str, str] = {
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


def missing(programs: Mapping[str, str] = NEEDED) -> List[str]:
    """The Debian packages whose programs are not on this machine."""
    path = os.environ.get("PATH", os.defpath) + os.pathsep + SBIN
    unused = PODMAN if os.environ.get("HOSTS_BACKEND") == "netns" else set()
    needed = {program: package for program, package in programs.items() if package not in unused}
    return sorted({package for program, package in needed.items() if not shutil.which(program, path=path)})


def obstacle(packages: List[str]) -> Optional[str]:
    """Why this machine can't run the hosts, in one line, or None where it can (after an installation)."""
    if os.geteuid() != 0:
        return "the test hosts need root (containers with disks and networks of their own)"
    if not packages:
        return None
    wanted = " ".join(packages)
    if os.environ.get(FORBID):
        return f"{FORBID} is set; install by hand: apt-get install {wanted}"
    if not shutil.which("apt-get"):
        return f"no apt-get here; install by hand: {wanted}"
    return None


def ensure(programs: Mapping[str, str] = NEEDED) -> None:
    """Install what is missing, after saying so.

    Raises:
        HostsError: the machine can't run the hosts; the message is the one line for the screen.
    """
    packages = missing(programs)
    reason = obstacle(packages)
    if reason:
        raise HostsError(reason)
    if packages:
        sys.stderr.write(
            f"hosts: installing with apt-get, because real test hosts need them: {' '.join(packages)} "
            f"(set {FORBID}=1 to forbid it)\n"
        )
        env = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        run("apt-get", "update", "-qq", env=env, timeout=300)
        run("apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages, env=env, timeout=900)
