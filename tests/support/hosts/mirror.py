# SPDX-License-Identifier: MIT
"""This machine's release, and the mirror its own apt takes it from: none is written down here."""

from __future__ import annotations

import platform

from hosts.commands import HostsError, run


def suite() -> str:
    """This machine's release, such as `bookworm`.

    Raises:
        HostsError: os-release names none.
    """
    name = platform.freedesktop_os_release().get("VERSION_CODENAME")
    if not name:
        raise HostsError("os-release names no VERSION_CODENAME: the test hosts need Debian or Ubuntu")
    return name


def mirror(release: str) -> str:
    """The first URI from which apt takes `release` itself.

    Raises:
        HostsError: apt has no source for that release.
    """
    wanted = ("--format", "$(RELEASE) $(REPO_URI)", "Created-By: Packages")
    for line in run("apt-get", "indextargets", *wanted).splitlines():
        name, uri = line.split()
        if name == release:
            return uri
    raise HostsError(f"apt has no source of {release}: add the distribution's own mirror to apt")
