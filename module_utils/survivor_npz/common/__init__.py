# SPDX-License-Identifier: MIT
"""What every other package may use: errors, disk operations, digests, small JSON files, quoting."""
