"""The supervisor as one text, for `python3 -I -` on a host that has no other copy of it.

It outlives the module that starts it, whose files Ansible deletes; and Zeus need not have a checkout. A text
on standard input leaves nothing behind, and a full disk is no matter. (An archive in a memfd would need no
`load`, but not every Python has memfd_create.)
"""

from __future__ import annotations

import inspect
import sys
import types
from typing import Dict

from . import home, lock, log, main, output, processes, run, supervisor

# Each needs only those before it. They are imported by name, so that Ansible packs them.
_ROOMS = (processes, home, lock, log, run, output, supervisor, main)


def load(texts: Dict[str, str]) -> None:
    """Make the package `supervise` from the texts of its rooms, given in the order of their needs."""
    package = sys.modules["supervise"] = types.ModuleType("supervise")
    package.__path__ = []
    for name, text in texts.items():
        module = sys.modules[f"supervise.{name}"] = types.ModuleType(f"supervise.{name}")
        module.__package__ = "supervise"
        exec(compile(text, f"supervise/{name}.py", "exec"), module.__dict__)  # noqa: S102 - our own


def text() -> str:
    """Return the program."""
    rooms = {room.__name__.rpartition(".")[2]: inspect.getsource(room) for room in _ROOMS}
    return "\n".join(
        (
            "from __future__ import annotations",
            "import sys, types",
            inspect.getsource(load),
            f"load({rooms!a})",
            "sys.exit(sys.modules['supervise.main'].main())",
        )
    )
