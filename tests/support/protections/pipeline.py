# SPDX-License-Identifier: MIT
"""Protections that trials with the real pipeline asked for."""

from __future__ import annotations

from protections import Edit, Protection

PACKAGE = "module_utils/survivor_npz"
FLEET = f"{PACKAGE}/controller/fleet"
GOAL, PREFLIGHT = "unit/controller/test_goal.py", "unit/controller/test_preflight.py"
FOREIGN = "unit/convert/test_convert_foreign.py"

PIPELINE = (
    Protection(
        "The next Step 2.5 undid a rollback",
        "the NPZ keeps its mtime",
        (
            Edit(
                f"{FLEET}/goal.py",
                'found = {"settles": True, "mtime_ns": source.get("mtime_ns")}',
                "return {}",
            ),
        ),
        f"{GOAL}::test_the_script_converted_what_was_live_on_purpose",
        'found.get("mtime_ns") == set_to',
    ),
    Protection(
        "Every NPZ from the pipeline's own Step 1",
        "a foreign NPZ is a foreign NPZ",
        (
            Edit(
                f"{PACKAGE}/npz/sidecar.py",
                "if not content or not is_old_converters(content, npz_size, survivor_count):",
                "if True:",
            ),
        ),
        f"{FOREIGN}::test_an_npz_that_the_old_converter_made_of_this_json_was_called_fresh",
        "outcome.reason",
    ),
    Protection(
        "Every NPZ from the pipeline's own Step 1",
        "a rollback takes whatever was live before",
        (Edit(f"{FLEET}/goal.py", 'kept["path"] if kept.get("old_converter") else None', "None"),),
        f"{GOAL}::test_a_rollback_brought_back_hybrids_labelled_java_lcg",
        "(PROVEN, holder)",
    ),
    Protection(
        "An NPZ on Zeus with one byte appended",
        "nobody looks past the end of the zip",
        (Edit(f"{PACKAGE}/npz/inspect.py", r'if file.read(4) != b"PK\5\6":', "if False:"),),
        f"{FOREIGN}::test_a_byte_outside_the_zip_was_distributed_as_a_good_npz",
        "assert fault and where in fault",
    ),
    Protection(
        "The inventory plugin required rigs to hold",
        "ramdisk_path is the directory of the copy",
        (Edit("plugins/inventory/distributed_config.py", "/{step}/", "/"),),
        "unit/controller/test_distributed_config.py::test_rigs_had_to_hold_a_copy_that_nothing_reads",
        'variables.get("survivor_npz_paths")',
    ),
    Protection(
        "Step 3 read a stale NPZ",
        "its copy is not among those kept right",
        (
            Edit(
                "roles/survivor_npz/defaults/main.yml",
                '  - "/dev/shm/prng/step3/{{ survivor_npz_file }}"\n',
                "",
            ),
        ),
        "playbook/test_ram_disks.py::test_step_3_read_a_stale_npz_from_its_own_ram_disk",
        "run.changed",
    ),
    Protection(
        "The orchestrator skipped Step 2.5",
        "the page's call after Step 1 converts nothing",
        (Edit("docs/wiring.md", '"playbooks/prepare.yml"],', '"playbooks/status.yml"],'),),
        "playbook/test_wiring.py::test_one_call_after_step_1_in_the_orchestrator",
        "DID NOT RAISE",
    ),
    Protection(
        "24 of 25 workers died in argparse",
        "only the NPZ is compared",
        (
            Edit(
                f"{FLEET}/preflight.py",
                'wanted = (looks.get(coordinator) or {}).get("same_files") or {}\n    for host, look in looks.items():',
                "wanted: Answer = {}\n    for host, look in ():",
            ),
        ),
        f"{PREFLIGHT}::test_workers_died_because_the_rigs_had_old_code",
        'list(found) == ["rig"]',
    ),
    Protection(
        "A third rig was in `distributed_config.json`",
        "two lists are not compared",
        (Edit(f"{FLEET}/preflight.py", "*unlike(looks, coordinator, addresses), ", ""),),
        f"{PREFLIGHT}::test_a_rig_in_one_of_two_lists_lost_its_results_in_silence",
        "len(found) == len(warned)",
    ),
    Protection(
        "After a stop, workers kept running",
        "stop.yml does not look at the rigs",
        (Edit("playbooks/stop.yml", "survivor_npz_lead:survivor_npz_rigs", "survivor_npz_lead"),),
        "playbook/test_stop_leftovers.py::test_workers_that_outlived_a_stop_were_not_named",
        'text.startswith(f"{host}: ")',
    ),
    Protection(
        "`run_scorer_meta_optimizer.sh --dry-run` on a hooked script",
        "the word is one of the script's arguments",
        (Edit(f"{PACKAGE}/hook/entry.py", "dry = DRY_RUN in given.arguments", "dry = False"),),
        "processes/test_hook_entry.py::test_dry_run_prepares_says_what_it_is_and_never_becomes_a_number_of_trials",
        "hooked.arguments",
    ),
    Protection(
        "A rig was cut off during a run",
        "nothing of the rigs is shown",
        (Edit("plugins/action/survivor_npz_live.py", "in rigs.news()", "in ()"),),
        "unit/controller/test_rig_watch.py::test_the_screen_only_said_that_the_pid_is_running",
        "shown ==",
    ),
)
