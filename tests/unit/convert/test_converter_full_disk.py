# SPDX-License-Identifier: MIT
"""A disk that fills up at every stage of a conversion."""

import contextlib
import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from place import Place
from scenarios import T0, document

SURVIVORS = 2_000


@contextlib.contextmanager
def small_disk(where: Path, options: str) -> Iterator[Path]:
    where.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", options, "survivor-npz-test", str(where)]
    mounted = subprocess.run(command, check=False, capture_output=True, text=True)
    if mounted.returncode:
        pytest.skip(f"no tmpfs can be mounted here: {mounted.stderr.strip()}")
    try:
        yield where
    finally:
        subprocess.run(["umount", str(where)], check=True)


def prepare(place: Place) -> str:
    """An outdated NPZ; returns its digest."""
    place.write(document(300, seed=1), T0 - 10**9)
    answer = place.run()
    assert not answer.get("failed"), answer
    place.write(document(SURVIVORS, seed=2), T0)
    return str(answer["sha256"])


def fill(path: Path, leave: int) -> None:
    """Fill a disk but for `leave` bytes."""
    found = os.statvfs(path.parent)
    path.write_bytes(b"x" * max(0, found.f_bavail * found.f_frsize - leave))


@pytest.mark.parametrize("activate", [True, False])
def test_a_full_disk_at_any_stage_keeps_the_old_pair_and_says_so(tmp_path: Path, activate: bool) -> None:
    stages = set()
    with small_disk(tmp_path / "disk", "size=8m") as disk:
        place = Place(disk / "pipeline")
        old = prepare(place)
        ballast = disk / "ballast"
        for leave in range(0, 200_000, 4096):
            fill(ballast, leave)
            answer = place.run(activate=activate)
            ballast.unlink()
            if not answer.get("failed"):
                break
            stages.add(answer["msg"])
            assert answer["code"] == "no_space", answer
            assert str(disk) in answer["msg"], answer["msg"]
            place.check_settled(old)
        else:
            raise AssertionError("never enough room")
        assert stages, "the disk was never full"
        assert leave > 4096
        answer = place.run()
        assert not answer.get("failed"), answer
        place.check_settled(answer["sha256"])
        place.check_idle()


def test_no_inode_left_keeps_the_old_pair_and_says_so(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=8m,nr_inodes=20") as disk:
        place = Place(disk / "pipeline")
        old = prepare(place)
        fillers = []
        with contextlib.suppress(OSError):
            for number in range(30):
                (disk / f"filler-{number}").touch()
                fillers.append(disk / f"filler-{number}")
        for filler in fillers:
            answer = place.run()
            if not answer.get("failed"):
                break
            assert answer["code"] == "no_space", answer
            assert place.live() == old
            filler.unlink()
        assert not answer.get("failed"), answer
        place.check_settled(answer["sha256"])


def test_a_read_only_disk_is_refused_with_its_directory(tmp_path: Path) -> None:
    with small_disk(tmp_path / "disk", "size=8m") as disk:
        place = Place(disk / "pipeline")
        old = prepare(place)
        subprocess.run(["mount", "-o", "remount,ro", str(disk)], check=True)
        answer = place.run()
        assert answer["code"] == "not_writable"
        assert str(disk) in answer["msg"]
        assert "read-only" in answer["msg"].lower()
        place.check_settled(old)
