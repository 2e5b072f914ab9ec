# SPDX-License-Identifier: MIT
"""Convert on one host: decide, build, stage."""
