# SPDX-License-Identifier: MIT
"""A hooked Step 2.5 script in its own directory, with a stand-in for ansible-playbook."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Sequence

import yaml
from jinja2 import Environment, FileSystemLoader

ROOT = Path(__file__).resolve().parents[2]
ROLE = ROOT / "roles" / "survivor_npz"
RECORDER = """
printf '%s\\0' "$@" > arguments
env > environment
echo "the script's own output"
echo "the script's own error" >&2
exit ${CODE:-0}
"""
STAMP = (
    "{'boot': open('/proc/sys/kernel/random/boot_id').read().strip(), "
    "'clock': time.clock_gettime(time.CLOCK_BOOTTIME), 'number': 0}"
)
# Writes down how it was started, then reports what prepare.yml would.
STAND_IN = """#!{python}
import json, os, sys, time
directory = {directory!r}
npz = directory + "/N.npz"
report = json.loads(sys.argv[sys.argv.index("-e", sys.argv.index("given-option")) + 1])["survivor_npz_report"]
seen = {{
    "argv": sys.argv[1:],
    "environment": dict(os.environ),
    "cwd": os.getcwd(),
    "stdin": os.readlink("/proc/self/fd/0"),
    "leader": os.getpid() == os.getsid(0),
    "blocking": [os.get_blocking(number) for number in (0, 1, 2)],
    "report": report,
}}
writing = directory + f"/prepared.{{os.getpid()}}"
with open(writing, "w") as file:
    json.dump(seen, file)
os.replace(writing, directory + "/prepared")
print("the playbook's output")
{behaviour}
with open(report, "w") as file:
    json.dump({{"ok": True, "proof": {proof}}}, file)
"""


def environment() -> Environment:
    """Templates of the role, with the one filter of Ansible's that they use."""
    loader = FileSystemLoader(ROLE / "templates")
    found = Environment(loader=loader, trim_blocks=True, keep_trailing_newline=True)  # noqa: S701 - shell, not HTML
    found.filters["quote"] = shlex.quote
    return found


def render(
    words: Sequence[str],
    python: str = sys.executable,
    checkout: str = str(ROOT),
    entry: str = str(ROOT / "module_utils" / "survivor_npz" / "hook" / "entry.py"),
) -> str:
    """Return the text of hook.sh, as the role's template gives it."""
    return (
        environment()
        .get_template("hook.sh.j2")
        .render(
            __survivor_npz_hook_python=python,
            __survivor_npz_hook_entry=entry,
            __survivor_npz_hook_words=words,
            survivor_npz_hook_checkout=checkout,
            survivor_npz_scorer="run_scorer_meta_optimizer.sh",
        )
    )


def line(home: Path) -> str:
    """Return the line that the role puts after the script's first; `home` holds hook.sh."""
    (task,) = yaml.safe_load((ROLE / "tasks" / "hook_present.yml").read_text())
    template = task["vars"]["__survivor_npz_hook_line"]
    return environment().from_string(template).render(__survivor_npz_hook_home=str(home))


def old_block(words: Sequence[str], python: str = sys.executable, checkout: str = str(ROOT)) -> str:
    """Return what version 1.0 put after the script's first line: everything, between two marker lines."""
    quoted = "".join(f"    {shlex.quote(word)} \\\n" for word in words)
    entry = shlex.quote(f"{checkout}/module_utils/survivor_npz/entry.py")
    python, checkout = shlex.quote(python), shlex.quote(checkout)
    return f"""# >>> survivor-npz: managed by playbooks/hook.yml >>>
# Converts, proves, then starts this script under its lock, log and record.
if [ -z "${{SURVIVOR_NPZ_PROVEN_SHA256:-}}" ]; then
  if [ ! -x {python} ] || [ ! -r {entry} ]; then
    echo "survivor-npz: the checkout" {checkout} "is gone. Step 2.5 was NOT started." \\
      "Run playbooks/hook.yml again, or take this block out of $0." >&2
    exit 1
  fi
  exec {python} -I {entry} \\
{quoted}    "--script=$0" "--shell=$(readlink "/proc/$$/exe")" "--flags=$-" -- "$@"
fi
# <<< survivor-npz: managed by playbooks/hook.yml <<<
"""


class Hooked:
    """The script, its directory, and what was seen of its runs.

    Args:
        root: an empty directory of the test's own.
        shebang: first line of the script.
        body: the rest of the script; writes down how it ran, unless the test says otherwise.
        old: hook it as version 1.0 did.
    """

    def __init__(
        self, root: Path, shebang: str = "#!/bin/bash", body: str = RECORDER, old: bool = False
    ) -> None:
        self.directory = root / "pipe line"
        self.directory.mkdir(parents=True)
        self.script = self.directory / "run_scorer_meta_optimizer.sh"
        self.playbook = root / "ansible-playbook"
        self.npz = self.directory / "N.npz"
        self.npz.write_bytes(b"survivors")
        self.sha256 = hashlib.sha256(b"survivors").hexdigest()
        self.stand_in()
        words = [
            f"--checkout={ROOT}",
            f"--ansible-playbook={self.playbook}",
            f"--dir={self.directory}",
            f"--npz={self.npz}",
            "--option=given-option",
        ]
        home = self.directory / ".survivor_npz"
        if not old:
            home.mkdir(0o700)
            (home / "hook.sh").write_text(render(words))
        self.script.write_text(f"{shebang}\n{old_block(words) if old else line(home)}{body}")
        self.script.chmod(0o755)

    def stand_in(self, behaviour: str = "", proof: str | None = None) -> None:
        """Write the stand-in; `behaviour` is Python that it runs before it reports `proof`, Python too."""
        whole = {"sha256": self.sha256, "survivor_count": 3, "hosts": ["zeus", "rig-6600"]}
        given = proof or f"{{**{whole!r}, 'stamp': {STAMP}}}"
        directory = str(self.directory)
        text = STAND_IN.format(python=sys.executable, directory=directory, behaviour=behaviour, proof=given)
        self.playbook.write_text(text)
        self.playbook.chmod(0o755)

    def start(
        self, *arguments: str, by: Sequence[str] | None = ("bash",), **options: Any
    ) -> subprocess.Popen[bytes]:
        """Start the script: by a shell, or by its first line (by=None)."""
        foreign = ("SURVIVOR_", "ANSIBLE_")
        kept = {name: value for name, value in os.environ.items() if not name.startswith(foreign)}
        kept.update(options.pop("env", {}))
        line = [*by, self.script.name] if by else [f"./{self.script.name}"]
        options.setdefault("stdin", subprocess.DEVNULL)
        options.setdefault("stdout", subprocess.PIPE)
        options.setdefault("stderr", subprocess.PIPE)
        return subprocess.Popen([*line, *arguments], cwd=self.directory, env=kept, **options)

    def run(self, *arguments: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run the script to its end."""
        with self.start(*arguments, **options) as process:
            out, err = process.communicate(timeout=30)
        code = process.returncode
        return subprocess.CompletedProcess(process.args, code, (out or b"").decode(), (err or b"").decode())

    @property
    def prepared(self) -> dict[str, Any] | None:
        """How the stand-in was started; None if it wasn't."""
        path = self.directory / "prepared"
        return json.loads(path.read_text()) if path.exists() else None

    @property
    def arguments(self) -> list[str] | None:
        """What the script itself got; None if it wasn't started."""
        path = self.directory / "arguments"
        return path.read_text().split("\0")[:-1] if path.exists() else None

    @property
    def environment(self) -> str:
        """The script's environment, one variable a line."""
        return (self.directory / "environment").read_text()

    @property
    def record(self) -> dict[str, Any]:
        """The record of the newest supervised run."""
        newest = sorted(self.directory.glob(".survivor_npz/runs/*/record.json"))[-1]
        found: dict[str, Any] = json.loads(newest.read_text())
        return found


def wait_for(condition: Callable[[], Any], seconds: float = 15) -> None:
    """Wait until a condition holds."""
    until = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < until, "it never happened"
        time.sleep(0.02)


def not_started(hooked: Hooked, done: subprocess.CompletedProcess[str], code: int, says: str) -> None:
    """Assert that the script was not started, and that only this says why."""
    assert done.returncode == code, done.stderr
    assert says in done.stderr
    assert "Step 2.5 was NOT started." in done.stderr
    assert "Traceback" not in done.stderr
    assert done.stdout == ""
    assert hooked.arguments is None
