# SPDX-License-Identifier: MIT
"""What a hooked script calls: prepare the fleet, then start the script again under the supervisor.

Runs as a plain file (`python3 -I entry.py`) and needs only the standard library. It never returns to the
script: it ends with a message and an exit code, or becomes the supervisor, which starts the script again with
SURVIVOR_NPZ_PROVEN_SHA256 set and the same arguments. The playbook's output goes to standard error, so that
standard output belongs to the script.
"""

from __future__ import annotations

import argparse
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import Any, NoReturn

PROVEN = "SURVIVOR_NPZ_PROVEN_SHA256"
DRY_RUN = "--dry-run"
RUN = os.path.join(os.path.dirname(os.path.dirname(os.path.abspath(__file__))), "run")
SHELLS = re.compile(r"(ba|da|a|k|mk|z)?sh[0-9]*")
EXIT_REFUSED = 75
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(Exception):  # noqa: N818 - an ending, not always an error
    """Step 2.5 is not started: message and exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def open_standard_streams() -> None:
    """Open descriptors 0 to 2 if they are closed, and make them blocking, as ansible-playbook requires."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(null, True)
    os.close(null)
    for descriptor in (1, 2):
        os.set_blocking(descriptor, True)


def script_of(given: str, directory: str) -> str:
    """Absolute path of the script that was started; it must be the one in the pipeline directory."""
    path = os.path.abspath(given)
    if not os.path.isfile(path):
        raise Stop(f"{given!r} is not a file here: start the script by its path, not with source or a pipe")
    place = os.path.dirname(os.path.realpath(path))
    if place != os.path.realpath(directory):
        raise Stop(
            f"{path} is a copy: it is hooked for {directory}. Start the script there, or hook this one with "
            "playbooks/hook.yml"
        )
    return path


def command_of(script: str, shell: str, flags: str, arguments: list[str]) -> list[str]:
    """Command line that starts the script as it was started: same shell, same -e, -u, -x."""
    if not SHELLS.fullmatch(os.path.basename(shell)):
        with open(script, "rb") as file:
            words = file.readline()[2:].decode("utf-8", "surrogateescape").split(None, 1)
        return [*(word.strip() for word in words), script, *arguments]
    kept = "".join(flag for flag in "aefnuvx" if flag in flags)
    return [shell, *([f"-{kept}"] if kept else []), script, *arguments]


def refuse_second_run(directory: str) -> None:
    """Raise Stop while another run holds the lock, before any work is done for nothing."""
    sys.path.insert(0, RUN)
    try:
        importlib.import_module("supervise")
        del sys.path[0]  # only the package is looked for there
        lock: Any = importlib.import_module("supervise.lock")
    except ImportError as error:
        raise Stop(f"{RUN}/supervise can't be loaded: {error}") from error
    note: dict[str, Any] | None = lock.holder(directory)
    if note is not None:
        raise Stop(lock.refusal(note), EXIT_REFUSED)


def environment(checkout: str) -> dict[str, str]:
    """Environment of ansible-playbook: the checkout's settings, and nothing of the pipeline's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept["ANSIBLE_CONFIG"] = os.path.join(checkout, "ansible.cfg")
    locale = kept.get("LC_ALL") or kept.get("LC_CTYPE") or kept.get("LANG") or ""
    if not re.search(r"utf-?8", locale, re.IGNORECASE):
        kept["LC_ALL"] = "C.UTF-8"  # ansible-playbook refuses any other
    return kept


def settings_of(report: str, arguments: list[str]) -> str:
    """Extra variables: prepare as for a run with these arguments, so that its inputs are checked too.

    A word that Ansible would take for a template is left out: the arguments only serve a warning there.
    """
    plain = [word for word in arguments if word.isprintable() and "{" not in word and word != DRY_RUN]
    run = {"survivor_npz_for_run": True, "survivor_npz_scorer_args": plain}
    return json.dumps({"survivor_npz_report": report, **run})


class Preparation:
    """One ansible-playbook in its own session, without a terminal; signals are passed on to it."""

    def __init__(self) -> None:
        self.signal: int | None = None
        self.process: subprocess.Popen[bytes] | None = None
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, _frame: Any) -> None:
        again, self.signal = self.signal is not None, number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if again else number)

    def run(self, command: list[str], checkout: str) -> int:
        """Run it to its end; returns the exit code as a shell reports it."""
        if self.signal is None:
            self.process = subprocess.Popen(
                command,
                cwd=checkout,
                env=environment(checkout),
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
            )
            if self.signal is not None:  # it came while the process was being created
                self.process.send_signal(self.signal)
            code = self.process.wait()
        self.raise_if_stopped()
        return 128 - code if code < 0 else code

    def raise_if_stopped(self) -> None:
        """Raise Stop if a signal came."""
        if self.signal is not None:
            raise Stop(f"stopped by {signal.Signals(self.signal).name} while preparing", 128 + self.signal)

    def give_back_signals(self) -> None:
        """Let a signal end this process, or what it becomes, from here on. Raises Stop if one came before."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        self.raise_if_stopped()


def proven(report: str) -> dict[str, Any]:
    """What prepare.yml proved: `sha256`, `survivor_count`, `hosts`, `stamp`. Raises Stop if one is missing.

    The supervisor checks that all of it still holds, once it has the launch lock.
    """
    try:
        with open(report, encoding="utf-8") as file:
            proof = json.load(file)["proof"]
        found = {name: proof[name] for name in ("sha256", "survivor_count", "hosts")}
        return {**found, "stamp": {name: proof["stamp"][name] for name in ("boot", "clock", "number")}}
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Stop(f"prepare.yml finished successfully but reported no proof ({why})") from error


def parse(argv: list[str]) -> argparse.Namespace:
    """Read the hook's own options; everything after -- belongs to the script."""
    parser = argparse.ArgumentParser(prog="survivor-npz", description=(__doc__ or "").splitlines()[0])
    for name in ("--checkout", "--ansible-playbook", "--dir", "--npz", "--script"):
        parser.add_argument(name, required=True)
    parser.add_argument("--option", action="append", default=[], help="one more word for ansible-playbook")
    parser.add_argument("--supervise", action="append", default=[], help="one more word for the supervisor")
    parser.add_argument("--shell", default="")
    parser.add_argument("--flags", default="")
    parser.add_argument("arguments", nargs="*")
    return parser.parse_args(argv)


def prepare(given: argparse.Namespace, preparation: Preparation) -> dict[str, Any]:
    """Play prepare.yml; returns what it proved. Raises Stop."""
    with tempfile.TemporaryDirectory(prefix="survivor-npz-") as private:
        report = os.path.join(private, "report.json")
        settings = ["-e", settings_of(report, given.arguments)]
        playbook = os.path.join(given.checkout, "playbooks", "prepare.yml")
        try:
            code = preparation.run(
                [given.ansible_playbook, *given.option, *settings, playbook], given.checkout
            )
        except OSError as error:
            raise Stop(f"{given.ansible_playbook} can't be started: {error.strerror}", 127) from error
        if code:
            raise Stop(f"the preparation failed with exit code {code}; the reason is above", code)
        return proven(report)


def start(given: argparse.Namespace) -> NoReturn:
    """Prepare, then become the supervisor. Raises Stop."""
    script = script_of(given.script, given.dir)
    command = command_of(script, given.shell, given.flags, given.arguments)
    dry = DRY_RUN in given.arguments
    if dry:  # the script itself would take the word for a number of trials
        say(f"{DRY_RUN} converts and distributes. The real dry run is playbooks/step25.yml --check")
    preparation = Preparation()
    refuse_second_run(given.dir)
    proof = prepare(given, preparation)
    if dry:
        raise Stop(f"{DRY_RUN}: the same NPZ is proven on {', '.join(proof['hosts'])}", 0)
    os.environ[PROVEN] = proof["sha256"]
    npz = {"sha256": proof["sha256"], "survivor_count": proof["survivor_count"], "path": given.npz}
    known = json.dumps({"npz": npz, "proved": proof["hosts"], "stamp": proof["stamp"]})
    supervisor = [sys.executable, "-I", os.path.join(RUN, "supervise"), "--foreground", "--dir", given.dir]
    supervisor += [f"--known={known}", *given.supervise, "--", *command]
    preparation.give_back_signals()
    os.execv(sys.executable, supervisor)  # noqa: S606 - no shell wanted


def say(text: str) -> None:
    """Write one line to standard error."""
    os.write(2, f"survivor-npz: {text}.\n".encode("utf-8", "replace"))


def main(argv: list[str] | None = None) -> int:
    """Entry point; returns the exit code if Step 2.5 was not started."""
    open_standard_streams()
    try:
        start(parse(sys.argv[1:] if argv is None else argv))
    except Stop as stop:
        message, code = str(stop).rstrip("."), stop.code
    except OSError as error:
        message, code = f"{error.filename or 'survivor-npz'}: {error.strerror}", 1
    say(f"{message}. Step 2.5 was NOT started")
    return code


if __name__ == "__main__":
    sys.exit(main())
