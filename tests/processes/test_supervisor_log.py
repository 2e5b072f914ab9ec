# SPDX-License-Identifier: MIT
"""The log and the record of a run: whole, bounded, and on a full disk. With real processes."""

from __future__ import annotations

import json
import os
from pathlib import Path

import pytest
from ansible.module_utils.survivor_npz.run import control, log_reader
from ansible.module_utils.survivor_npz.run.supervise import home
from launch import Place, until

pytest_plugins = ("launch_fixtures",)


def test_binary_and_1_mb_lines_reach_the_log_byte_for_byte(place: Place) -> None:
    place.script("""python3 - <<'E'
import sys
out = sys.stdout.buffer
out.write(bytes(range(256)) * 8 + b"\\n" + b"x" * (1 << 20) + b"\\n\\x00\\xff\\x1b[2J no newline")
E""")
    record = place.run()
    assert place.log() == bytes(range(256)) * 8 + b"\n" + b"x" * (1 << 20) + b"\n\x00\xff\x1b[2J no newline"
    assert len(record["tail"][-1]) <= 600


def test_full_log_disk_stops_neither_script_nor_verdict(small_disk: Path) -> None:
    place = Place(small_disk)
    place.script(
        "for i in $(seq 200); do head -c 20000 /dev/zero | tr '\\0' x; echo; done; echo the end; exit 3"
    )
    try:
        record = place.run()
    finally:
        place.clean()
    assert (record["verdict"], record["exit_code"]) == ("failed", 3)
    assert record["tail"][-1] == "the end"
    assert record["log_cut"]["why"] == "No space left on device"
    assert record["log_cut"]["at"] + record["log_cut"]["lost"] >= record["log_bytes"] == 200 * 20001 + 8
    assert "log is cut" in record["message"]
    assert json.loads(Path(record["record"]).read_text()) == record


@pytest.mark.parametrize("free", [0, 40_000, 150_000, 250_000, 400_000])
def test_disk_almost_full_at_the_start_means_a_whole_run_or_none(small_disk: Path, free: int) -> None:
    place = Place(small_disk)
    place.script("echo started; head -c 500000 /dev/zero | tr '\\0' x; exit 3")
    with open(small_disk / "filler", "wb") as filler:
        stat = os.statvfs(small_disk)
        filler.write(b"x" * max(0, stat.f_bavail * stat.f_frsize - free))
    try:
        record = place.run()
    except control.RunError as error:
        assert "Cannot keep a run record" in str(error)
        assert "No space left on device" in str(error)
        assert home.records(str(small_disk)) == []
        assert free < 250_000
    else:
        assert (record["verdict"], record["exit_code"]) == ("failed", 3)
        assert free > 150_000
    finally:
        place.clean()


def test_memory_stays_flat(place: Place) -> None:
    place.script("head -c $(($1 * 1000000)) /dev/zero | tr '\\0' x; echo; echo > written; sleep 60")
    peaks = []
    for megabytes in (1, 60):
        record = place.start(str(megabytes))
        until((place.dir / "written").exists, "the output", 30)
        until(lambda: os.path.getsize(record["log"]) > megabytes * 1000000, "the log")  # noqa: B023
        status = Path(f"/proc/{record['supervisor']}/status").read_text()
        peaks.append(int(status.partition("VmHWM:")[2].split()[0]))
        control.stop(str(place.dir))
        (place.dir / "written").unlink()
    assert peaks[1] < peaks[0] + 4096, f"KiB: {peaks}"


def test_only_the_newest_20_runs_are_kept(place: Place) -> None:
    for number in range(25):
        old = place.dir / ".survivor_npz" / "runs" / f"20200101T0000{number:02d}Z-1"
        old.mkdir(parents=True)
        (old / "record.json").write_text("{}")
    keep = place.dir / ".survivor_npz" / "runs" / "an operator's notes"
    keep.mkdir()
    place.script("true")
    record = place.run()
    kept = [os.path.basename(path) for path in home.records(str(place.dir))]
    assert kept == [f"20200101T0000{number:02d}Z-1" for number in range(6, 25)] + [record["run"]]
    assert keep.exists()


def test_late_reader_learns_when_each_piece_came(place: Place) -> None:
    place.script("echo one; sleep 1.2; echo two")
    record = place.run()
    answer = log_reader.read(str(place.dir), record["run"])
    assert [byte for byte, _ in answer["times"]] == [0, 4]
    assert answer["times"][0][1] < 0.6
    assert 1.0 < answer["times"][1][1] < 2.5
