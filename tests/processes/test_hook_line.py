# SPDX-License-Identifier: MIT
"""The hooked line and its settings: moved, gone, in another shell, and as shell code."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hooked import Hooked, line, not_started, render

SHELLCHECK = Path(sys.executable).parent / "shellcheck"


@pytest.fixture
def hooked(tmp_path: Path) -> Hooked:
    return Hooked(tmp_path)


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_checkout_that_is_gone_stops_the_script(hooked: Hooked, shell: str) -> None:
    settings = hooked.directory / ".survivor_npz" / "hook.sh"
    settings.write_text(render([], checkout="/gone", entry="/gone/entry.py"))
    not_started(hooked, hooked.run(by=(shell,)), 1, "the checkout /gone is gone. Step 2.5 was NOT started.")


@pytest.mark.parametrize("shell", ["bash", "dash"])
def test_settings_that_are_gone_stop_the_script_and_are_named(hooked: Hooked, shell: str) -> None:
    settings = hooked.directory / ".survivor_npz" / "hook.sh"
    settings.unlink()
    done = hooked.run(by=(shell,))
    assert done.returncode
    assert str(settings) in done.stderr
    assert (done.stdout, hooked.arguments) == ("", None)


def test_copy_of_the_script_in_another_directory_is_refused(hooked: Hooked, tmp_path: Path) -> None:
    shutil.copy2(hooked.script, tmp_path / "copy.sh")
    done = subprocess.run(["bash", "copy.sh"], cwd=tmp_path, capture_output=True, text=True, check=False)
    not_started(hooked, done, 1, "it is hooked for")
    assert hooked.prepared is None


def test_script_fed_to_a_shell_is_refused(hooked: Hooked) -> None:
    with open(hooked.script, "rb") as file:
        done = hooked.run(stdin=file, by=("bash", "-s", "--"))
    not_started(hooked, done, 1, "'bash' is not a file here")


def test_symlink_to_the_script_and_another_working_directory(hooked: Hooked, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(hooked.script)
    done = subprocess.run([str(tmp_path / "link"), "5"], cwd="/", capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert hooked.arguments == ["5"]


@pytest.mark.parametrize(
    ("shebang", "shell", "flags"),
    [
        ("#!/bin/bash", ("bash",), ""),
        ("#!/bin/bash -eu", None, "eu"),
        ("#!/bin/bash", ("bash", "-x"), "x"),
        ("#!/usr/bin/env bash", None, ""),
        ("#!/bin/sh -e", None, "e"),
        ("#!/bin/bash", ("dash",), ""),
    ],
)
def test_script_starts_anew_in_the_shell_and_with_the_flags_that_it_had(
    tmp_path: Path, shebang: str, shell: tuple[str, ...] | None, flags: str
) -> None:
    body = '\nprintf "%s " "$-" > flags\nreadlink "/proc/$$/exe" >> flags\nprintf "%s\\0" "$@" > arguments\n'
    hooked = Hooked(tmp_path, shebang, body)
    assert hooked.run("100", by=shell).returncode == 0
    now, program = (hooked.directory / "flags").read_text().split(" ", 1)
    assert {flag for flag in now if flag in "eux"} == set(flags)
    name = Path(shell[0] if shell else shebang.split(maxsplit=1)[0][2:].replace("env", "bash")).name
    assert program.strip() == os.path.realpath(str(shutil.which(name)))
    assert hooked.arguments == ["100"]


def check_shell(text: str, severity: str) -> bytes:
    command = [str(SHELLCHECK), "--shell=sh", f"--severity={severity}", "-"]
    text = f"#!/bin/sh\n{text}"
    return subprocess.run(command, input=text.encode(), capture_output=True, check=False).stdout


def test_settings_and_line_are_clean_shell() -> None:
    assert check_shell(render(["--dir=/home/michael/distributed_prng_analysis"]), "style") == b""
    assert check_shell(line(Path("/home/michael/distributed_prng_analysis/.survivor_npz")), "warning") == b""


def test_settings_are_sound_shell_whatever_the_paths() -> None:
    words = ["--dir=/home/o'brien/a b/$x", '--option={"a": "\\"`b`"}', "--option=new\nline"]
    text = render(words, python="/opt/my python/bin/python3", checkout="/home/o'brien/check out")
    assert check_shell(text, "warning") == b""
