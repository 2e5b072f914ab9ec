#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run the module and playbook tests under each supported pair of Python and ansible-core.

usage: versions.py [PYTHON/CORE ...] [PYTEST-ARGUMENT ...]

A Python is taken from PATH or from ~/.pyenv. Root with mmdebstrap also gets the one of Debian's next release,
whose /usr then stands in for this machine's. A pair whose Python is missing is named at the end, and is an
error if it was asked for.
"""

from __future__ import annotations

import hashlib
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
CACHE = ROOT / ".cache" / "versions"
LOCK = ROOT / "requirements-dev.txt"
UV = str(Path(sys.executable).with_name("uv"))
# ansible-core and the Pythons that its controller supports.
CORES = {"2.19": ("3.11", "3.12", "3.13"), "2.20": ("3.12", "3.13", "3.14"), "2.21": ("3.12", "3.13", "3.14")}
PAIRS = sorted(f"{python}/{core}" for core, pythons in CORES.items() for python in pythons)
DEBIAN = "python3,ca-certificates,git,iproute2,make,openssh-client,procps"
AS_USR = ("unshare", "--mount", "sh", "-c", 'mount --bind "$0" /usr && exec "$@"')


class MissingError(Exception):
    """No interpreter of a version; the message says where it was looked for."""


def call(*command: str) -> int:
    """Run a command at the project's root; its exit code."""
    env = {**os.environ, "UV_PYTHON_DOWNLOADS": "never"}
    env.pop("VIRTUAL_ENV", None)
    return subprocess.run(command, cwd=ROOT, env=env, check=False).returncode


def next_debian() -> Path:
    """The /usr of Debian testing, built once.

    Raises:
        MissingError: this machine can't build it.
    """
    root = CACHE / "debian-testing"
    if not (root / "usr/bin/python3").exists():
        if os.geteuid() or not shutil.which("mmdebstrap"):
            raise MissingError("not on PATH or in ~/.pyenv; Debian's next release needs root and mmdebstrap")
        sys.path.insert(0, str(ROOT / "tests" / "support"))
        from hosts.mirror import mirror, suite  # noqa: PLC0415 - needed here only

        print(f"test-versions: building {root} with mmdebstrap", flush=True)
        CACHE.mkdir(parents=True, exist_ok=True)
        # A mirror that stands still serves as well; signatures are checked all the same.
        stands_still = '--aptopt=Acquire::Check-Valid-Until "false"'
        options = ("--quiet", "--variant=minbase", stands_still, f"--include={DEBIAN}")
        if call("mmdebstrap", *options, "testing", str(root), mirror(suite())):
            shutil.rmtree(root, ignore_errors=True)
            raise MissingError("not on PATH or in ~/.pyenv, and mmdebstrap failed")
    return root / "usr"


def interpreter(version: str) -> tuple[list[str], str]:
    """The words that precede a command under this Python, and the interpreter's path.

    Raises:
        MissingError: there is none.
    """
    name = f"python{version}"
    of_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/{name}"))
    for place in [shutil.which(name), *reversed(of_pyenv)]:
        # On PATH it may be a shim of pyenv for a version that is not switched on.
        if place and not subprocess.run([place, "-c", ""], capture_output=True, check=False).returncode:
            return [], str(place)
    usr = next_debian()
    if not (usr / "bin" / name).exists():
        has = os.readlink(usr / "bin" / "python3")
        raise MissingError(f"not on PATH or in ~/.pyenv; Debian's next release has {has}")
    return [*AS_USR, str(usr)], f"/usr/bin/{name}"


def environment(before: list[str], place: str, python: str, core: str) -> Path:
    """A virtual environment of the pair, made where the lock or the interpreter is another one.

    Raises:
        MissingError: its packages could not be installed.
    """
    where = CACHE / f"{python}-{core}"
    stamp, key = where / "stamp", hashlib.sha256(LOCK.read_bytes() + place.encode()).hexdigest()
    if not stamp.exists() or stamp.read_text() != key:
        install = (UV, "pip", "install", "--quiet", "--python", str(where / "bin" / "python"))
        steps = (
            (UV, "venv", "--quiet", "--clear", "--python", place, str(where)),
            (*install, "--require-hashes", "-r", str(LOCK)),
            # The lock has one ansible-core for each Python.
            (*install, f"ansible-core~={core}.0"),
        )
        if any(call(*before, *step) for step in steps):
            raise MissingError("its packages could not be installed")
        stamp.write_text(key)
    return where / "bin" / "python"


def main(words: list[str]) -> int:
    """Entry point."""
    asked = [word for word in words if re.fullmatch(r"\d+\.\d+/\d+\.\d+", word)]
    unknown = sorted(set(asked) - set(PAIRS))
    if unknown:
        print(f"test-versions: not supported: {', '.join(unknown)}; choose from {', '.join(PAIRS)}")
        return 2
    rest = [word for word in words if word not in asked]
    tests = ("-p", "no:cacheprovider", "-n", "2", "--dist", "worksteal", "tests/module", "tests/playbook")
    failed, missing = [], []
    for pair in asked or PAIRS:
        python, core = pair.split("/")
        print(f"test-versions: Python {python}, ansible-core {core}", flush=True)
        try:
            before, place = interpreter(python)
            binary = environment(before, place, python, core)
        except MissingError as error:
            missing.append(f"{pair} ({error})")
            continue
        if call(*before, str(binary), "-m", "pytest", *tests, *rest):
            failed.append(pair)
    print(f"test-versions: failed: {', '.join(failed) or 'none'}; not run: {', '.join(missing) or 'none'}")
    return 1 if failed or (asked and missing) else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
