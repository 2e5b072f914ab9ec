# SPDX-License-Identifier: MIT
"""`make collection`: installed offline in a clean directory, every playbook works by its full name."""

import os
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Mapping, Optional

import pytest
import yaml
from localfleet import ROOT, LocalFleet

BIN = Path(sys.executable).parent
COLLECTION = Path("ansible_collections", "survivor", "npz")
SCRIPT = """#!/usr/bin/env bash
printf '%s\\n' "$*" >> started.log
printf '%s\\n' "${SURVIVOR_NPZ_PROVEN_SHA256-}" > proven.log
"""


def call(*command: str, where: Path, **env: str) -> str:
    """Run a command of the environment without anything of the caller's Ansible; what it printed."""
    clean = {name: value for name, value in os.environ.items() if not name.startswith("ANSIBLE_")}
    done = subprocess.run(
        [str(BIN / command[0]), *command[1:]],
        cwd=where,
        env={**clean, **env},
        capture_output=True,
        text=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


@pytest.fixture(scope="module")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The collection's root, in a directory that holds nothing else."""
    built, clean = tmp_path_factory.mktemp("built"), tmp_path_factory.mktemp("clean")
    tree = call("python", str(ROOT / "tools/collection.py"), str(built), where=built).strip()
    call("ansible-galaxy", "collection", "build", "--output-path", str(built), tree, where=built)
    (tarball,) = built.glob("*.tar.gz")
    call("ansible-galaxy", "collection", "install", "--offline", "-p", ".", str(tarball), where=clean)
    return clean / COLLECTION


class InstalledFleet(LocalFleet):
    """A fleet whose controller has the collection and no checkout."""

    def __init__(self, root: Path, installed: Path) -> None:
        super().__init__(root, rigs=("rig-6600",))
        self.installed = installed

    def command(self, playbook: str, *args: str) -> List[str]:
        """The command line that plays a playbook by its full name."""
        return [*super().command(playbook, *args)[:-1], f"survivor.npz.{Path(playbook).stem}"]

    def environment(self, env: Optional[Mapping[str, str]] = None) -> Dict[str, str]:
        """The environment, with the configuration that the collection brings."""
        return {**super().environment(env), "ANSIBLE_CONFIG": str(self.installed / "ansible.cfg")}


@pytest.mark.slow  # one of the longest; `make playbooks` plays it
def test_a_fleet_is_prepared_started_shown_and_rolled_back_by_full_names(
    installed: Path, tmp_path: Path
) -> None:
    fleet = InstalledFleet(tmp_path / "fleet", installed)
    first = fleet.run("step25.yml")
    assert first.rc == 0, first.out
    assert first.report["started"] and fleet.starts == ["7"]
    assert "Step 2.5" in first.tail
    old = fleet.sha256("zeus")
    assert old == fleet.sha256("rig-6600") == first.report["proof"]["sha256"]

    fleet.write_survivors(301, seed=26)
    status = fleet.run("status.yml")
    assert status.rc == 0, status.out
    assert status.report["status"]["would"]
    assert fleet.run("prepare.yml").changed == ["rig-6600", "zeus"]
    assert old != fleet.sha256("zeus") == fleet.sha256("rig-6600")
    assert fleet.run("rollback.yml").rc == 0
    assert old == fleet.sha256("zeus") == fleet.sha256("rig-6600")
    for playbook in ("follow.yml", "stop.yml"):
        run = fleet.run(playbook)
        assert run.rc == 0, run.out


@pytest.mark.slow  # the short form is the test above
def test_the_hook_that_it_puts_into_the_script_prepares_the_fleet(installed: Path, tmp_path: Path) -> None:
    fleet = InstalledFleet(tmp_path / "fleet", installed)
    fleet.write_scorer(SCRIPT)
    run = fleet.run("hook.yml")
    assert run.rc == 0, run.out
    script = fleet.dir("zeus") / "run_scorer_meta_optimizer.sh"
    call("/bin/bash", str(script), "100", where=fleet.dir("zeus"))
    assert fleet.starts == ["100"]
    proven = (fleet.dir("zeus") / "proven.log").read_text().strip()
    assert proven == fleet.sha256("zeus") == fleet.sha256("rig-6600")


def test_nothing_of_it_needs_the_checkout(installed: Path) -> None:
    for path in sorted(installed.rglob("*")):
        if path.suffix in {".py", ".yml", ".cfg", ".j2", ".sh"}:
            text = path.read_text()
            assert str(ROOT) not in text, path
            assert "ansible.module_utils.survivor_npz" not in text, path


def test_its_inventory_plugin_is_found_by_its_full_name(installed: Path, tmp_path: Path) -> None:
    nodes = '{"nodes": [{"hostname": "localhost", "gpu_count": 2}, {"hostname": "rig-6600", "gpu_count": 8}]}'
    (tmp_path / "distributed_config.json").write_text(nodes)
    options = {"plugin": "survivor.npz.distributed_config", "path": "distributed_config.json"}
    (tmp_path / "fleet.yml").write_text(yaml.safe_dump(options))
    for source in ("distributed_config.json", "fleet.yml"):
        shown = call(
            *("ansible-inventory", "-i", source, "--graph"),
            where=tmp_path,
            ANSIBLE_CONFIG=str(installed / "ansible.cfg"),
        )
        assert "|--rig-6600\n" in shown


def test_it_has_the_version_of_the_project() -> None:
    version = yaml.safe_load((ROOT / "galaxy/galaxy.yml").read_text())["version"]
    assert f'\nversion = "{version}"\n' in (ROOT / "pyproject.toml").read_text()
