# SPDX-License-Identifier: MIT
"""Step 2.5 when something breaks: Ctrl-C, a killed controller, a cut connection, two launches at once."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control
from launch import Place, Sshd, alive, until
from launcher import Launcher, shown

pytest_plugins = ("launch_fixtures",)


def interrupt(launcher: Launcher, tty: bool, number: int) -> tuple[str, list[int]]:
    """Start, interrupt, and return the screen and the pids that should be gone."""
    launcher.place.script("setsid sleep 60 & echo $! > child; echo ready; while :; do sleep 0.1; done")
    with launcher.playing(tty=tty) as screen:
        screen.wait_for("] ready")
        pids = [launcher.place.pid_in("child"), control.query(str(launcher.place.dir))["pid"]]
        if tty:
            screen.type(b"\x03")
        else:
            screen.kill(number)
        screen.end(30)
        # SIGTERM ends the controller at once; its worker goes on until the script is stopped.
        screen.wait_for("was stopped on zeus", 15) if "was stopped" not in screen.text else None
    return screen.text, pids


def test_ctrl_c_stops_the_script_with_its_children_and_says_so(zeus: Launcher) -> None:
    text, pids = interrupt(zeus, True, 0)
    assert "Ctrl-C: stopping Step 2.5" in text
    assert "check those hosts for leftover workers" in text
    assert "Traceback" not in text
    assert not any(alive(pid) for pid in pids)


def test_ctrl_c_stops_it_over_ssh_too(remote_zeus: Launcher) -> None:
    text, pids = interrupt(remote_zeus, True, 0)
    assert "Ctrl-C: stopping Step 2.5" in text
    assert not any(alive(pid) for pid in pids)


def test_sigterm_stops_it_too(zeus: Launcher) -> None:
    text, pids = interrupt(zeus, False, 15)
    assert "SIGTERM: stopping Step 2.5" in text
    assert not any(alive(pid) for pid in pids)


def test_ctrl_c_on_a_follower_ends_the_watching_not_the_run(zeus: Launcher) -> None:
    zeus.place.script("echo ready; sleep 60")
    record = zeus.place.start()
    with zeus.playing("follow.yml", tty=True) as screen:
        screen.wait_for("] ready")
        screen.type(b"\x03")
        screen.end(30)
    assert "no longer watching" in screen.text
    assert alive(record["pid"])


def test_killed_controller_does_not_kill_the_run_and_leaves_no_worker(zeus: Launcher) -> None:
    zeus.place.script("echo ready; until [ -e go ]; do sleep 0.1; done; echo {} > optimal.json")
    with zeus.playing(survivor_npz_scorer_creates=["optimal.json"]) as screen:
        screen.wait_for("] ready")
        screen.kill(9)
        screen.end(30)  # also: the worker lets go of the screen
    note = control.query(str(zeus.place.dir))
    assert alive(note["pid"])
    rc, text = zeus.play()
    assert rc == 2
    assert "playbooks/follow.yml" in text
    (zeus.place.dir / "go").touch()
    record = zeus.place.end()
    assert (record["verdict"], record["creates"]) == ("ok", {"optimal.json": "written"})


def test_cut_connection_is_made_again_and_the_run_never_notices(remote_zeus: Launcher, sshd: Sshd) -> None:
    remote_zeus.place.script("for i in $(seq 90); do echo line $i; sleep 0.1; done")
    with remote_zeus.playing() as screen:
        screen.wait_for("] line 5\n")
        sshd.cut()
        screen.wait_for("No connection to zeus. Step 2.5 goes on there")
        time.sleep(1)
        sshd.up()
        rc = screen.end()
    assert rc == 0, screen.text
    assert "The connection to zeus is back" in screen.text
    assert shown(screen.text) == [f"line {i}" for i in range(1, 91)]


def test_connection_lost_for_good_ends_the_watching_only(remote_zeus: Launcher, sshd: Sshd) -> None:
    remote_zeus.place.script("echo ready; sleep 60")
    with remote_zeus.playing(survivor_npz_reconnect=1) as screen:
        screen.wait_for("] ready")
        sshd.cut()
        rc = screen.end()
    assert rc == 2
    assert "lost for good. Step 2.5 goes on there" in screen.text.replace("\n", " ")
    assert control.query(str(remote_zeus.place.dir))["running"]


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_of_two_playbooks_at_once_one_launches(zeus: Launcher) -> None:
    zeus.place.script("echo start >> starts; sleep 3")
    with zeus.playing() as one, zeus.playing() as other:
        assert sorted((one.end(), other.end())) == [0, 2]
    assert (zeus.place.dir / "starts").read_text() == "start\n"
    until(lambda: not control.query(str(zeus.place.dir))["running"], "the end")


@pytest.mark.parametrize("delay", [0.15, 0.4])
def test_ctrl_c_in_the_middle_of_the_start_leaves_nothing_running(zeus: Launcher, delay: float) -> None:
    zeus.place.script("setsid sleep 60 & while :; do sleep 0.1; done")
    with zeus.playing("step25.yml", "-v", tty=True) as screen:
        screen.wait_for("run | Refuse to start")  # it is over: with its result comes its name
        time.sleep(delay)
        screen.type(b"\x03")
        time.sleep(0.3)
        screen.type(b"\x03")  # impatient: the controller dies, its worker finishes the job
        screen.end(30)
    assert "Traceback" not in screen.text
    until(lambda: not control.query(str(zeus.place.dir))["running"], "nothing runs")
    time.sleep(0.5)
    assert not control.query(str(zeus.place.dir))["running"]


def test_full_log_disk_is_told_while_it_runs_and_in_the_verdict(small_disk: Path, tmp_path: Path) -> None:
    disk = Place(small_disk)
    launcher = Launcher(disk, tmp_path)
    disk.script("head -c 3000000 /dev/zero | tr '\\0' x; echo; echo the end; sleep 2; exit 0")
    rc, text = launcher.play()
    assert rc == 0
    assert "The log is cut (No space left on device)" in text
    assert "its log is cut at byte" in text.rpartition("PLAY RECAP")[2].replace("\n", " ")
