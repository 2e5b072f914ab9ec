# SPDX-License-Identifier: MIT
"""The benchmark's input files, rebuilt in a cache directory. Nothing of this is ever committed."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple, Optional

ROOT = Path(__file__).resolve().parents[1]
SHARED = ROOT.parent / "shared"
PLAIN = SHARED / "tools" / "plain_converter.py"
REBUILD = SHARED / "tools" / "rebuild_survivors.py"
sys.path.insert(0, str(ROOT / "demo"))
from make_survivors import write  # noqa: E402

_SEED = re.compile(rb'"seed": ?(\d+)')


class Input(NamedTuple):
    """One survivors file: a name for the tables, where it is, how many survivors, how many bytes."""

    name: str
    path: Path
    survivors: int

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self.path.stat().st_size


def yardstick() -> Path:
    """The converter to compare with: the pipeline's own where it is at hand."""
    return PLAIN if PLAIN.exists() else Path(__file__).with_name("yardstick.py")


def _finish(temp: Path, path: Path) -> None:
    os.replace(temp, path)


def generated(cache: Path, survivors: int, seed: int = 1) -> Input:
    """Survivors of the project's own generator, with its default layout."""
    path = cache / f"generated-{survivors}-{seed}.json"
    if not path.exists():
        temp = path.with_suffix(".tmp")
        write(str(temp), survivors, seed=seed)
        _finish(temp, path)
    return Input(f"generated x {survivors:,}", path, survivors)


def field(cache: Path, npz: str, copies: int = 1) -> Input:
    """The JSON behind a field NPZ; `copies` repeats the survivors with shifted seeds."""
    source = SHARED / "data" / f"{npz}.npz"
    path = cache / f"{npz}-x{copies}.json"
    if not path.exists():
        temp = path.with_suffix(".tmp")
        subprocess.run(
            [sys.executable, str(REBUILD), str(source), str(temp), "--copies", str(copies)], check=True
        )
        _finish(temp, path)
    name = npz if copies == 1 else f"{npz} x {copies}"
    return Input(name, path, int(npz.split("-")[1]) * copies)


def grown(cache: Path, base: Input, survivors: int) -> Input:
    """`base` repeated, with shifted seeds, up to exactly `survivors` records."""
    path = cache / f"{base.path.stem}-grown-{survivors}.json"
    if not path.exists():
        text = base.path.read_bytes().strip()
        body = text[text.index(b"[") + 1 : -1].rstrip()
        step = max(int(match[1]) for match in _SEED.finditer(body)) + 1
        temp = path.with_suffix(".tmp")
        with open(temp, "wb") as out:
            out.write(b"[")
            for copy in range(-(-survivors // base.survivors)):
                part = _shifted(body, copy * step)
                left = survivors - copy * base.survivors
                if left < base.survivors:
                    part = _first(part, left)
                out.write(part if copy == 0 else b"," + part)
            out.write(b"\n]\n")
        _finish(temp, path)
    return Input(f"{base.name}, grown to {survivors:,}", path, survivors)


def _shifted(body: bytes, by: int) -> bytes:
    return _SEED.sub(lambda m: b'"seed": %d' % (int(m[1]) + by), body) if by else body


def _first(body: bytes, count: int) -> bytes:
    """The first `count` records of a body in which every record starts with its seed."""
    for index, match in enumerate(_SEED.finditer(body)):
        if index == count:
            return body[: body.rindex(b",", 0, match.start())]
    return body


def warm(path: Path) -> None:
    """Read a file once, so that every contender meets it in the page cache."""
    with open(path, "rb") as file:
        while file.read(1 << 22):
            pass


def main_inputs(cache: Path, survivors: Optional[int] = None) -> list[Input]:
    """The two files of the comparison; with `survivors`, one small generated file instead."""
    cache.mkdir(parents=True, exist_ok=True)
    if survivors is not None:
        return [generated(cache, survivors)]
    if REBUILD.exists():
        return [field(cache, "field-379702-v0"), field(cache, "field-47914-v3-rates", 8)]
    return [generated(cache, 379_702), generated(cache, 383_312, seed=2)]
