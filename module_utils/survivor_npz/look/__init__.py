# SPDX-License-Identifier: MIT
"""Look at one host: its copies, directories and needs."""
