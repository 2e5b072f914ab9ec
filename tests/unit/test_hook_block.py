"""The block in the script's head: whatever the script's bytes, taking it out gives them back."""

import subprocess

import pytest
from ansible.module_utils.survivor_npz.hook import block as hook
from hypothesis import given
from hypothesis import strategies as st

BODY = b"if true; then\n  :\nfi\n"
SHEBANGS = [
    b"#!/bin/bash",
    b"#!/bin/sh -eu",
    b"#! /usr/bin/env bash",
    b"#!/usr/bin/env -S bash -eu",
    b"#!/bin/bash\r",
    b"#!/usr/local/bin/ksh93 -o errexit",
]
LINES = st.one_of(
    st.sampled_from(
        [b"", b"\r", b"#!/bin/bash", b"#!/usr/bin/python3", b"echo hi\r", b"# caf\xe9", b"exit 0", b" "]
    ),
    st.binary(max_size=20).map(lambda raw: raw.replace(b"\0", b"0").replace(b"\n", b"n")),
)
SCRIPTS = st.builds(
    lambda first, rest, last: b"\n".join([first, *rest]) + last,
    st.sampled_from(SHEBANGS),
    st.lists(LINES, max_size=8),
    st.sampled_from([b"", b"\n", b"\n\n", b"\r\n"]),
)


@given(SCRIPTS)
def test_block_taken_out_gives_back_every_byte(script: bytes) -> None:
    with_block = hook.put_in(script, BODY)
    assert with_block != script
    assert hook.take_out(with_block) == script
    assert hook.put_in(with_block, BODY) == with_block
    assert with_block.split(b"\n")[:2] == [script.split(b"\n")[0], hook.BEGIN]


@given(SCRIPTS)
def test_changed_block_is_replaced_not_stacked(script: bytes) -> None:
    first = hook.put_in(script, b"echo old\n")
    second = hook.put_in(first, BODY)
    assert second == hook.put_in(script, BODY)
    assert b"echo old" not in second or b"echo old" in script


@given(st.binary(max_size=200))
def test_bytes_that_never_had_a_block_are_left_alone(data: bytes) -> None:
    assert hook.take_out(data) == data


def test_block_goes_after_the_first_shebang_though_another_line_looks_like_one() -> None:
    script = b"#!/bin/bash\ncat <<X\n#!/bin/sh\nX\n"
    assert hook.put_in(script, BODY).index(hook.BEGIN) == len(b"#!/bin/bash\n")


def test_block_moved_down_by_hand_goes_back_to_the_top() -> None:
    script = b"#!/bin/bash\ncp old.npz /dev/shm\n"
    block = hook.put_in(b"#!/bin/bash\n", BODY).split(b"\n", 1)[1]
    assert hook.put_in(script + block, BODY) == hook.put_in(script, BODY)


def test_block_is_found_after_an_editor_made_crlf_of_the_file() -> None:
    script = b"#!/bin/bash\necho hi\n"
    crlf = hook.put_in(script, BODY).replace(b"\n", b"\r\n")
    assert hook.take_out(crlf) == script.replace(b"\n", b"\r\n")


def test_bash_accepts_a_one_line_script_with_the_block() -> None:
    done = subprocess.run(
        ["bash", "-n"], input=hook.put_in(b"#!/bin/bash", BODY), capture_output=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.parametrize(
    ("data", "says"),
    [
        (b"", "empty"),
        (b"\x7fELF\0\0", "NUL"),
        (b"#!/bin/bash\n\0\n", "NUL"),
        (b"echo hi\n", "does not start with"),
        (b"\xef\xbb\xbf#!/bin/bash\n", "does not start with"),
        (b"\n#!/bin/bash\n", "does not start with"),
        (b"#!/usr/bin/python3\n", "python3"),
        (b"#!/usr/bin/env python3\n", "python3"),
        (b"#!/usr/bin/env -S A=1 perl -w\n", "perl"),
        (b"#!/bin/csh\n", "csh"),
        (b"#!\n", "nothing"),
        (b"#!/usr/bin/env\n", "nothing"),
    ],
)
def test_what_is_no_shell_script_is_refused(data: bytes, says: str) -> None:
    with pytest.raises(hook.HookError, match=says):
        hook.put_in(data, BODY)


@pytest.mark.parametrize(
    "damaged",
    [
        hook.BEGIN + b"\necho hi\n",
        hook.END + b"\n",
        hook.END + b"\n" + hook.BEGIN + b"\n",
        (hook.BEGIN + b"\n" + hook.END + b"\n") * 2,
    ],
)
def test_damaged_block_is_refused_and_never_guessed_at(damaged: bytes) -> None:
    script = b"#!/bin/bash\n" + damaged + b"echo rest\n"
    for change in (lambda: hook.take_out(script), lambda: hook.put_in(script, BODY)):
        with pytest.raises(hook.HookError, match="damaged"):
            change()


def test_block_text_with_a_marker_of_its_own_is_refused() -> None:
    with pytest.raises(hook.HookError, match="marker"):
        hook.put_in(b"#!/bin/bash\n", hook.END + b"\n")
