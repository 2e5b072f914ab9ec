#!/usr/bin/env python3
"""What the managed block in Step 2.5's script calls: prepare the fleet, then start the script supervised.

Runs as a plain file beside supervise/ (`python3 -I entry.py`), standard library only. It never returns to
the script that called it: either it ends with an exit code and a message, or it becomes the supervisor that
starts the script anew, with SURVIVOR_NPZ_PROVEN_SHA256 set and its arguments untouched. What prepare.yml
prints goes to standard error, so that standard output is the script's alone.
"""

from __future__ import annotations

import argparse
import hashlib
import importlib
import json
import os
import re
import signal
import subprocess
import sys
import tempfile
from typing import Any, Dict, List, NoReturn, Optional

PROVEN = "SURVIVOR_NPZ_PROVEN_SHA256"
HERE = os.path.dirname(os.path.abspath(__file__))
SHELLS = re.compile(r"(ba|da|a|k|mk|z)?sh[0-9]*")
EXIT_REFUSED = 75
SIGNALS = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)


class Stop(Exception):  # noqa: N818 - it is an ending, not always an error
    """Step 2.5 is not started: message and exit code."""

    def __init__(self, message: str, code: int = 1) -> None:
        super().__init__(message)
        self.code = code


def open_standard_streams() -> None:
    """Fill closed descriptors 0 to 2, and make them blocking, as ansible-playbook demands."""
    while (null := os.open(os.devnull, os.O_RDWR)) < 3:
        os.set_inheritable(null, True)
    os.close(null)
    for descriptor in (1, 2):
        os.set_blocking(descriptor, True)


def script_of(given: str, directory: str) -> str:
    """Absolute path of the script that was started, which must be the one in the pipeline directory."""
    path = os.path.abspath(given)
    if not os.path.isfile(path):
        raise Stop(f"{given!r} is no file here: start the script by its path, not by way of source or a pipe")
    place = os.path.dirname(os.path.realpath(path))
    if place != os.path.realpath(directory):
        raise Stop(
            f"{path} is a copy: its head belongs to {directory}. Start the script there, "
            "or run playbooks/hook.yml for this directory"
        )
    return path


def command_of(script: str, shell: str, flags: str, arguments: List[str]) -> List[str]:
    """Command line that starts the script as it was started: same shell, same -e, -u, -x."""
    if not SHELLS.fullmatch(os.path.basename(shell)):
        with open(script, "rb") as file:
            words = file.readline()[2:].decode("utf-8", "surrogateescape").split(None, 1)
        return [*(word.strip() for word in words), script, *arguments]
    kept = "".join(flag for flag in "aefnuvx" if flag in flags)
    return [shell, *([f"-{kept}"] if kept else []), script, *arguments]


def refuse_second_run(directory: str) -> None:
    """Raise Stop while another run holds the lock: preparing would only waste its time."""
    sys.path.insert(0, os.path.join(HERE, "run"))
    try:
        importlib.import_module("supervise")
        del sys.path[0]  # only the package is looked for there
        lock: Any = importlib.import_module("supervise.lock")
    except ImportError as error:
        raise Stop(f"{HERE}/run/supervise can't be loaded: {error}") from error
    note: Optional[Dict[str, Any]] = lock.holder(directory)
    if note is not None:
        raise Stop(lock.refusal(note), EXIT_REFUSED)


def environment(checkout: str) -> Dict[str, str]:
    """Environment of ansible-playbook: the checkout's settings, and nothing of the pipeline's Python."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("PYTHON")}
    kept["ANSIBLE_CONFIG"] = os.path.join(checkout, "ansible.cfg")
    locale = kept.get("LC_ALL") or kept.get("LC_CTYPE") or kept.get("LANG") or ""
    if not re.search(r"utf-?8", locale, re.IGNORECASE):
        kept["LC_ALL"] = "C.UTF-8"  # ansible-playbook refuses any other
    return kept


def settings_of(report: str, arguments: List[str]) -> str:
    """Extra variables: prepare as before a run with these arguments: its inputs and sample are checked.

    A word that Ansible would take for a template stays out: the arguments only serve a warning there.
    """
    plain = [word for word in arguments if word.isprintable() and "{" not in word]
    run = {"__survivor_npz_will_run": True, "survivor_npz_scorer_args": plain}
    return json.dumps({"survivor_npz_report": report, **run})


class Preparation:
    """One ansible-playbook in a session of its own, without a terminal; signals are passed on to it."""

    def __init__(self) -> None:
        self.signal: Optional[int] = None
        self.process: Optional[subprocess.Popen[bytes]] = None
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:  # nohup stays nohup
                signal.signal(number, self._pass_on)

    def _pass_on(self, number: int, _frame: Any) -> None:
        again, self.signal = self.signal is not None, number
        if self.process is not None and self.process.poll() is None:
            self.process.send_signal(signal.SIGKILL if again else number)

    def run(self, command: List[str], checkout: str) -> int:
        """Run it to its end; exit code as a shell tells it."""
        if self.signal is None:
            self.process = subprocess.Popen(
                command,
                cwd=checkout,
                env=environment(checkout),
                stdin=subprocess.DEVNULL,
                stdout=2,
                start_new_session=True,
            )
            if self.signal is not None:  # it came while the process was being made
                self.process.send_signal(self.signal)
            code = self.process.wait()
        self.raise_if_stopped()
        return 128 - code if code < 0 else code

    def raise_if_stopped(self) -> None:
        """Raise Stop if a signal came."""
        if self.signal is not None:
            raise Stop(f"stopped by {signal.Signals(self.signal).name} while preparing", 128 + self.signal)

    def give_back_signals(self) -> None:
        """From here on a signal ends this process, or what it becomes; Stop if one came before."""
        for number in SIGNALS:
            if signal.getsignal(number) != signal.SIG_IGN:
                signal.signal(number, signal.SIG_DFL)
        self.raise_if_stopped()


def proven(report: str, npz: str) -> Dict[str, Any]:
    """What prepare.yml proved: `sha256`, `survivor_count`, `hosts`; Stop unless the live NPZ is that."""
    try:
        with open(report, encoding="utf-8") as file:
            proof = json.load(file)["proof"]
        expected = proof["sha256"]
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        raise Stop(f"prepare.yml ended well but reported no proof ({why})") from error
    digest = hashlib.sha256()
    try:
        with open(npz, "rb") as binary:
            while piece := binary.read(1 << 20):
                digest.update(piece)
    except OSError as error:
        raise Stop(f"{npz}: {error.strerror}") from error
    if digest.hexdigest() != expected:
        raise Stop(
            f"{npz} has SHA-256 {digest.hexdigest()[:16]}…, proven was {str(expected)[:16]}…: "
            "it changed just now. Start the script again"
        )
    return dict(proof)


def parse(argv: List[str]) -> argparse.Namespace:
    """Read the block's own options; what follows -- is the script's."""
    parser = argparse.ArgumentParser(prog="survivor-npz", description=(__doc__ or "").splitlines()[0])
    for name in ("--checkout", "--ansible-playbook", "--dir", "--npz", "--script"):
        parser.add_argument(name, required=True)
    parser.add_argument("--option", action="append", default=[], help="one more word for ansible-playbook")
    parser.add_argument("--supervise", action="append", default=[], help="one more word for the supervisor")
    parser.add_argument("--shell", default="")
    parser.add_argument("--flags", default="")
    parser.add_argument("arguments", nargs="*")
    return parser.parse_args(argv)


def start(given: argparse.Namespace) -> NoReturn:
    """Prepare, then become the supervisor. Raises Stop."""
    script = script_of(given.script, given.dir)
    command = command_of(script, given.shell, given.flags, given.arguments)
    preparation = Preparation()
    refuse_second_run(given.dir)
    with tempfile.TemporaryDirectory(prefix="survivor-npz-") as private:
        report = os.path.join(private, "report.json")
        playbook = os.path.join(given.checkout, "playbooks", "prepare.yml")
        line = [
            given.ansible_playbook,
            *given.option,
            "-e",
            settings_of(report, given.arguments),
            playbook,
        ]
        try:
            code = preparation.run(line, given.checkout)
        except OSError as error:
            raise Stop(f"{given.ansible_playbook} can't be started: {error.strerror}", 127) from error
        if code:
            raise Stop(f"the preparation failed with exit code {code}; why stands above", code)
        proof = proven(report, given.npz)
    os.environ[PROVEN] = proof["sha256"]
    # Another controller may switch before the lock is ours: the supervisor looks once more.
    npz = {"sha256": proof["sha256"], "survivor_count": proof.get("survivor_count"), "path": given.npz}
    known = json.dumps({"npz": npz, "proved": proof.get("hosts", [])})
    supervisor = [
        sys.executable,
        "-I",
        os.path.join(HERE, "run", "supervise"),
        "--foreground",
        "--dir",
        given.dir,
    ]
    supervisor += [f"--known={known}", *given.supervise, "--", *command]
    preparation.give_back_signals()
    os.execv(sys.executable, supervisor)  # noqa: S606


def main(argv: Optional[List[str]] = None) -> int:
    """Entry point; returns only when Step 2.5 is not started."""
    open_standard_streams()
    try:
        start(parse(sys.argv[1:] if argv is None else argv))
    except Stop as stop:
        message, code = str(stop).rstrip("."), stop.code
    except OSError as error:
        message, code = f"{error.filename or 'survivor-npz'}: {error.strerror}", 1
    os.write(2, f"survivor-npz: {message}. Step 2.5 was NOT started.\n".encode("utf-8", "replace"))
    return code


if __name__ == "__main__":
    sys.exit(main())
