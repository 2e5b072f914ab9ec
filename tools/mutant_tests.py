# SPDX-License-Identifier: MIT
"""Play tests on changed code, and know which of them run a line."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import subprocess
import sys
from collections import Counter, defaultdict
from pathlib import Path
from typing import IO, Any, Iterator, cast

from mutant_server import HITS
from mutation import Mutant, probed

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests" / "support"))
from protections.checkout import checkout  # noqa: E402 - it lies beside the tests

FAST = ["tests/unit", "tests/module", "tests/processes"]
# Seconds, with probes. Slower tests judge no mutant.
SLOW = 4.0
# A mutant meets this many tests at first: most are killed by then, and few test files need to be imported.
FIRST = 15


class Server:
    """A copy of the checkout, and a process that plays tests in it: see mutant_server.py."""

    def __init__(self, root: Path, isolated: bool = True) -> None:
        self.root = root
        # Some mutants signal a wrong process, perhaps all. In a namespace of their own they meet no other.
        apart = ["unshare", "--pid", "--fork", "--mount-proc", "--kill-child"] if isolated else []
        if isolated and os.geteuid():
            apart += ["--user", "--map-current-user"]
        process = subprocess.Popen(
            [*apart, sys.executable, str(ROOT / "tools" / "mutant_server.py"), str(root)],
            env={**os.environ, "ANSIBLE_CONFIG": str(root / "ansible.cfg")},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._process, self._to, self._from = (
            process,
            cast(IO[str], process.stdin),
            cast(IO[str], process.stdout),
        )

    def play(
        self, tests: list[str], changes: dict[str, str], seconds: float, files: list[str], *options: str
    ) -> dict[str, Any]:
        """pytest's exit `code`, None if it did not end in time, and what its `tests` told."""
        request = {"tests": tests, "changes": changes, "seconds": seconds, "files": files, "options": options}
        self._to.write(json.dumps(request) + "\n")
        self._to.flush()
        line = self._from.readline()
        if not line:
            sys.exit("mutants: the process that plays tests died. It needs `unshare` of util-linux.")
        answer: dict[str, Any] = json.loads(line)
        return answer

    def close(self) -> None:
        """Let it end."""
        self._to.close()
        self._process.wait()


@contextlib.contextmanager
def server(isolated: bool = True) -> Iterator[Server]:
    """A server in a copy of its own, gone afterwards."""
    with checkout() as copy:
        copy.root.parent.chmod(0o755)  # tests play other users
        found = Server(copy.root, isolated)
        try:
            yield found
        finally:
            found.close()


def digest_of(*places: str | Path) -> str:
    """A digest of these Python files, and of those in these folders of the checkout."""
    digest = hashlib.sha256()
    for place in places:
        for path in sorted((ROOT / place).rglob("*.py")) or [ROOT / place]:
            digest.update(f"{path.relative_to(ROOT)}\0".encode() + path.read_bytes() + b"\0")
    return digest.hexdigest()[:16]


class Tests:
    """The fast tests: how long each takes, and which lines of `sources` it runs.

    What a test file told is kept under build/mutants as long as it, the code and tests/support stay the same.
    """

    def __init__(self, sources: list[str]) -> None:
        place = ROOT / "build" / "mutants" / digest_of("library", "module_utils", "plugins", "tests/support")
        place.mkdir(parents=True, exist_ok=True)
        files = [path for top in FAST for path in sorted((ROOT / top).rglob("test_*.py"))]
        told = {
            path.relative_to(ROOT).as_posix(): place / f"{path.stem}-{digest_of(path)}.json" for path in files
        }
        self._play({name: path for name, path in told.items() if not path.exists()}, sources)
        self.left_out: list[str] = []
        self.seconds: dict[str, float] = {}
        self.by_line: dict[str, set[str]] = defaultdict(set)
        for path in told.values():
            for name, test in json.loads(path.read_text()).items():
                self._add(name, test)

    def _add(self, name: str, test: dict[str, Any]) -> None:
        if test["failed"]:
            self.left_out.append(name)
        elif test["passed"] and test["seconds"] <= SLOW:
            self.seconds[name] = test["seconds"]
            for line in test.get("lines", []):
                path = line.partition(":")[0]
                for place in (line, path, os.path.dirname(path)):
                    self.by_line[place].add(name)

    @staticmethod
    def _play(files: dict[str, Path], sources: list[str]) -> None:
        """Play test files once, on code with probes, and write what each of their tests told."""
        if not files:
            return
        print(f"mutants: finding out which lines the tests of {len(files)} files run", flush=True)
        with server() as plays:
            hits = plays.root.parent / HITS
            hits.touch()
            hits.chmod(0o666)
            texts = {path: (ROOT / path).read_text("utf-8") for path in sources}
            # A file that hands its own text on would hand probes on.
            texts = {path: text for path, text in texts.items() if "getsource" not in text}
            changes = {path: probed(path, text, str(hits)) for path, text in texts.items()}
            told = plays.play([], changes, 3600, list(files))
        if told["code"] is None:
            sys.exit("mutants: the fast tests did not end within an hour")
        for file, path in files.items():
            own = {name: test for name, test in told["tests"].items() if name.startswith(f"{file}::")}
            path.write_text(json.dumps(own))

    def of(self, mutant: Mutant, killers: Counter[str]) -> list[str]:
        """Who runs the changed line: who killed most of this function's other mutants, then the fastest.

        A line of no function runs when its file is imported: then who tests the file, too.
        """
        line = f"{mutant.path}:{mutant.statement}" if mutant.statement else mutant.path
        if mutant.path not in self.by_line:
            line = os.path.dirname(mutant.path)
        chosen = set(self.by_line.get(line, ()))
        if not mutant.function:
            tables = (f"/test_{Path(mutant.path).stem}.py::", "tests/unit/test_")
            chosen.update(name for name in self.seconds if any(place in name for place in tables))
        return sorted(chosen, key=lambda name: (-killers[name], self.seconds[name]))


def judge(plays: Server, mutant: Mutant, tests: list[str], seconds: dict[str, float]) -> str:
    """The test that kills a mutant, "" if none does."""
    for chosen in (tests[:FIRST], tests[FIRST:]):
        if not chosen:
            continue
        files = sorted({name.partition("::")[0] for name in chosen})
        slowest, whole = max(seconds[name] for name in chosen), sum(seconds[name] for name in chosen)
        options = ("-x", f"--timeout={15 + 4 * slowest:.0f}")
        told = plays.play(chosen, {mutant.path: mutant.text}, 60 + 4 * whole, files, *options)
        if told["code"] is None:
            return "it did not end"
        if told["code"]:
            return next(
                (name for name, test in told["tests"].items() if test["failed"]), "it can't be imported"
            )
    return ""
