# SPDX-License-Identifier: MIT
"""A host that stops for a while right before it renames a staged NPZ: a full disk, a suspended machine."""

import os
import sys
import time
from typing import Any


def _wait(event: str, args: Any) -> None:
    if event == "os.rename" and str(args[0]).endswith(".staged"):
        gate = os.environ["FAKESSH_GATE"]
        open(gate + ".waits", "w").close()
        while not os.path.exists(gate + ".go"):
            time.sleep(0.05)


sys.addaudithook(_wait)
