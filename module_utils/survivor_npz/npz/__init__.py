# SPDX-License-Identifier: MIT
"""The NPZ and its sidecar: schema 3, writing, reading headers."""
