# SPDX-License-Identifier: MIT
"""What `make bench-fleet` measures: each command, what it has to find, and what it has to have done."""

from __future__ import annotations

import itertools
import json
import os
import re
import shlex
import shutil
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import measure
from fleet_table import BARE
from hosts.fleet import Fleet
from hosts.seeding import own, pipeline, seed
from inputs import Input

NPZ = "bidirectional_survivors_binary.npz"
JSON = "bidirectional_survivors.json"
BIN = Path(sys.executable).parent


class Rig(NamedTuple):
    """One test host: its name, its disk as seen from here, its variables for Ansible."""

    name: str
    home: Path
    variables: dict[str, str]

    @property
    def ssh(self) -> list[str]:
        """The options of a plain `ssh` to it, without a connection that somebody else keeps open."""
        named = {"Port": self.variables.get("ansible_port", "22"), "ControlPath": "none"}
        named["IdentityFile"] = self.variables["ansible_ssh_private_key_file"]
        options = [word for name, value in named.items() for word in ("-o", f"{name}={value}")]
        return [*shlex.split(self.variables["ansible_ssh_common_args"]), *options]

    @property
    def address(self) -> str:
        """User and address, as `scp` wants them."""
        return f"{self.variables['ansible_user']}@{self.variables['ansible_host']}"

    def bytes(self, folder: str) -> bytes:
        """Its live NPZ."""
        return (self.home / folder / NPZ).read_bytes()


def rigs_of(fleet: Fleet, count: int, ports: Sequence[int] = ()) -> list[Rig]:
    """The fleet's first `count` hosts, reached through a relay's `ports` where there are some."""
    found = []
    for number, host in enumerate(list(fleet.hosts.values())[:count]):
        variables = fleet.hostvars(host)
        if ports:
            variables |= {"ansible_host": "127.0.0.1", "ansible_port": str(ports[number])}
            variables["ansible_ssh_common_args"] += f" -o HostKeyAlias={host.address}"
        found.append(Rig(host.name, host.home, variables))
    return found


def _nothing(_output: str = "") -> None:
    pass


@dataclass(frozen=True)
class Case:
    """One command; `before` and `after` are not measured, `after` raises RuntimeError for a wrong result."""

    who: str
    name: str
    argv: list[str]
    env: dict[str, str]
    before: Callable[[], object] = _nothing
    after: Callable[[str], None] = _nothing
    succeeds: bool = True

    def run(self) -> measure.Cost:
        """Measure it once."""
        self.before()
        cost = measure.timed(self.argv, self.env, self.succeeds)
        self.after(cost.output)
        return cost


@dataclass
class Site:
    """One checkout's pipeline on the test hosts; Zeus is this machine, as where the controller is Zeus.

    Args:
        label: what the tables call the checkout.
        root: the checkout.
        fleet: where its RAM-disk copies are named after, so that nobody else's are met.
        scratch: a directory of its own; Zeus's pipeline lies there.
        sources: survivors files, each with other bytes than the one before it.
    """

    label: str
    root: Path
    fleet: str
    scratch: Path
    sources: Sequence[Input]
    rigs: list[Rig] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.zeus = self.scratch / "zeus"
        self.folder = f"pipeline-{self.scratch.name}"
        self.inventory = self.scratch / "inventory.json.yml"
        self._next = itertools.cycle(self.sources)
        # As an operator's shell: PYTHONUNBUFFERED, for one, makes Zeus read each module byte by byte.
        kept = {
            name: value for name, value in os.environ.items() if not name.startswith(("ANSIBLE_", "PYTHON"))
        }
        self.env = {**kept, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "ANSIBLE_FORCE_COLOR": "0"}
        pipeline(self.zeus, zeus=True)

    def settle(self, rigs: list[Rig]) -> None:
        """Make `rigs` the fleet, and bring it to the newest survivors."""
        self.rigs = rigs
        for rig in rigs:
            seed(rig.home, False, self.folder)
        groups = {
            "coordinator": {
                "hosts": {"zeus": {}},
                "vars": {
                    "ansible_connection": "local",
                    "ansible_python_interpreter": sys.executable,
                    "survivor_npz_pipeline_dir": str(self.zeus),
                },
            },
            "rigs": {
                "hosts": {rig.name: rig.variables for rig in rigs},
                "vars": {"survivor_npz_pipeline_dir": f"~/{self.folder}"},
            },
        }
        extra = f"/dev/shm/{self.fleet}-{self.scratch.name}/step2/{NPZ}"  # noqa: S108 - the hosts' RAM disks
        everywhere = {"vars": {"survivor_npz_extra_paths": [extra]}, "children": groups}
        self.inventory.write_text(json.dumps({"all": everywhere}))
        self.step1()
        measure.timed(self.play("prepare.yml"), self.env)
        self.same_everywhere()

    def step1(self) -> None:
        """Step 1 has run again: other survivors than before, on the disk."""
        part = self.zeus / f"{JSON}.part"
        with open(part, "wb") as target, open(next(self._next).path, "rb") as source:
            shutil.copyfileobj(source, target, 1 << 22)
            target.flush()
            os.fsync(target.fileno())
        os.replace(part, self.zeus / JSON)

    def play(self, playbook: str, *options: str) -> list[str]:
        """The command that plays a playbook of the checkout."""
        path = self.root / "playbooks" / playbook
        return [str(BIN / "ansible-playbook"), "-i", str(self.inventory), *options, str(path)]

    def ask(self, module: str, arguments: str) -> list[str]:
        """The command that runs one module on the rigs."""
        return [
            *(str(BIN / "ansible"), "rigs", "-i", str(self.inventory)),
            *("-m", f"ansible.builtin.{module}", "-a", arguments),
        ]

    def same_everywhere(self, _output: str = "") -> None:
        """Every rig holds Zeus's bytes, or it was no run to measure."""
        goal = (self.zeus / NPZ).read_bytes()
        wrong = [rig.name for rig in self.rigs if rig.bytes(self.folder) != goal]
        if wrong:
            raise RuntimeError(f"{self.label}: other bytes than Zeus's on {', '.join(wrong)}")

    def changed(self, output: str) -> int:
        """How many changes a playbook's recap counts."""
        counts = re.findall(r" changed=(\d+) ", output.rpartition("PLAY RECAP")[2])
        if not counts:
            raise RuntimeError(f"{self.label}: no recap in\n{output[-2000:]}")
        return sum(map(int, counts))

    def cases(self) -> list[Case]:
        """The checkout's playbooks, and its converter alone."""

        def idle(output: str) -> None:
            if self.changed(output):
                raise RuntimeError(f"{self.label}: there was something to do after all\n{output[-2000:]}")

        def changed(output: str) -> None:
            self.same_everywhere()
            if self.changed(output) < len(self.rigs):
                raise RuntimeError(f"{self.label}: not everything changed\n{output[-2000:]}")

        def refused(output: str) -> None:
            if "--limit" not in output:
                raise RuntimeError(f"{self.label}: refused for another reason\n{output[-2000:]}")

        alone = self.scratch / "alone"

        def empty() -> None:
            shutil.rmtree(alone, ignore_errors=True)
            alone.mkdir()

        arguments: dict[str, object] = {"src": str(self.zeus / JSON), "dest": str(alone / NPZ)}
        module = self.root / "library" / "convert_survivors.py"
        convert = measure.module_command(module, arguments, self.scratch / "convert.json")
        limited = self.play("prepare.yml", "--limit", self.rigs[0].name)
        who, env = self.label, self.env
        return [
            Case(who, "idle", self.play("prepare.yml"), env, after=idle),
            Case(who, "changed", self.play("prepare.yml"), env, self.step1, changed),
            Case(who, "status", self.play("status.yml"), env),
            Case(who, "refusal", limited, env, after=refused, succeeds=False),
            Case(who, "convert", convert, env, empty),
        ]

    def bare(self, rsync: bool) -> list[Case]:
        """What moves the same file without asking anything: Ansible's own modules, `scp`, `rsync`."""
        source = self.zeus / NPZ
        sent = self.scratch / "sent"

        def others() -> None:
            content = source.read_bytes()
            for rig in self.rigs:
                folder = rig.home / BARE
                folder.mkdir(exist_ok=True)
                # Backwards: nothing of it helps rsync, which skips a file of the same size and second.
                (folder / NPZ).write_bytes(content[::-1])
                os.utime(folder / NPZ, (0, 0))
                own(folder)
            shutil.copyfile(source, sent)

        def arrived(_output: str) -> None:
            wrong = [rig.name for rig in self.rigs if rig.bytes(BARE) != sent.read_bytes()]
            if wrong:
                raise RuntimeError(f"other bytes than sent on {', '.join(wrong)}")

        def loop(name: str, command: Callable[[Rig], list[str]]) -> list[str]:
            script = self.scratch / f"{name}.sh"
            lines = [
                shlex.join([*command(rig), str(sent), f"{rig.address}:{BARE}/{NPZ}"]) for rig in self.rigs
            ]
            script.write_text("\n".join(["set -e", *lines, ""]))
            return ["sh", str(script)]

        look = self.ask("stat", f"path=~/{self.folder}/{NPZ} get_checksum=false")
        copy = self.ask("copy", f"src={sent} dest=~/{BARE}/{NPZ}")
        commands = {"copy": copy, "scp": loop("scp", lambda rig: ["scp", "-q", *rig.ssh])}
        if rsync:
            commands["rsync"] = loop("rsync", lambda rig: ["rsync", "-e", shlex.join(["ssh", *rig.ssh])])
        moves = [Case(BARE, name, argv, self.env, others, arrived) for name, argv in commands.items()]
        return [Case(BARE, "stat", look, self.env), *moves]
