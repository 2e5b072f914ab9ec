# SPDX-License-Identifier: MIT
"""JSON survivors to NPZ, on one host and across the fleet."""
