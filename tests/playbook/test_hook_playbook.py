"""playbooks/hook.yml: check, real, check, absent; and what it refuses."""

from pathlib import Path

import pytest
from localfleet import LocalFleet

SCRIPT = b"#!/usr/bin/env bash\nset -e\n# caf\xe9, and no final newline\necho started"


@pytest.fixture
def fleet(tmp_path: Path) -> LocalFleet:
    fleet = LocalFleet(tmp_path, count=None)
    script(fleet).write_bytes(SCRIPT)
    script(fleet).chmod(0o754)
    return fleet


def script(fleet: LocalFleet) -> Path:
    return fleet.dir("zeus") / "run_scorer_meta_optimizer.sh"


def test_hook_comes_and_goes_byte_for_byte(fleet: LocalFleet) -> None:
    before = fleet.tree()
    dry = fleet.run("hook.yml", "--diff", check=True)
    assert (dry.rc, dry.changed) == (0, ["zeus"])
    assert "+# >>> survivor-npz: managed by playbooks/hook.yml >>>" in dry.out
    assert fleet.tree() == before, "a dry run wrote something"

    assert fleet.run("hook.yml").changed == ["zeus"]
    hooked = script(fleet).read_bytes()
    assert hooked.startswith(b"#!/usr/bin/env bash\n# >>> survivor-npz")
    assert script(fleet).stat().st_mode & 0o777 == 0o754
    backups = [path.read_bytes() for path in script(fleet).parent.glob(f"{script(fleet).name}.*~")]
    assert backups == [SCRIPT]

    gone = fleet.run(
        "hook.yml", extra={"survivor_npz_hook_state": "absent", "survivor_npz_hook_backup": False}
    )
    assert gone.changed == ["zeus"]
    assert script(fleet).read_bytes() == SCRIPT
    assert script(fleet).stat().st_mode & 0o777 == 0o754


def test_zeus_without_the_checkout_is_refused_and_the_missing_paths_are_named(fleet: LocalFleet) -> None:
    run = fleet.run("hook.yml", extra={"survivor_npz_hook_checkout": "/nowhere/survivor-npz"})
    assert run.rc == 2
    for path in ("module_utils/survivor_npz/entry.py", ".venv/bin/ansible-playbook", ".venv/bin/python3"):
        assert f"/nowhere/survivor-npz/{path}" in run.tail
    assert script(fleet).read_bytes() == SCRIPT


def test_inventory_that_the_playbook_cannot_read_later_is_refused_now(
    fleet: LocalFleet, tmp_path: Path
) -> None:
    broken = tmp_path / "distributed_config.json"
    broken.write_text('{"nodes": [')
    run = fleet.run("hook.yml", extra={"survivor_npz_hook_inventory": [str(broken)]})
    assert run.rc == 2
    assert "can't read playbooks/prepare.yml" in run.tail
    assert "was it cut?" in run.tail
    assert script(fleet).read_bytes() == SCRIPT
