# SPDX-License-Identifier: MIT
"""What `make bench-fleet` rests on: its limits, its relay, and runs that did not do what they were to do."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "benchmarks"))

import relay  # noqa: E402
from fleet_table import Setting, faults, text  # noqa: E402
from measure import Cost, timed  # noqa: E402

OURS = "abc1234"
BARE = {"stat": 5.0, "copy": 8.0}
GOOD = {"idle": 6.0, "changed": 17.0, "status": 6.0, "refusal": 3.0}


def setting(hosts: int, delay: float = 0, factor: float = 1, **ours: float) -> Setting:
    """Three rounds of which the outer ones are as far off as the middle one is right."""
    rounds = [
        {
            "bare": {case: Cost(wall, 1) for case, wall in BARE.items()},
            OURS: {case: Cost(wall * factor * noise, 1) for case, wall in {**GOOD, **ours}.items()},
        }
        for noise in (0.5, 1, 5)
    ]
    return Setting(hosts, delay, rounds)


def broken(*settings: Setting) -> list[str]:
    """The limits that do not hold."""
    return faults(list(settings), OURS)


def test_every_limit_of_26_hosts_is_judged_by_the_median() -> None:
    assert broken(setting(26)) == []
    for case, wall in {"idle": 7.1, "changed": 19.3, "status": 7.1, "refusal": 3.6}.items():
        (line,) = broken(setting(26, **{case: wall}))
        assert line.startswith("26 hosts") and "at most" in line, line


def test_a_large_fleet_is_judged_by_the_26_hosts_of_the_same_delay() -> None:
    assert broken(setting(26), setting(100, factor=1.1)) == []
    assert len(broken(setting(26), setting(100, factor=1.3))) == 4
    slow = setting(26, delay=20, factor=0.5)
    assert broken(slow, setting(100, factor=1.1)) == [], "only a fleet with the same delay is the reference"


def test_a_small_fleet_may_take_two_seconds_more_than_the_bare_command() -> None:
    assert broken(setting(3, idle=6.9, status=50)) == []
    (line,) = broken(setting(3, idle=7.1))
    assert "+2.10 s, at most +2 s" in line


def test_the_table_names_a_limit_that_does_not_hold() -> None:
    shown = text([setting(26, idle=10)])
    (line,) = [line for line in shown.splitlines() if "nothing to do" in line]
    assert "2.00 (1.00 to 10.00) of stat" in line and "DOES NOT HOLD" in line
    assert shown.count("DOES NOT HOLD") == 1 and shown.count(": holds") == 3


def test_a_refusal_that_passes_is_not_measured_as_one() -> None:
    with pytest.raises(RuntimeError, match="ended with 0"):
        timed(["true"], succeeds=False)
    with pytest.raises(RuntimeError, match="ended with 1"):
        timed(["false"])


def test_the_relay_delays_all_bytes_and_changes_none() -> None:
    content = bytes(range(256)) * 8192

    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(1 << 16):
            writer.write(data)
        writer.close()

    async def through() -> tuple[bytes, float]:
        server = await asyncio.start_server(echo, "127.0.0.1", 0)
        port = await relay.Relay("127.0.0.1", server.sockets[0].getsockname()[1], 0.05).listen()
        clock = asyncio.get_running_loop().time
        start = clock()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(content)
        writer.write_eof()
        back = await reader.read()
        writer.close()
        return back, clock() - start

    back, seconds = asyncio.run(through())
    assert back == content
    # The handshake's three ways, of which the first bytes share the last, and one way back.
    assert seconds >= 4 * 0.05


def test_the_relay_ends_with_the_server() -> None:
    async def through() -> bytes:
        server = await asyncio.start_server(lambda _, writer: writer.close(), "127.0.0.1", 0)
        port = await relay.Relay("127.0.0.1", server.sockets[0].getsockname()[1], 0.01).listen()
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        end = await asyncio.wait_for(reader.read(), 30)
        writer.close()
        return end

    assert asyncio.run(through()) == b""
