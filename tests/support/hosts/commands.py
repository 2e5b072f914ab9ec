# SPDX-License-Identifier: MIT
"""Run a program and say what it said when it fails."""

from __future__ import annotations

import subprocess
from collections.abc import Mapping


class HostsError(Exception):
    """Something about the test hosts failed; the message says what and what to do."""


def run(*command: str, env: Mapping[str, str] | None = None, timeout: float = 120, check: bool = True) -> str:
    """Run a command and return its standard output.

    Raises:
        HostsError: it failed (unless `check` is off), isn't there, or took longer than `timeout` seconds.
    """
    try:
        done = subprocess.run(
            command,
            env=dict(env) if env is not None else None,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )
    except FileNotFoundError:
        raise HostsError(f"{command[0]} is not installed") from None
    except subprocess.TimeoutExpired:
        raise HostsError(f"{' '.join(command)} took more than {timeout:g} s") from None
    if check and done.returncode:
        said = (done.stderr or done.stdout).strip()
        raise HostsError(f"{' '.join(command)} ended with {done.returncode}: {said}")
    return done.stdout
