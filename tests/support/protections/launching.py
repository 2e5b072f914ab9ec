# SPDX-License-Identifier: MIT
"""Protections of Step 2.5's start, its output and its end."""

from __future__ import annotations

from protections import Edit, Protection

SUPERVISE = "module_utils/survivor_npz/run/supervise"
LIVE = "plugins/action/survivor_npz_live.py"
RESULT = "module_utils/survivor_npz/controller/run_result.py"
SCREEN = "playbook/test_run_live.py"

LAUNCHING = (
    Protection(
        "Output cut at 8,192 bytes",
        "the log takes 8,192 bytes",
        (
            Edit(
                f"{SUPERVISE}/log.py",
                "            while data:\n",
                "            data = data[: max(0, 8192 - self.size)]\n            while data:\n",
            ),
        ),
        "processes/test_supervisor_log.py::test_binary_and_1_mb_lines_reach_the_log_byte_for_byte",
        "assert place.log() ==",
    ),
    Protection(
        "Output cut at 8,192 bytes",
        "the controller holds output back until 8 KiB are full",
        (Edit(LIVE, "line_buffering=True", "line_buffering=False"),),
        f"{SCREEN}::test_output_is_seen_as_it_is_written_over_ssh",
        "max(late) <= 2",
    ),
    Protection(
        "A silent hang never timed out",
        "the time limit is looked at when there is output",
        (
            Edit(
                f"{SUPERVISE}/supervisor.py",
                "None if self._deadline is None else self._deadline - time.monotonic()",
                "None",
            ),
        ),
        "processes/test_supervisor.py::test_silent_hang_meets_its_time_limit",
        "the end of the run",
    ),
    Protection(
        "The run was killed during collection",
        "silence is silence",
        (
            Edit(
                LIVE,
                'if not out and time.monotonic() - last_shown >= self._args["sign_of_life"]:',
                "if False:",
            ),
        ),
        f"{SCREEN}::test_silence_shows_a_sign_of_life_and_cron_sees_none",
        "without output for",
    ),
    Protection(
        "The next step took a `--legacy-scoring` run",
        "an exit code is not a verdict",
        (Edit(RESULT, '_BAD = ("failed", ', "_BAD = ("),),
        f"{SCREEN}::test_failed_script_fails_the_play_with_its_last_lines_and_its_log",
        "rc == 2",
    ),
)
