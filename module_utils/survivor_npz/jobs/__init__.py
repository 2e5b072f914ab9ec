# SPDX-License-Identifier: MIT
"""What a controller asks of a host: a file for the module survivor_npz_<name> each, with OPTIONS, NEEDS and `do`."""
