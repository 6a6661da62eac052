"""HAProxy's agent-check: what the words are, and what stays of what was said."""

from __future__ import annotations

import pytest

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from checkers.probes.agent_words import Admin, Operation, Share, Standing, Words, fold, judged, parse


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (b"", Words()),
        (b"   ,\t", Words()),
        (b"75%", Words(share=Share(75, True))),
        (b"0%", Words(share=Share(0, True))),
        (b"007%", Words(share=Share(7, True))),
        (b"200%", Words(share=Share(200, True))),
        (b"999999999%", Words(share=Share(25600, True))),
        (b"weight:75%", Words(share=Share(75, True))),
        (b"weight:12", Words(share=Share(12, False))),
        (b"weight:99999", Words(share=Share(65535, False))),
        (b"up", Words(operation=Operation.UP)),
        (b"UP", Words(operation=Operation.UP)),
        (b"down", Words(operation=Operation.DOWN)),
        (b"fail", Words(operation=Operation.FAIL)),
        (b"failed", Words(operation=Operation.FAILED)),
        (b"stopped #disk full", Words(operation=Operation.STOPPED, remark="disk full")),
        (b"down # disk, full # now ", Words(operation=Operation.DOWN, remark="disk, full # now")),
        (b"ready", Words(admin=Admin.READY)),
        (b"drain", Words(admin=Admin.DRAIN)),
        (b"maint", Words(admin=Admin.MAINT)),
        (b"up ready,50%\t maxconn:30", Words(Admin.READY, Operation.UP, Share(50, True), strange="maxconn:30")),
        (b"#up", Words(remark="up")),
        (b"up down", Words(operation=Operation.DOWN)),
        (b"down up", Words(operation=Operation.UP)),
        (b"10% 20%", Words(share=Share(20, True))),
        (b"75", Words(strange="75")),
        (b"75%%", Words(strange="75%%")),
        (b"75%x", Words(strange="75%x")),
        (b"-5%", Words(strange="-5%")),
        (b"down#disk", Words(strange="down#disk")),
        (b"upward", Words(strange="upward")),
        (b"foo bar", Words(strange="foo")),
        (b"\xb2%", Words(strange="\xb2%")),
    ],
)
def test_a_line_is_these_words(line: bytes, words: Words) -> None:
    assert parse(line) == words


def test_what_was_not_said_stays() -> None:
    standing = Standing()
    for line, expected in (
        (b"50%", Standing(share=Share(50, True))),
        (b"drain", Standing(Admin.DRAIN, share=Share(50, True))),
        (b"down #no disk", Standing(Admin.DRAIN, Operation.DOWN, Share(50, True), "no disk")),
        (b"75%", Standing(Admin.DRAIN, Operation.DOWN, Share(75, True), "no disk")),
        (b"ready", Standing(Admin.READY, Operation.DOWN, Share(75, True))),
        (b"up", Standing(share=Share(75, True))),
    ):
        standing = fold(standing, parse(line))
        assert standing == expected


@pytest.mark.parametrize(
    ("line", "found"),
    [
        (b"up", Healthy("up")),
        (b"50%", Healthy("up, weight 50", 50)),
        (b"0%", Healthy("up, weight 0", 0)),
        (b"drain", Healthy("drain, weight 0", 0)),
        (b"drain 50%", Healthy("drain, weight 0", 0)),
        (b"weight:7", Healthy("up, weight 7", 7)),
        (b"up 1% maxconn:5", Healthy("up, weight 1 (not understood: maxconn:5)", 1)),
        (b"down", Unhealthy(Reason.AGENT_DOWN, "down")),
        (b"fail #no disk", Unhealthy(Reason.AGENT_DOWN, "fail: no disk")),
        (b"stopped", Unhealthy(Reason.AGENT_DOWN, "stopped")),
        (b"maint", Unhealthy(Reason.AGENT_DOWN, "maint")),
        (b"maint up", Unhealthy(Reason.AGENT_DOWN, "maint")),
        (b"ready down 50%", Unhealthy(Reason.AGENT_DOWN, "down")),
    ],
)
def test_a_standing_is_judged(line: bytes, found: Outcome) -> None:
    words = parse(line)
    assert judged(fold(Standing(), words), 100, words.strange) == found


@pytest.mark.parametrize(
    ("whole", "percent", "weight"),
    [(1, 1, 1), (1, 49, 1), (1, 100, 1), (1, 150, 2), (3, 50, 2), (10, 25, 3), (10, 24, 2), (0, 100, 0), (5, 0, 0)],
)
def test_a_small_weight_is_not_none(whole: int, percent: int, weight: int) -> None:
    found = judged(Standing(share=Share(percent, True)), whole)
    assert isinstance(found, Healthy)
    assert found.weight == weight
