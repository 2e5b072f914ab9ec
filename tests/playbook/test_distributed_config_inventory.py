# SPDX-License-Identifier: MIT
"""distributed_config.json through ansible's own commands and the project's ansible.cfg."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
BIN = Path(sys.executable).parent
HOME = "/home/michael/distributed_prng_analysis"
RIG = {"username": "michael", "gpu_count": 8, "gpu_type": "RX 6600", "script_path": HOME}
RAM = {"use_ramdisk": True, "ramdisk_path": "/dev/shm/prng"}
CONTENT = {
    "nodes": [
        {
            **RIG,
            "hostname": "localhost",
            "gpu_count": 2,
            "use_ramdisk": True,
            "ramdisk_path": "/dev/shm/prng",
        },
        {**RIG, "hostname": "192.168.3.120", "python_env": "/home/michael/rocm_env/bin/python"},
        {**RIG, "hostname": "rig-6600b", "password": "hidden-word"},
        {**RIG, "hostname": "rig-6600c", "gpu_count": 0},
    ]
}


@pytest.fixture
def fleet_file(tmp_path: Path) -> Path:
    path = tmp_path / "distributed_config.json"
    path.write_text(json.dumps(CONTENT, indent=2))
    return path


def ansible(command: str, *args: object, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    env = {**kept, "ANSIBLE_CONFIG": str(ROOT / "ansible.cfg"), "LC_ALL": "C.UTF-8", "COLUMNS": "200"}
    line = [str(BIN / command), *map(str, args)]
    return subprocess.run(line, cwd=cwd, env=env, capture_output=True, text=True, check=False, timeout=60)


def test_graph_shows_the_fleet_and_says_who_is_switched_off(fleet_file: Path) -> None:
    done = ansible("ansible-inventory", "-i", fleet_file, "--graph")
    assert done.returncode == 0, done.stderr
    lines = [line.strip(" |-") for line in done.stdout.splitlines()]
    assert lines[-5:] == ["@coordinator:", "zeus", "@rigs:", "192.168.3.120", "rig-6600b"]
    assert "rig-6600c has gpu_count 0: switched off" in done.stderr.replace("\n", " ")


def test_list_holds_no_password_and_is_json(fleet_file: Path) -> None:
    done = ansible("ansible-inventory", "-i", fleet_file, "--list")
    assert set(json.loads(done.stdout)["_meta"]["hostvars"]) == {"zeus", "192.168.3.120", "rig-6600b"}
    assert "hidden-word" not in done.stdout


def test_variables_reach_a_task_as_plain_values(fleet_file: Path, tmp_path: Path) -> None:
    config = tmp_path / "fleet.yml"
    config.write_text(
        "plugin: distributed_config\n"
        "path: distributed_config.json\n"
        "aliases: {192.168.3.120: rig-6600}\n"
        'rigs_vars: {note: "{{ inventory_hostname }} is {{ ansible_host | default(inventory_hostname) }}"}\n'
    )
    shown = "{{ [survivor_npz_pipeline_dir, survivor_npz_paths | default([]), note | default('')] }}"
    play = ("-m", "ansible.builtin.debug", "-a", f"msg={shown}", "-e", "survivor_npz_file=N.npz", "-o")
    done = ansible("ansible", "-i", config, "all", *play)
    assert done.returncode == 0, done.stdout + done.stderr
    out = " ".join(done.stdout.split())
    assert "rig-6600 is 192.168.3.120" in out
    assert "rig-6600b is rig-6600b" in out
    assert '"N.npz", "/dev/shm/prng/step2/N.npz"' in out


def test_beside_hosts_ini_the_later_source_wins(fleet_file: Path, tmp_path: Path) -> None:
    ini = tmp_path / "hosts.ini"
    ini.write_text(
        "[coordinator]\nzeus color=blue\n[rigs]\nrig-6600b survivor_npz_pipeline_dir=/old\nrig-6600d\n"
    )
    done = ansible("ansible-inventory", "-i", ini, "-i", fleet_file, "--list")
    found = json.loads(done.stdout)
    assert sorted(found["rigs"]["hosts"]) == ["192.168.3.120", "rig-6600b", "rig-6600d"]
    assert found["coordinator"]["hosts"] == ["zeus"]
    assert found["_meta"]["hostvars"]["zeus"]["color"] == "blue"
    assert HOME in json.dumps(found["_meta"]["hostvars"]["rig-6600b"])
    other = ansible("ansible-inventory", "-i", fleet_file, "-i", ini, "--host", "rig-6600b")
    assert json.loads(other.stdout)["survivor_npz_pipeline_dir"] == "/old"


@pytest.mark.parametrize("content", ["", "{}", "null", '{"nodes": []}', json.dumps(CONTENT)[:-20]])
@pytest.mark.parametrize("beside", [False, True])
def test_cut_or_empty_file_never_becomes_an_empty_or_smaller_fleet(
    fleet_file: Path, content: str, beside: bool
) -> None:
    """ini reads '{}' as a host called '{}' and yaml skips what it doesn't know: both end with exit code 0."""
    fleet_file.write_text(content)
    good = ("-i", ROOT / "inventory" / "hosts.ini") if beside else ()
    done = ansible("ansible-inventory", *good, "-i", fleet_file, "--graph")
    assert done.returncode == 4
    assert done.stdout == ""
    assert str(fleet_file) in done.stderr.replace("\n", "")
    assert "Traceback" not in done.stderr


def test_playbook_does_not_start_on_a_cut_file(fleet_file: Path, tmp_path: Path) -> None:
    fleet_file.write_text(json.dumps(CONTENT)[:100])
    book = tmp_path / "book.yml"
    book.write_text(
        "- hosts: localhost\n  gather_facts: false\n  tasks:\n    - ansible.builtin.debug: {msg: started}\n"
    )
    done = ansible("ansible-playbook", "-i", fleet_file, book)
    assert done.returncode == 4
    assert "started" not in done.stdout


def test_source_that_is_not_there_is_an_error(tmp_path: Path) -> None:
    done = ansible("ansible-inventory", "-i", tmp_path / "distributed_config.json", "--graph")
    assert done.returncode != 0
    assert "distributed_config.json" in done.stderr
