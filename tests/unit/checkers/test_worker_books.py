"""A worker shows its books to a director that asks for them."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable

from checkers.core.books import Counts, Page, Phase
from checkers.core.messages import (
    PACKET_LIMIT_BYTES,
    PAGES_A_PACKET,
    Hello,
    Pages,
    ShowBooks,
    State,
    Verdicts,
    decode_from_worker,
    encode,
)
from checkers.core.outbox import ASKED_LIMIT, Outbox
from checkers.core.outcome import Healthy, Reason
from tests.unit.checkers.servers import closed_port
from tests.unit.checkers.test_worker import WAIT_SECONDS, Running, check, folder, open_port, running
from tests.unit.core.world import verdict

__all__ = ["folder", "open_port", "running"]  # fixtures

HELLO = Hello(42, 65534, "0", no_new_privs=True)


def pages_until(connection: socket.socket, number: int) -> Pages:
    """The answer of that number; verdicts come in between."""
    deadline = time.monotonic() + WAIT_SECONDS
    while time.monotonic() < deadline:
        message = decode_from_worker(connection.recv(PACKET_LIMIT_BYTES))
        if isinstance(message, Pages) and message.number == number:
            return message
    raise AssertionError(number)


def test_books_are_shown_of_what_is_run_and_asked_for(running: Running, open_port: int) -> None:
    director = running.director
    director.accept()
    director.assign(1, [check("up", open_port), check("down", closed_port()), check("not asked", open_port)])
    director.until(
        lambda: director.known.keys() >= {"up", "down"} and all(one.probes for one in director.known.values())
    )
    connection = director._connection
    assert connection is not None
    connection.send(encode(ShowBooks(7, ("up", "down", "nobody's"))))
    told = pages_until(connection, 7)
    assert set(told.pages) == {"up", "down"}
    assert Phase.WHOLE in told.pages["up"].phases
    assert told.pages["down"].reasons[Reason.REFUSED] >= 1
    assert sum(told.lateness.counts) >= 3


def test_a_question_for_more_than_a_packet_holds_ends_the_connection(running: Running) -> None:
    director = running.director
    director.accept()
    connection = director._connection
    assert connection is not None
    connection.send(encode(ShowBooks(1, tuple(str(number) for number in range(PAGES_A_PACKET + 1)))))
    assert director.accept().pid == running.process.pid


def drained(outbox: Outbox, pages_of: Callable[[ShowBooks], Pages]) -> list[Hello | Verdicts | Pages]:
    said = []
    while (packet := outbox.packet(1, lambda name: verdict(name, State.UP, 1.0, Healthy()), pages_of)) is not None:
        said.append(decode_from_worker(packet))
        outbox.sent()
    return said


def blank(request: ShowBooks) -> Pages:
    return Pages(request.number, dict.fromkeys(request.ids, Page()), Counts(0.0, 0, ()))


def test_verdicts_come_before_books_and_each_question_is_answered_once() -> None:
    outbox = Outbox(HELLO)
    outbox.asked(ShowBooks(1, ("a",)))
    outbox.asked(ShowBooks(2, ("b",)))
    outbox.mark(("v",))
    said = drained(outbox, blank)
    assert [type(one).__name__ for one in said] == ["Hello", "Verdicts", "Pages", "Pages"]
    assert [one.number for one in said if isinstance(one, Pages)] == [1, 2]
    assert drained(outbox, blank) == []


def test_a_packet_that_did_not_leave_is_offered_again() -> None:
    outbox = Outbox(HELLO)
    drained(outbox, blank)
    outbox.asked(ShowBooks(1, ("a",)))
    assert outbox.packet(1, lambda _: None, blank) == outbox.packet(1, lambda _: None, blank)
    outbox.confirm()  # what is said now is no answer
    assert isinstance(decode_from_worker(outbox.packet(1, lambda _: None, blank) or b""), Verdicts)
    outbox.sent()
    assert [type(one) for one in drained(outbox, blank)] == [Pages]


def test_questions_of_a_director_that_went_are_forgotten_and_too_many_are_too() -> None:
    outbox = Outbox(HELLO)
    outbox.asked(ShowBooks(1, ("a",)))
    outbox.reconnected()
    assert [type(one) for one in drained(outbox, blank)] == [Hello]
    for number in range(ASKED_LIMIT + 5):
        outbox.asked(ShowBooks(number, ()))
    said = drained(outbox, blank)
    assert [one.number for one in said if isinstance(one, Pages)] == list(range(5, ASKED_LIMIT + 5))
