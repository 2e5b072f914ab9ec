# SPDX-License-Identifier: MIT
"""One pipeline directory under test: its JSON, its NPZ, and what must hold in it whatever happened."""

from __future__ import annotations

import hashlib
import io
import json
import os
from pathlib import Path
from typing import Any, Dict, List, Optional, Tuple

import module_run
import numpy as np
import oracle
from ansible.module_utils.survivor_npz.switch.names import Names
from numpy.typing import NDArray

JSON = "bidirectional_survivors.json"
NPZ = "bidirectional_survivors_binary.npz"
# Codes that no quiet file may lead to.
BUGS = ("internal", "worker_failed", "system", "source_changed")


def sha256(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def arrays_of(data: bytes) -> Dict[str, NDArray[Any]]:
    """Every array of an NPZ given as bytes. Raises whatever numpy raises for a bad one."""
    with np.load(io.BytesIO(data), allow_pickle=False) as npz:
        return {name: npz[name] for name in npz.files}


def difference(found: Dict[str, NDArray[Any]], right: Dict[str, NDArray[Any]]) -> str:
    """How two sets of arrays differ, bit for bit and in their order; empty when they don't."""
    if list(found) != list(right):
        return f"arrays {list(found)}"
    for name, array in found.items():
        other = right[name]
        if (array.dtype, array.shape) != (other.dtype, other.shape):
            return f"{name}: {array.dtype}{array.shape}, not {other.dtype}{other.shape}"
        if array.tobytes() != other.tobytes():
            at = next(
                i for i in range(len(array)) if array[i : i + 1].tobytes() != other[i : i + 1].tobytes()
            )
            return f"{name}[{at}]: {array[at]!r}, not {other[at]!r}"
    return ""


class Place:
    """A directory with survivors and their NPZ."""

    def __init__(self, directory: Path) -> None:
        directory.mkdir(parents=True, exist_ok=True)
        self.directory = directory
        self.json, self.npz = directory / JSON, directory / NPZ
        self.names = Names(str(self.npz))

    def args(self, **more: Any) -> Dict[str, Any]:
        """Arguments of the module for this directory; one worker unless told otherwise."""
        return {"src": str(self.json), "dest": str(self.npz), "workers": 1, **more}

    def run(self, check: bool = False, **more: Any) -> Dict[str, Any]:
        """Convert in this process."""
        return module_run.run_here("convert_survivors", self.args(**more), check)

    def write(self, data: bytes, mtime_ns: Optional[int] = None) -> None:
        """Write the JSON, in place as Step 1 does."""
        self.json.write_bytes(data)
        if mtime_ns is not None:
            os.utime(self.json, ns=(mtime_ns, mtime_ns))

    def live(self) -> Optional[str]:
        """SHA-256 of the live NPZ."""
        return sha256(self.npz.read_bytes()) if self.npz.exists() else None

    def sidecar(self) -> Optional[Dict[str, Any]]:
        """The live sidecar, which must be whole where it is."""
        path = Path(self.names.sidecar)
        if not path.exists():
            return None
        content: Dict[str, Any] = json.loads(path.read_bytes())
        return content

    def tree(self) -> Dict[str, Tuple[str, int, int]]:
        """Every file: its digest (or a link's target), mtime in nanoseconds, inode."""
        found = {}
        for path in sorted(self.directory.rglob("*")):
            stat = path.lstat()
            if path.is_symlink():
                text = os.readlink(path)
            else:
                text = sha256(path.read_bytes()) if path.is_file() else "directory"
            found[str(path.relative_to(self.directory))] = (text, stat.st_mtime_ns, stat.st_ino)
        return found

    def leftovers(self) -> List[str]:
        """Files that no finished run leaves: all but JSON, NPZ, sidecar, previous ones, pin and lock."""
        names = self.names
        known = (names.live, names.sidecar, names.previous, names.sidecar_previous, names.pinned)
        keep = {JSON, *(os.path.basename(path) for path in (*known, names.lock_home))}
        return sorted(path.name for path in self.directory.iterdir() if path.name not in keep)

    def check_untouched_or_done(self, before: Optional[str], after: Optional[str]) -> None:
        """What holds in every instant: live is whole and old or new, the sidecar is whole or absent."""
        live = self.live()
        assert live in (before, after), f"live is {live}, neither {before} nor {after}"
        self.sidecar()

    def check_settled(self, expected: str, extra: Tuple[str, ...] = ()) -> None:
        """What holds after a successful run: live as expected, sidecar belongs to it, nothing left over."""
        assert self.live() == expected
        sidecar = self.sidecar()
        assert sidecar is not None, "no sidecar"
        assert sidecar["npz_sha256"] == expected, "the sidecar belongs to another NPZ"
        assert sidecar["survivor_count"] == len(arrays_of(self.npz.read_bytes())["seeds"])
        assert self.leftovers() == sorted(extra)

    def check_idle(self, **more: Any) -> None:
        """A further run changes nothing, neither in its answer nor on the disk."""
        before = self.tree()
        answer = self.run(**more)
        assert not answer.get("failed"), answer
        assert not answer["changed"], answer
        assert self.tree() == before


def judge(place: Place, data: bytes, mtime_ns: Optional[int] = None, **more: Any) -> Dict[str, Any]:
    """Convert `data`, demand what the oracle says, and return the module's answer.

    A refusal must carry a code and leave the directory as it was.
    """
    place.write(data, mtime_ns)
    before = place.tree()
    answer = place.run(**more)
    try:
        right = oracle.convert(data, more.get("prng_encoding", "registry"))
    except oracle.Refused as refusal:
        assert answer.get("failed"), f"accepted, but the oracle refuses: {refusal}"
        assert answer.get("code"), "a refusal without a code"
        assert answer["code"] not in BUGS, f"{answer['code']}: {answer['msg'][:300]}"
        assert place.tree() == before, "a refusal changed the directory"
        return answer
    assert not answer.get("failed"), f"refused, but the oracle accepts: {answer['msg'][:300]}"
    content = place.npz.read_bytes()
    assert answer["sha256"] == sha256(content), "another digest than the file's"
    assert answer["survivor_count"] == len(right.arrays["seeds"])
    assert answer["defaulted"] == right.defaulted
    wrong = difference(arrays_of(content), right.arrays)
    assert not wrong, wrong
    return answer
