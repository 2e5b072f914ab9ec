# SPDX-License-Identifier: MIT
"""The hooked script, started in every way, beside a stand-in for ansible-playbook."""

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest
from hooked import ROOT, STAMP, Hooked, not_started

SHELLCHECK = Path(sys.executable).parent / "shellcheck"
ODD = ["100", "--sample-size", "5 000", "", "*", "new\nline", "$HOME", "--dir", "--", "-e"]


@pytest.fixture
def hooked(tmp_path: Path) -> Hooked:
    return Hooked(tmp_path)


def test_started_by_hand_it_prepares_then_runs_with_its_arguments_untouched(hooked: Hooked) -> None:
    done = hooked.run(*ODD, env={"CODE": "7"})
    assert (done.returncode, hooked.arguments) == (7, ODD)
    assert hooked.prepared is not None
    assert hooked.prepared["argv"][0] == "given-option"
    assert hooked.prepared["argv"][-1] == str(ROOT / "playbooks" / "prepare.yml")
    assert f"SURVIVOR_NPZ_PROVEN_SHA256={hooked.sha256}" in hooked.environment.splitlines()


def test_playbook_gets_the_arguments_but_never_a_template(hooked: Hooked) -> None:
    arguments = ["100", "--sample-size", "9", "{{ lookup('pipe', 'touch pwned') }}", "{# x #}", "new\nline"]
    assert hooked.run(*arguments).returncode == 0
    assert hooked.arguments == arguments
    assert hooked.prepared is not None
    given = json.loads(hooked.prepared["argv"][-2])
    assert given["survivor_npz_scorer_args"] == ["100", "--sample-size", "9"]
    assert given["survivor_npz_for_run"] is True


def test_script_without_the_executable_bit_starts_without_the_files_that_it_needs(hooked: Hooked) -> None:
    hooked.script.chmod(0o644)
    assert hooked.run("100").returncode == 0
    assert hooked.arguments == ["100"]
    assert hooked.prepared is not None
    assert json.loads(hooked.prepared["argv"][-2])["survivor_npz_for_run"] is True


def test_standard_output_is_the_scripts_alone(hooked: Hooked) -> None:
    done = hooked.run("100")
    assert done.stdout == "the script's own output\n"
    assert "the playbook's output" in done.stderr
    assert done.stderr.endswith("the script's own error\n")


def test_run_by_hand_leaves_log_and_record_like_a_playbooks_run(hooked: Hooked) -> None:
    hooked.run("100", env={"CODE": "3"})
    record = hooked.record
    assert record["npz"] == {"sha256": hooked.sha256, "survivor_count": 3, "path": str(hooked.npz)}
    assert record["proved"] == ["zeus", "rig-6600"]
    assert (record["verdict"], record["exit_code"]) == ("failed", 3)
    assert record["command"][-2:] == [str(hooked.script), "100"]
    assert "the script's own output" in Path(record["log"]).read_text()


def test_started_by_a_playbook_the_hook_does_nothing_even_without_its_settings(hooked: Hooked) -> None:
    shutil.rmtree(hooked.directory / ".survivor_npz")
    with hooked.start("100", env={"SURVIVOR_NPZ_PROVEN_SHA256": "a" * 64}) as process:
        _out, err = process.communicate()
    assert (process.returncode, err) == (0, b"the script's own error\n")
    assert hooked.arguments == ["100"]
    assert hooked.prepared is None
    # The caller holds the lock: taking it once more would refuse the run.
    assert not (hooked.directory / ".survivor_npz").exists()


def test_orchestrator_without_terminal_with_stdin_closed_in_a_new_session(hooked: Hooked) -> None:
    done = hooked.run("100", stdin=None, start_new_session=True, preexec_fn=lambda: os.close(0))
    assert (done.returncode, hooked.arguments) == (0, ["100"])
    assert hooked.prepared is not None
    assert hooked.prepared["stdin"] == "/dev/null"


def test_all_three_streams_closed(hooked: Hooked) -> None:
    def close() -> None:
        os.closerange(0, 3)

    assert hooked.start("100", stdin=None, stdout=None, stderr=None, preexec_fn=close).wait(30) == 0
    assert hooked.arguments == ["100"]


def test_playbook_gets_no_terminal_and_a_session_of_its_own(hooked: Hooked) -> None:
    leader, follower = os.openpty()
    done = hooked.run("100", stdin=follower)
    os.close(leader)
    os.close(follower)
    assert done.returncode == 0
    assert hooked.prepared is not None
    assert (hooked.prepared["stdin"], hooked.prepared["leader"]) == ("/dev/null", True)


def test_caller_whose_pipes_do_not_block(hooked: Hooked) -> None:
    """ansible-playbook refuses to start on such descriptors."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    done = hooked.run("100", stderr=writer)
    os.close(reader)
    os.close(writer)
    assert done.returncode == 0
    assert hooked.prepared is not None
    assert hooked.prepared["blocking"] == [True, True, True]


def test_pipelines_python_settings_reach_the_script_but_not_ansible(hooked: Hooked) -> None:
    """The pipeline's own orchestrator sets PYTHONPATH=. and has modules of any name."""
    (hooked.directory / "json.py").write_text("raise SystemExit('the wrong json')")
    done = hooked.run("100", env={"PYTHONPATH": ".", "PYTHONHOME": "", "LC_ALL": "C", "LANG": "C"})
    assert done.returncode == 0, done.stderr
    assert hooked.prepared is not None
    environment = hooked.prepared["environment"]
    assert "PYTHONPATH" not in environment
    assert environment["LC_ALL"] == "C.UTF-8"
    assert environment["ANSIBLE_CONFIG"] == str(ROOT / "ansible.cfg")
    assert hooked.prepared["cwd"] == str(ROOT)
    assert {"PYTHONPATH=.", "LC_ALL=C"} <= set(hooked.environment.splitlines())


def test_cron_has_hardly_any_environment(hooked: Hooked) -> None:
    script = f"cd '{hooked.directory}' && exec env -i PATH=/usr/bin:/bin bash {hooked.script.name} 100"
    done = subprocess.run(["sh", "-c", script], capture_output=True, text=True, check=False, timeout=30)
    assert done.returncode == 0, done.stderr
    assert hooked.arguments == ["100"]


@pytest.mark.parametrize("code", [1, 2, 4, 250])
def test_failed_preparation_stops_the_script_with_its_exit_code(hooked: Hooked, code: int) -> None:
    hooked.stand_in(f"sys.exit({code})")
    not_started(hooked, hooked.run("100"), code, f"the preparation failed with exit code {code}")
    assert hooked.prepared is not None
    assert not Path(hooked.prepared["report"]).parent.exists(), "the private directory was left"


def test_killed_playbook_is_a_failure(hooked: Hooked) -> None:
    hooked.stand_in("os.kill(os.getpid(), 9)")
    not_started(hooked, hooked.run("100"), 137, "137")


WITHOUT_STAMP = "{'sha256': 'a', 'survivor_count': 3, 'hosts': ['zeus']}"


@pytest.mark.parametrize(
    "proof",
    ["None", "{}", "[]", "'x'", "{'hosts': []}", WITHOUT_STAMP]
    + [f"dict({WITHOUT_STAMP}, stamp={stamp})" for stamp in ("None", "{}", "{'boot': 'a', 'clock': 1.0}")],
)
def test_exit_code_0_without_a_proof_is_not_believed(hooked: Hooked, proof: str) -> None:
    hooked.stand_in(proof=proof)
    not_started(hooked, hooked.run("100"), 1, "reported no proof")


def test_no_report_at_all_is_not_believed(hooked: Hooked) -> None:
    hooked.stand_in("sys.exit(0)")
    not_started(hooked, hooked.run("100"), 1, "reported no proof")


def test_npz_that_changed_after_the_proof_is_not_started_on(hooked: Hooked) -> None:
    for behaviour, reason in (
        ("open(npz, 'wb').write(b'other')", "its SHA-256 is"),
        ("os.unlink(npz)", "No such file"),
    ):
        hooked.stand_in(f"npz = {str(hooked.npz)!r}; {behaviour}")
        done = hooked.run("100")
        assert (done.returncode, done.stdout, hooked.arguments) == (75, "", None)
        assert "changed between the proof and the start" in done.stderr
        assert reason in done.stderr


def test_proof_that_a_later_transaction_overtook_is_not_started_on(hooked: Hooked) -> None:
    hooked.stand_in(
        proof=f"dict(sha256={hooked.sha256!r}, survivor_count=3, hosts=[], stamp=dict({STAMP}, boot='x'))"
    )
    done = hooked.run("100")
    assert (done.returncode, hooked.arguments) == (75, None)
    assert "restarted after the hosts were looked at" in done.stderr


@pytest.mark.parametrize("arguments", [["--dry-run"], ["100", "--dry-run"], ["--", "--dry-run", "5"]])
def test_dry_run_prepares_says_what_it_is_and_never_becomes_a_number_of_trials(
    hooked: Hooked, arguments: list[str]
) -> None:
    done = hooked.run(*arguments)
    assert (done.returncode, done.stdout, hooked.arguments) == (0, "", None)
    first, *_, last = done.stderr.splitlines()
    assert first.startswith("survivor-npz: --dry-run converts and distributes.")
    assert "--check" in first
    assert "proven on zeus, rig-6600" in last
    assert last.endswith("Step 2.5 was NOT started.")
    assert hooked.prepared is not None
    assert "--dry-run" not in json.loads(hooked.prepared["argv"][-2])["survivor_npz_scorer_args"]


def test_dry_run_that_cannot_prepare_fails(hooked: Hooked) -> None:
    hooked.stand_in("sys.exit(2)")
    not_started(hooked, hooked.run("--dry-run"), 2, "the preparation failed with exit code 2")


def test_ansible_that_is_gone_stops_the_script(hooked: Hooked) -> None:
    hooked.playbook.unlink()
    not_started(hooked, hooked.run("100"), 127, "can't be started")


def test_script_hooked_by_version_1_0_still_prepares_and_runs_after_an_upgrade(tmp_path: Path) -> None:
    hooked = Hooked(tmp_path, old=True)
    done = hooked.run(*ODD, env={"CODE": "7"})
    assert (done.returncode, hooked.arguments) == (7, ODD), done.stderr
    assert hooked.record["proved"] == ["zeus", "rig-6600"]
