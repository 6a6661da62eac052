"""Lines that cannot be forged or flood, and words that never block."""

from __future__ import annotations

import os
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.runtime import log
from checkers.runtime.log import LINE_LIMIT_BYTES, Bounded, line, tell
from checkers.runtime.notify import NOTIFY_ENV, Notifier


def test_a_line_is_level_event_and_fields() -> None:
    assert line("info", "assignment_taken", {"checks": 3, "of": "a b"}) == b'info assignment_taken checks=3 of="a b"\n'


@given(st.text())
def test_no_value_forges_a_line_or_a_field(value: str) -> None:
    text = line("error", "event", {"key": value, "last": 1})
    assert text.count(b"\n") == 1
    assert text.endswith(b"\n")
    assert len(text) <= LINE_LIMIT_BYTES
    inside = text.partition(b" key=")[2]
    assert b" last=1" not in inside.removesuffix(b" last=1\n") or inside.startswith(b'"')


def test_a_long_line_is_cut() -> None:
    assert len(line("error", "event", {"key": "x" * 10_000})) == LINE_LIMIT_BYTES


def test_lines_that_come_too_often_are_counted_instead(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(log, "STAMPED", False)
    bounded = Bounded(3)
    for number in range(100):
        bounded.tell("error", "fault", number=number)
    assert capfd.readouterr().err.splitlines() == [f"error fault number={number}" for number in range(3)]
    bounded._began_at -= 61
    bounded.tell("error", "fault", number=100)
    assert capfd.readouterr().err.splitlines() == ["warning lines_left_out lines=97", "error fault number=100"]


def test_telling_writes_one_line(capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(log, "STAMPED", False)
    tell("warning", "director_lost")
    assert capfd.readouterr().err == "warning director_lost\n"


def test_a_full_or_closed_pipe_blocks_nobody(monkeypatch: pytest.MonkeyPatch) -> None:
    reader, writer = os.pipe()
    monkeypatch.setenv(NOTIFY_ENV, str(writer))
    notifier = Notifier.from_environment()
    assert NOTIFY_ENV not in os.environ
    for _ in range(20_000):
        notifier.alive()
    assert os.read(reader, 12) == b"ALIVE\nALIVE\n"
    os.close(reader)
    notifier.ready()
    os.close(writer)
    notifier.alive()


@pytest.mark.parametrize("number", ["", "x", "-1", "999999"])
def test_without_a_supervisor_it_does_nothing(monkeypatch: pytest.MonkeyPatch, number: str) -> None:
    monkeypatch.setenv(NOTIFY_ENV, number)
    Notifier.from_environment().alive()


def test_a_line_has_its_moment_where_no_journal_adds_one(
    capfd: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert log.stamp(1_000_000_000.9876) == b"2001-09-09T01:46:40.987Z "
    monkeypatch.setattr(log, "STAMPED", True)
    tell("warning", "director_lost")
    assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z warning director_lost\n", capfd.readouterr().err)
