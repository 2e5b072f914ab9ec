# SPDX-License-Identifier: MIT
"""Choose what runs the hosts: podman first."""

from __future__ import annotations

import os
import shutil

from hosts.commands import HostsError
from hosts.model import Backend
from hosts.netns import Netns
from hosts.podman import Podman

BACKENDS: dict[str, Backend] = {"podman": Podman(), "netns": Netns()}
PROGRAM = {"podman": "podman", "netns": "unshare"}


def backend(name: str | None = None) -> Backend:
    """The backend `name`, or the one that HOSTS_BACKEND names, or the first whose program is here."""
    wanted = name or os.environ.get("HOSTS_BACKEND")
    for candidate, program in PROGRAM.items():
        if wanted in {None, "", candidate} and shutil.which(program):
            return BACKENDS[candidate]
    raise HostsError(f"no backend for test hosts: {wanted or ', '.join(PROGRAM)}")
