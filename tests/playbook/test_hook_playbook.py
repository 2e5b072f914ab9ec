# SPDX-License-Identifier: MIT
"""playbooks/hook.yml: check, run, run again, remove; every kind of script; refusals, and the final lines."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest
from hooked import old_block
from localfleet import ROOT, LocalFleet, Run

SETPRIV = shutil.which("setpriv")
NAME = "run_scorer_meta_optimizer.sh"
SCRIPT = b"#!/usr/bin/env bash\nset -e\n# caf\xe9, and no final newline\necho started"
MARK = b"# survivor-npz: managed by playbooks/hook.yml"
# Every one of them must come back byte for byte.
FIT = {
    "bytes": b"#!/bin/sh\n#!/bin/bash\n\\1 {{ x }}\0\xff\n#!/bin/sh\n# no final newline",
    "crlf": b"#!/bin/bash\r\necho one\r\necho two\r\n",
    "options": b"#! /usr/bin/env -S LANG=C dash -eu\n\n\n",
}
OLD = {"old": FIT["bytes"], "old-first-line-only": b"#!/bin/bash\n"}
UNFIT = {
    "symlink": "it is a symlink to twin.sh",
    "missing": "it does not exist",
    "directory": "it is not a regular file",
    "fifo": "it is not a regular file",
    "hard-link": "it has 2 hard links",
    "empty": 'it starts with "", not with the first line of a script for sh, bash or dash',
    "no-shebang": 'it starts with "echo", not with',
    "perl": 'it starts with "#!/usr/bin/perl", not with',
    "cut-first-line": 'it starts with "#!/bin/bash", not with',
    "elsewhere": "it has a survivor-npz hook that is incomplete or not right after its first line",
    "incomplete": "it has a survivor-npz hook that is incomplete",
}


@pytest.fixture
def fleet(tmp_path: Path) -> LocalFleet:
    fleet = LocalFleet(tmp_path, count=None)
    script(fleet).write_bytes(SCRIPT)
    script(fleet).chmod(0o754)
    return fleet


def script(fleet: LocalFleet) -> Path:
    return fleet.dir("zeus") / NAME


def play(fleet: LocalFleet, *args: str, check: bool = False, **extra: object) -> Run:
    return fleet.run("hook.yml", *args, check=check, extra=extra, timeout=280)


def mode(path: Path) -> int:
    return path.stat().st_mode & 0o7777


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_hook_comes_and_goes_byte_for_byte_and_says_how_to_undo_it(fleet: LocalFleet) -> None:
    before = fleet.tree()
    dry = play(fleet, "--diff", check=True)
    assert (dry.rc, dry.changed) == (0, ["zeus"])
    assert f"{MARK.decode()}\n" in dry.out
    assert "would prepare the fleet" in dry.tail
    assert fleet.tree() == before, "a dry run wrote something"

    run = play(fleet)
    assert run.changed == ["zeus"]
    first, line, rest = script(fleet).read_bytes().split(b"\n", 2)
    assert (first + b"\n" + rest, line.endswith(MARK)) == (SCRIPT, True)
    settings, backup = fleet.dir("zeus") / ".survivor_npz/hook.sh", Path(f"{script(fleet)}.before-hook")
    assert [mode(path) for path in (script(fleet), settings.parent, settings, backup)] == [
        0o754,
        0o700,
        0o600,
        0o754,
    ]
    assert backup.read_bytes() == SCRIPT
    assert f"Backup: {backup}\n" in run.tail
    assert "-e survivor_npz_hook_state=absent" in run.tail

    again = play(fleet)
    assert (again.rc, again.changed) == (0, [])
    assert "hooked already; nothing changed" in again.tail

    gone = play(fleet, survivor_npz_hook_state="absent")
    assert gone.changed == ["zeus"]
    assert "the hook is removed" in gone.tail
    assert (script(fleet).read_bytes(), mode(script(fleet))) == (SCRIPT, 0o754)
    assert not settings.exists()
    assert list(fleet.dir("zeus").glob(f"{NAME}?*")) == [backup], "backups pile up"


class Scripts:
    """Many scripts, each of which is hooked by the role's tasks on a host of its own, all in one play."""

    def __init__(self, root: Path, contents: dict[str, bytes]) -> None:
        self.root = root
        self.hosts = list(contents)
        for name, content in contents.items():
            self.path(name).parent.mkdir()
            self.path(name).write_bytes(content)
            self.path(name).chmod(0o751)
        task = {"import_role": {"name": "survivor_npz", "tasks_from": "hook"}}
        play = {"hosts": "all", "gather_facts": False, "tasks": [task]}
        (root / "play.yml").write_text(json.dumps([play]))

    def path(self, name: str) -> Path:
        return self.root / name / NAME

    def play(self, *args: str, **variables: object) -> tuple[str, set[str]]:
        """Play the tasks on every script; returns the screen, and the hosts that changed."""
        common = {
            "ansible_connection": "local",
            "ansible_python_interpreter": sys.executable,
            "survivor_npz_pipeline_dir": str(self.root / "{{ inventory_hostname }}"),
            "survivor_npz_hook_checkout": str(ROOT),
            "survivor_npz_hook_ansible_playbook": "/bin/true",
            "survivor_npz_hook_python": sys.executable,
            **variables,
        }
        inventory = self.root / "hosts.yml"
        inventory.write_text(
            json.dumps({"all": {"vars": common, "hosts": {name: {} for name in self.hosts}}})
        )
        kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
        env = {"ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "ANSIBLE_NOCOLOR": "1", "LC_ALL": "C.UTF-8"}
        done = subprocess.run(
            [
                str(Path(sys.executable).parent / "ansible-playbook"),
                "-i",
                str(inventory),
                *args,
                str(self.root / "play.yml"),
            ],
            env={**kept, **env, "ANSIBLE_LOCAL_TEMP": str(self.root / "tmp")},
            capture_output=True,
            text=True,
            check=False,
        )
        assert "Traceback" not in done.stdout + done.stderr
        screen = done.stdout + done.stderr
        return screen, set(re.findall(r"^(\S+) +: ok=\d+ +changed=[1-9]", screen, re.MULTILINE))


def hooked_once(scripts: Scripts, plain: dict[str, bytes]) -> bool:
    """Whether each script is the plain one with one line after its first, and kept its mode and owner."""
    for name, content in plain.items():
        first, line, rest = scripts.path(name).read_bytes().split(b"\n", 2)
        assert (first + b"\n" + rest, line.endswith(MARK)) == (content, True), name
        assert mode(scripts.path(name)) == 0o751
    return True


@pytest.mark.slow  # 40 s
def test_every_kind_of_script_comes_back_as_it_was_also_if_version_1_0_hooked_it(tmp_path: Path) -> None:
    block = old_block(["--dir=/a b", "--option=-i"]).encode()
    plain = {**FIT, **OLD}
    contents = {**FIT, **{name: OLD[name].replace(b"\n", b"\n" + block, 1) for name in OLD}}
    scripts = Scripts(tmp_path, contents)
    owner = (1234, 2345) if os.geteuid() == 0 else (os.geteuid(), os.getegid())
    os.chown(scripts.path("crlf"), *owner)
    assert scripts.play()[1] == set(plain)
    assert hooked_once(scripts, plain)
    home = scripts.path("crlf").with_name(".survivor_npz")
    for path in (scripts.path("crlf"), home, home / "hook.sh", Path(f"{scripts.path('crlf')}.before-hook")):
        assert (path.stat().st_uid, path.stat().st_gid) == owner, path
    assert scripts.play()[1] == set()
    assert scripts.play(survivor_npz_hook_state="absent")[1] == set(plain)
    assert {name: scripts.path(name).read_bytes() for name in plain} == plain
    assert {mode(scripts.path(name)) for name in plain} == {0o751}


@pytest.mark.skipif(os.geteuid() != 0 or not SETPRIV, reason="only root can become somebody else")
def test_script_of_another_user_is_refused_before_any_change() -> None:
    with tempfile.TemporaryDirectory() as name:  # pytest's own directories are closed to others
        root = Path(name)
        root.chmod(0o777)
        scripts = Scripts(root, {"foreign": SCRIPT})
        scripts.path("foreign").parent.chmod(0o777)
        python = root / "python"
        python.write_text(f'#!/bin/sh\nexec {SETPRIV} --reuid=54321 --clear-groups /usr/bin/python3 "$@"\n')
        python.chmod(0o755)
        screen, changed = scripts.play(ansible_python_interpreter=str(python))
        assert changed == set()
        assert "it belongs to root: run the playbook as that user" in " ".join(screen.split())
        assert scripts.path("foreign").read_bytes() == SCRIPT
        assert os.listdir(scripts.path("foreign").parent) == [NAME]


def unfit(scripts: Scripts) -> None:
    """Turn the scripts into what can't be hooked."""
    for name in ("symlink", "missing", "directory", "fifo"):
        scripts.path(name).unlink()
    scripts.path("symlink").with_name("twin.sh").write_bytes(SCRIPT)
    scripts.path("symlink").symlink_to("twin.sh")
    scripts.path("directory").mkdir()
    os.mkfifo(scripts.path("fifo"))
    os.link(scripts.path("hard-link"), scripts.path("hard-link").with_name("twin.sh"))
    scripts.path("empty").write_bytes(b"")
    scripts.path("no-shebang").write_bytes(b"echo\n")
    scripts.path("perl").write_bytes(b"#!/usr/bin/perl\n")
    scripts.path("cut-first-line").write_bytes(b"#!/bin/bash")
    scripts.path("elsewhere").write_bytes(b"#!/bin/bash\n\n" + old_block([]).encode())
    scripts.path("incomplete").write_bytes(b"#!/bin/bash\n" + old_block([]).encode()[:-30])


@pytest.mark.slow  # one of the longest; make torture plays it
def test_what_cannot_be_hooked_is_refused_in_one_sentence_and_untouched(tmp_path: Path) -> None:
    scripts = Scripts(tmp_path, dict.fromkeys(UNFIT, SCRIPT))
    unfit(scripts)

    def seen() -> dict[Path, tuple[int, int]]:
        files = (path for path in tmp_path.rglob("*") if path.parent.name in UNFIT)
        return {path: (path.lstat().st_ino, path.lstat().st_mtime_ns) for path in files}

    before = seen()
    screen, changed = scripts.play()
    joined = " ".join(screen.split()).replace('\\"', '"')
    for name, reason in UNFIT.items():
        assert f"{scripts.path(name)}: {reason}" in joined, name
    # Nothing to remove is never a fault of these.
    scripts.hosts = ["missing", "perl", "no-shebang", "empty", "cut-first-line"]
    screen, removed = scripts.play(survivor_npz_hook_state="absent")
    assert "failed=1" not in screen
    assert (changed, removed, seen()) == (set(), set(), before)


def test_zeus_without_the_checkout_is_refused_and_the_missing_paths_are_named(fleet: LocalFleet) -> None:
    run = play(fleet, survivor_npz_hook_checkout="/nowhere/survivor-npz")
    assert run.rc == 2
    for path in (
        "module_utils/survivor_npz/hook/entry.py",
        ".venv/bin/ansible-playbook",
        ".venv/bin/python3",
    ):
        assert f"/nowhere/survivor-npz/{path}" in run.tail
    assert script(fleet).read_bytes() == SCRIPT


def test_inventory_that_the_playbook_cannot_read_later_is_refused_now(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    broken = tmp_path / "distributed_config.json"
    broken.write_text('{"nodes": [')
    run = play(fleet, survivor_npz_hook_inventory=[str(broken)])
    assert run.rc == 2
    assert "can't read playbooks/prepare.yml" in run.tail
    assert "was it cut?" in run.tail
    assert script(fleet).read_bytes() == SCRIPT
