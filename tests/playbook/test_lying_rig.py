# SPDX-License-Identifier: MIT
"""A rig replaced ~/.bashrc of the operator by answering a task with facts: its Python lies in every answer."""

from __future__ import annotations

import json
import re
import sys
from pathlib import Path
from typing import Any

import pytest
from localfleet import LocalFleet, Run

LIAR = "rig-6600b"
# Runs the real Python, and changes what it answers; `lie` may use `answer`, and `text`, the module's own text.
INTERPRETER = """#!{python}
import json, subprocess, sys
text = sys.stdin.read() if not sys.stdin.isatty() else ""
done = subprocess.run([{python!r}, *sys.argv[1:]], input=text, capture_output=True, text=True)
try:
    answer = json.loads(done.stdout)
except ValueError:
    sys.stdout.write(done.stdout); sys.stderr.write(done.stderr); sys.exit(done.returncode)
{lie}
print(json.dumps(answer))
sys.exit(done.returncode)
"""
STEERING = """
victim = {victim!r}
answer["ansible_facts"] = {{
    "__survivor_npz_report_options": {{"path": victim}}, "survivor_npz_report": victim,
    "__survivor_npz_guard": {{"team": None}}, "__survivor_npz_plan": {{"parts": {{}}, "goal": {{}}}},
    "__survivor_npz_verdict": {{"proven": True}}, "survivor_npz_scorer": "evil.sh",
}}
answer["report"] = {{"options": {{"path": victim}}, "convert": {{"reason": "forged"}}, "proof": {{"sha256": "0" * 64}}}}
answer["options"] = {{"path": victim}}
answer["members"] = [{{"name": "zeus", "groups": ["survivor_npz_proven"]}}]
answer["add_host"] = {{
    "host_name": "evil", "groups": ["survivor_npz_proven", "survivor_npz_sending", "survivor_npz_cleared"],
    "host_vars": {{"ansible_connection": "local"}},
}}
answer["warnings"] = ["\\x1b[2Jscreen wiped\\x07"]
"""
ADD_GROUP = """
answer.pop("add_host", None)
answer["add_group"] = "survivor_npz_proven"
answer["parent_groups"] = []
"""
LOUD = """
answer["noise"] = "x" * 50_000_000
answer["msg"] = "\\x1b]0;owned\\x07" * 1_000_000
"""
FAILS = """
answer = {"failed": True, "msg": "\\x1b[2J\\x1b]0;owned\\x07 " + "y" * 50_000_000, "exception": "\\x1b[2J"}
"""
NONSENSE = """
answer["copies"] = [{"path": ["\\x1b[2J"], "sha256": 7, "kind": None}]
"""
PYTHON = """
answer["python"] = "three.\\x1b[2J"
"""


def start(tmp_path: Path, lie: str) -> tuple[LocalFleet, Path]:
    """A converged fleet, one rig of which lies from now on; and a file of the operator's."""
    fleet = LocalFleet(tmp_path / "fleet")
    fleet.converge()
    victim = tmp_path / "bashrc"
    victim.write_text("the operator's own")
    interpreter = tmp_path / "python3"
    lie = lie.format(victim=str(victim)) if "{victim" in lie else lie
    interpreter.write_text(INTERPRETER.format(python=sys.executable, lie=lie))
    interpreter.chmod(0o755)
    fleet.hostvars[LIAR]["ansible_python_interpreter"] = str(interpreter)
    return fleet, victim


def row(run: Run, host: str) -> dict[str, Any]:
    return next(entry for entry in run.report["fleet"] if entry["host"] == host)


def holds(fleet: LocalFleet, run: Run, victim: Path) -> None:
    """Whatever the rig answers: nothing of the controller's is touched, and no terminal is steered."""
    assert victim.read_text() == "the operator's own"
    assert sorted(path.name for path in victim.parent.iterdir()) == ["bashrc", "fleet", "python3"]
    assert "\x1b" not in run.out
    assert "\x07" not in run.out
    assert len(run.out) < 60_000, "a rig's text fills the screen"
    assert "Traceback" not in run.out
    assert "evil" not in run.recap


@pytest.mark.parametrize(
    "lie", [STEERING, STEERING + ADD_GROUP, LOUD], ids=["facts and hosts", "groups", "50 MB"]
)
def test_an_unchanged_rig_steers_the_controller_by_its_look(tmp_path: Path, lie: str) -> None:
    fleet, victim = start(tmp_path, lie)
    run = fleet.run()
    holds(fleet, run, victim)
    assert (run.rc, fleet.starts) == (0, ["7"]), run.out
    assert run.report["convert"]["reason"] == "fresh"
    assert {row(run, host)["proof"] for host in fleet.hosts} == {"yes"}
    status = fleet.run("status.yml")
    holds(fleet, status, victim)
    assert status.report["status"]["same"] is True


def test_a_changed_rig_steers_the_controller_by_its_answer_to_copy(tmp_path: Path) -> None:
    fleet, victim = start(tmp_path, STEERING)
    fleet.write_survivors(200)
    before = {host: fleet.sha256(host) for host in fleet.hosts}
    run = fleet.run()
    assert run.rc != 0
    holds(fleet, run, victim)
    assert fleet.starts == []
    assert {host: fleet.sha256(host) for host in fleet.hosts} == before
    assert run.report["faults"].keys() == {LIAR}
    assert re.search(
        r"answer to the copy task carries (add_host, )?ansible_facts", " ".join(run.tail.split())
    )
    assert row(run, "rig-6600")["before"].startswith("outdated")


@pytest.mark.parametrize(
    ("lie", "text"),
    [
        (FAILS, "yyyy"),
        (NONSENSE, "the host's answer is not one of survivor_npz_look"),
        (PYTHON, "makes no sense"),
    ],
    ids=["fails with 50 MB", "another shape", "another type"],
)
def test_an_answer_without_sense_ends_in_a_traceback(tmp_path: Path, lie: str, text: str) -> None:
    fleet, victim = start(tmp_path, lie)
    run = fleet.run()
    holds(fleet, run, victim)
    assert (run.rc, fleet.starts) == (2, [])
    assert run.report["faults"].keys() == {LIAR}
    assert text in json.dumps(run.report["faults"][LIAR])
    status = fleet.run("status.yml")
    holds(fleet, status, victim)
    assert status.rc == 0
    assert status.report["status"]["faults"].keys() == {LIAR}


@pytest.mark.parametrize("name", ["survivor_npz_proven", "survivor_npz_cleared"])
def test_a_group_of_the_inventory_opens_a_gate(tmp_path: Path, name: str) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    extra = tmp_path / "more.ini"
    extra.write_text(f"[{name}]\nzeus\n")
    run = fleet.run("step25.yml", "-i", str(extra))
    assert (run.rc, fleet.starts) == (2, []), run.out
    assert f"{name} was given from outside" in run.tail


def test_a_variable_of_one_rig_forges_a_result(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    fleet.hostvars["rig-6600"]["__survivor_npz_switched"] = {"changed": True}
    run = fleet.run()
    assert (run.rc, fleet.starts) == (2, []), run.out
    assert "__survivor_npz_switched was given from outside" in run.tail
