"""Protections of the transaction over the fleet."""

from __future__ import annotations

from protections import Edit, Protection

TASKS = "roles/survivor_npz/tasks"
FILTERS = "module_utils/survivor_npz/controller/fleet"
EXTRA = 'extra_paths: "{{ survivor_npz_extra_paths }}"'
NOT_ON_ZEUS = 'extra_paths: "{{ __survivor_npz_is_coordinator | ternary([], survivor_npz_extra_paths) }}"'
LOOKS = (f"{TASKS}/probe.yml", f"{TASKS}/prove.yml")
EXISTING, REQUIRED = "if wanted(copy) and not is_right", 'if copy["required"] and not is_right'

DISTRIBUTING = (
    Protection(
        "One rig's copy failed; the script stopped",
        "every host counts as right unless this run has converted",
        (
            Edit(
                FILTERS,
                "is_right(copy, sha256, follows)\n",
                'is_right(copy, sha256, follows) or not goal["staged"]\n',
            ),
            Edit(
                FILTERS,
                'is_right(copy, goal["sha256"], follows) and',
                'is_right(copy, goal["sha256"], follows) and False and',
            ),
        ),
        "playbook/test_fleet_runs.py::test_a_rig_that_missed_one_run_kept_the_old_file_for_good",
        'real.changed == ["rig-6600b"]',
    ),
    Protection(
        "After a partial copy some rigs had the new NPZ",
        "hosts that have switched stay switched",
        (
            Edit(
                f"{TASKS}/activate.yml",
                "- hostvars[__survivor_npz_fleet.coordinator].__survivor_npz_unswitched | length > 0",
                "- false",
            ),
        ),
        "playbook/test_fleet_way_back.py::test_a_rig_vanishes_in_the_switch_and_those_switched_go_back",
        "{fleet.sha256(host) for host in fleet.hosts} == {old}",
    ),
    Protection(
        "After a partial copy some rigs had the new NPZ",
        "nobody knows of a previous NPZ",
        (Edit(FILTERS, 'main if stays else main["previous"] or {}', "{}"),),
        "playbook/test_fleet_status_rollback.py::test_rollback_brings_the_previous_npz_everywhere_and_pins_it",
        "(dry.rc, fleet.tree()) == (0, before)",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "an unreachable rig is dropped, as Ansible does",
        (
            Edit(
                f"{TASKS}/probe.yml",
                "- name: probe | Look at every host\n  ignore_unreachable: true\n",
                "- name: probe | Look at every host\n",
            ),
            Edit(
                f"{TASKS}/probe.yml",
                '    __survivor_npz_dir: "{{ __survivor_npz_probe.directory | default(none) }}"\n',
                '    __survivor_npz_dir: "{{ __survivor_npz_probe.directory | default(none) }}"\n'
                '    __survivor_npz_fleet: "{{ __survivor_npz_fleet | combine({'
                "'hosts': __survivor_npz_fleet.hosts | select('in', ansible_play_hosts), "
                "'rigs': __survivor_npz_fleet.rigs | select('in', ansible_play_hosts)}) }}\"\n",
            ),
        ),
        "playbook/test_fleet_traps.py::test_step25_ran_with_a_rig_missing",
        "fleet.starts == []",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "a group without hosts is a fleet",
        (Edit(FILTERS, "    if not listed:\n", "    if False:\n"),),
        "playbook/test_fleet_traps.py::test_an_empty_rigs_group_starts_the_launch",
        "run.rc != 0",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "the fleet is whom --limit leaves",
        (Edit(FILTERS, "if rig not in skipped]", "if rig in played]"),),
        "playbook/test_fleet_traps.py::test_limit_makes_the_fleet_partial_with_exit_code_zero",
        "run.rc != 0",
    ),
    Protection(
        "Workers read an old NPZ from `/dev/shm`",
        "nobody looks at RAM disks",
        tuple(Edit(place, EXTRA, "extra_paths: []") for place in LOOKS),
        "playbook/test_fleet_runs.py::test_workers_read_an_old_npz_from_the_ram_disk",
        "fleet.ram(host).read_bytes() == fleet.npz(host).read_bytes()",
    ),
    Protection(
        'A 2-byte `[]` "passed"',
        "any number of survivors is enough",
        (
            Edit(
                "roles/survivor_npz/vars/main.yml",
                "and __survivor_npz_expected.survivor_count | int < survivor_npz_min_survivors | int",
                "and false",
            ),
        ),
        "playbook/test_fleet_runs.py::test_nothing_is_pushed_when_step_1_wrote_no_survivors",
        "run.rc != 0",
    ),
    Protection(
        "A two-hour run wasted because a rig was down",
        "faults that the preflight finds don't stop the run",
        (
            Edit(
                f"{TASKS}/preflight.yml",
                "when: __survivor_npz_is_coordinator and __survivor_npz_faults | length > 0",
                "when: false",
            ),
        ),
        "playbook/test_fleet_traps.py::test_step25_ran_with_a_rig_missing",
        "nothing may be touched before all hosts have answered",
    ),
    Protection(
        "Rig jobs died in 0.4 s",
        "the rig's own Python is not asked",
        (
            Edit(
                f"{TASKS}/stage_host.yml",
                "when: survivor_npz_rig_python | length > 0 and not __survivor_npz_is_coordinator",
                "when: false",
            ),
        ),
        "playbook/test_fleet_runs.py::test_rig_jobs_died_since_the_rigs_own_python_could_not_open_the_npz",
        "run.rc != 0",
    ),
    Protection(
        "Localhost jobs failed in 3.1 s",
        "a copy with a mark beside it is believed",
        (
            Edit(
                "module_utils/survivor_npz/look/host.py",
                "        if identity not in seen:\n",
                '        marked = os.path.exists(os.path.join(os.path.dirname(full), ".ready"))\n'
                "        if identity not in seen and not marked:\n",
            ),
        ),
        "playbook/test_ram_disks.py::test_ready_mark_without_its_files_is_no_proof",
        "the mark was believed",
    ),
    Protection(
        "Rigs hung: 26 SSH connections at once",
        "each task opens a connection of its own",
        (Edit("ansible.cfg", "-o ControlMaster=auto -o ControlPersist=60s", "-o ControlMaster=no"),),
        "playbook/test_rig_side.py::test_rigs_hung_under_26_connections_at_once",
        "connections to one rig",
    ),
    Protection(
        "Rigs were 12 days stale",
        "status shows copies and compares nothing",
        (
            Edit(
                FILTERS,
                "None if sha256 is None or reference is None else sha256 == reference",
                "sha256 is not None",
            ),
        ),
        "playbook/test_fleet_status_rollback.py::test_status_shows_every_copy_while_a_rig_is_down",
        'same[("zeus", "step2")] is False',
    ),
    Protection(
        "SSH host names, IPs and rigs hardcoded",
        "the hosts stand in the code",
        (
            Edit(
                "plugins/inventory/distributed_config.py",
                "nodes = read_nodes(source)",
                'nodes = [Node(name, 8, "michael", None, None, {}) for name in ("localhost", "10.0.0.5")]',
            ),
        ),
        "unit/test_distributed_config.py::test_json_alone_gives_zeus_and_the_rigs_that_are_on",
        'groups["rigs"] == ["rig-6600"]',
    ),
    Protection(
        "JSON newer, RAM disks warm",
        "nobody looks at the RAM disk of Zeus",
        tuple(Edit(place, EXTRA, NOT_ON_ZEUS) for place in LOOKS),
        "playbook/test_ram_disks.py::test_json_newer_and_every_ram_disk_warm",
        "zeus: workers read old data",
    ),
    Protection(
        "After one rig's reboot its worker read new data",
        "the proof is of disks only",
        (Edit(FILTERS, EXISTING, REQUIRED),),
        "playbook/test_ram_disks.py::test_a_rebooted_rig_reads_new_data_and_the_others_old",
        "started on two sets of survivors",
    ),
    Protection(
        "A rig with `/dev/shm` 93 % full was skipped",
        "a copy without room is skipped, and the proof is of disks only",
        (
            Edit(
                FILTERS,
                'if sha256 not in copy["staged"] and directory["free"] < size:',
                'if copy["required"] and sha256 not in copy["staged"] and directory["free"] < size:',
            ),
            Edit(
                FILTERS,
                "        if not wanted(copy):\n",
                '        if not copy["required"] and copy["directory"]["free"] < goal["size"]:\n'
                "            continue\n"
                "        if not wanted(copy):\n",
            ),
            Edit(FILTERS, EXISTING, REQUIRED),
        ),
        "playbook/test_ram_disks.py::test_a_rig_whose_ram_disk_is_full_is_skipped_and_shown_as_done",
        "started beside a copy that is old",
    ),
    Protection(
        "4,900 survivors with `--sample-size` 5,000",
        "nobody compares survivors with the sample",
        (Edit(f"{TASKS}/enough.yml", "when: __survivor_npz_will_run | default(false)", "when: false"),),
        "playbook/test_rig_side.py::test_survivors_not_more_than_the_sample_size_warn",
        "WARNING: 300 survivors are not more",
    ),
)
