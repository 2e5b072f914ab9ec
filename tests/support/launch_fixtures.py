# SPDX-License-Identifier: MIT
"""Fixtures around `launch`; a test module imports those that it uses."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path
from typing import Iterator

import pytest
from launch import SSHD, Place, Sshd
from launcher import Launcher


@pytest.fixture
def place(tmp_path: Path) -> Iterator[Place]:
    place = Place(tmp_path / "pipeline")
    yield place
    place.clean()


@pytest.fixture
def zeus(place: Place, tmp_path: Path) -> Launcher:
    return Launcher(place, tmp_path)


@pytest.fixture
def sshd(tmp_path: Path) -> Iterator[Sshd]:
    if SSHD is None:
        pytest.skip("no sshd on this machine")
    server = Sshd(tmp_path / "sshd")
    yield server
    server.cut()


@pytest.fixture
def remote_zeus(place: Place, tmp_path: Path, sshd: Sshd) -> Launcher:
    return Launcher(place, tmp_path, sshd.hostvars())


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    if os.geteuid() != 0:
        pytest.skip("needs root: mounts a tmpfs of 1 MB")
    disk = tmp_path / "disk"
    disk.mkdir()
    done = subprocess.run(
        ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(disk)], capture_output=True, check=False
    )
    if done.returncode:
        pytest.skip(f"may not mount a tmpfs: {done.stderr.decode().strip()}")
    yield disk
    subprocess.run(["umount", "-l", str(disk)], check=True)
