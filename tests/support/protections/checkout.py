# SPDX-License-Identifier: MIT
"""A copy of the checkout to break on purpose, and one test played in it."""

from __future__ import annotations

import contextlib
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Iterable, Iterator, List, NamedTuple
from xml.etree import ElementTree

from protections import Edit

ROOT = Path(__file__).resolve().parents[3]
# Longer than any test of the table takes on a busy machine; a test that meets it proves nothing.
TEST_SECONDS, RUN_SECONDS = 300, 1200


class Outcome(NamedTuple):
    """What became of a test: how many passed, what the failures show, why it was skipped, the screen."""

    passed: int
    failures: List[str]
    errors: List[str]
    skipped: List[str]
    screen: str


def apply(root: Path, edits: Iterable[Edit]) -> List[Path]:
    """Take a protection out; returns the files that it stood in.

    Raises:
        ValueError: an old text does not stand in its place exactly once.
    """
    changed = []
    for edit in edits:
        place = root / edit.place
        texts = {
            path: path.read_text("utf-8") for path in (place.rglob("*.py") if place.is_dir() else [place])
        }
        found = [path for path, text in texts.items() for _ in range(text.count(edit.old))]
        if len(found) != 1:
            raise ValueError(f"{edit.place} has this {len(found)} times, not once: {edit.old!r}")
        found[0].write_text(texts[found[0]].replace(edit.old, edit.new), encoding="utf-8")
        changed += found
    return changed


class Checkout:
    """What git knows of the project, as it lies here now, in a directory of its own."""

    def __init__(self, where: Path) -> None:
        self.root, self._temp = where / "c", where / "t"
        listed = subprocess.run(
            ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard"],
            cwd=ROOT,
            check=True,
            capture_output=True,
        )
        for name in listed.stdout.decode().split("\0"):
            if name and (ROOT / name).is_file():  # a file that somebody is about to remove is listed too
                (self.root / name).parent.mkdir(parents=True, exist_ok=True)
                shutil.copy2(ROOT / name, self.root / name)
        if (ROOT / ".venv").exists():
            (self.root / ".venv").symlink_to(ROOT / ".venv")

    def play(self, test: str) -> Outcome:
        """Play one test (file::test under tests/) up to its first failure."""
        report = self._temp.with_name("report.xml")
        command = [sys.executable, "-m", "pytest", "-x", "-n", "0", "-p", "no:cacheprovider"]
        command += ["-m", "slow or not slow"]
        command += [f"--timeout={TEST_SECONDS}", f"--basetemp={self._temp}", f"--junitxml={report}"]
        done = subprocess.run(
            [*command, f"tests/{test}"],
            cwd=self.root,
            env=self._environment(),
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            errors="replace",
            timeout=RUN_SECONDS,
            check=False,
        )
        return read(report, done.stdout)

    def _environment(self) -> dict[str, str]:
        """The caller's, without what points to another checkout or to another pytest."""
        kept = {k: v for k, v in os.environ.items() if not k.startswith(("PYTEST_", "ANSIBLE_"))}
        return {**kept, "ANSIBLE_CONFIG": str(self.root / "ansible.cfg"), "PYTHONDONTWRITEBYTECODE": "1"}


def read(report: Path, screen: str) -> Outcome:
    """Read pytest's report."""
    if not report.exists():
        return Outcome(0, [], ["pytest wrote no report"], [], screen)
    found = Outcome(0, [], [], [], screen)
    # Our own pytest wrote it.
    for case in ElementTree.parse(report).iter("testcase"):  # noqa: S314
        for kind, told in (("failure", found.failures), ("error", found.errors), ("skipped", found.skipped)):
            told += [f"{child.get('message', '')}\n{child.text or ''}" for child in case.findall(kind)]
        found = found._replace(passed=found.passed + (len(case) == 0))
    return found


@contextlib.contextmanager
def checkout(edits: Iterable[Edit] = ()) -> Iterator[Checkout]:
    """A copy with these edits, gone afterwards. Its path is short: sockets of ssh go below it."""
    with tempfile.TemporaryDirectory(prefix="red-") as where:
        copy = Checkout(Path(where))
        apply(copy.root, edits)
        yield copy


def why_not_red(outcome: Outcome, fails: str) -> str:
    """Why an outcome does not prove that a test sees its protection gone; empty where it does.

    Only a failed assertion of the test itself counts, and only the one that the table names.
    """
    if outcome.errors or outcome.skipped:
        return "; ".join([*outcome.errors, *outcome.skipped])
    if not outcome.failures:
        return f"the test stayed green ({outcome.passed} passed)"
    (failure,) = outcome.failures
    if not failure.startswith(("AssertionError", "assert ", "Failed: DID NOT RAISE")):
        return f"no assertion failed, but: {failure.splitlines()[0]}"
    shown = [line for line in failure.splitlines() if line.startswith((">", "E "))]
    if not any(fails in line for line in shown):
        return f"another assertion failed than {fails!r}:\n" + "\n".join(shown)
    return ""
