# SPDX-License-Identifier: MIT
"""Both ways in which the supervisor's files come to run: as one text, and from a directory."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run.supervise import bundle
from launch import SUPERVISOR, Place
from localfleet import ROOT

pytest_plugins = ("launch_fixtures",)


def run(place: Path, *command: str, given: str = "") -> subprocess.CompletedProcess[str]:
    line = [sys.executable, *command]
    return subprocess.run(line, cwd=place, input=given, capture_output=True, text=True, check=False)


def test_text_needs_no_file_of_ours_and_its_tracebacks_name_ours(tmp_path: Path) -> None:
    done = run(tmp_path, "-I", "-", "--job", "99", given=bundle.text())
    assert 'File "supervise/main.py", line ' in done.stderr
    assert "OSError" in done.stderr  # there is no descriptor 99
    assert str(ROOT / "module_utils") not in bundle.text() + done.stderr
    assert bundle.text().isascii()


def test_every_room_is_in_the_text() -> None:
    outside = {"__init__.py", "__main__.py", "bundle.py"}
    for name in {path.name for path in SUPERVISOR.glob("*.py")} - outside:
        text = (SUPERVISOR / name).read_text()
        assert ascii(text) in bundle.text(), name


@pytest.mark.parametrize("isolated", [["-I"], []])
@pytest.mark.parametrize("ending", ["", "/", "/../supervise", "/__main__.py"])
def test_directory_starts_however_it_is_named(place: Place, isolated: list[str], ending: str) -> None:
    where = os.path.relpath(SUPERVISOR, place.dir) + ending
    done = run(place.dir, *isolated, where, "--foreground", "--", f"./{place.script('exit 3').name}")
    assert (done.returncode, done.stderr) == (3, "")


def test_supervisor_holds_the_modules_output_open(place: Place) -> None:
    place.script("sleep 60")
    pid = place.start()["supervisor"]
    for number in (1, 2):
        assert os.readlink(f"/proc/{pid}/fd/{number}") == "/dev/null"
    assert os.getsid(pid) == pid
    assert os.readlink(f"/proc/{pid}/cwd") == "/"
