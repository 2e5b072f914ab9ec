"""Fixtures around `launch`; a test module imports those that it uses."""

from __future__ import annotations

from pathlib import Path
from typing import Iterator

import pytest
from launch import SSHD, Launcher, Place, Sshd


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
