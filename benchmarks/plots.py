# SPDX-License-Identifier: MIT
"""Draws what the benchmarks wrote: `make plots`. usage: plots.py DIRECTORY…

Each bench, fleet, headline, peers and scale.json in a directory becomes a PNG beside it.
"""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from fleet_table import BARE, NAMES, REFERENCE, RULES, Setting
from headline import CLAIMS, WORKERS
from matplotlib.figure import Figure
from measure import Cost

# The bare commands, then the checkouts.
COLORS = ("#999", "#3b7", "#e92", "#59d", "#a6c")


def settings_of(results: dict[str, Any]) -> list[Setting]:
    """The settings that a results file holds."""
    return [
        Setting(
            entry["hosts"],
            entry["relay"],
            [
                {who: {case: Cost(**cost) for case, cost in costs.items()} for who, costs in each.items()}
                for each in entry["rounds"]
            ],
        )
        for entry in results["settings"]
    ]


def short(value: float) -> str:
    """A number with three digits, or more where it is a thousand or above: no exponent."""
    return f"{value:,.0f}" if value >= 1000 else f"{value:.3g}"


def titled(results: dict[str, Any], width: float, height: float, title: str = "{}") -> Figure:
    """A figure whose title says on what machine and when it was measured."""
    host = results["machine"]
    figure = Figure(figsize=(width, height), layout="constrained")
    figure.suptitle(title.format(f"{host['cores']} cores, Linux {host['kernel']}, {host['date']}"))
    return figure


def fleet(results: dict[str, Any]) -> Figure:
    """Each setting's ratios with their spread and limits."""
    settings = settings_of(results)
    most = max(sum(len(costs) for costs in setting.rounds[0].values()) for setting in settings)
    figure = titled(results, 9, 1 + 0.4 * most * len(settings))
    for setting, axes in zip(settings, figure.subplots(len(settings), 1, squeeze=False)[:, 0]):
        places: list[str] = []
        for number, who in enumerate(setting.who()):
            for case in (name for name in NAMES if name in RULES and name in setting.rounds[0][who]):
                rule, ratios = RULES[case], setting.ratios(who, case)
                middle = statistics.median(ratios)
                place = len(places)
                places.append(f"{who}: {NAMES[case].strip()} / {rule.base}")
                error = [[middle - min(ratios)], [max(ratios) - middle]]
                axes.barh(place, middle, color=COLORS[number % len(COLORS)], xerr=error)
                if rule.must:
                    axes.plot([rule.must], [place], "k|", markersize=18)
        axes.set_yticks(range(len(places)), places)
        axes.invert_yaxis()
        axes.set_title(str(setting))
        axes.set_xlabel(f"wall time, bare command = 1 (black: limit for {REFERENCE} hosts)")
    return figure


def scale(results: dict[str, Any]) -> Figure:
    """Seconds by number of hosts, wall and the controller's CPU, logarithmically."""
    settings = settings_of(results)
    figure = titled(results, 11, 4.5, "controller and all hosts on {}")
    hosts = [setting.hosts for setting in settings]
    for axes, title in zip(figure.subplots(1, 2), ("wall, s", "CPU of the controller alone, s")):
        for who in settings[0].who():
            for case in (name for name in NAMES if name in settings[0].rounds[0][who]):
                costs = [[each[who][case] for each in setting.rounds] for setting in settings]
                values = [
                    statistics.median(c.wall if "wall" in title else c.cpu - c.hosts for c in each)
                    for each in costs
                ]
                axes.plot(hosts, values, "o--" if who == BARE else "o-", label=NAMES[case].strip())
        axes.set_xscale("log")
        axes.set_yscale("log")
        axes.set_xticks(hosts, [str(count) for count in hosts])
        axes.minorticks_off()
        axes.set_xlabel("hosts")
        axes.set_title(title)
        axes.legend()
    return figure


def peers(results: dict[str, Any]) -> Figure:
    """Wall time and memory of each contender, by file."""
    figure = titled(results, 13, 4.5, "whole processes; {}")
    panels = [(entry, what) for entry in results["files"] for what in ("s", "MiB")]
    for axes, (entry, what) in zip(figure.subplots(1, len(panels)), panels):
        names = list(entry["runs"])
        values = [
            statistics.median(run["wall"] for run in entry["runs"][name])
            if what == "s"
            else entry["mib"][name]
            for name in names
        ]
        bars = axes.barh(
            range(len(names)), values, color=["#3b7" if ", " in name else "#999" for name in names]
        )
        axes.bar_label(bars, fmt=short)
        axes.set_yticks(range(len(names)), names)
        axes.invert_yaxis()
        axes.margins(x=0.3)
        axes.set_title(f"{entry['bytes'] / 1e6:.0f} MB of JSON: {what}")
    return figure


def bench(results: dict[str, Any]) -> Figure:
    """Ratios of time, and memory against its limit."""
    figure = Figure(figsize=(13, 5), layout="constrained")
    left, right = figure.subplots(1, 2)
    labels, ratios, goals = [], [], []
    for entry in results["speed"]:
        for workers, figures in entry["workers"].items():
            labels.append(f"{entry['input']}\n{workers} worker{'s' if workers != '1' else ''}")
            ratios.append(figures["ratio"])
            goals.append(figures["must"])
    places = range(len(labels))
    left.barh(places, ratios, color="#3b7")
    left.plot(goals, places, "k|", markersize=22, label="must")
    left.set_yticks(places, labels)
    left.set_xlabel("wall time, plain converter = 1")
    left.set_title("Whole process, median of ratios")
    left.legend()
    entries = results["memory"]
    places = range(len(entries))
    right.bar([p - 0.2 for p in places], [e["summed_mib"] for e in entries], 0.4, label="all processes")
    right.bar([p + 0.2 for p in places], [e["largest_mib"] for e in entries], 0.4, label="largest process")
    right.plot([p - 0.2 for p in places], [e["summed_limit_mib"] for e in entries], "k_", markersize=26)
    right.plot(
        [p + 0.2 for p in places],
        [e["largest_limit_mib"] for e in entries],
        "k_",
        markersize=26,
        label="limit",
    )
    right.set_xticks(places, [f"{e['survivors']:,}\n{e['json_mb']:.0f} MB" for e in entries])
    right.set_ylabel("peak PSS, MiB")
    right.set_title("Memory by number of survivors")
    right.legend()
    return figure


def headline(results: dict[str, Any]) -> Figure:
    """Size, load time and memory of both forms, logarithmically."""
    figure = titled(results, 13, 4, "{}; claimed: black")
    panels = {"bytes": "file, MB", "one": "one worker, s", "cpu": f"{WORKERS} workers, s of CPU time in all"}
    files = results["files"]
    for axes, (key, title) in zip(figure.subplots(1, len(panels)), panels.items()):
        for number, (name, claim) in enumerate(CLAIMS.items()):
            places = [place + 0.4 * number for place in range(len(files))]
            values = [entry[name][key] / (1e6 if key == "bytes" else 1) for entry in files]
            axes.bar_label(axes.bar(places, values, 0.4, label=name.upper()), fmt=short)
            claimed = {"bytes": claim.megabytes, "one": (claim.one,), "cpu": (claim.total,)}[key]
            for value in claimed:
                axes.plot(places, [value] * len(places), "k_", markersize=24)
        axes.set_yscale("log")
        axes.margins(y=0.15)
        axes.set_xticks([place + 0.2 for place in range(len(files))], [f"{e['survivors']:,}" for e in files])
        axes.set_title(title)
        axes.legend()
    return figure


def main() -> int:
    """Draw; 1 where a directory holds no figures."""
    found = 0
    for folder in map(Path, sys.argv[1:]):
        for draw in (bench, fleet, headline, peers, scale):
            figures = folder / f"{draw.__name__}.json"
            if figures.exists():
                picture = figures.with_suffix(".png")
                draw(json.loads(figures.read_text(encoding="utf-8"))).savefig(picture, dpi=100)
                print(picture)
                found += 1
    return 0 if found else 1


if __name__ == "__main__":
    sys.exit(main())
