# SPDX-License-Identifier: MIT
"""Every state of a directory that a power cut may leave, from the steps that `durable` reports.

The model: a directory operation is atomic, but may be lost, or land in another order, until the directory is fsynced.
The content of a file that was not fsynced may be whole, empty, a prefix or zeros; its mode and mtime may be
those of before. What was there before the first step is on the disk.
"""

from __future__ import annotations

import itertools
import os
import traceback
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple, Optional

from ansible.module_utils.survivor_npz.common import durable

Meta = tuple[int, int]  # mode, mtime in ns
Map = tuple[tuple[str, int], ...]  # name, inode
PRIVATE = ".survivor_npz"


class Event(NamedTuple):
    """One finished step: operation, file name, what it took, and where the code asked for it."""

    what: str
    name: str
    taken: object
    site: str


class Left(NamedTuple):
    """One file of a state: its bytes, mode and mtime."""

    content: bytes
    meta: Meta


State = tuple[tuple[str, Left], ...]


@dataclass
class Inode:
    """A file: as written, and as far as it is certainly on the disk (None: its bytes are not)."""

    content: bytes = b""
    meta: Meta = (0o600, 0)
    synced: Optional[Meta] = None
    olds: set[Meta] = field(default_factory=set)

    def sync(self) -> None:
        """fsync: bytes and metadata are on the disk."""
        self.synced, self.olds = self.meta, set()

    def change(self, meta: Meta) -> None:
        """Another mode or mtime: until a sync any earlier one may be on the disk."""
        self.olds.add(self.meta)
        self.meta = meta

    def options(self) -> list[Left]:
        """What may be on the disk."""
        half = self.content[: len(self.content) // 2]
        bad = [] if self.synced is not None else [b"", half, bytes(len(self.content))]
        contents = dict.fromkeys([self.content, *bad])
        return [
            Left(content, meta) for content in contents for meta in dict.fromkeys([self.meta, *self.olds])
        ]


def record(act: Callable[[], object]) -> list[Event]:
    """Run `act` and return its finished steps."""
    found: list[Event] = []

    def observe(when: str, what: str, path: str, taken: object) -> None:
        if when == "after" and os.path.basename(path) != PRIVATE:
            found.append(Event(what, os.path.basename(path), taken, _site()))

    durable.observer = observe
    try:
        act()
    finally:
        durable.observer = None
    return found


def _site() -> str:
    """Who asked `durable` for the step that is being observed."""
    own = ("durable.py", "contextlib.py", os.path.basename(__file__))
    frames = [frame for frame in traceback.extract_stack() if os.path.basename(frame.filename) not in own]
    last = frames[-1]
    return f"{os.path.basename(last.filename)}:{last.lineno}: {last.line}"


class Disk:
    """A directory and what of it is on the disk."""

    def __init__(self, directory: Path) -> None:
        self.inodes: list[Inode] = []
        self.now: dict[str, int] = {}
        numbers: dict[int, int] = {}
        for path in sorted(directory.iterdir()):
            if path.is_dir():
                continue
            info = path.stat()
            if info.st_ino not in numbers:
                meta = (info.st_mode & 0o7777, info.st_mtime_ns)
                numbers[info.st_ino] = self._new(Inode(path.read_bytes(), meta, meta))
            self.now[path.name] = numbers[info.st_ino]
        self.durable = dict(self.now)
        # Each a change of some names at once; None takes a name away.
        self.pending: list[dict[str, Optional[int]]] = []

    def _new(self, inode: Inode) -> int:
        self.inodes.append(inode)
        return len(self.inodes) - 1

    def _change(self, names: dict[str, Optional[int]]) -> None:
        self.pending.append(names)
        self.now = _applied(self.now, names)

    def apply(self, event: Event) -> None:
        """Take one step."""
        name, taken = event.name, event.taken
        inode = self.inodes[self.now[name]] if name in self.now else None
        if event.what == "create":
            self._change({name: self._new(Inode())})
        elif event.what == "link":
            self._change({name: self.now[os.path.basename(str(taken))]})
        elif event.what == "rename":
            source = os.path.basename(str(taken))
            if source in self.now and self.now.get(name) != self.now[source]:
                self._change({source: None, name: self.now[source]})
        elif event.what == "unlink" and inode:
            self._change({name: None})
        elif event.what == "fsync_dir":
            self.durable, self.pending = dict(self.now), []
        elif inode and event.what == "write":
            assert isinstance(taken, bytes)
            inode.content, inode.synced = taken, None
        elif inode and event.what == "chmod":
            inode.change((int(str(taken)), inode.meta[1]))
        elif inode and event.what == "utime":
            inode.change((inode.meta[0], int(str(taken))))
        elif inode and event.what == "fsync":
            inode.sync()

    def _maps(self) -> set[Map]:
        """Every directory that any of the pending changes, in any order, lead to."""
        reached: dict[int, set[Map]] = {0: {tuple(sorted(self.durable.items()))}}
        for mask in range(1, 1 << len(self.pending)):
            reached[mask] = {
                tuple(sorted(_applied(dict(before), change).items()))
                for bit, change in enumerate(self.pending)
                if mask >> bit & 1
                for before in reached[mask ^ (1 << bit)]
            }
        return set().union(*reached.values())

    def states(self) -> Iterator[State]:
        """Every state that a power cut may leave now."""
        for names in self._maps():
            used = sorted({number for _name, number in names})
            for options in itertools.product(*(self.inodes[number].options() for number in used)):
                left = dict(zip(used, options))
                yield tuple((name, left[number]) for name, number in names)


def _applied(names: dict[str, int], change: dict[str, Optional[int]]) -> dict[str, int]:
    changed = {**names, **change}
    return {name: number for name, number in changed.items() if number is not None}


def left_by(directory_before: Disk, events: list[Event]) -> tuple[set[State], set[State]]:
    """The states that a power cut during these steps may leave, and those it may leave after the last one."""
    during = set(directory_before.states())
    for event in events:
        directory_before.apply(event)
        during.update(directory_before.states())
    return during, set(directory_before.states())


def lay(state: State, directory: Path) -> None:
    """Make a state real, in a directory without files."""
    for name, (content, (mode, mtime_ns)) in state:
        path = directory / name
        path.write_bytes(content)
        path.chmod(mode)
        os.utime(path, ns=(mtime_ns, mtime_ns))
