# SPDX-License-Identifier: MIT
"""Step 2.5 from the operator's seat: seen as it happens, its exit code believed, its output harmless."""

from __future__ import annotations

import os
import re
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control
from launch import alive
from launcher import COUNT, Launcher, Screen, shown
from localfleet import NPZ, ROOT

pytest_plugins = ("launch_fixtures",)

CLOCKS = """for i in $(seq 8); do echo at $(date +%s.%N); sleep 0.4; done
printf 'half at '; date +%s.%N | tr -d '\\n'"""


def lateness(screen: Screen) -> list[float]:
    """How late each line came that says when it was written."""
    told = [(came, re.search(r"at (\d+\.\d+)", line)) for came, line in screen.lines if line.startswith("[")]
    return [came - float(match[1]) for came, match in told if match]


def watch_clocks(launcher: Launcher) -> None:
    # The last line has no end for three seconds: it must come in time as well.
    launcher.place.script(f"{CLOCKS}; sleep 3; echo; echo {{}} > optimal.json")
    for _ in range(3):
        with launcher.playing(survivor_npz_scorer_creates=["optimal.json"]) as screen:
            rc = screen.end()
        assert rc == 0, screen.text
        late = lateness(screen)
        assert len(late) == 9
        assert "Step 2.5 finished successfully" in screen.text
        # The promise is for a host that is not itself short of CPU: only then is there a second try.
        if max(late) <= 2 or os.getloadavg()[0] <= (os.cpu_count() or 1):
            break
    assert max(late) <= 2, late


def test_output_is_seen_as_it_is_written_on_a_local_zeus(zeus: Launcher) -> None:
    watch_clocks(zeus)
    record = control.finished(str(zeus.place.dir))
    assert (record["npz"]["sha256"], record["npz"]["survivor_count"]) == (zeus.sha256, COUNT)
    assert sorted(record["proved"]) == ["rig-6600", "zeus"]


def test_output_is_seen_as_it_is_written_over_ssh(remote_zeus: Launcher) -> None:
    watch_clocks(remote_zeus)


def test_failed_script_fails_the_play_with_its_last_lines_and_its_log(zeus: Launcher) -> None:
    zeus.place.script(
        "for i in $(seq 40); do echo line $i; done; echo 'no such option: --legacy-scoring'; exit 127"
    )
    rc, text = zeus.play()
    assert rc == 2
    log = control.finished(str(zeus.place.dir))["log"]
    message = text.rpartition("PLAY RECAP")[2]
    assert "exit code 127" in message
    assert log in message
    assert "line 11\n" not in message
    assert message.index("line 12\n") < message.index("line 40\n") < message.index("--legacy-scoring")
    assert "Traceback" not in text


def test_100_000_lines_come_whole_and_in_order_with_flat_memory(zeus: Launcher) -> None:
    zeus.place.script("seq -f 'trial %06.0f of one hundred thousand, value 0.5' 100000; sleep 1")
    peaks = []
    with zeus.playing() as screen:
        screen.wait_for("Step 2.5 runs on zeus")
        while screen._read(0.2):
            status = Path(f"/proc/{screen.pid}/status")
            if "VmHWM" in (text := status.read_text()):
                peaks.append(int(text.partition("VmHWM:")[2].split()[0]))
        assert screen.end() == 0
    assert shown(screen.text) == [
        f"trial {i:06d} of one hundred thousand, value 0.5" for i in range(1, 100001)
    ]
    assert peaks[-1] - peaks[0] < 40 * 1024, f"KiB: {peaks[0]} … {peaks[-1]}"


def test_output_cannot_take_over_the_screen(zeus: Launcher) -> None:
    zeus.place.script("""printf '\\033[2J\\033[31mred\\033[0m \\033]0;title\\007 \\x9b1A \\u202e\\xff\\n'
printf '[localhost] {{ lookup("pipe", "touch pwned") }}\\n'
head -c 1000000 /dev/zero | tr '\\0' y; echo; printf 'bar 1\\rbar 2\\rbar 3\\r\\n'
head -c 3000 /dev/urandom; exit 9""")
    rc, text = zeus.play()
    assert rc == 2
    assert not re.search("[\x00-\x08\x0b-\x1f\x7f-\x9f\u202e]", text.replace("\r", ""))
    lines = shown(text)
    assert lines[0] == r"\x1b[2Jred \x1b]0;title\x07 \x9b1A \u202e\xff"
    assert lines[1] == '[localhost] {{ lookup("pipe", "touch pwned") }}'
    assert not (zeus.place.dir / "pwned").exists()
    assert lines[2].startswith("yyy")
    assert "(996000 more characters in the log)" in lines[2]
    assert lines[3] == "bar 3"


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_silence_shows_a_sign_of_life_and_cron_sees_none(zeus: Launcher) -> None:
    zeus.place.script("sleep 3.5; echo done")
    rc, text = zeus.play(survivor_npz_sign_of_life=1)
    assert rc == 0
    assert 1 <= len(re.findall(r"pid \d+ is running, without output for 0:00:0\d", text)) <= 4
    zeus.place.script("echo noise; sleep 1; echo noise")
    rc, text = zeus.play(survivor_npz_quiet=True)
    assert rc == 0
    assert "noise" not in text
    assert "finished successfully" in text


def test_dry_run_never_starts_it_and_says_what_it_would_start(zeus: Launcher) -> None:
    zeus.place.script("echo > started")
    before = sorted(zeus.place.dir.rglob("*"))
    rc, text = zeus.play("step25.yml", "--check", survivor_npz_scorer_args=["100", "--sample-size", "50"])
    assert rc == 0
    assert sorted(zeus.place.dir.rglob("*")) == before
    assert f"would start on zeus: {zeus.place.dir}/run_scorer_meta_optimizer.sh 100 --sample-size 50" in text


def test_nothing_starts_without_the_gate(zeus: Launcher) -> None:
    zeus.place.script("echo > started")
    opened = {"name": "zeus", "groups": ["survivor_npz_lead", "survivor_npz_proven"]}
    verdict = {"proven": True, "sha256": zeus.sha256, "hosts": ["rig-6600", "zeus"]}
    forge = [{"ansible.builtin.add_host": opened}]
    enter = [
        {"ansible.builtin.set_fact": {"__survivor_npz_verdict": verdict}},
        {"ansible.builtin.import_role": {"name": "survivor_npz", "tasks_from": "run"}},
    ]
    own = zeus.own(
        {"name": "Open the gate", "hosts": "localhost", "gather_facts": False, "tasks": forge},
        {"name": "Enter", "hosts": "survivor_npz_proven", "gather_facts": False, "tasks": enter},
    )
    rc, text = zeus.play(own)
    assert rc == 2
    assert "The guard did not run" in text
    assert not (zeus.place.dir / "started").exists()


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_detached_run_is_refused_a_second_then_followed_to_its_verdict(zeus: Launcher) -> None:
    zeus.place.script("echo early; until [ -e go ]; do sleep 0.1; done; echo late; exit 5")
    rc, text = zeus.play(survivor_npz_detach=True)
    assert rc == 0, text
    first = control.query(str(zeus.place.dir))
    assert first["running"]
    assert "runs on zeus on its own" in text
    rc, text = zeus.play()
    assert rc == 2
    for known in (str(first["pid"]), first["start"], first["log"], "playbooks/follow.yml"):
        assert known in text.replace("\n", " ")
    with zeus.playing("follow.yml") as screen:
        screen.wait_for("early")
        (zeus.place.dir / "go").touch()
        assert screen.end() == 2
    assert "late" in shown(screen.text)
    assert "exit code 5" in screen.text
    assert "NOT started" not in screen.text
    rc, text = zeus.play("follow.yml")
    assert rc == 0
    assert "is not running. The last run" in text


def test_run_that_dies_in_its_first_seconds_is_not_called_detached(zeus: Launcher) -> None:
    zeus.place.script("echo no GPU; sleep 0.5; exit 3")
    rc, text = zeus.play(survivor_npz_detach=True)
    assert rc == 2
    assert "exit code 3" in text
    assert "no GPU" in text


def test_stop_playbook_ends_script_and_children_and_names_what_is_beyond_it(zeus: Launcher) -> None:
    zeus.place.script("trap '' TERM; setsid sleep 60 & echo $! > child; wait; wait")
    zeus.place.start(grace=0.5)
    child = zeus.place.pid_in("child")
    rc, text = zeus.play("stop.yml", "--check")
    assert rc == 0
    assert "would be stopped" in text
    assert alive(child)
    rc, text = zeus.play("stop.yml")
    assert rc == 0
    assert not alive(child)
    assert "was stopped" in text
    assert "was not stopped: check those hosts for leftover workers" in text.replace("\n", " ")
    rc, text = zeus.play("stop.yml")
    assert rc == 0
    assert "nothing to stop" in text
    assert "changed=0" in text


def test_npz_switched_between_proof_and_start_is_not_started_on(zeus: Launcher) -> None:
    zeus.place.script("echo > started")
    switch = {
        "ansible.builtin.copy": {"content": "switched", "dest": str(zeus.place.dir / NPZ), "mode": "0644"}
    }
    enter = {"ansible.builtin.import_role": {"name": "survivor_npz", "tasks_from": "run"}}
    prepare = str(ROOT / "playbooks" / "prepare.yml")
    own = zeus.own(
        {"ansible.builtin.import_playbook": prepare, "vars": {"survivor_npz_for_run": True}},
        {
            "name": "Switch, then start",
            "hosts": "survivor_npz_proven",
            "gather_facts": False,
            "tasks": [switch, enter],
        },
    )
    rc, text = zeus.play(own)
    assert rc == 2
    assert "changed between the proof and the start" in text.rpartition("PLAY RECAP")[2].replace("\n", " ")
    assert not (zeus.place.dir / "started").exists()
