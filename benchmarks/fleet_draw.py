"""The picture of `make bench-fleet`. usage: fleet_draw.py FLEET.json PNG."""

from __future__ import annotations

import json
import statistics
import sys
from pathlib import Path
from typing import Any

from fleet_table import NAMES, REFERENCE, RULES, Setting
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


def draw(results: dict[str, Any], path: Path) -> Path:
    """Draw each setting's ratios with their spread and limits into one PNG; return its path."""
    settings = settings_of(results)
    most = max(sum(len(costs) for costs in setting.rounds[0].values()) for setting in settings)
    figure = Figure(figsize=(9, 1 + 0.4 * most * len(settings)), layout="constrained")
    host = results["machine"]
    figure.suptitle(f"{host['cores']} cores, Linux {host['kernel']}, {host['date']}")
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
    figure.savefig(path, dpi=100)
    return path


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
