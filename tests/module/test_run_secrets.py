# SPDX-License-Identifier: MIT
"""What the script gets in its environment is seen by the script alone."""

from __future__ import annotations

import json
import subprocess
from typing import Any

import pytest
import yaml
from ansible.module_utils import basic
from ansible.module_utils.survivor_npz.run import control
from launch import SCRIPT, Place
from launcher import Launcher
from module_run import run_here

pytest_plugins = ("launch_fixtures",)
SECRET = "hunter2-in-clear-text"  # noqa: S105 - of nobody
ENVIRONMENT = {"HF_TOKEN": SECRET, "CUDA_VISIBLE_DEVICES": "1"}


@pytest.fixture
def syslog(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    lines: list[str] = []
    monkeypatch.setattr(basic, "has_journal", False)
    monkeypatch.setattr(basic.syslog, "syslog", lambda _level, line: lines.append(line))
    return lines


def written(place: Place) -> bytes:
    return b"".join(path.read_bytes() for path in place.dir.rglob("*") if path.is_file())


@pytest.mark.parametrize("check", [False, True])
def test_secret_stands_in_syslog_the_answer_a_file_or_the_process_list(
    place: Place, syslog: list[str], check: bool
) -> None:
    place.script("until [ -e go ]; do sleep 0.1; done; [ $HF_TOKEN ] && [ $CUDA_VISIBLE_DEVICES = 1 ]")
    arguments = {"dir": str(place.dir), "state": "started", "script": SCRIPT, "environment": ENVIRONMENT}
    answer = run_here("survivor_npz_run", arguments, check)
    assert SECRET not in json.dumps(answer)
    assert "VALUE_SPECIFIED" not in json.dumps(answer)  # a value as short as "1" hides nothing else
    assert "****" not in json.dumps(answer)
    if "invocation" in answer:  # ansible-core 2.21 leaves it out
        assert answer["invocation"]["module_args"] == {"job": "run"}
    assert any(SCRIPT in line for line in syslog)
    assert SECRET not in "".join(syslog)
    if check:
        return
    lines = subprocess.run(["ps", "axww", "-o", "args"], capture_output=True, check=True).stdout
    assert b"--dir " + bytes(place.dir) in lines
    assert SECRET.encode() not in lines
    (place.dir / "go").touch()
    assert place.end()["verdict"] == "ok"
    assert SECRET.encode() not in written(place)


@pytest.mark.parametrize(
    "wrong",
    [
        {"dir": "/nonexistent/dir"},
        {"script": None},
        {"args": None},
        {"grace": "soon"},
        {"npz": {"sha256": "5e", "path": "/x"}},
    ],
)
def test_secret_stands_in_the_error_of_a_start_that_fails(
    place: Place, syslog: list[str], wrong: dict[str, Any]
) -> None:
    place.script("true")
    arguments = {
        "dir": str(place.dir),
        "state": "started",
        "script": SCRIPT,
        "environment": ENVIRONMENT,
        **wrong,
    }
    answer = run_here("survivor_npz_run", arguments)
    assert answer["failed"]
    assert SECRET not in json.dumps(answer) + "".join(syslog)


@pytest.mark.parametrize("script", ["exit 0", "exit 3"])
def test_secret_stands_on_the_most_talkative_screen(zeus: Launcher, script: str) -> None:
    zeus.place.script(f"[ $HF_TOKEN ] && {script}")
    task = {
        "name": "Start",
        "survivor_npz_live": {
            "dir": str(zeus.place.dir),
            "script": SCRIPT,
            "environment": "{{ survivor_npz_scorer_environment }}",
        },
    }
    own = zeus.own({"hosts": "zeus", "gather_facts": False, "tasks": [task]})
    variables = zeus.root / "secrets.yml"
    variables.write_text(yaml.safe_dump({"survivor_npz_scorer_environment": ENVIRONMENT}))
    rc, text = zeus.play(own, "-vvvvv", "-e", f"@{variables}")
    assert (rc == 0) == (script == "exit 0"), text
    assert "Step 2.5 runs on zeus" in text
    assert SECRET not in text
    assert control.finished(str(zeus.place.dir))["exit_code"] == int(script[-1])
    assert SECRET.encode() not in written(zeus.place)
