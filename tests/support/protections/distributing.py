# SPDX-License-Identifier: MIT
"""Protections of the transaction over the fleet."""

from __future__ import annotations

from protections import Edit, Protection

TASKS = "roles/survivor_npz/tasks"
FLEET = "module_utils/survivor_npz/controller/fleet"
DECIDE = "plugins/action/survivor_npz_fleet.py"
EXTRA = 'extra_paths: "{{ survivor_npz_extra_paths }}"'
NOT_ON_ZEUS = 'extra_paths: "{{ __survivor_npz_leads | ternary([], survivor_npz_extra_paths) }}"'
PREFLIGHT = """- name: preflight | Stop before any work if a host has a fault
  survivor_npz_fleet: {phase: preflight, options: "{{ __survivor_npz_options }}"}

"""
OTHERS = """- name: Look at every other host
  hosts: survivor_npz_followers
  gather_facts: false
  strategy: ansible.builtin.linear
  ignore_errors: true
"""
DISKS_ONLY = Edit(
    f"{FLEET}/proof.py",
    "if must_be_right(copy)\n            and not is_right",
    'if copy["required"]\n            and not is_right',
)

DISTRIBUTING = (
    Protection(
        "One rig's copy failed; the script stopped",
        "every host counts as right unless this run has converted",
        (
            Edit(
                f"{FLEET}/plan.py",
                "right = is_right(copy, sha256, follows)\n",
                'right = is_right(copy, sha256, follows) or not goal["staged"]\n',
            ),
            Edit(f"{FLEET}/proof.py", 'and not is_right(copy, goal["sha256"], host == follows)', "and False"),
        ),
        "playbook/test_fleet_runs.py::test_a_rig_that_missed_one_run_kept_the_old_file_for_good",
        'real.changed == ["rig-6600b"]',
    ),
    Protection(
        "After a partial copy some rigs had the new NPZ",
        "hosts that have switched stay switched",
        (
            Edit(
                DECIDE,
                'members = {host: ["survivor_npz_reverting"] for host in asked} if found else {}',
                "members = {}",
            ),
        ),
        "playbook/test_fleet_way_back.py::test_a_rig_vanishes_in_the_switch_and_those_switched_go_back",
        "{fleet.sha256(host) for host in fleet.hosts} == {old}",
    ),
    Protection(
        "After a partial copy some rigs had the new NPZ",
        "nobody knows of a previous NPZ",
        (Edit(FLEET, 'main if stays else main["previous"] or {}', "{}"),),
        "playbook/test_fleet_status_rollback.py::test_rollback_brings_the_previous_npz_everywhere_and_pins_it",
        "(run.rc, run.changed) == (0, [",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "an unreachable rig is dropped, as Ansible does",
        (
            Edit("playbooks/prepare.yml", f"{OTHERS}  ignore_unreachable: true\n", OTHERS),
            Edit(
                DECIDE,
                '        return Team(**one(self._vars, "guard", "team")["team"])\n',
                '        team = Team(**one(self._vars, "guard", "team")["team"])\n'
                '        looks = registered(self._vars, team.hosts, "look")[0]\n'
                '        there = [rig for rig in team.rigs if "copies" in looks.get(rig, {})]\n'
                "        return team._replace(rigs=there)\n",
            ),
        ),
        "playbook/test_fleet_traps.py::test_step25_ran_with_a_rig_missing",
        "fleet.starts == []",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "a group without hosts is a fleet",
        (Edit(FLEET, "    if not listed:\n", "    if False:\n"),),
        "playbook/test_fleet_traps.py::test_an_empty_rigs_group_starts_the_launch",
        "run.rc != 0",
    ),
    Protection(
        "Step 2.5 ran with a rig missing",
        "the fleet is whom --limit leaves",
        (
            Edit(
                f"{FLEET}/guard.py",
                '    team = membership.team_of(task_vars["groups"], args)\n',
                '    team = membership.team_of(task_vars["groups"], args)\n'
                '    left = task_vars["ansible_play_hosts_all"]\n'
                "    team = team._replace(rigs=[rig for rig in team.rigs if rig in left])\n",
            ),
        ),
        "playbook/test_fleet_traps.py::test_limit_makes_the_fleet_partial_with_exit_code_zero",
        "run.rc != 0",
    ),
    Protection(
        "Workers read an old NPZ from `/dev/shm`",
        "nobody looks at RAM disks",
        (Edit(f"{TASKS}/look.yml", EXTRA, "extra_paths: []"),),
        "playbook/test_fleet_runs.py::test_workers_read_an_old_npz_from_the_ram_disk",
        "fleet.ram(host).read_bytes() == fleet.npz(host).read_bytes()",
    ),
    Protection(
        'A 2-byte `[]` "passed"',
        "any number of survivors is enough",
        (
            Edit(f"{FLEET}/goal.py", "if count is None or count >= least:", "if True:"),
            Edit(f"{TASKS}/decide.yml", '    min_survivors: "{{ survivor_npz_min_survivors }}"\n', ""),
        ),
        "playbook/test_fleet_runs.py::test_nothing_is_pushed_when_step_1_wrote_no_survivors",
        "run.rc != 0",
    ),
    Protection(
        "A two-hour run wasted because a rig was down",
        "faults stop the run after the conversion only",
        (
            Edit(f"{TASKS}/decide.yml", PREFLIGHT, ""),
            Edit(
                f"{TASKS}/decide.yml",
                "- name: plan | Set the goal",
                f"{PREFLIGHT}- name: plan | Set the goal",
            ),
        ),
        "playbook/test_fleet_traps.py::test_step25_ran_with_a_rig_missing",
        "nothing may be touched before all hosts have answered",
    ),
    Protection(
        "Rig jobs died in 0.4 s",
        "the rig's own Python is not asked",
        (Edit(f"{FLEET}/plan.py", 'bool(look["asked"]["rig_python"]) and not coordinator', "False"),),
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
                FLEET,
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
        "unit/controller/test_distributed_config.py::test_json_alone_gives_zeus_and_the_rigs_that_are_on",
        'groups["rigs"] == ["rig-6600"]',
    ),
    Protection(
        "JSON newer, RAM disks warm",
        "nobody looks at the RAM disk of Zeus",
        (Edit(f"{TASKS}/look.yml", EXTRA, NOT_ON_ZEUS),),
        "playbook/test_ram_disks.py::test_json_newer_and_every_ram_disk_warm",
        "zeus: workers read old data",
    ),
    Protection(
        "After one rig's reboot its worker read new data",
        "the proof is of disks only",
        (DISKS_ONLY,),
        "playbook/test_ram_disks.py::test_a_rebooted_rig_reads_new_data_and_the_others_old",
        "started on two sets of survivors",
    ),
    Protection(
        "A rig with `/dev/shm` 93 % full was skipped",
        "a copy without room is skipped, and the proof is of disks only",
        (
            Edit(
                FLEET,
                'if sha256 not in copy["staged"] and directory["free"] < size:',
                'if copy["required"] and sha256 not in copy["staged"] and directory["free"] < size:',
            ),
            Edit(
                f"{FLEET}/plan.py",
                "        if not must_be_right(copy):\n",
                '        if not copy["required"] and copy["directory"]["free"] < goal["size"]:\n'
                "            continue\n"
                "        if not must_be_right(copy):\n",
            ),
            DISKS_ONLY,
        ),
        "playbook/test_ram_disks.py::test_a_rig_whose_ram_disk_is_full_is_skipped_and_shown_as_done",
        "started beside a copy that is old",
    ),
    Protection(
        "4,900 survivors with `--sample-size` 5,000",
        "nobody compares survivors with the sample",
        (Edit(DECIDE, '        if options["for_run"]:\n', "        if False:\n"),),
        "playbook/test_rig_side.py::test_survivors_not_more_than_the_sample_size_warn",
        "WARNING: --sample-size 300 needs more than 300 survivors",
    ),
)
