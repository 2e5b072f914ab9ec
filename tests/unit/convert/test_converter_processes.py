# SPDX-License-Identifier: MIT
"""Other processes: a JSON that changes while it is read, a dead worker, two conversions at once."""

import contextlib
import functools
import json
import os
import signal
import subprocess
import time
from pathlib import Path
from typing import Any, Callable, Dict, List

import module_run
import oracle
import pytest
from place import Place, arrays_of, difference
from scenarios import T0, document
from survivors import records

SURVIVORS = 30_000


@pytest.fixture(scope="module")
def large() -> bytes:
    return json.dumps(list(records(SURVIVORS)), indent=2).encode()


def children(pid: int) -> List[int]:
    try:
        text = Path(f"/proc/{pid}/task/{pid}/children").read_text()
    except OSError:
        return []
    return [int(child) for child in text.split()]


def has_opened(pid: int, path: Path) -> bool:
    """Whether a process has the file open."""
    try:
        return any(os.readlink(entry.path) == str(path) for entry in os.scandir(f"/proc/{pid}/fd"))
    except OSError:
        return False


def wait_for(process: "subprocess.Popen[str]", event: Callable[[], Any]) -> None:
    """Wait until something is so, or the process has ended."""
    while not event() and process.poll() is None:
        time.sleep(0.0005)


def disturbed(
    place: Place,
    event: "Callable[[subprocess.Popen[str]], Any]",
    delay: float,
    disturb: "Callable[[subprocess.Popen[str]], Any]",
    **more: Any,
) -> Dict[str, Any]:
    """Start a run; `delay` seconds after the event hold it, do something, let it go on; its result."""
    process = module_run.start(place.args(**more), place.directory.parent)
    wait_for(process, lambda: event(process))
    time.sleep(delay)
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGSTOP)
        try:
            disturb(process)
        finally:
            # A process forked between the two signals may get the first only: repeat the second.
            while process.poll() is None:
                with contextlib.suppress(ProcessLookupError):
                    os.killpg(process.pid, signal.SIGCONT)
                with contextlib.suppress(subprocess.TimeoutExpired):
                    process.wait(0.3)
    out, err = process.communicate(timeout=60)
    assert "Traceback" not in err, err
    return module_run.answer_of(out)


def replace(place: Place, data: bytes) -> None:
    temp = place.directory.parent / "new.json"
    temp.write_bytes(data)
    os.utime(temp, ns=(T0 + 10**9, T0 + 10**9))
    os.replace(temp, place.json)


def append(place: Place, data: bytes) -> None:
    with open(place.json, "ab") as file:
        file.write(b" \n")


def shorten(place: Place, data: bytes) -> None:
    os.truncate(place.json, len(data) // 3)


def rewrite(place: Place, data: bytes) -> None:
    """As Step 1 does: the same file, its length 0 at first."""
    place.json.write_bytes(data[:-1].rstrip() + b"\n]")


def remove(place: Place, data: bytes) -> None:
    place.json.unlink()


def _is_open(place: Place, process: "subprocess.Popen[str]") -> bool:
    return has_opened(process.pid, place.json)


def _change(
    change: Callable[[Place, bytes], None], place: Place, new: bytes, _process: "subprocess.Popen[str]"
) -> None:
    change(place, new)


@pytest.mark.parametrize("change", [replace, append, shorten, rewrite, remove])
def test_a_json_that_changes_while_it_is_read_never_gives_a_mixture(
    tmp_path: Path, large: bytes, change: Callable[[Place, bytes], None]
) -> None:
    new = document(50, seed=77) if change is replace else large
    right = {len(data): oracle.convert(data).arrays for data in (document(50, seed=77), document(40, seed=3))}
    seen = set()
    for number, delay in enumerate((0, 0.01, 0.03, 0.06)):
        place = Place(tmp_path / str(number))
        place.write(document(40, seed=3), T0 - 10**9)
        old = place.run()["sha256"]
        place.write(large, T0)
        answer = disturbed(
            place,
            functools.partial(_is_open, place),
            delay,
            functools.partial(_change, change, place, new),
            workers=1 + number % 2,
        )
        if answer.get("failed"):
            seen.add(answer["code"])
            assert answer["code"] in ("source_changed", "json_truncated", "json_missing"), answer
            assert str(place.json) in answer["msg"]
            place.check_settled(old)
        else:
            place.check_settled(answer["sha256"])
            found = arrays_of(place.npz.read_bytes())
            assert len(found["seeds"]) in (SURVIVORS, 50)
            if len(found["seeds"]) == 50:
                assert not difference(found, right[len(new)])
    assert seen or change is append, "no run was disturbed in time"


def test_a_killed_worker_ends_in_a_message_or_the_right_arrays(tmp_path: Path, large: bytes) -> None:
    expected = None
    killed = 0
    # The first child hashes, the others parse.
    for number, delay in ((1, 0), (2, 0.01), (3, 0.04)):
        place = Place(tmp_path / str(number))
        place.write(large, T0)
        victims: List[int] = []

        def kill(process: "subprocess.Popen[str]", victims: List[int] = victims) -> None:
            victims.extend(children(process.pid)[-1:])
            for pid in victims:
                os.kill(pid, signal.SIGKILL)

        def are_there(process: "subprocess.Popen[str]", number: int = number) -> bool:
            return len(children(process.pid)) >= number

        answer = disturbed(place, are_there, delay, kill, workers=2)
        killed += len(victims)
        if answer.get("failed"):
            assert answer["code"] == "worker_killed", answer
            assert place.live() is None
            answer = place.run()
        place.check_settled(answer["sha256"])
        expected = expected or answer["sha256"]
        assert answer["sha256"] == expected
    assert killed, "no worker was ever met"


def test_workers_die_with_their_parent(tmp_path: Path, large: bytes) -> None:
    place = Place(tmp_path / "pipeline")
    place.write(large, T0)
    process = module_run.start(place.args(workers=2), tmp_path)
    found: List[int] = []

    def has_children() -> bool:
        found.extend(children(process.pid))
        return bool(found)

    wait_for(process, has_children)
    process.kill()
    process.communicate()
    assert found, "no worker was ever met"
    end = time.monotonic() + 5
    while any(Path(f"/proc/{pid}").exists() for pid in found) and time.monotonic() < end:
        time.sleep(0.01)
    assert not any(Path(f"/proc/{pid}").exists() for pid in found)
    answer = place.run()
    place.check_settled(answer["sha256"])


@pytest.mark.parametrize("activate", [True, False])
def test_two_conversions_at_once_end_as_one(tmp_path: Path, activate: bool) -> None:
    place = Place(tmp_path / "pipeline")
    place.write(document(40, seed=3), T0 - 10**9)
    old = place.run()["sha256"]
    data = document(3_000, seed=8)
    place.write(data, T0)
    for _ in range(3):
        forks = [module_run.fork(lambda: place.run(activate=activate, force=True)) for _ in range(3)]
        answers = []
        for pid, read in forks:
            with os.fdopen(read, "rb") as pipe:
                answers.append(json.loads(pipe.read()))
            os.waitpid(pid, 0)
        for each in answers:
            assert "error" not in each, each["error"]
            answer = each["value"]
            assert not answer.get("failed") or answer["code"] in ("moved", "busy"), answer
        assert any(not each["value"].get("failed") for each in answers)
        final = place.run(activate=activate)
        assert not final.get("failed"), final
        if activate:
            place.check_settled(final["sha256"])
            assert not difference(arrays_of(place.npz.read_bytes()), oracle.convert(data).arrays)
        else:
            assert place.live() == old
            assert Path(final["staged"]).exists()
