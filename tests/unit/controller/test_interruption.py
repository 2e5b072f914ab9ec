# SPDX-License-Identifier: MIT
"""After Ctrl-C a run hung: a worker had been ended while it held the lock of Ansible's queue."""

from __future__ import annotations

import subprocess
import sys

import pytest
from localfleet import ROOT

PROGRAM = """
import multiprocessing, os, signal, sys, time
import ansible.module_utils
ansible.module_utils.__path__.append({module_utils!r})
from ansible.module_utils.survivor_npz.controller import interruption

interruption.PATIENCE = 0.2
how = sys.argv[1]
lock = multiprocessing.Lock()

def hold():
    lock.acquire()
    time.sleep(1 if how == "a worker lives" else 60)

worker = multiprocessing.Process(target=hold)
worker.start()
while lock.acquire(block=False):
    lock.release()

def interrupted(number, frame):
    if how != "a worker lives":
        os.kill(worker.pid, signal.SIGKILL)
    interruption.insist(lambda: print("reported", flush=True))
    raise KeyboardInterrupt

signal.signal(signal.SIGINT, interrupted)
began = time.monotonic()
try:
    os.kill(os.getpid(), signal.SIGINT)
except KeyboardInterrupt:
    while True:
        try:
            lock.acquire()
        except KeyboardInterrupt:
            print("out after the worker's end" if not worker.is_alive() else "out too early", flush=True)
            if how != "it is lost":
                sys.exit(3)
"""


@pytest.mark.parametrize(
    ("how", "code", "shown"),
    [
        ("it gets out", 3, ["out after the worker's end"]),
        ("it is lost", 99, ["out after the worker's end", "reported"]),
        ("a worker lives", 3, ["out after the worker's end"]),
    ],
)
def test_a_worker_ended_inside_a_lock_and_the_run_hung_after_ctrl_c(
    how: str, code: int, shown: list[str]
) -> None:
    text = PROGRAM.format(module_utils=str(ROOT / "module_utils"))
    done = subprocess.run(
        [sys.executable, "-c", text, how], capture_output=True, text=True, check=False, timeout=60
    )
    assert (done.returncode, done.stdout.splitlines()) == (code, shown), done.stderr
