# SPDX-License-Identifier: MIT
"""A command of the README did not work: each is played here, or listed with the reason why not."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.survivor_npz.controller.fleet import variables
from localfleet import NPZ, ROOT, LocalFleet

TEXT = (ROOT / "README.md").read_text(encoding="utf-8")
COMMANDS = [
    line.strip()[2:].partition("  #")[0].strip()
    for block in re.findall(r"(?s)```console\n(.*?)```", TEXT)
    for line in block.splitlines()
    if line.strip().startswith("$ ")
]
PLAYED = [command for command in COMMANDS if command.startswith("ansible-playbook ")]
MADE = [command for command in COMMANDS if command.startswith("make ")]
NOT_PLAYED = {
    ". .venv/bin/activate": "a line of the shell",
    "ssh rig-6600 true": "needs the real rig",
    "git pull": "needs the network",
    "ansible all -m ansible.builtin.file -a 'path=~/distributed_prng_analysis/.survivor_npz state=absent'": (
        "removes files of the real fleet, by Ansible's own module"
    ),
    "ANSIBLE_CONFIG=~/survivor-npz/ansible.cfg ~/survivor-npz/.venv/bin/ansible-playbook "
    "~/survivor-npz/playbooks/status.yml": "LocalFleet plays every playbook so, from another directory",
}
OPTIONS = variables.options_of(
    yaml.safe_load((ROOT / "roles/survivor_npz/meta/argument_specs.yml").read_text())["argument_specs"]
)


def extra(command: str) -> dict[str, str]:
    """The variables that a command gives with -e."""
    words = shlex.split(command)
    given = [words[index + 1] for index, word in enumerate(words) if word == "-e"]
    found: dict[str, str] = {}
    for text in given:
        found.update(json.loads(text) if text.startswith("{") else dict([text.split("=", 1)]))
    return found


def test_every_command_is_played_or_has_a_reason() -> None:
    assert len(COMMANDS) > 15
    assert set(COMMANDS) - set(PLAYED) - set(MADE) == set(NOT_PLAYED)


@pytest.mark.parametrize("command", MADE)
def test_a_target_of_make_was_gone(command: str) -> None:
    done = subprocess.run([*command.split(), "-n"], cwd=ROOT, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_a_variable_of_an_example_was_unknown() -> None:
    inline = re.findall(r"`(-e [^`]+)`", TEXT)
    assert len(inline) > 3
    for command in [*PLAYED, *inline]:
        assert variables.problems(extra(command), OPTIONS) == [], command
    named = set(re.findall(r"\bsurvivor_npz_\w+", TEXT)) - {"survivor_npz_"}
    assert named <= set(OPTIONS), named - set(OPTIONS)


def test_every_playbook_that_is_named_is_there_and_each_is_named() -> None:
    named = set(re.findall(r"playbooks/(\w+\.yml)", TEXT))
    there = {path.name for path in (ROOT / "playbooks").glob("*.yml")} - {"distribute.yml"}
    assert named == there


def test_a_link_led_nowhere() -> None:
    links = [link for link in re.findall(r"\]\(([^)#]+)", TEXT) if "://" not in link]
    assert len(links) > 10
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_cron_and_systemd_lines_are_those_that_the_wiring_page_tests() -> None:
    wiring = (ROOT / "docs" / "wiring.md").read_text(encoding="utf-8")
    (cron,) = re.findall(r"(?m)^30 2 \* \* \* (.*?) > \.cron\.log", TEXT)
    assert cron in wiring


# The rest is slow: other tests play the same playbooks.
QUICK = ("ansible-playbook playbooks/status.yml", "ansible-playbook playbooks/rollback.yml --check")


@pytest.mark.parametrize(
    "command",
    [pytest.param(one, marks=[] if one in QUICK else [pytest.mark.slow]) for one in dict.fromkeys(PLAYED)],
)
def test_a_command_of_the_readme_failed(command: str, tmp_path: Path) -> None:
    """On a fleet of its own; Step 2.5 and the hook as dry runs, which other tests play for real."""
    fleet = LocalFleet(tmp_path, rigs=("rig-6600b",))
    fleet.converge()
    (fleet.dir("zeus") / f".{NPZ}.previous").write_bytes(fleet.npz("zeus").read_bytes())
    _, *words = shlex.split(command)
    (playbook,) = [word for word in words if word.endswith(".yml")]
    words.remove(playbook)
    starts = Path(playbook).name in ("step25.yml", "hook.yml") and "--check" not in words
    run = fleet.run(Path(playbook).name, *words, *(["--check"] if starts else []))
    assert run.rc == 0, run.out
