# SPDX-License-Identifier: MIT
"""Whole processes, measured: wall and CPU seconds, peak memory of a process tree."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional, Sequence

SUPPORT = Path(__file__).resolve().parents[1] / "tests" / "support"
sys.path.insert(0, str(SUPPORT))
from module_run import LAUNCH, arguments  # noqa: E402

MIB = 1 << 20


class Cost(NamedTuple):
    """What one run of a command took, wall and CPU seconds, what it wrote, and how much CPU was test hosts'."""

    wall: float
    cpu: float
    output: str = ""
    hosts: float = 0.0


def module_command(module_path: Path, args: Dict[str, object], file: Path) -> List[str]:
    """A module run as Ansible makes it on its host: the module's file, its arguments as JSON.

    The module imports the module_utils of its own checkout.
    """
    file.write_bytes(arguments(args))
    shared = module_path.parents[1] / "module_utils"
    return [sys.executable, "-c", LAUNCH, str(shared), str(module_path), str(file)]


def timed(argv: Sequence[str], env: Optional[Mapping[str, str]] = None, succeeds: bool = True) -> Cost:
    """Run a command to its end.

    Args:
        argv: the command.
        env: its environment; None is this process's own.
        succeeds: whether its exit code has to be 0, or anything else.

    Raises:
        RuntimeError: it ended the other way; the message holds the end of its output.
    """
    start = time.perf_counter()
    process = subprocess.Popen(
        argv, env=env, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.STDOUT
    )
    assert process.stdout is not None
    out = process.stdout.read().decode(errors="replace")
    _pid, status, usage = os.wait4(process.pid, 0)
    wall = time.perf_counter() - start
    process.returncode = os.waitstatus_to_exitcode(status)
    process.stdout.close()
    if (process.returncode == 0) != succeeds:
        raise RuntimeError(f"{argv[-3:]} ended with {process.returncode}:\n{out[-2000:]}")
    return Cost(wall, usage.ru_utime + usage.ru_stime, out)


class Peak(NamedTuple):
    """Memory of a process tree: peak of the summed PSS, peak PSS of one process, bytes; samples taken."""

    summed: int
    largest: int
    processes: int
    samples: int


def peak_memory(argv: Sequence[str], interval: float = 0.004) -> Peak:
    """Run a command that must succeed and sample the PSS of it and all its descendants."""
    process = subprocess.Popen(argv, stdout=subprocess.PIPE, stderr=subprocess.STDOUT)
    summed = largest = most = samples = 0
    while process.poll() is None:
        each = [_pss(pid) for pid in _tree(process.pid)]
        each = [size for size in each if size]
        summed, largest, most = (
            max(summed, sum(each)),
            max(largest, max(each, default=0)),
            max(most, len(each)),
        )
        samples += 1
        time.sleep(interval)
    assert process.stdout is not None
    out = process.stdout.read().decode()
    process.stdout.close()
    if process.returncode:
        raise RuntimeError(f"{argv[-3:]} ended with {process.returncode}:\n{out[-2000:]}")
    return Peak(summed, largest, most, samples)


def _tree(root: int) -> List[int]:
    found, queue = [], [root]
    while queue:
        pid = queue.pop()
        found.append(pid)
        try:
            for task in os.listdir(f"/proc/{pid}/task"):
                with open(f"/proc/{pid}/task/{task}/children", encoding="ascii") as file:
                    queue.extend(int(child) for child in file.read().split())
        except OSError:
            continue
    return found


def _pss(pid: int) -> int:
    try:
        with open(f"/proc/{pid}/smaps_rollup", encoding="ascii") as file:
            for line in file:
                if line.startswith("Pss:"):
                    return int(line.split()[1]) * 1024
    except OSError:
        pass
    return 0
