# SPDX-License-Identifier: MIT
"""docs/wiring.md, as it stands: each way of starting, with the paths replaced by the test's own."""

import json
import os
import pwd
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml
from launch import SSHD, Sshd
from localfleet import ROOT, LocalFleet

PAGE = (ROOT / "docs" / "wiring.md").read_text()
HOOKED = """#!/usr/bin/env bash
cp -f bidirectional_survivors_binary.npz seen-by-the-first-command.npz
readlink "/proc/$$/fd/0" > stdin.log
printf '%s\\n' "$*" >> started.log
printf '%s\\n' "${SURVIVOR_NPZ_PROVEN_SHA256-}" > proven.log
echo "Step 2.5 itself"
"""


class Wired:
    """A fleet whose script is hooked, and a checkout with an environment, as the page has them."""

    def __init__(self, root: Path) -> None:
        self.fleet = LocalFleet(root / "fleet", rigs=("rig-6600",), count=84)
        self.fleet.write_scorer(HOOKED)
        self.pipeline = self.fleet.dir("zeus")
        self.checkout = root / "survivor-npz"
        self.checkout.mkdir()
        for path in ROOT.iterdir():
            if path.name not in (".git", ".venv"):
                (self.checkout / path.name).symlink_to(path)
        (self.checkout / ".venv").symlink_to(Path(sys.executable).parents[1])
        self.temp = root / "ansible.tmp"

    def text(self, name: str) -> str:
        """The block of the page that is marked as tried."""
        match = re.search(rf"<!-- tried: {re.escape(name)} -->\n```\w+\n(.*?)```", PAGE, re.DOTALL)
        assert match, f"docs/wiring.md has no block {name}"
        found = match.group(1).replace("/home/michael/survivor-npz", str(self.checkout))
        return found.replace("/home/michael/distributed_prng_analysis", str(self.pipeline))

    def env(self, **more: str) -> dict[str, str]:
        """What cron gives, and the test's inventory."""
        user = pwd.getpwuid(os.getuid())
        return {
            "HOME": user.pw_dir,
            "LOGNAME": user.pw_name,
            "SHELL": "/bin/sh",
            "PATH": "/usr/bin:/bin",
            "ANSIBLE_INVENTORY": str(self.fleet.inventory()),
            "ANSIBLE_LOCAL_TEMP": str(self.temp),
            **more,
        }

    def sh(self, line: str, **options: Any) -> subprocess.CompletedProcess[str]:
        """Run a line as cron does: sh, no terminal, hardly any environment, a session of its own."""
        options = {"env": self.env(), "stdin": subprocess.DEVNULL, "start_new_session": True, **options}
        return subprocess.run(
            ["/bin/sh", "-c", line], capture_output=True, text=True, check=False, timeout=600, **options
        )

    def proven(self) -> bool:
        """Whether the script's very first command saw the bytes that every host now has."""
        seen = (self.pipeline / "seen-by-the-first-command.npz").read_bytes()
        passed = (self.pipeline / "proven.log").read_text().strip()
        everywhere = {self.fleet.npz(host).read_bytes() for host in self.fleet.hosts}
        return everywhere == {seen} and passed == self.fleet.sha256("zeus")


@pytest.fixture(scope="module")
def wired(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Wired]:
    wired = Wired(tmp_path_factory.mktemp("wired"))
    hooked = wired.fleet.run(
        "hook.yml", extra={"survivor_npz_hook_checkout": str(wired.checkout)}, timeout=600
    )
    assert hooked.rc == 0, hooked.out
    yield wired
    shutil.rmtree(wired.temp, ignore_errors=True)


def test_header_prepares_the_fleet_with_stdin_closed_and_no_terminal(wired: Wired) -> None:
    done = wired.sh(wired.text("header"), stdin=None, preexec_fn=lambda: os.close(0))
    assert (done.returncode, done.stdout) == (0, "Step 2.5 itself\n"), done.stderr
    assert wired.fleet.starts == ["100"]
    assert wired.proven()
    assert "--sample-size" in done.stderr, "84 survivors are too few for the script's default"


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_cron_starts_the_hooked_script_once_by_step25_without_a_second_preparation(wired: Wired) -> None:
    starts = wired.fleet.starts
    line = wired.text("cron").split(None, 5)[5]
    done = wired.sh(line)
    log = (wired.checkout / ".cron.log").read_text()
    assert done.returncode == 0, log
    assert (done.stdout, done.stderr) == ("", ""), "cron would mail this"
    assert wired.fleet.starts == [*starts, "7"]
    assert wired.proven()
    assert "Step 2.5 itself" not in log, "quiet mode showed the output"


def test_hooked_run_that_lacks_an_input_is_stopped_in_seconds(wired: Wired) -> None:
    starts = wired.fleet.starts
    (wired.pipeline / "holdout_history.json").rename(wired.fleet.root / "away.json")
    try:
        done = wired.sh(wired.text("header"))
    finally:
        (wired.fleet.root / "away.json").rename(wired.pipeline / "holdout_history.json")
    assert done.returncode == 2
    assert "holdout_history.json" in done.stderr
    assert wired.fleet.starts == starts


def test_failed_preparation_stops_the_hooked_script_before_its_first_command(wired: Wired) -> None:
    starts = wired.fleet.starts
    away = wired.fleet.root / "away"
    wired.fleet.dir("rig-6600").rename(away)
    try:
        done = wired.sh(wired.text("header"))
    finally:
        away.rename(wired.fleet.dir("rig-6600"))
    assert done.returncode == 2, done.stderr
    assert done.stdout == ""
    assert "rig-6600" in done.stderr
    assert done.stderr.rstrip().endswith("Step 2.5 was NOT started.")
    assert wired.fleet.starts == starts


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_after_step_1_the_fleet_of_distributed_config_is_right_ram_disk_of_a_rebooted_rig_included(
    wired: Wired, tmp_path: Path
) -> None:
    zeus, rig = wired.fleet.dir("zeus"), wired.fleet.dir("rig-6600")
    ram = {"use_ramdisk": True, "ramdisk_path": str(wired.fleet.ram("rig-6600").parent.parent)}
    nodes = [
        {"hostname": "localhost", "gpu_count": 2, "script_path": str(zeus)},
        {"hostname": "192.168.3.120", "gpu_count": 8, "script_path": str(rig), **ram},
        {"hostname": "rig-6600c", "gpu_count": 0, "script_path": "/nowhere"},
    ]
    (tmp_path / "distributed_config.json").write_text(json.dumps({"nodes": nodes}))
    options = {
        "plugin": "distributed_config",
        "path": "distributed_config.json",
        "aliases": {"192.168.3.120": "rig-6600"},
        "vars": {"survivor_npz_extra_paths": []},
        "rigs_vars": {"ansible_connection": "local", "ansible_python_interpreter": sys.executable},
    }
    inventory = tmp_path / "fleet.yml"
    inventory.write_text(yaml.safe_dump(options))
    env = wired.env(ANSIBLE_INVENTORY=str(inventory))
    step1 = wired.pipeline / "window_optimizer.py"
    step1.write_text("raise SystemExit(3)")
    assert wired.sh(wired.text("after-step-1"), env=env).returncode == 3
    step1.write_text(
        f"import sys; sys.path.insert(0, {str(ROOT / 'demo')!r})\n"
        f"import make_survivors; make_survivors.write({str(wired.fleet.json)!r}, 86, 2)\n"
    )
    before = wired.fleet.sha256("rig-6600")
    assert not wired.fleet.ram("rig-6600").parent.exists()
    done = wired.sh(wired.text("after-step-1"), env=env)
    assert done.returncode == 0, done.stdout + done.stderr
    assert before != wired.fleet.sha256("rig-6600") == wired.fleet.sha256("zeus")
    assert wired.fleet.ram("rig-6600").read_bytes() == wired.fleet.npz("zeus").read_bytes()


def test_one_call_after_step_1_in_the_orchestrator(
    wired: Wired, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    for name, value in wired.env(PYTHONPATH=".").items():
        monkeypatch.setenv(name, value)
    found: dict[str, Any] = {}
    call = compile(wired.text("pre-step"), "docs/wiring.md", "exec")
    exec(call, found)  # noqa: S102
    wired.fleet.json.rename(wired.fleet.root / "json")
    try:
        with pytest.raises(subprocess.CalledProcessError):
            exec(call, found)  # noqa: S102
    finally:
        (wired.fleet.root / "json").rename(wired.fleet.json)
    assert "bidirectional_survivors.json" in capfd.readouterr().out


def test_systemd_runs_what_cron_runs_and_leaves_the_supervisor_alone(wired: Wired, tmp_path: Path) -> None:
    service = wired.text("survivor-npz.service").replace(
        "User=michael", f"User={pwd.getpwuid(os.getuid()).pw_name}"
    )
    started = re.findall(r"^ExecStart=\S+/(.venv/.*)$", service, re.MULTILINE)
    assert started == [wired.text("cron").split("&& ")[1].split(" >>")[0]]
    assert "KillMode=process" in service.splitlines()
    if shutil.which("systemd-analyze"):
        (tmp_path / "survivor-npz.service").write_text(service)
        (tmp_path / "survivor-npz.timer").write_text(wired.text("survivor-npz.timer"))
        line = ["systemd-analyze", "verify", "--man=no", str(tmp_path / "survivor-npz.timer")]
        done = subprocess.run(line, capture_output=True, text=True, check=False)
        assert "survivor-npz" not in done.stderr, done.stderr


@pytest.mark.skipif(not SSHD, reason="no sshd on this machine")
def test_laptop_hooks_the_script_on_zeus_with_zeus_own_checkout(wired: Wired, tmp_path: Path) -> None:
    sshd = Sshd(tmp_path / "sshd")
    fleet = LocalFleet(tmp_path / "laptop", rigs=("rig-6600",), count=None)
    fleet.hostvars["zeus"] = sshd.hostvars()
    try:
        words = wired.text("laptop").split()
        assert words[:2] == ["ansible-playbook", "playbooks/hook.yml"]
        control = {"ANSIBLE_SSH_CONTROL_PATH_DIR": str(tmp_path / "cp")}
        run = fleet.run("hook.yml", *words[2:], env=control, timeout=600)
    finally:
        sshd.cut()
    assert run.rc == 0, run.out
    text = (fleet.dir("zeus") / ".survivor_npz" / "hook.sh").read_text()
    assert f"--checkout={wired.checkout}" in text
    assert "--option=-i" not in text, "the laptop's inventory means nothing on zeus"


def test_yaml_of_the_page_is_an_inventory(wired: Wired, tmp_path: Path) -> None:
    rigs = ", ".join(f'{{"hostname": "192.168.3.{end}", "gpu_count": 8}}' for end in (120, 154))
    nodes = f'{{"nodes": [{{"hostname": "localhost", "gpu_count": 2, "username": "michael"}}, {rigs}]}}'
    (wired.pipeline / "distributed_config.json").write_text(nodes)
    (tmp_path / "fleet.yml").write_text(wired.text("distributed-config"))
    inventory = [
        str(wired.checkout / ".venv/bin/ansible-inventory"),
        "-i",
        str(tmp_path / "fleet.yml"),
        "--graph",
    ]
    env = wired.env(ANSIBLE_CONFIG=str(ROOT / "ansible.cfg"))
    done = subprocess.run(inventory, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    for name in ("zeus", "rig-6600", "rig-6600b"):
        assert f"|--{name}\n" in done.stdout
