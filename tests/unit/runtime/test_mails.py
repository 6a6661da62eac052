"""Mails waiting for their turn: tried again where that may help, bounded, ended in time."""

from __future__ import annotations

import subprocess
import time
from collections.abc import Callable

import pytest

from checkers.core.letter import Letter
from lvsd.control.hooks import SendMail
from lvsd.runtime import mails as module
from lvsd.runtime.mails import MAILERS_LIMIT, QUEUE_LIMIT, TRY_AGAIN_SECONDS, Mails
from lvsd.runtime.poll import Poll


class Post:
    """Mails whose mailer is a shell's command; the clock is ours."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch) -> None:
        self.poll = Poll()
        self.mails = Mails(self.poll)
        self.now = 1000.0
        self.told: list[str] = []
        self.sent: list[str] = []
        self.script = "exit 0"
        monkeypatch.setattr(module, "_start", self._start)
        monkeypatch.setattr(module, "tell", lambda _, event, **__: self.told.append(event))
        monkeypatch.setattr("lvsd.runtime.sparingly.tell", lambda _, event, **__: self.told.append(event))

    def _start(self, mail: SendMail) -> subprocess.Popen[bytes]:
        self.sent.append(mail.letter.subject)
        return subprocess.Popen(["/bin/sh", "-c", self.script], start_new_session=True)

    def add(self, subject: str) -> None:
        self.mails.add(SendMail(Letter(("root",), subject, ""), "nobody"), self.now)

    def until(self, condition: Callable[[], bool]) -> None:
        """Turn the loop, our clock standing still."""
        deadline = time.monotonic() + 10
        while True:
            self.mails.wake(self.now)
            if condition():
                return
            assert time.monotonic() < deadline, (self.sent, self.told)
            self.poll.wait(0.1)

    def settle(self) -> None:
        """Until no mailer runs."""
        self.until(lambda: not self.mails._running)


@pytest.fixture
def post(monkeypatch: pytest.MonkeyPatch) -> Post:
    return Post(monkeypatch)


def test_a_mail_that_went_is_done(post: Post) -> None:
    post.add("a")
    post.settle()
    assert post.mails.idle
    assert (post.sent, post.told) == (["a"], [])


def test_what_may_succeed_later_is_tried_again_and_given_up_at_last(post: Post) -> None:
    post.script = "exit 75"
    post.add("a")
    for number, pause in enumerate(TRY_AGAIN_SECONDS, 1):
        post.settle()
        assert len(post.sent) == number
        assert post.mails.wake_at == post.now + pause
        post.now += pause
    post.settle()
    assert post.told == ["mail_given_up"]
    assert post.mails.idle


def test_a_mailer_that_was_killed_may_succeed_later(post: Post) -> None:
    post.script = "kill -9 $$"
    post.add("a")
    post.settle()
    assert post.told == ["mail_not_sent"]
    assert not post.mails.idle


def test_what_never_will_succeed_is_not_tried_again(post: Post) -> None:
    post.script = "exit 69"
    post.add("a")
    post.settle()
    assert post.mails.idle


def test_a_mail_that_waits_for_its_next_try_holds_no_other_up(post: Post) -> None:
    post.script = "exit 75"
    post.add("a")
    post.settle()
    post.script = "exit 0"
    post.add("b")
    post.settle()
    assert post.sent == ["a", "b"]
    post.now += TRY_AGAIN_SECONDS[0]
    post.settle()
    assert post.sent == ["a", "b", "a"]
    assert post.mails.idle


def test_few_mailers_run_at_once(post: Post) -> None:
    post.script = "sleep 0.2"
    for number in range(5):
        post.add(str(number))
    post.mails.wake(post.now)
    assert len(post.sent) == MAILERS_LIMIT
    post.until(lambda: post.mails.idle)
    assert post.sent == ["0", "1", "2", "3", "4"]


def test_the_oldest_makes_room(post: Post) -> None:
    for number in range(QUEUE_LIMIT + 3):
        post.add(str(number))
    assert post.told == ["mail_dropped"]  # once a minute
    post.until(lambda: post.mails.idle)
    assert post.sent[0] == "3"
    assert len(post.sent) == QUEUE_LIMIT


def test_a_mailer_that_hangs_is_ended(post: Post) -> None:
    post.script = "trap '' TERM; sleep 100"
    post.add("a")
    post.mails.wake(post.now)
    for _ in range(2):
        post.now = post.mails.wake_at
        post.mails.wake(post.now)
    post.settle()
    assert not post.mails.idle  # tried again later
    assert post.mails.wake_at == post.now + TRY_AGAIN_SECONDS[0]


def test_the_end_tries_each_once_and_no_more(post: Post) -> None:
    post.script = "exit 75"
    post.add("a")
    post.settle()
    post.add("b")
    post.mails.hurry(post.now)
    post.until(lambda: post.mails.idle)
    assert post.sent == ["a", "a", "b"]
    assert post.told == ["mail_given_up"] * 2
