# SPDX-License-Identifier: MIT
"""Start the supervisor from its files: `python3 -I …/supervise --foreground …`."""

import importlib
import os
import sys

if __name__ == "__main__":
    here = os.path.dirname(os.path.abspath(__file__))
    # Python has put this directory first on its path; but its modules must be found through the package only.
    sys.path[0] = os.path.dirname(here)
    sys.exit(importlib.import_module("supervise.main").main())
