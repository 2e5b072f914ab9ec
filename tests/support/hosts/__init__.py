# SPDX-License-Identifier: MIT
"""Real test hosts on one machine: own root file system, own network, own sshd, own disk.

`packages` installs what the machine lacks, `image` builds the root file system, `podman` and `netns` run
hosts from it, `fleet` keeps some of them together, `faults` breaks them. Standard library only, so that
`make clean` needs no environment. Command line: `python3 -m hosts --help` with tests/support on the path.
"""
