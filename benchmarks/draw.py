"""Pictures of a benchmark's figures. usage: draw.py RESULTS.json DIRECTORY."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import Any, Dict

from matplotlib.figure import Figure


def draw(results: Dict[str, Any], where: Path) -> Path:
    """Draw ratios of time, and memory against its limit, into one PNG; return its path."""
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
    path = where / "bench.png"
    figure.savefig(path, dpi=110)
    return path


if __name__ == "__main__":
    draw(json.loads(Path(sys.argv[1]).read_text(encoding="utf-8")), Path(sys.argv[2]))
