# SPDX-License-Identifier: MIT
"""An ansible-core that is too old is refused in one sentence; every place names the same oldest version."""

import runpy
from pathlib import Path

import pytest
import yaml
from ansible.module_utils.survivor_npz.controller.versions import MINIMUM, refusal

ROOT = Path(__file__).resolve().parents[2]
OLDEST = ".".join(map(str, MINIMUM))


@pytest.mark.parametrize("version", ["2.18.9", "2.9.27", "1.9"])
def test_an_old_ansible_core_is_refused_by_name(version: str) -> None:
    assert refusal(version).startswith(
        f"ansible-core {version} is too old: survivor-npz needs {OLDEST} or newer."
    )


@pytest.mark.parametrize("version", ["2.19.0", "2.21.0rc1", "2.22.0.dev0", "2.100.1", "3.0.0"])
def test_a_supported_or_newer_one_is_not(version: str) -> None:
    assert refusal(version) == ""


def test_the_role_and_the_collection_name_the_same_oldest_version() -> None:
    role = yaml.safe_load((ROOT / "roles/survivor_npz/meta/main.yml").read_text())
    assert role["galaxy_info"]["min_ansible_version"] == OLDEST
    collection = yaml.safe_load((ROOT / "galaxy/meta/runtime.yml").read_text())
    assert collection["requires_ansible"] == f">={OLDEST}.0"


def test_ci_names_every_pair_that_make_test_versions_knows() -> None:
    pairs = runpy.run_path(str(ROOT / "tools/versions.py"))["PAIRS"]
    jobs = yaml.safe_load((ROOT / ".github/workflows/ci.yml").read_text())["jobs"]
    named = [
        f"{pair['python']}/{pair['ansible']}" for pair in jobs["versions"]["strategy"]["matrix"]["include"]
    ]
    assert sorted(named) == pairs
    assert min(pair.split("/")[1] for pair in pairs) == OLDEST
