# SPDX-License-Identifier: MIT
"""What a test host is, and what a backend must be able to do with it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Protocol

from hosts.image import USER

HOME = f"/home/{USER}"
KEY = "ssh_host_ed25519_key"


@dataclass(frozen=True)
class Host:
    """One host of a fleet.

    Attributes:
        name: its inventory name and host name.
        address: its IPv4 address in the fleet's own network.
        folder: its folder on this machine: host key, disk image, mounted disk.
        zeus: whether it has numpy and orjson.
    """

    name: str
    address: str
    folder: Path
    zeus: bool

    @property
    def mac(self) -> str:
        """A fixed address: a host that comes back keeps its ARP entries valid."""
        return "02:00:" + ":".join(f"{int(part):02x}" for part in self.address.split("."))

    @property
    def disk(self) -> Path:
        """The image of its own disk, which holds the home folder."""
        return self.folder / "disk.img"

    @property
    def home(self) -> Path:
        """The disk as mounted here: readable even while the host is down."""
        return self.folder / "home"

    @property
    def key_folder(self) -> Path:
        """Its SSH host key."""
        return self.folder / "key"

    @property
    def public_key(self) -> str:
        """Type and key, as in a known_hosts line."""
        return " ".join((self.key_folder / f"{KEY}.pub").read_text().split()[:2])


class Backend(Protocol):
    """Runs hosts from one image."""

    name: str

    def open(self, fleet: str) -> str:
        """Make the fleet's network; return its first three octets, such as `10.89.0`."""

    def boot(self, fleet: str, host: Host, folder: Path) -> None:
        """Create and start a host; `folder` holds the fleet's public key and hosts file."""

    def start(self, fleet: str, host: Host) -> None:
        """Start a host that was killed; its root file system is as it was."""

    def kill(self, fleet: str, host: Host) -> None:
        """End a host as a power cut does."""

    def remove(self, fleet: str, host: Host) -> None:
        """End a host and forget its root file system."""

    def pid(self, fleet: str, host: Host) -> int:
        """The process id here of the host's first process; 0 while it is down."""

    def close(self, fleet: str) -> None:
        """Remove all hosts of the fleet and its network, whatever state they are in."""

    def known(self) -> list[str]:
        """Fleets that have left anything in this backend."""

    def forget_images(self) -> None:
        """Remove what was imported, for good."""
