"""survivor_npz_hook: check, real, check, real; what it refuses; what it keeps."""

import json
import os
import stat
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import survivor_npz_hook
from ansible.module_utils import basic
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.hook import block as hook
from ansible.module_utils.testing import patch_module_args

BLOCK = "if true; then\n  :\nfi\n"
ROOT = Path(__file__).resolve().parents[2]


class ExitedError(Exception):
    """What exit_json or fail_json would have printed."""


@pytest.fixture
def run(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Any:
    def leave(_module: basic.AnsibleModule, **result: Any) -> None:
        raise ExitedError(result)

    def fail(_module: basic.AnsibleModule, **result: Any) -> None:
        raise ExitedError({"failed": True, **result})

    monkeypatch.setattr(basic.AnsibleModule, "exit_json", leave)
    monkeypatch.setattr(basic.AnsibleModule, "fail_json", fail)

    def call(path: Path, check: bool = False, diff: bool = False, **params: Any) -> dict[str, Any]:
        args = {"path": str(path), "_ansible_check_mode": check, "_ansible_diff": diff, **params}
        if args.get("state") != "absent":
            args.setdefault("block", BLOCK)
        with patch_module_args(args), pytest.raises(ExitedError) as caught:
            survivor_npz_hook.main()
        result: dict[str, Any] = caught.value.args[0]
        return result

    return call


@pytest.fixture
def script(tmp_path: Path) -> Path:
    path = tmp_path / "run_scorer_meta_optimizer.sh"
    path.write_bytes(b"#!/bin/bash\necho caf\xe9\r\n# no final newline")
    path.chmod(0o751)
    return path


@pytest.fixture
def open_dir() -> Iterator[Path]:
    """A directory that any user may write to; pytest's own are closed to others."""
    with tempfile.TemporaryDirectory() as name:
        os.chmod(name, 0o777)  # noqa: S103
        yield Path(name)


def seen(path: Path) -> tuple[bytes, int, int, int]:
    info = path.stat()
    return path.read_bytes(), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


@pytest.mark.parametrize("state", ["present", "absent"])
def test_check_real_check_real(run: Any, script: Path, state: str) -> None:
    plain = seen(script)
    if state == "absent":
        run(script, backup=False)
    before = seen(script)
    assert run(script, check=True, state=state)["changed"] is True
    assert seen(script) == before
    assert sorted(os.listdir(script.parent)) == [script.name]
    assert run(script, state=state, backup=False)["changed"] is True
    after = seen(script)
    assert after[0] != before[0]
    assert after[1:] == plain[1:]
    assert (after == plain) is (state == "absent")
    assert run(script, check=True, state=state)["changed"] is False
    inode = script.stat().st_ino
    assert run(script, state=state)["changed"] is False
    assert script.stat().st_ino == inode, "an unchanged script was rewritten"
    assert sorted(os.listdir(script.parent)) == [script.name]


def test_backup_holds_what_was_there(run: Any, script: Path) -> None:
    plain = seen(script)
    backup = Path(run(script)["backup_file"])
    assert seen(backup) == plain
    assert backup.parent == script.parent


def test_diff_shows_the_block_and_no_traceback_on_latin1(run: Any, script: Path) -> None:
    diff = run(script, check=True, diff=True)["diff"]
    assert hook.BEGIN.decode() not in diff["before"]
    assert diff["after"].split("\n")[1] == hook.BEGIN.decode()


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can give a file away")
def test_owner_stays_when_root_hooks_a_users_script(run: Any, script: Path) -> None:
    os.chown(script, 1234, 2345)
    assert run(script)["changed"] is True
    assert seen(script)[1:] == (0o751, 1234, 2345)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody else")
def test_foreign_owner_who_cannot_be_kept_is_refused_before_any_change(open_dir: Path) -> None:
    path = open_dir / "run.sh"
    path.write_bytes(b"#!/bin/bash\n")
    path.chmod(0o755)
    code = (
        "import os, sys\n"
        "import ansible.module_utils as u; u.__path__.append(sys.argv[1])\n"
        "from ansible.module_utils.survivor_npz.hook import scriptfile\n"
        "from ansible.module_utils.survivor_npz.hook.block import HookError\n"
        "os.setgid(54321); os.setuid(54321)\n"
        "data, seen = scriptfile.read_script(sys.argv[2])\n"
        "try: scriptfile.replace_script(sys.argv[2], b'#!/bin/sh\\n', seen)\n"
        "except HookError as error: print(error)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, str(ROOT / "module_utils"), str(path)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert "run the playbook as the script's owner" in done.stdout, done.stderr
    assert path.read_bytes() == b"#!/bin/bash\n"
    assert os.listdir(open_dir) == ["run.sh"]


@pytest.mark.parametrize("state", ["present", "absent"])
def test_symlink_is_refused_and_stays_one(run: Any, script: Path, state: str) -> None:
    link = script.parent / "link.sh"
    link.symlink_to(script.name)
    result = run(link, state=state)
    assert result["failed"]
    assert "symlink to run_scorer_meta_optimizer.sh" in result["msg"]
    assert link.is_symlink()


@pytest.mark.parametrize(
    ("data", "says"),
    [(b"", "empty"), (b"#!/bin/bash\0\n", "NUL"), (b"echo\n", "#!"), (b"#!/usr/bin/perl\n", "perl")],
)
@pytest.mark.parametrize("check", [True, False])
def test_what_is_no_shell_script_is_refused_in_check_mode_too(
    run: Any, script: Path, data: bytes, says: str, check: bool
) -> None:
    script.write_bytes(data)
    result = run(script, check=check)
    assert result["failed"]
    assert says in result["msg"]
    assert str(script) in result["msg"]
    assert script.read_bytes() == data
    assert run(script, state="absent", check=check) == {"changed": False, "path": str(script)}


def test_missing_script_has_no_block_to_take_out_but_none_to_get_either(run: Any, tmp_path: Path) -> None:
    missing = tmp_path / "none.sh"
    assert run(missing, state="absent") == {"changed": False, "path": str(missing)}
    assert "No such file" in run(missing)["msg"]


def test_directory_fifo_and_hard_link_are_refused(run: Any, script: Path, tmp_path: Path) -> None:
    assert "no regular file" in run(tmp_path)["msg"]
    os.mkfifo(tmp_path / "fifo")
    assert "no regular file" in run(tmp_path / "fifo")["msg"]
    os.link(script, tmp_path / "twin.sh")
    assert "hard links" in run(script)["msg"]


def test_script_changed_under_us_is_not_overwritten(
    run: Any, script: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def edit(when: str, operation: str, path: str) -> None:
        if (when, operation) == ("after", "fsync"):
            script.write_bytes(b"#!/bin/bash\n# edited\n")

    monkeypatch.setattr(durable, "observer", edit)
    assert "somebody changed it" in run(script, backup=False)["msg"]
    assert script.read_bytes() == b"#!/bin/bash\n# edited\n"
    assert os.listdir(script.parent) == [script.name]


def test_full_disk_leaves_the_script_alone(run: Any, script: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(when: str, operation: str, path: str) -> None:
        if operation == "write":
            raise OSError(28, "No space left on device")

    before = seen(script)
    monkeypatch.setattr(durable, "observer", full)
    result = run(script, backup=False)
    assert "No space left" in result["msg"]
    assert seen(script) == before
    assert os.listdir(script.parent) == [script.name]


def test_temp_file_of_a_killed_run_is_removed_by_the_next(run: Any, script: Path) -> None:
    dead = script.parent / f".{script.name}.tmp.999999999"
    alive = script.parent / f".{script.name}.tmp.1"
    for path in (dead, alive):
        path.write_bytes(b"half")
    run(script, backup=False)
    assert not dead.exists()
    assert alive.exists()


def test_documented_result_is_json(run: Any, script: Path) -> None:
    assert json.dumps(run(script, check=True, diff=True))
