# SPDX-License-Identifier: MIT
"""After Ctrl-C nobody knew what was live: every ending is reported, whatever ended the run, and when."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from breakable import LOOK, SWITCH, WAY_BACK
from controllers import Controller, SharedFleet, wait_for
from localfleet import LocalFleet

# Several runs each; on a busy machine each takes its time.
pytestmark = pytest.mark.timeout(1800)
UNCHANGED = "nothing live was changed on any host."
BOTH = (signal.SIGINT, signal.SIGTERM)
# Where the run stands: a fault of a host's connection (see fakessh) or a task, and what the last line says.
MOMENTS: dict[str, tuple[tuple[str, str] | str, str, str]] = {
    "look": (("rig-6600b", LOOK), "", UNCHANGED),
    "convert": (("zeus", '"activate": false'), "", UNCHANGED),
    "copy": (("rig-6600b", "dd of="), "", UNCHANGED),
    "stage": (("rig-6600b", '"open_with"'), "", UNCHANGED),
    "switch": (
        ("rig-6600b", SWITCH),
        "changed: [rig-6600]",
        "rig-6600 switched; rig-6600b may or may not have switched. The next run repairs the fleet.",
    ),
    "between": (
        "switch | See which rigs",
        "",
        "rig-6600, rig-6600b switched. The next run repairs the fleet.",
    ),
    "way back": (
        ("rig-6600", WAY_BACK),
        "",
        "rig-6600, rig-6600b may or may not have switched. The next run repairs the fleet.",
    ),
    "proof": (
        "prove | Stop unless",
        "",
        "rig-6600, rig-6600b, zeus switched. The next run repairs the fleet.",
    ),
}
# Those of `make test`; `make playbooks` plays the others too.
QUICK = {
    ("look", BOTH[0]),
    ("stage", BOTH[1]),
    ("switch", BOTH[0]),
    ("way back", BOTH[0]),
    ("proof", BOTH[1]),
}
CASES = [
    pytest.param(name, number, marks=[] if (name, number) in QUICK else [pytest.mark.slow])
    for index, name in enumerate(MOMENTS)
    for number in (BOTH if name == "switch" else BOTH[index % 2 : index % 2 + 1])
]


@pytest.fixture
def fleet(tmp_path: Path) -> Iterator[SharedFleet]:
    fleet = SharedFleet(tmp_path / "fleet")
    fleet.write_survivors(200)
    yield fleet
    fleet.close()


def stopped_at(fleet: SharedFleet, moment: str) -> Controller:
    """A run of step25.yml that stands at a moment."""
    where, shown, _ = MOMENTS[moment]
    if isinstance(where, str):
        run = fleet.controller(pause=where)
        run.wait()
        return run
    host, pattern = where
    also = {"rig-6600b": ("unreachable", SWITCH)} if moment == "way back" else {}
    fleet.hostvars["zeus"] = {**fleet.hostvars["rig-6600"], "ansible_host": "zeus"}
    run = fleet.controller(faults={host: ("wait", pattern), **also})
    run.wait(host)
    wait_for(lambda: shown in run.screen.partition("switch |")[2 if moment == "switch" else 0], shown)
    return run


@pytest.mark.parametrize(("moment", "number"), CASES)
def test_interrupted_run_ends_without_a_word(fleet: SharedFleet, moment: str, number: signal.Signals) -> None:
    before = {host: fleet.sha256(host) for host in fleet.hosts}
    run = stopped_at(fleet, moment)
    # A terminal sends Ctrl-C to the whole foreground group, `kill` to one process.
    (os.killpg if number == signal.SIGINT else os.kill)(run.process.pid, number)
    done = run.end()
    assert done.rc == 99, done.out
    name = "Ctrl-C" if number == signal.SIGINT else "SIGTERM"
    assert f"INTERRUPTED by {name}: {MOMENTS[moment][2]}" in done.out.splitlines(), done.out
    assert [row["host"] for row in done.report["fleet"]] == [*fleet.rigs, "zeus"], "the table of hosts"
    assert (done.report["ok"], done.report["interrupted"]) == (False, name)
    assert fleet.starts == []
    actions = {row["host"]: row["action"] for row in done.report["fleet"]}
    if moment == "switch":
        assert list(actions.values())[:2] == ["switched", "may or may not have switched"], actions
    if MOMENTS[moment][2] == UNCHANGED:
        assert {host: fleet.sha256(host) for host in fleet.hosts} == before


def test_report_and_exit_code_depend_on_the_operators_callbacks(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path / "fleet", rigs=("rig-6600",), count=None)
    assert_reported(
        fleet, fleet.command("prepare.yml"), {"ANSIBLE_CALLBACKS_ENABLED": "ansible.posix.profile_tasks"}
    )


def test_report_and_exit_code_are_lost_under_ansible_runner(tmp_path: Path) -> None:
    pytest.importorskip("ansible_runner", reason="ansible-runner is not installed, so its run was not tested")
    fleet = LocalFleet(tmp_path / "fleet", rigs=("rig-6600",), count=None)
    (tmp_path / "runner" / "project").mkdir(parents=True)
    playbook = fleet.command("prepare.yml")[-1]
    command = [sys.executable, "-m", "ansible_runner", "run", str(tmp_path / "runner"), "-p", playbook]
    path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
    assert_reported(fleet, [*command, "--inventory", str(fleet.inventory())], {"PATH": path}, "--cmdline")


def assert_reported(fleet: LocalFleet, command: list[str], env: dict[str, str], as_one: str = "") -> None:
    """Both a refusal and a run that did nothing end with 2 and a sentence, and the refusal with a report."""
    path = fleet.root / "report.json"

    def run(*args: str) -> tuple[int, str]:
        options = ["-e", f"survivor_npz_report={path}", *args]
        options = [as_one, " ".join(options)] if as_one else options
        done = subprocess.run(
            [*command[:-1], *options, command[-1]] if not as_one else [*command, *options],
            cwd=fleet.root,
            env=fleet.environment(env),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            timeout=240,
        )
        return done.returncode, done.stdout + done.stderr

    rc, out = run()
    assert (rc, "STOPPED in preflight: Faults on zeus; nothing was changed on any host." in out) == (
        2,
        True,
    ), out
    report: dict[str, Any] = json.loads(path.read_text())
    assert (report["ok"], report["stopped_in"], list(report["faults"])) == (False, "preflight", ["zeus"])
    rc, out = run("--skip-tags", "always")
    assert (rc, "Nothing was done: nothing of prepare.yml ran on the fleet." in out) == (2, True), out


def test_looks_left_out_by_a_tag_pass_for_hosts_without_an_answer(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=("rig-6600",))
    run = fleet.run("step25.yml", "--skip-tags", "preflight")
    assert (run.rc, fleet.starts) == (2, []), run.out
    assert "--skip-tags preflight" in run.tail, run.tail
