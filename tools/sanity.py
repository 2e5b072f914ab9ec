#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Run `ansible-test sanity` and `antsibull-docs lint` on the checkout, laid out as a collection.

usage: sanity.py [ARGUMENT OF ansible-test ...]

A finding passes only if sanity-ignore.txt gives a reason for it. Everything is written under build/.
"""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import ansible_test
from collection import ROOT, lay_out

HOME = ROOT / "build" / "sanity"
BIN = Path(sys.executable).parent
LINT_DOCS = (
    *(str(BIN / "antsibull-docs"), "lint-collection-docs", "--plugin-docs"),
    *("--validate-collection-refs", "all", "--disallow-unknown-collection-refs"),
)


def environment() -> dict[str, str]:
    """A home of its own, in which ansible-test makes its environments, and every Python of this machine."""
    cache = HOME / ".ansible" / "test" / "cache"
    cache.mkdir(parents=True, exist_ok=True)
    source = Path(ansible_test.__path__[0], "_internal", "python_requirements.py").read_text(encoding="utf-8")
    for version in re.findall(r"pip='([\d.]+)'", source):
        # ansible-test would download a program that installs pip. Python brings one.
        script = cache / f"get_pip_{version.replace('.', '_')}.py"
        script.write_text("import ensurepip\nensurepip.bootstrap()\n", encoding="utf-8")
    pythons = sorted(Path.home().glob(".pyenv/versions/3.*/bin"))
    kept = [place for place in os.environ["PATH"].split(os.pathsep) if not place.endswith("/shims")]
    return {"HOME": str(HOME), "PATH": os.pathsep.join(map(str, [BIN, *pythons, *kept]))}


def reasons() -> dict[str, re.Pattern[str]]:
    """The findings that may be: the lines of sanity-ignore.txt and their expressions."""
    lines = (ROOT / "tools" / "sanity-ignore.txt").read_text(encoding="utf-8").splitlines()
    return {
        line: re.compile(line.partition("  # ")[0]) for line in lines if line and not line.startswith("#")
    }


def main(arguments: list[str]) -> int:
    """Entry point."""
    root = lay_out(ROOT / "build" / "collection")
    # Without a repository of its own the tree counts as ignored: build/ is, in the checkout's.
    subprocess.run(("git", "init", "--quiet", str(root)), check=True)
    command = ("ansible-test", "sanity", "--python", "default", "--lint", "--failure-ok", *arguments)
    done = subprocess.run(
        command, cwd=root, env=environment(), stdout=subprocess.PIPE, text=True, check=False
    )
    found = sorted(set(done.stdout.splitlines()))
    allowed = reasons()
    faults = [line for line in found if not any(rule.search(line) for rule in allowed.values())]
    unused = [line for line, rule in allowed.items() if not any(rule.search(text) for text in found)]
    if not arguments:
        faults += [f"tools/sanity-ignore.txt: matches nothing: {line}" for line in unused]
    for line in faults:
        print(line)
    print(f"sanity: {len(faults)} faults, of {len(found)} findings; tools/sanity-ignore.txt has the reasons")
    docs = subprocess.run((*LINT_DOCS, str(root)), cwd=root, check=False).returncode
    print(f"antsibull-docs: {'faults, see above' if docs else 'clean'}")
    return 1 if faults or done.returncode or docs else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
