# SPDX-License-Identifier: MIT
"""Who belongs to the fleet."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, NamedTuple


class Team(NamedTuple):
    """The fleet of one run.

    Attributes:
        coordinator: the one host that converts and runs Step 2.5; None where there is not exactly one.
        rigs: the rigs that take part.
        skipped: rigs left out by name.
        faults: sentences; empty where the fleet is whole.
    """

    coordinator: str | None
    rigs: list[str]
    skipped: list[str]
    faults: list[str]

    @property
    def hosts(self) -> list[str]:
        """Everybody who takes part, the coordinator last: the order in which they switch."""
        return self.rigs + ([self.coordinator] if self.coordinator else [])


def names_of(value: Any) -> list[str]:
    """A list of names, also where a variable came as one comma-separated word from the command line."""
    if isinstance(value, str):
        return [name.strip() for name in value.split(",") if name.strip()]
    return [str(name) for name in value or []]


def team_of(groups: Mapping[str, Sequence[str]], options: Mapping[str, Any]) -> Team:
    """The fleet by the inventory's groups.

    Args:
        options: `coordinator_group`, `rigs_group`, `skip_rigs`.
    """
    skipped = names_of(options["skip_rigs"])
    coordinators = list(groups.get(options["coordinator_group"], []))
    listed = list(groups.get(options["rigs_group"], []))
    rigs = [rig for rig in listed if rig not in skipped]
    faults = []
    if len(coordinators) != 1:
        faults.append(
            f"The group {options['coordinator_group']} must have exactly one host; it has "
            f"{', '.join(coordinators) or 'none'}."
        )
    if not listed:
        faults.append(
            f"The group {options['rigs_group']} has no host: there is nothing to distribute to. Edit the inventory."
        )
    faults += [
        f"survivor_npz_skip_rigs names {name}, which is not in group {options['rigs_group']}."
        for name in skipped
        if name not in listed
    ]
    faults += [
        f"{host} is in both groups, {options['coordinator_group']} and {options['rigs_group']}."
        for host in rigs
        if host in coordinators
    ]
    return Team(coordinators[0] if len(coordinators) == 1 else None, rigs, skipped, faults)


def left_out(team: Team, played: Sequence[str], batch: Sequence[str], limit: str | None) -> list[str]:
    """Why a play does not reach the whole fleet: --limit, serial, or a play on a part of it.

    Args:
        played: hosts of the play.
        batch: hosts of the play's present batch, fewer where `serial` splits it.
        limit: --limit, None where there is none.
    """
    missing = [host for host in team.hosts if host not in played]
    if not missing and len(batch) < len(played):
        return ["`serial` splits the fleet, and all hosts switch or none does. Remove it from the play."]
    if not missing:
        return []
    who = ", ".join(missing)
    if limit is None:
        return [
            f"This play leaves out {who}: the fleet switches as a whole or not at all. Its `hosts` must name "
            "the coordinator and all rigs; to leave a rig out by name: -e survivor_npz_skip_rigs=RIG."
        ]
    return [
        f"--limit {limit} leaves out {who}: the fleet switches as a whole or not at all. Run without --limit; "
        "to leave a rig out by name: -e survivor_npz_skip_rigs=RIG."
    ]


def groups_for(team: Team) -> dict[str, list[str]]:
    """The run's own groups by host: membership is the permission to take part."""
    members = {host: ["survivor_npz_fleet"] for host in team.hosts}
    for host in team.hosts:
        members[host].append("survivor_npz_lead" if host == team.coordinator else "survivor_npz_followers")
    return members
