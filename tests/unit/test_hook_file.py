"""The script as a file: bytes, mode and owner come back; a kill at any step leaves a whole script."""

import os
import signal
import stat
import tempfile
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.common import durable
from ansible.module_utils.survivor_npz.hook import block as hook
from ansible.module_utils.survivor_npz.hook.scriptfile import read_script, replace_script
from hypothesis import given, settings
from hypothesis import strategies as st

BODY = b"if true; then\n  :\nfi\n"
SCRIPT = b"#!/bin/bash\necho hi"
OWNERS = st.tuples(st.integers(0, 60000), st.integers(0, 60000)) if os.geteuid() == 0 else st.none()


def put(path: Path) -> None:
    data, seen = read_script(str(path))
    replace_script(str(path), hook.put_in(data, BODY), seen)


def take(path: Path) -> None:
    data, seen = read_script(str(path))
    replace_script(str(path), hook.take_out(data), seen)


def look(path: Path) -> tuple[bytes, int, int, int]:
    info = path.stat()
    return path.read_bytes(), stat.S_IMODE(info.st_mode), info.st_uid, info.st_gid


@settings(max_examples=60, deadline=None)
@given(
    rest=st.binary(max_size=60).map(lambda raw: raw.replace(b"\0", b"0")),
    shebang=st.sampled_from([b"#!/bin/bash", b"#!/bin/sh -e\n", b"#!/usr/bin/env bash\r\n"]),
    mode=st.integers(0o400, 0o777).map(lambda mode: mode | 0o600),
    owner=OWNERS,
)
def test_bytes_mode_and_owner_come_back(
    rest: bytes, shebang: bytes, mode: int, owner: tuple[int, int] | None
) -> None:
    with tempfile.TemporaryDirectory() as directory:
        path = Path(directory, "run.sh")
        path.write_bytes(shebang + (b"\n" + rest if not shebang.endswith(b"\n") and rest else rest))
        if owner:
            os.chown(path, *owner)
        path.chmod(mode)
        before = look(path)
        put(path)
        assert look(path)[0] != before[0]
        assert look(path)[1:] == before[1:]
        take(path)
        assert look(path) == before
        assert os.listdir(directory) == ["run.sh"]


def killed_at(path: Path, number: int) -> bool:
    """Put the block in, and be killed at the given step; whether there was such a step."""
    pid = os.fork()
    if pid == 0:
        left = number

        def observer(_when: str, _operation: str, _path: str) -> None:
            nonlocal left
            left -= 1
            if left < 0:
                os.kill(os.getpid(), signal.SIGKILL)

        durable.observer = observer
        try:
            put(path)
        finally:
            os._exit(0)
    return os.WIFSIGNALED(os.waitpid(pid, 0)[1])


def test_kill_at_any_step_leaves_the_old_script_or_the_new_one_and_the_next_run_tidies(
    tmp_path: Path,
) -> None:
    path = tmp_path / "run.sh"
    hooked = hook.put_in(SCRIPT, BODY)
    seen, step = set(), 0
    while True:
        path.write_bytes(SCRIPT)
        path.chmod(0o755)
        if not killed_at(path, step):
            break
        seen.add(path.read_bytes())
        assert path.stat().st_mode & 0o777 == 0o755
        if path.read_bytes() == SCRIPT:
            put(path)
            assert os.listdir(tmp_path) == ["run.sh"]
        assert path.read_bytes() == hooked
        for left in tmp_path.glob(".*"):
            left.unlink()
        step += 1
    assert seen == {SCRIPT, hooked}
    assert step >= 8


@pytest.mark.skipif(not hasattr(os, "setxattr"), reason="no extended attributes here")
def test_extended_attributes_stay(tmp_path: Path) -> None:
    path = tmp_path / "run.sh"
    path.write_bytes(SCRIPT)
    try:
        os.setxattr(path, "user.note", b"mine")
    except OSError:
        pytest.skip("this file system keeps no user attributes")
    put(path)
    assert os.getxattr(path, "user.note") == b"mine"
