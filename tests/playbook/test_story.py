# SPDX-License-Identifier: MIT
"""The playbook walked every rig through Zeus's work: few tasks per host, one task per decision, a quiet screen."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest
import yaml
from launcher import Launcher
from localfleet import ROOT, LocalFleet, Run

pytest_plugins = ("launch_fixtures",)
RIGS = ("rig-6600", "rig-6600b", "rig-6600c")


def results(run: Run) -> dict[str, int]:
    """Task results per host, skipped ones included."""
    kinds = ("ok", "skipped", "failed", "unreachable")
    return {host: sum(counts[kind] for kind in kinds) for host, counts in run.recap.items()}


def screen(run: Run) -> list[str]:
    """The lines of a run without its report as JSON, which the harness asks for."""
    return [line for line in run.out.splitlines() if not line.startswith("{")]


def test_tasks_and_lines_of_an_unchanged_and_of_a_changed_fleet(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path, rigs=RIGS)
    fleet.ram("rig-6600").parent.mkdir(parents=True)
    fleet.ram("rig-6600").write_bytes(b"old")
    run = fleet.run("prepare.yml")
    assert run.rc == 0, run.out
    assert max(results(run)[rig] for rig in RIGS) <= 5, run.out
    assert results(run)["zeus"] <= 20, run.out
    assert len(screen(run)) <= 60, run.out
    run = fleet.run("prepare.yml")
    assert run.rc == 0, run.out
    assert max(results(run)[rig] for rig in RIGS) <= 2, run.out
    assert results(run)["zeus"] <= 15, run.out
    assert len(screen(run)) <= 40, run.out
    assert len(screen(fleet.run("prepare.yml", "-v"))) > len(screen(run)), "-v shows more"


def test_the_role_grows_back() -> None:
    role = ROOT / "roles" / "survivor_npz"
    files = [*role.glob("tasks/*.yml"), *role.glob("vars/*.yml")]
    lengths = {path: len(path.read_text().splitlines()) for path in files}
    assert max(lengths.values()) < 100
    assert sum(lengths.values()) < 700


def test_the_push_is_hidden_in_a_module_of_our_own() -> None:
    tasks = yaml.safe_load((ROOT / "roles/survivor_npz/tasks/receive.yml").read_text())
    assert [task["ansible.builtin.copy"]["checksum"] for task in tasks] == [
        "{{ __survivor_npz_part.goal.sha1 }}"
    ]


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_play_of_the_operators_own_over_the_whole_fleet(tmp_path: Path) -> None:
    fleet = LocalFleet(tmp_path / "fleet", rigs=RIGS)
    own = tmp_path / "own.yml"
    play = {
        "name": "My own play",
        "hosts": "coordinator:rigs",
        "gather_facts": False,
        "tags": ["mine"],
        "roles": [{"role": "survivor_npz"}],
    }

    def run(*args: str, **more: object) -> Run:
        own.write_text(yaml.safe_dump([{**play, **more}]))
        return fleet.run(str(own), *args)

    dry = run("--check")
    assert (dry.rc, dry.changed) == (0, [*RIGS, "zeus"]), dry.out
    done = run()
    assert (done.rc, done.changed) == (0, dry.changed), done.out
    assert len({fleet.sha256(host) for host in fleet.hosts}) == 1
    fleet.npz("rig-6600").write_bytes(b"stale")
    done = run("--tags", "mine")
    assert (done.rc, done.changed) == (0, ["rig-6600"]), done.out
    for more, text in (
        ({"serial": 1}, "`serial` splits the fleet"),
        ({"hosts": "rigs"}, "This play leaves out zeus"),
    ):
        done = run(**more)
        assert done.rc != 0, done.out
        assert text in " ".join(done.out.split()), done.out


def test_a_terminal_shows_which_host_a_slow_task_waits_for_and_a_pipe_does_not(zeus: Launcher) -> None:
    """The rig's Python starts once the screen names the rig."""
    go, python = zeus.root / "go", zeus.root / "python"
    python.write_text(f'#!/bin/sh\nuntil [ -e {go} ]; do sleep 0.1; done\nexec {sys.executable} "$@"\n')
    python.chmod(0o755)
    inventory = zeus.root / "inventory.yml"
    tree = yaml.safe_load(inventory.read_text())
    tree["all"]["children"]["rigs"]["hosts"]["rig-6600"]["ansible_python_interpreter"] = str(python)
    inventory.write_text(yaml.safe_dump(tree))
    with zeus.playing("status.yml", tty=True) as terminal:
        terminal.wait_for("preflight | Look at every copy and at w…: waiting for rig-6600")
        go.touch()
        assert terminal.end() == 0
    *_, last = terminal.text.split("waiting for ")  # on a busy machine the last one is zeus
    assert re.match(r"[a-z0-9, -]+\x1b\[K\r\x1b\[K", last), "the line is erased before anything else"
    rc, pipe = zeus.play("status.yml")
    assert (rc, "waiting for" in pipe, "\r" in pipe) == (0, False, False)
