# SPDX-License-Identifier: MIT
"""Start the script, hold its time limit, end it with its children, know its end."""

from __future__ import annotations

import ctypes
import errno
import os
import selectors
import signal
import subprocess
import time
from typing import Any

from .output import Output
from .processes import MARK, Process, family, send
from .run import GRACE, Run

EXIT_TIMEOUT, EXIT_TROUBLE = 124, 125
# Seconds that children have after the script's end: to close its output, then to exit.
DRAIN_TIME = 2.0
EXIT_TIME = 0.5
_PR_SET_PDEATHSIG, _PR_SET_CHILD_SUBREAPER = 1, 36


class Supervisor:
    """Stand between the script and whoever started it.

    Args:
        run: the run to supervise; its job has `dir`, `command`, and may have `timeout`, `grace` (seconds) and
            `environment` (added to ours).
        outputs: () detached; (1, 2) in the foreground: where the script's output and errors are passed on.
    """

    def __init__(self, run: Run, outputs: tuple[int, ...] = ()) -> None:
        self.run, self._job, self._outputs = run, run.job, outputs
        self._selector = selectors.PollSelector()
        self._output = Output(run, self._selector, outputs)
        self._code: int | None = None
        self._ended_by: dict[str, Any] | None = None
        self._deadline = time.monotonic() + self._job["timeout"] if self._job.get("timeout") else None
        self._kill_at = self._look_at = 0.0
        self._warned: set[Process] = set()
        self._killed: set[Process] = set()
        self._pid = 0
        self._wakeup = self._catch_signals()

    def _catch_signals(self) -> int:
        reader, writer = os.pipe2(os.O_CLOEXEC | os.O_NONBLOCK)
        signal.set_wakeup_fd(writer, warn_on_full_buffer=False)
        self._selector.register(reader, selectors.EVENT_READ)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, self._on_stop)
        if not self._outputs:
            signal.signal(signal.SIGHUP, lambda *_: None)  # the connection ended: the run goes on
        elif signal.getsignal(signal.SIGHUP) != signal.SIG_IGN:  # nohup stays nohup
            signal.signal(signal.SIGHUP, self._on_stop)
        signal.signal(signal.SIGCHLD, lambda *_: None)
        return reader

    def _on_stop(self, number: int, _frame: Any) -> None:
        self.stop("stopped", "Step 2.5 was stopped", 128 + number)

    def stop(self, verdict: str, message: str, code: int) -> None:
        """Begin to end the script and whatever it started; only the first reason counts."""
        if self._ended_by is None and self._code is None:
            self._ended_by = {"verdict": verdict, "message": message, "code": code}
            self._kill_at = time.monotonic() + self._job.get("grace", GRACE)

    def start(self) -> None:
        """Start the script in a session of its own. Raises OSError."""
        libc = ctypes.CDLL(None)
        libc.prctl(_PR_SET_CHILD_SUBREAPER, True)
        environment = dict(os.environ, PYTHONUNBUFFERED="1", PWD=self._job["dir"])
        environment.update(self._job.get("environment", {}))
        environment[MARK] = self.run.record["run"]

        def spawn(command: list[str]) -> subprocess.Popen[bytes]:
            return subprocess.Popen(
                command,
                cwd=self._job["dir"],
                env=environment,
                stdin=None if self._outputs else subprocess.DEVNULL,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE if self._outputs else subprocess.STDOUT,
                start_new_session=True,
                # If this process is killed, the script must not go on without lock and time limit.
                preexec_fn=lambda: libc.prctl(_PR_SET_PDEATHSIG, signal.SIGTERM),  # noqa: PLW1509
            )

        try:
            self._child = spawn(self._job["command"])
        except OSError as error:
            if error.errno != errno.ENOEXEC:
                raise
            self._child = spawn(["bash", *self._job["command"]])  # no shebang: do what a shell does
        self._output.carry(self._child.stdout, self._child.stderr)
        self._pid = self._child.pid
        self.run.started(self._pid)

    def _reap(self) -> None:
        """Collect every dead child: the script, and the orphans that a subreaper inherits."""
        while True:
            try:
                pid, status = os.waitpid(-1, os.WNOHANG)
            except ChildProcessError:
                return
            if pid == 0:
                return
            if pid == self._pid:
                code = os.waitstatus_to_exitcode(status)
                self._child.returncode = code
                self._code = 128 - code if code < 0 else code

    def _press(self) -> bool:
        """Continue stopping; return True once no process is left, or nothing more can be done."""
        moment = time.monotonic()
        if moment < self._look_at:
            return False
        self._look_at = moment + 0.1
        left = family(self.run.record["run"], os.getpid())
        if not left and self._code is not None:
            return True
        for process in left - self._warned:  # each once, also those that started since
            send(process, signal.SIGTERM)
            send(process, signal.SIGCONT)
        self._warned |= left
        if moment >= self._kill_at:
            self._killed |= {process for process in left if send(process, signal.SIGKILL)}
        return moment >= self._kill_at + 10

    def watch(self) -> int:
        """Supervise until the end; returns the exit code for our own caller."""
        drain_until = 0.0
        while True:
            wait: float | None = 0.1
            past_limit = self._deadline is not None and time.monotonic() >= self._deadline
            if past_limit:
                limit = f"Step 2.5 passed its time limit of {self._job['timeout']:g} s and was stopped"
                self.stop("timeout", limit, EXIT_TIMEOUT)
            if self._ended_by is not None:
                if self._press():
                    break
            elif self._code is not None:
                # A child that outlives the script may hold its output open for hours.
                drain_until = drain_until or time.monotonic() + DRAIN_TIME
                if self._output.over(time.monotonic() >= drain_until, past_limit):
                    break
            else:
                wait = None if self._deadline is None else self._deadline - time.monotonic()
            for key, _ in self._selector.select(wait):
                if key.fd == self._wakeup:
                    os.read(self._wakeup, 512)
                else:
                    self._output.move(key)
            self._reap()
        return self.end()

    def _left(self) -> set[Process]:
        """Find the processes that outlive the script, without those that were about to exit."""
        until = time.monotonic() + EXIT_TIME
        while (left := family(self.run.record["run"], os.getpid())) and time.monotonic() < until:
            time.sleep(0.05)
        return left

    def end(self, trouble: str = "") -> int:
        """Write the verdict; returns the exit code for our own caller."""
        left = self._left()
        self._output.drain()
        if trouble:
            self._ended_by = {"verdict": "failed", "message": trouble, "code": EXIT_TROUBLE}
        code = EXIT_TROUBLE if self._code is None else self._code
        if self._ended_by is not None:
            self._ended_by.update(signalled=len(self._warned), killed=len(self._killed))
        self.run.finish(code, self._ended_by, left)
        self._output.hand_over()
        return self._ended_by["code"] if self._ended_by is not None else code
