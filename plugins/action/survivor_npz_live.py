# SPDX-License-Identifier: MIT
"""Start or follow Step 2.5 and show its output while it runs, which no action plugin of Ansible does."""

from __future__ import annotations

import base64
import contextlib
import os
import signal
import sys
import time
import uuid
from pathlib import Path
from typing import Any, ClassVar, NoReturn

import ansible.module_utils
from ansible.errors import AnsibleConnectionFailure
from ansible.plugins.action import ActionBase
from ansible.utils.display import Display

# Modules find the package through the setting `module_utils`; a plugin needs its path.
ansible.module_utils.__path__.append(str(Path(__file__).resolve().parents[2] / "module_utils"))
from ansible.module_utils.survivor_npz.controller.report import BEYOND
from ansible.module_utils.survivor_npz.controller.rig_watch import RigWatch, places
from ansible.module_utils.survivor_npz.controller.run_result import task_result
from ansible.module_utils.survivor_npz.controller.screen import Lines, clock
from ansible.module_utils.survivor_npz.run.options import START

display = Display()

BATCH = 500  # lines in one message to the screen
HALF_ANSWERS, START_PATIENCE, START_GRACE = 5, 60.0, 4.0
PAUSE, WAIT, QUIET_WAIT = 0.5, 5.0, 10.0  # seconds: between pieces of output; for output at the host
SETTLED = 0.15  # seconds of silence after which a line without an end is shown


def _keep_screen() -> int:
    """Keep the controller's own standard output at hand, and have it show each line at once.

    The strategy imports action plugins in the controller's main process, the only one with a screen. A worker
    talks to it through a queue, which is closed on Ctrl-C: just when there is something to say. And a pipe or
    a file as standard output would hold lines back until 8 KiB are full.
    """
    with contextlib.suppress(AttributeError, ValueError, OSError):
        sys.stdout.reconfigure(line_buffering=True)  # type: ignore[union-attr]
    try:
        return os.dup(1)
    except OSError:
        return -1


_SCREEN = _keep_screen()


class _InterruptedError(BaseException):
    """SIGINT or SIGTERM arrived during a question to a host. `except Exception` must not swallow it."""


class ActionModule(ActionBase):  # type: ignore[misc]
    """Start Step 2.5 (or find it running), show its output, return its verdict."""

    TRANSFERS_FILES = False
    _SPEC: ClassVar[dict[str, Any]] = {
        "dir": {"type": "str", "required": True},
        "follow": {"type": "bool", "default": False},
        "script": {"type": "str"},
        "environment": {"type": "dict", "default": {}},
        **START,
        "detach": {"type": "bool", "default": False},
        "quiet": {"type": "bool", "default": False},
        "sign_of_life": {"type": "float", "default": 30},
        "reconnect": {"type": "float", "default": 600},
        "backlog": {"type": "int", "default": 8192},
    }
    _JOB = ("script", "environment", *START)

    def run(self, tmp: Any = None, task_vars: dict[str, Any] | None = None) -> dict[str, Any]:
        """Run the action; see library/survivor_npz_live.py for its options and result."""
        super().run(tmp, task_vars)
        _, self._args = self.validate_argument_spec(
            argument_spec=self._SPEC, required_if=[("follow", False, ["script"])]
        )
        self._vars = task_vars or {}
        self._host = self._vars.get("inventory_hostname", "the coordinator")
        self._token = uuid.uuid4().hex
        self._run: dict[str, Any] = {}
        self._signal = 0
        self._asking = self._stopping = False
        self._parent = os.getppid()
        for number in (signal.SIGINT, signal.SIGTERM):
            signal.signal(number, self._on_signal)
        try:
            return self._act()
        except _InterruptedError:
            self._give_up()

    def _act(self) -> dict[str, Any]:
        if self._task.check_mode:
            return self._predict()
        answer = self._find() if self._args["follow"] else self._start()
        if answer.get("failed") or "run" not in answer:
            return self._result(answer)
        self._run = answer
        if self._args["detach"] and not self._args["follow"] and answer["running"]:
            message = f"Step 2.5 runs on {self._host} on its own. Watch it with playbooks/follow.yml, "
            return self._result(answer, "detached", message + "end it with playbooks/stop.yml")
        return self._watch()

    def _predict(self) -> dict[str, Any]:
        """Check mode: ask, start nothing."""
        if self._args["follow"]:
            return self._result(self._find())
        answer = self._ask(
            state="started", dir=self._args["dir"], **{key: self._args[key] for key in self._JOB}
        )
        command = " ".join(map(str, answer.get("command", [])))
        return self._result(answer, "would_start", f"Step 2.5 would start on {self._host}: {command}")

    def _find(self) -> dict[str, Any]:
        answer = self._ask(state="query")
        if answer.get("running") and "run" not in answer:  # a lock that somebody holds without a run
            return {**answer, "failed": True, "msg": answer["message"]}
        if not answer.get("running") and answer.get("last"):
            last = answer["last"]
            answer["message"] = (
                f"Step 2.5 is not running. The last run, of {last['start']}: {last['message']}"
            )
        return answer

    def _start(self) -> dict[str, Any]:
        proof = 2.0 if self._args["detach"] else 0.0
        job = {key: self._args[key] for key in self._JOB}
        answer = self._steady(state="started", token=self._token, proof=proof, **job)
        if not answer.get("failed"):
            limit = f", at most {clock(self._args['timeout'])}" if self._args["timeout"] else ""
            display.display(
                f"Step 2.5 runs on {self._host} as pid {answer.get('pid')}{limit}.\n  log: {answer.get('log')}"
            )
        return answer

    # -- watching --------------------------------------------------------------------------------------

    def _watch(self) -> dict[str, Any]:
        """Show the output until the run is over; returns the result."""
        lines, quiet = Lines(), self._args["quiet"]
        offset = -self._args["backlog"] if self._args["follow"] else 0
        last_shown, pending, cut = time.monotonic(), False, False
        rigs = RigWatch(places(self._vars)).start()
        while True:
            due = last_shown + self._args["sign_of_life"] - time.monotonic()
            wait = QUIET_WAIT if quiet else 0.3 if pending else max(0.0, min(WAIT, due))
            asked = time.monotonic()
            answer = self._steady(state="output", run=self._run["run"], offset=offset, wait=wait)
            if answer.get("failed"):
                return self._result(self._run, "lost", answer.get("msg", ""))
            data, now = base64.b64decode(answer["data"]), answer["elapsed"]
            offset = answer["offset"]
            self._show([f"[{clock(now)}] {text}" for text in rigs.news()])
            if not quiet:
                out = list(lines.feed(data, offset - len(data), answer["times"], now))
                settled = answer["silent"] >= SETTLED and offset >= answer["size"]
                if settled or (not answer["running"] and offset >= answer["size"]):
                    out += lines.unfinished(now)
                pending = lines.pending
                if answer["log_cut"] and not cut:
                    cut = True
                    out.append(
                        f"[{clock(now)}] The log is cut ({answer['log_cut']['why']}): output may be missing"
                    )
                if not out and time.monotonic() - last_shown >= self._args["sign_of_life"]:
                    silent = clock(answer["silent"])
                    out.append(
                        f"[{clock(now)}] … pid {answer['pid']} is running, without output for {silent}"
                    )
                if out:
                    last_shown = time.monotonic()
                    self._show(out)
            if not answer["running"] and offset >= answer["size"]:
                return self._result({**self._run, "running": False, "record": answer["record"]})
            if answer["running"] and data and offset >= answer["size"]:
                # On a slow connection the way there and back is pause enough.
                self._rest(max(0.05, PAUSE - (time.monotonic() - asked - answer["waited"])))

    def _show(self, lines: list[str]) -> None:
        for first in range(0, len(lines), BATCH):
            display.display("\n".join(lines[first : first + BATCH]))

    def _result(self, answer: dict[str, Any], verdict: str = "", message: str = "") -> dict[str, Any]:
        starts = not self._task.check_mode and not self._args["follow"]
        return task_result(answer, verdict, message, starts)

    # -- asking the host -------------------------------------------------------------------------------

    def _ask(self, **arguments: Any) -> dict[str, Any]:
        """Run survivor_npz_run on the host; a signal ends the wait."""
        self._look()
        self._asking = True
        try:
            answer: dict[str, Any] = self._execute_module(
                module_name="survivor_npz_host",
                module_args={"job": "run", "given": {"dir": self._args["dir"], **arguments}},
                task_vars=self._vars,
            )
        finally:
            self._asking = False
        self._look()
        return answer

    def _steady(self, **arguments: Any) -> dict[str, Any]:
        """Ask as often as it takes to get an answer over a connection that comes and goes."""
        until, pause, halves, trouble = 0.0, 1.0, 0, ""
        while True:
            back = bool(trouble)
            try:
                answer = self._ask(**arguments)
                # A connection that breaks in the middle leaves half an answer; so does a module that crashes.
                halves += "module_stdout" in answer
                if not answer.get("failed") or "module_stdout" not in answer or halves > HALF_ANSWERS:
                    if back:
                        display.display(f"The connection to {self._host} is back.")
                    return answer
                trouble = str(answer.get("msg"))
            except AnsibleConnectionFailure as error:
                trouble = str(error).strip()
            if not until:
                until = time.monotonic() + (self._args["reconnect"] if self._run else START_PATIENCE)
                goes_on = " Step 2.5 goes on there." if self._run else ""
                # No display.warning: a task's warnings are held back until it ends.
                lost = f"No connection to {self._host}.{goes_on} Trying again. ({trouble})"
                display.display(lost, color="bright purple")
            elif time.monotonic() > until:
                goes_on = "Step 2.5 goes on there" if self._run else "Whether Step 2.5 started is not known"
                text = f"The connection to {self._host} is lost for good. {goes_on}: see playbooks/follow.yml"
                return {"failed": True, "lost": True, "msg": f"{text}. ({trouble})"}
            self._rest(pause)
            pause = min(pause * 1.5, 10.0)
            with contextlib.suppress(Exception):
                self._connection.reset()

    def _rest(self, seconds: float) -> None:
        self._look()
        self._asking = True
        try:
            time.sleep(seconds)
        finally:
            self._asking = False

    def _look(self) -> None:
        if self._signal:
            raise _InterruptedError
        if self._parent not in (0, os.getppid()):  # the controller was killed; the run is its supervisor's
            os._exit(1)

    # -- being interrupted -----------------------------------------------------------------------------

    def _on_signal(self, number: int, _frame: Any) -> None:
        if self._stopping:  # Ansible sends more while we stop the script, and so do impatient fingers
            return
        first = not self._signal
        self._signal = self._signal or number
        if first and self._asking:
            raise _InterruptedError

    def _say(self, text: str) -> None:
        with contextlib.suppress(OSError):
            os.write(_SCREEN, f"\n{text}\n".encode())

    def _give_up(self) -> NoReturn:
        """Stop the script (or, when following, only the watching), say so, and end this worker."""
        self._stopping, self._parent = True, 0
        name, self._signal = ("Ctrl-C" if self._signal == signal.SIGINT else "SIGTERM"), 0
        try:
            if self._args["follow"]:
                pid = self._run.get("pid")
                self._say(f"{name}: no longer watching. Step 2.5 goes on on {self._host}, pid {pid}.")
            elif not self._args["detach"] or not self._run:
                self._say(f"{name}: stopping Step 2.5 and its children on {self._host} …")
                self._stop()
        except BaseException as error:
            self._say(f"Step 2.5 could NOT be stopped ({error}). Run playbooks/stop.yml.")
        os._exit(1)

    def _stop(self) -> None:
        run = self._run.get("run")
        until = time.monotonic() + START_GRACE
        while run is None:  # interrupted while starting: the answer is lost, the start may not be
            answer = self._ask(state="query")
            run = answer.get("run") if answer.get("token") == self._token else None
            if run is None and time.monotonic() > until:
                return self._say("Step 2.5 had not started.")
        answer = self._ask(state="stopped", run=run)
        if answer.get("failed"):
            return self._say(f"{answer.get('msg')}. Run playbooks/stop.yml.")
        log = f" Its log: {answer['log']}." if "log" in answer else ""
        return self._say(f"{answer['message']} on {self._host}, with all its children.{log} {BEYOND}")
