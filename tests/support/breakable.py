# SPDX-License-Identifier: MIT
"""A local fleet whose rigs answer through a stand-in for ssh, so that connections break where a test says."""

from __future__ import annotations

from pathlib import Path
from typing import Any, Dict, Mapping, Optional

from localfleet import LocalFleet

FAKESSH = Path(__file__).with_name("fakessh")
# What stands in the module's arguments, as Ansible sends them, at each step of a rig.
SWITCH = '"state": "activated"'
WAY_BACK = '"state": "reverted"'
LOOK = '"now": '


class BreakableFleet(LocalFleet):
    """`fault(host, …)` breaks a rig's connection at one step; `heal` ends that."""

    def __init__(self, root: Path, **options: Any) -> None:
        super().__init__(root, **options)
        self.faults = root.with_name(root.name + ".faults")
        self.faults.mkdir()
        for rig in self.rigs:
            self.hostvars[rig] = {
                "ansible_connection": "ssh",
                "ansible_host": rig,
                "ansible_ssh_executable": str(FAKESSH),
                "ansible_ssh_transfer_method": "piped",
            }

    def fault(self, host: str, action: str, pattern: str) -> None:
        """Let `action` (see fakessh) happen to what is sent to `host` and holds `pattern`."""
        with (self.faults / host).open("a") as file:
            file.write(f"{action} {pattern}\n")

    def heal(self) -> None:
        """Break nothing any more."""
        for file in self.faults.iterdir():
            file.unlink()

    def environment(self, env: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
        """As LocalFleet's, with the place of the faults."""
        return {**super().environment(env), "FAKESSH_FAULTS": str(self.faults)}
