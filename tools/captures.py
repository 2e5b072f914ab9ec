#!/usr/bin/env python3
# SPDX-License-Identifier: MIT
"""Draw docs/captures/*.svg: what the demo shows on a real terminal of 100 columns (`make captures`)."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
from html import escape
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COLUMNS, LINE, CHARACTER = 100, 18, 8.4  # SVG units of a line and of a character
PLAY = ("ansible-playbook", "-i", "inventory/demo.ini")
# A rig whose name nobody knows.
DOWN = "[rigs]\nrig-6600b ansible_connection=ssh\n"
COLOURS = {
    "30": "#6e7681", "31": "#ff7b72", "32": "#7ee787", "33": "#e3b341", "34": "#79c0ff", "35": "#d2a8ff",
    "36": "#76e3ea", "37": "#c9d1d9", "94": "#79c0ff", "95": "#ffa6f0",
}  # fmt: skip


def shown(*command: str) -> str:
    """What a command writes to a terminal of its own."""
    controller, terminal = pty.openpty()
    fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", 50, COLUMNS, 0, 0))
    environment = {name: value for name, value in os.environ.items() if name not in ("COLUMNS", "NO_COLOR")}
    with subprocess.Popen(
        command,
        cwd=ROOT,
        stdin=terminal,
        stdout=terminal,
        stderr=terminal,
        env={**environment, "TERM": "xterm-256color"},
    ):
        os.close(terminal)
        data = b""
        with contextlib.suppress(OSError):  # the last writer has closed it
            while piece := os.read(controller, 1 << 16):
                data += piece
    os.close(controller)
    return data.decode(errors="replace").replace(str(ROOT), "~/survivor-npz")


def lines(text: str) -> list[list[tuple[str, str]]]:
    """The screen's lines, each as pieces of text with a colour."""
    found = []
    for raw in text.replace("\r\n", "\n").split("\n"):
        pieces, colour = [], COLOURS["37"]
        # A carriage return draws over the line; an erased one is gone.
        for part in re.split(r"(\x1b\[[0-9;]*m)", re.split(r"\r|\x1b\[K", raw)[-1]):
            if part.startswith("\x1b["):
                codes = part[2:-1].split(";")
                colour = next((COLOURS[code] for code in codes if code in COLOURS), COLOURS["37"])
                # Bright colours, as Ansible writes them.
                colour = (
                    COLOURS.get(str(int(codes[-1]) + 60), colour)
                    if "1" in codes and len(codes) > 1
                    else colour
                )
            elif part:
                pieces.append((part, colour))
        length = 0
        row: list[tuple[str, str]] = []
        for part, shade in pieces:
            for character in part:
                if length and length % COLUMNS == 0:  # where the terminal wraps
                    found.append(row)
                    row = []
                row.append((character, shade))
                length += 1
        found.append(row)
    while found and not found[-1]:
        found.pop()
    return found


def svg(rows: list[list[tuple[str, str]]], title: str) -> str:
    """The picture of a terminal."""
    width, height = COLUMNS * CHARACTER + 24, (len(rows) + 1) * LINE + 12
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:.0f} {height}" role="img" '
        f'aria-label="{escape(title)}">',
        '<rect width="100%" height="100%" rx="6" fill="#0d1117"/>',
        '<g font-family="ui-monospace,SFMono-Regular,Menlo,Consolas,monospace" font-size="14" xml:space="preserve">',
    ]
    for number, row in enumerate(rows):
        spans, start = [], 0
        for index in range(1, len(row) + 1):
            if index == len(row) or row[index][1] != row[start][1]:
                text = "".join(character for character, _ in row[start:index])
                # textLength keeps columns straight, whatever font there is.
                place = f'x="{12 + start * CHARACTER:.1f}" textLength="{(index - start) * CHARACTER:.1f}"'
                spans.append(f'<tspan {place} fill="{row[start][1]}">{escape(text)}</tspan>')
                start = index
        if spans:
            out.append(f'<text y="{(number + 1) * LINE + 4}">{"".join(spans)}</text>')
    return "\n".join([*out, "</g>", "</svg>", ""])


def main() -> None:
    """Play the demo: a run, a status and a refusal."""
    subprocess.run([sys.executable, "demo/set_up.py"], cwd=ROOT, check=True)
    for host in ("zeus", "rig-6600", "rig-6600b", "rig-6600c"):
        for path in (ROOT / ".demo" / host).glob("*binary*"):
            path.unlink()
    with tempfile.NamedTemporaryFile("w", suffix=".ini") as down:
        down.write(DOWN)
        down.flush()
        commands = {
            "run": (*PLAY, "-e", '{"survivor_npz_scorer_args": ["6"]}', "playbooks/step25.yml"),
            "status": (*PLAY, "playbooks/status.yml"),
            "refusal": (*PLAY, "-i", down.name, "playbooks/step25.yml"),
        }
        for name, command in commands.items():
            path = ROOT / "docs" / "captures" / f"{name}.svg"
            path.parent.mkdir(exist_ok=True)
            path.write_text(svg(lines(shown(*command)), f"{name}: {command[-1]}"), encoding="utf-8")
            print(f"wrote {path.relative_to(ROOT)}")


if __name__ == "__main__":
    main()
