# SPDX-License-Identifier: MIT
"""Step 1's JSON: the open file, its records, and why it can't be read."""
