"""Journal lines: one fact a line, nothing forged, never waiting for the reader."""

from __future__ import annotations

import fcntl
import os
import re

import pytest

from lvsd.runtime.journal import LINE_LIMIT_BYTES, Journal, line, stamp


def test_a_line_is_level_event_and_fields() -> None:
    fields = {"instance": "lb0", "priority": 200, "age": 0.25, "active": True}
    assert line("info", "role_changed", fields) == b"info role_changed instance=lb0 priority=200 age=0.25 active=True\n"


@pytest.mark.parametrize(
    ("value", "shown"),
    [
        ("", b'""'),
        ("two words", b'"two words"'),
        ('say "x"', b'"say \\"x\\""'),
        ("a\nerror forged", b'"a\\u{a}error forged"'),
        ("a=b", b'"a=b"'),
        ("back\\slash", b'"back\\\\slash"'),
        ("\x1b[31m", b'"\\u{1b}[31m"'),
        ("\udc80", b'"\\u{dc80}"'),
        ("1.1.1.12/24", b"1.1.1.12/24"),
    ],
)
def test_a_value_cannot_forge_a_line_or_a_field(value: str, shown: bytes) -> None:
    assert line("info", "seen", {"value": value}) == b"info seen value=" + shown + b"\n"


def test_a_long_line_is_cut_and_still_ends() -> None:
    cut = line("info", "seen", {"value": "x" * 10_000})
    assert len(cut) == LINE_LIMIT_BYTES
    assert cut.endswith(b"x\n")


def test_a_full_pipe_loses_lines_and_says_how_many() -> None:
    reader, writer = os.pipe()
    try:
        fcntl.fcntl(writer, fcntl.F_SETPIPE_SZ, 4096)
        journal = Journal(writer)
        journal.tell("info", "first", text="x" * 3000)
        journal.tell("info", "second")
        journal.tell("info", "third")
        assert journal.lost == 2
        assert os.read(reader, 8192).startswith(b"info first")
        journal.tell("info", "fourth")
        assert os.read(reader, 8192) == b"info fourth lines_lost=2\n"
        assert journal.lost == 0
    finally:
        os.close(reader)
        os.close(writer)


def test_a_closed_pipe_is_no_error() -> None:
    reader, writer = os.pipe()
    os.close(reader)
    try:
        journal = Journal(writer)
        journal.tell("info", "said")
        assert journal.lost == 1
    finally:
        os.close(writer)


def test_a_line_has_its_moment_where_no_journal_adds_one() -> None:
    assert stamp(1_000_000_000.9876) == b"2001-09-09T01:46:40.987Z "
    reader, writer = os.pipe()
    Journal(writer, stamped=True).tell("info", "ready")
    told = os.read(reader, 4096)
    os.close(reader)
    os.close(writer)
    assert re.fullmatch(rb"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z info ready\n", told)
