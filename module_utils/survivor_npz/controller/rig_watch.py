# SPDX-License-Identifier: MIT
"""Whether the rigs still answer while Step 2.5 runs: one connection to each one's SSH port a minute, no login."""

from __future__ import annotations

import collections
import socket
import threading
import time
from collections.abc import Mapping
from typing import Any

PAUSE, PATIENCE = 60.0, 5.0  # seconds: between two looks; for a connection


def places(task_vars: Mapping[str, Any]) -> dict[str, tuple[str, int]]:
    """Address and port of each rig that Ansible reaches by SSH, by name."""
    team = (task_vars.get("__survivor_npz_guard") or {}).get("team") or {}
    known = {rig: task_vars["hostvars"][rig] for rig in team.get("rigs") or []}
    return {
        rig: (str(its.get("ansible_host") or rig), int(its.get("ansible_port") or 22))
        for rig, its in known.items()
        if its.get("ansible_connection", "ssh") == "ssh"
    }


def _answers(place: tuple[str, int]) -> bool:
    try:
        socket.create_connection(place, PATIENCE).close()
    except OSError:
        return False
    return True


class RigWatch:
    """Look at rigs in a thread of its own, so that a dead one delays nothing.

    One that has never answered may only be reachable through another host: nothing is said about it.
    """

    def __init__(self, rigs: Mapping[str, tuple[str, int]]) -> None:
        self._rigs = rigs
        self._answered: dict[str, bool] = {}
        self._news: collections.deque[str] = collections.deque()

    def start(self) -> RigWatch:
        """Look now and every minute."""
        if self._rigs:
            threading.Thread(target=self._watch, daemon=True).start()
        return self

    def _watch(self) -> None:
        while True:
            self.look()
            time.sleep(PAUSE)

    def look(self) -> None:
        """Connect to each rig once."""
        for name, place in self._rigs.items():
            before, now = self._answered.get(name), _answers(place)
            if before is None and not now:
                continue
            self._answered[name] = now
            if before and not now:
                self._news.append(
                    f"{name} has stopped answering ({place[0]} port {place[1]}). Step 2.5 goes on; look at that rig."
                )
            elif now and before is False:
                self._news.append(f"{name} answers again.")

    def news(self) -> list[str]:
        """What has changed since the last call, each change once."""
        return [self._news.popleft() for _ in range(len(self._news))]
