# SPDX-License-Identifier: MIT
"""The supervisor as one text, for `python3 -I -` on a host that has no other copy of it.

It outlives the module that starts it, whose files Ansible deletes; and Zeus need not have a checkout. A text
on standard input leaves no file there, and needs no disk space. (An archive in a memfd would need no
`load`, but not every Python has memfd_create.)
"""

from __future__ import annotations

import inspect
import sys
import types

from . import clocks, home, lease, lock, log, main, output, processes, proof, run, supervisor

# Each needs only those before it. They are imported by name, so that Ansible packs them.
_MODULES = (clocks, processes, home, lock, lease, proof, log, run, output, supervisor, main)


def load(texts: dict[str, str]) -> None:
    """Make the package `supervise` from the texts of its modules, each after those that it imports."""
    package = sys.modules["supervise"] = types.ModuleType("supervise")
    package.__path__ = []
    for name, text in texts.items():
        module = sys.modules[f"supervise.{name}"] = types.ModuleType(f"supervise.{name}")
        module.__package__ = "supervise"
        exec(compile(text, f"supervise/{name}.py", "exec"), module.__dict__)  # noqa: S102 - our own


def text() -> str:
    """Return the program."""
    texts = {module.__name__.rpartition(".")[2]: inspect.getsource(module) for module in _MODULES}
    return "\n".join(
        (
            "from __future__ import annotations",
            "import sys, types",
            inspect.getsource(load),
            f"load({texts!a})",
            "sys.exit(sys.modules['supervise.main'].main())",
        )
    )
