# SPDX-License-Identifier: MIT
"""Protections of the converter and of the switch on one host."""

from __future__ import annotations

from protections import Edit, Protection

PACKAGE = "module_utils/survivor_npz"
FIELDS = "module/test_field_incidents.py"

CONVERTING = (
    Protection(
        "19 of 22 fields dropped",
        "the schema has one field less",
        (
            Edit(
                f"{PACKAGE}/npz/schema.py",
                '"intersection_count intersection_ratio"',
                '"intersection_count"',
            ),
        ),
        f"{FIELDS}::test_no_field_is_dropped_in_silence",
        "assert 21 == 22",
    ),
    Protection(
        "19 of 22 fields dropped",
        "nothing is said of what is left out",
        (
            Edit(
                f"{PACKAGE}/convert/checks.py",
                "return {key: seen.count for key, seen in tally.other_keys.kept().items()}",
                "return {}",
            ),
        ),
        f"{FIELDS}::test_no_field_is_dropped_in_silence",
        '"sessions" in json.dumps(sidecar)',
    ),
    Protection(
        "Every hybrid survivor was labelled java_lcg",
        "a hybrid is its base",
        (
            Edit(
                f"{PACKAGE}/arrays/prng.py",
                'if encoding == "legacy" and name.endswith(HYBRID):\n        name',
                "if name.endswith(HYBRID):\n        name",
            ),
        ),
        f"{FIELDS}::test_a_hybrid_is_not_labelled_java_lcg",
        "assert {0} == {1}",
    ),
    Protection(
        "Every hybrid survivor was labelled java_lcg",
        "an unknown name is id 0",
        (Edit(f"{PACKAGE}/arrays/prng.py", "return table.get(name)", "return table.get(name, 0)"),),
        f"{FIELDS}::test_an_unknown_name_is_an_error_and_not_id_0",
        'done.get("failed")',
    ),
    Protection(
        "`forward_matches` equal for every seed",
        "match arrays are filled from counts, also where there are rates",
        (Edit(f"{PACKAGE}/convert/build.py", "if from_counts and field.key in", "if field.key in"),),
        f"{FIELDS}::test_match_rates_are_each_survivors_own",
        'arrays(place)["forward_matches"]',
    ),
    Protection(
        "`[]` crashed the converter",
        "the smallest and the largest value of every array are looked up",
        (Edit(f"{PACKAGE}/npz/write.py", "min(lows, default=None)", "min(lows)"),),
        f"{FIELDS}::test_no_survivors_are_22_empty_arrays",
        "empty",
    ),
    Protection(
        "A list of ints, a summary dict",
        "the file's shape is not looked at before its records",
        (
            Edit(
                f"{PACKAGE}/survivors/document.py",
                'if source.read(first, 1) not in (b"{", b"]"):',
                "if False:",
            ),
            Edit(f"{PACKAGE}/survivors/document.py", 'if opener[:1] != b"[":', "if False:"),
        ),
        f"{FIELDS}::test_what_is_no_survivors_is_refused_by_its_name",
        'hint in done["msg"]',
    ),
    Protection(
        "`ValueError: '5-56'`",
        "no text is a range",
        (
            Edit(
                PACKAGE,
                "ends = [int(match[1]), int(match[2])] if match else []",
                "ends = []",
            ),
        ),
        f"{FIELDS}::test_a_skip_range_as_a_string_is_read",
        'not done.get("failed")',
    ),
    Protection(
        "`UnboundLocalError: np`",
        "numpy's name is unbound on the path of a bad value",
        (
            Edit(
                f"{PACKAGE}/arrays/checker.py",
                "        whys = [why_of(value) for value in column.values]\n",
                "        whys = [why_of(value) for value in column.values]\n"
                "        if not whys:\n            import numpy as np\n",
            ),
        ),
        "unit/convert/test_property_mutations.py::test_damage_never_passes_unseen",
        "variable 'np'",
    ),
    Protection(
        "`UnboundLocalError: np`",
        "a name is unbound where several processes share a file",
        (Edit(f"{PACKAGE}/convert/build.py", "        step = max(size // (workers * 16), 1 << 20)\n", ""),),
        f"{FIELDS}::test_the_smallest_file_takes_every_path_that_a_large_one_takes",
        "access local variable",
    ),
    Protection(
        'The temp file "x.npz.tmp.123" was not found',
        "the writer appends .npz to the name that it is given",
        (
            Edit(
                f"{PACKAGE}/convert/stage.py",
                "durable.write_file(temp, data, target_mode)",
                'durable.write_file(temp + ".npz", data, target_mode)',
            ),
        ),
        f"{FIELDS}::test_no_temp_name_grows_a_suffix_and_no_orphan_sidecar_stays",
        'told.get("sha256") == done.get("sha256")',
    ),
    Protection(
        "An orphan `….tmp.PID.meta.json`",
        "an NPZ goes live without its sidecar",
        (
            Edit(
                f"{PACKAGE}/switch/switch.py",
                "if not adopt_sidecar(names, live):",
                "if False:",
            ),
        ),
        f"{FIELDS}::test_no_temp_name_grows_a_suffix_and_no_orphan_sidecar_stays",
        'sidecar["survivor_count"] == 4',
    ),
    Protection(
        "An orphan `….tmp.PID.meta.json`",
        "temp files of a killed run stay",
        (
            Edit(
                f"{PACKAGE}/switch/leftovers.py",
                "    found += [path for path, pid in names.temp_files() if _is_abandoned(path, pid)]\n",
                "",
            ),
        ),
        "unit/convert/test_converter_crashes.py::test_a_kill_at_any_step_leaves_old_or_new_and_the_next_run_heals",
        ".tmp.",
    ),
    Protection(
        "NPZ of 45,867 rows instead of 1,384,186",
        "workers keep their rows to themselves",
        (Edit(f"{PACKAGE}/convert/segments.py", "mmap.MAP_SHARED |", "mmap.MAP_PRIVATE |"),),
        f"{FIELDS}::test_thousands_of_rows_per_worker_lose_none",
        "rows are not those of the JSON",
    ),
    Protection(
        "22,145 survivors lost",
        "the old NPZ is away while the new one is made",
        (
            Edit(
                f"{PACKAGE}/convert/api.py",
                "    made = _make(job)\n",
                '    aside = job.names.live + ".aside"\n'
                "    if job.decision.live:\n        os.rename(job.names.live, aside)\n"
                "    made = _make(job)\n"
                "    if job.decision.live:\n        os.rename(aside, job.names.live)\n",
            ),
        ),
        "unit/convert/test_converter_crashes.py::test_a_random_kill_of_all_processes_leaves_old_or_new",
        "live is None",
    ),
    Protection(
        "An owned symlink was replaced",
        "the switch looks through a symlink",
        (Edit(f"{PACKAGE}/switch/live.py", "mode = os.lstat(names.live)", "mode = os.stat(names.live)"),),
        "unit/switch/test_switch.py::test_an_owned_symlink_is_never_replaced",
        "DID NOT RAISE",
    ),
    Protection(
        "An owned symlink was replaced",
        "the converter takes a symlink for a file of its own",
        (Edit(f"{PACKAGE}/convert/stage.py", "if live and live.is_symlink:", "if False:"),),
        "unit/convert/test_converter_destinations.py::test_an_owned_symlink_is_never_replaced",
        'answer.get("failed")',
    ),
)
