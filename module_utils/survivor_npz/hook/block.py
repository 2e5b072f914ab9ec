"""The managed block in the head of a shell script: put in, taken out, byte for byte. No input or output here.

A block stands right after the shebang, between two marker lines. The script's other bytes are never
looked at, so that any encoding and any line ending comes back as it was.
"""

import os
from typing import List, Optional, Tuple

BEGIN = b"# >>> survivor-npz: managed by playbooks/hook.yml >>>"
END = b"# <<< survivor-npz: managed by playbooks/hook.yml <<<"
SHELLS = frozenset({"sh", "bash", "dash", "ash", "ksh", "ksh93", "mksh", "zsh"})


class HookError(Exception):
    """The script can't be changed; the message says why and what to do."""


def shebang(data: bytes) -> Optional[List[str]]:
    """The words after '#!' in the first line, or None when the first two bytes are others."""
    if not data.startswith(b"#!"):
        return None
    return data[2:].split(b"\n", 1)[0].decode("utf-8", "replace").split()


def shell_of(words: List[str]) -> str:
    """Name of the program that the kernel would start in the end: 'bash' for '/usr/bin/env -S bash -eu'."""
    names = [os.path.basename(word) for word in words]
    if names and names[0] == "env":
        names = [name for name in names[1:] if not name.startswith("-") and "=" not in name]
    return names[0] if names else ""


def require_shell_script(data: bytes) -> None:
    """Raise HookError when data is no shell script with a shebang."""
    if not data:
        raise HookError("it is empty")
    if b"\0" in data:
        raise HookError("it holds NUL bytes: a binary, no shell script")
    words = shebang(data)
    if words is None:
        raise HookError("it does not start with '#!': add a first line such as #!/bin/bash")
    shell = shell_of(words)
    if shell not in SHELLS:
        raise HookError(f"its first line names {shell or 'nothing'!r}, which is no shell of the sh family")


def find_block(data: bytes) -> Optional[Tuple[int, int]]:
    """Byte range of the block, markers and their line ends included; None without one.

    HookError when the markers are not exactly one BEGIN before one END.
    """
    begins, ends, position = [], [], 0
    for line in data.split(b"\n"):
        text = line.rstrip(b"\r")
        if text == BEGIN:
            begins.append(position)
        elif text == END:
            ends.append(min(position + len(line) + 1, len(data)))
        position += len(line) + 1
    if not begins and not ends:
        return None
    if len(begins) != 1 or len(ends) != 1 or ends[0] <= begins[0]:
        raise HookError(
            f"its survivor-npz block is damaged ({len(begins)} begin and {len(ends)} end markers): "
            "take the rest of it out by hand, or restore a backup, then run the playbook again"
        )
    return begins[0], ends[0]


def take_out(data: bytes) -> bytes:
    """The script without the block. Without a block: the same bytes."""
    found = find_block(data)
    if found is None:
        return data
    start, stop = found
    if stop == len(data) and not data.endswith(b"\n"):
        # Only put_in() below ends a file that way: the shebang was all, without a line end of its own.
        start = max(start - 1, 0)
    return data[:start] + data[stop:]


def put_in(data: bytes, body: bytes) -> bytes:
    """The script with the block right after its first line, wherever a block was before.

    body is shell text with LF line ends; HookError when it or the script is unfit.
    """
    lines = body.rstrip(b"\n").split(b"\n")
    if BEGIN in lines or END in lines or b"\0" in body:
        raise HookError("the block's own text holds a marker line or a NUL byte")
    plain = take_out(data)
    require_shell_script(plain)
    block = b"\n".join([BEGIN, *lines, END])
    first, newline, rest = plain.partition(b"\n")
    if not newline:
        return first + b"\n" + block
    return first + b"\n" + block + b"\n" + rest
