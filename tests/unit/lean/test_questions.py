"""Questions asked by the thousand, of the kernel's own sockets: what is answered at a glance, what is handed over."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import socket
from collections.abc import Iterator

import pytest

from checkers.core.messages import Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from checkers.lean import questions
from checkers.lean.conversation import Asked
from checkers.lean.http import asked
from checkers.lean.questions import Question, Questions
from checkers.probes.failures import Stuck
from config.checks import Expect, HttpCheck
from tests.unit.checkers import servers

PAGE = asked(HttpCheck(expect=Expect(text="fine")), Target("192.0.2.11", 80))
HEAD = b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n\r\n"
CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r\nfine\r\n0\r\n\r\n"
FINE = Healthy("200 OK")


class Asker:
    """Writes down what it is told."""

    def __init__(self) -> None:
        self.told: asyncio.Queue[tuple[str, object]] = asyncio.Queue()
        self.question: Question | None = None

    def answered(self, outcome: Outcome, question: Question, now: float) -> None:
        assert question.began_at <= question.connected_at <= (question.first_byte_at or now) <= now
        self.told.put_nowait(("answered", outcome))

    def refused(self, error: OSError | Stuck, _now: float, _latency: float) -> None:
        self.told.put_nowait(("refused", error))

    def lasting(self, question: Question, _now: float) -> None:
        self.question = question
        self.told.put_nowait(("lasting", None))

    def broken(self, error: Exception, _now: float) -> None:
        self.told.put_nowait(("broken", error))

    async def word(self) -> tuple[str, object]:
        async with asyncio.timeout(5):
            return await self.told.get()

    def taken_over(self) -> Question:
        assert self.question is not None
        self.question.sock.close()
        return self.question


@contextlib.contextmanager
def asking() -> Iterator[Questions]:
    found = Questions(asyncio.get_running_loop().call_later)
    yield found
    found.close()


def ask(all_of_them: Questions, port: int, what: Asked = PAGE) -> Asker:
    asker = Asker()
    all_of_them.ask(asker, (socket.AF_INET, (servers.HOST, port)), what, asyncio.get_running_loop().time())
    return asker


def answering(*pieces: bytes, stay: bool = False) -> servers.Handler:
    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        assert await reader.readuntil(b"\r\n\r\n") == PAGE.words
        for piece in pieces:
            writer.write(piece)
        if stay:
            await reader.read()

    return handler


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    """The server of a test takes turns with us."""
    monkeypatch.setattr(questions, "PATIENCE_SECONDS", 5.0)


@pytest.mark.usefixtures("patient")
@pytest.mark.parametrize(
    ("said", "found"),
    [
        (HEAD + b"fine", FINE),
        (HEAD + b"poor", Unhealthy(Reason.NO_MATCH, "200 OK, without the expected")),
        (b"HTTP/1.1 503 Busy\r\nContent-Length: 4\r\n\r\nfine", Unhealthy(Reason.STATUS, "503 Busy")),
        (CHUNKED, FINE),  # by the strict reader
        (b"SSH-2.0-x\r\n\r\n", Reason.GARBLED),
    ],
)
async def test_an_answer_that_is_there_is_judged_and_the_connection_closed(said: bytes, found: object) -> None:
    async with servers.serving(answering(said)) as port:
        with asking() as all_of_them:
            askers = [ask(all_of_them, port) for _ in range(20)]
            words = [await asker.word() for asker in askers]
    assert {word for word, _ in words} == {"answered"}
    for _, outcome in words:
        assert (outcome.reason if isinstance(found, Reason) and isinstance(outcome, Unhealthy) else outcome) == found


@pytest.mark.usefixtures("patient")
async def test_a_part_of_an_answer_is_handed_over_with_what_came() -> None:
    async with servers.serving(answering(HEAD + b"fi", stay=True)) as port:
        with asking() as all_of_them:
            asker = ask(all_of_them, port)
            assert (await asker.word())[0] == "lasting"
        question = asker.taken_over()
    assert (question.taken, question.pending) == (len(HEAD) + 2, b"")
    assert question.conversation is not None
    assert question.conversation.receive(b"ne") == FINE


@pytest.mark.usefixtures("patient")
async def test_an_end_before_the_answer_is_left_to_be_read_again() -> None:
    async with servers.serving(answering()) as port:
        with asking() as all_of_them:
            asker = ask(all_of_them, port)
            assert (await asker.word())[0] == "lasting"
            question = asker.taken_over()
    assert (question.taken, question.first_byte_at) == (0, 0.0)


@pytest.mark.usefixtures("patient")
async def test_a_reset_instead_of_an_answer_is_told() -> None:
    async with servers.serving(servers.resetting) as port:
        with asking() as all_of_them:
            word, found = await ask(all_of_them, port).word()
    assert word == "answered"
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.CLOSED


async def test_who_is_silent_is_handed_over_after_a_moment_and_keeps_nobody_waiting(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(questions, "PATIENCE_SECONDS", 60.0)
    answered = asyncio.Event()

    async def fine(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await answering(HEAD + b"fine")(reader, writer)
        answered.set()

    async with servers.serving(servers.silent) as quiet, servers.serving(fine) as port:
        with asking() as all_of_them:
            slow, quick = ask(all_of_them, quiet), ask(all_of_them, port)
            async with asyncio.timeout(20):
                await answered.wait()
            monkeypatch.setattr(questions, "PATIENCE_SECONDS", 0.05)  # of who is slow: the answer lies there
            assert (await slow.word())[0] == "lasting"
            assert await quick.word() == ("answered", FINE)
        question = slow.taken_over()
    assert question.connected_at
    assert not question.first_byte_at
    assert question.conversation is not None


async def test_who_does_not_take_the_connection_is_handed_over_unconnected(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(questions, "PATIENCE_SECONDS", -1.0)
    with socket.socket() as full, contextlib.ExitStack() as fill, asking() as all_of_them:
        full.bind((servers.HOST, 0))
        full.listen(0)
        for _ in range(2):
            taken = fill.enter_context(socket.socket())
            taken.setblocking(False)
            taken.connect_ex(full.getsockname())
        asker = ask(all_of_them, full.getsockname()[1])
        assert (await asker.word())[0] == "lasting"
        assert not asker.taken_over().connected_at


async def test_a_closed_port_refuses() -> None:
    with asking() as all_of_them:
        word, error = await ask(all_of_them, servers.closed_port()).word()
    assert word == "refused"
    assert isinstance(error, OSError)
    assert error.errno == errno.ECONNREFUSED


@pytest.mark.usefixtures("patient")
async def test_words_that_do_not_fit_are_handed_over_with_the_rest_of_them() -> None:
    long = PAGE._replace(words=b"x" * 20_000_000)
    async with servers.serving(servers.silent) as port:
        with asking() as all_of_them:
            asker = ask(all_of_them, port, long)
            assert (await asker.word())[0] == "lasting"
            assert 0 < len(asker.taken_over().pending) < len(long.words)


@pytest.mark.usefixtures("patient")
async def test_a_fault_in_one_stops_no_other() -> None:
    def fault(_: bytes) -> Outcome:
        raise ZeroDivisionError

    speechless = PAGE._replace(words=None)  # type: ignore[arg-type]  # what must not be
    async with servers.serving(answering(HEAD + b"fine")) as port:
        with asking() as all_of_them:
            askers = [ask(all_of_them, port, what) for what in (PAGE._replace(judge=fault), speechless, PAGE)]
            told = [await asker.word() for asker in askers]
    assert [type(error) for _, error in told] == [ZeroDivisionError, TypeError, Healthy]
    assert [word for word, _ in told] == ["broken", "broken", "answered"]


async def test_what_is_closed_tells_nobody() -> None:
    async with servers.serving(answering(HEAD + b"fine")) as port:
        with asking() as all_of_them:
            gone = ask(all_of_them, port)
            all_of_them.close()
            assert (await ask(all_of_them, servers.closed_port()).word())[0] == "refused"
            assert gone.told.empty()
