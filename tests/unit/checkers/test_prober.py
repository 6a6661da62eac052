"""A probe that a person asks for: the same conversation, and all that was said in it but passwords."""

from __future__ import annotations

import asyncio
import functools
import io
import logging
import os
import signal
import subprocess
import sys
from base64 import b64encode
from collections.abc import Callable, Coroutine

import pytest

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.core.transcript import Transcript, decode_told, encode_asked
from checkers.lean.http import request
from checkers.lean.way import lean
from checkers.runtime import prober
from checkers.runtime.prober import REFUSED_EXIT, UNSEEN, probed
from checkers.runtime.sandbox import Refused
from checkers.runtime.tape import KEPT_BYTES, TURNS_LIMIT, Tape, TappedLoop
from config.checks import (
    AgentCheck,
    AnyCheck,
    Credentials,
    Dial,
    ExternalCheck,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    PopCheck,
    RedisCheck,
    SimpleTcpCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.secret import Secret
from tests.unit.checkers.datagram_servers import answering
from tests.unit.checkers.servers import HOST, Handler, closed_port, find, script, server_context, serving, silent
from tests.unit.checkers.test_mail_probes import tagged, upgrading

WORD = 'open "sesame"'
LOGIN = Credentials("monitor", Secret(WORD))
FORMS = (
    WORD,
    WORD.replace('"', '\\"'),
    b64encode(WORD.encode()).decode(),
    b64encode(f"\0monitor\0{WORD}".encode()).decode(),
)


def listening(test: Callable[..., Coroutine[None, None, None]]) -> Callable[..., None]:
    """Run a test in a loop that listens in."""

    @functools.wraps(test)
    def run(*args: object, **more: object) -> None:
        with asyncio.Runner(loop_factory=TappedLoop) as runner:
            runner.run(test(*args, **more))

    return run


def assigned(check: AnyCheck, port: int, dial: Dial | None = None, timeout: float = 5.0) -> AssignedCheck:
    return AssignedCheck("id", Target(HOST, port), check, Timing(timeout=timeout), dial=dial or Dial())


async def of(check: AnyCheck, port: int, dial: Dial | None = None, timeout: float = 5.0) -> Transcript:
    return await probed(assigned(check, port, dial, timeout))


def lines(transcript: Transcript) -> list[str]:
    return [f"{'>' if turn.ours else '<'} {line}" for turn in transcript.said for line in turn.lines]


async def paged(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    await reader.readuntil(b"\r\n\r\n")
    writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\nhello")


@listening
async def test_http_is_heard_from_the_first_word_to_the_last() -> None:
    async with serving(paged) as port:
        found = await of(HttpCheck(path="/x"), port)
    assert found.outcome == Healthy("200 OK")
    assert lines(found)[:2] == ["> GET /x HTTP/1.1", f"> Host: {HOST}:{port}"]
    assert lines(found)[-4:] == ["< HTTP/1.1 200 OK", "< Content-Length: 5", "< ", "< hello"]
    assert list(found.phases) == ["connect", "first_byte", "whole"]
    assert found.said[-1].octets == 43
    assert (found.secured, found.left_out, found.unseen) == (None, 0, "")


@listening
async def test_it_is_asked_in_the_words_of_the_engine_that_asks_by_the_thousand() -> None:
    check = HttpCheck(path="/x?y=z", virtual_host="www.example.net")
    async with serving(paged) as port:
        found = await of(check, port)
    words = request(check, Target(HOST, port)).decode()
    assert lean(assigned(check, port))
    assert list(found.said[0].lines) == words.removesuffix("\n").replace("\r", "").split("\n")


@listening
async def test_tls_is_told_and_what_it_carries_is_heard() -> None:
    async with serving(paged, server_context("mail1.example.net", HOST)) as port:
        found = await of(HttpCheck(tls=Tls()), port)
    assert found.secured is not None
    assert found.secured.version.startswith("TLSv1.")
    assert found.secured.cipher
    assert found.secured.certificate.names == ("mail1.example.net", HOST)
    assert list(found.phases) == ["connect", "tls", "first_byte", "whole"]
    assert lines(found)[0] == "> GET / HTTP/1.1"


@listening
async def test_what_is_said_before_and_after_starttls_is_heard() -> None:
    handler, _ = upgrading(
        [b"220 here\r\n", b"250-here\r\n250 STARTTLS\r\n"],
        b"220 go\r\n",
        [b"250-here\r\n250 AUTH PLAIN\r\n", b"235 in\r\n"],
    )
    async with serving(handler) as port:
        found = await of(SmtpCheck(TlsMode.STARTTLS, credentials=LOGIN), port)
    assert found.outcome == Healthy("220 here")
    said = [line for line in lines(found) if line.startswith(">")]
    assert said == ["> EHLO lvsd.invalid", "> STARTTLS", "> EHLO lvsd.invalid", "> AUTH PLAIN ***", "> QUIT"]
    assert "< 235 in" in lines(found)
    assert found.secured is not None
    assert found.phases["first_byte"] < found.phases["whole"]


async def repeating(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    """Greets in many tongues, and then repeats whatever it hears."""
    writer.write(b"* OK\r\n")
    while words := await reader.read(65536):
        writer.write(b"* " + words)


PLAIN_OFFER = b"250-here\r\n250 AUTH PLAIN\r\n"
CRAM_OFFER = b"250-here\r\n250 AUTH CRAM-MD5\r\n"
LOGIN_OFFER = b"250-here\r\n250 AUTH LOGIN\r\n"


def scripted(*steps: bytes) -> Callable[[], Handler]:
    return lambda: script(*steps)[0]


@pytest.mark.parametrize(
    ("check", "handler"),
    [
        (ImapCheck(credentials=LOGIN), lambda: repeating),
        (ImapCheck(credentials=LOGIN), lambda: tagged(b"* OK\r\n", b"TAG NO " + WORD.encode() + b"\r\n", b"")[0]),
        (PopCheck(credentials=LOGIN), scripted(b"+OK\r\n", b"+OK\r\n", b"-ERR not " + WORD.encode() + b"\r\n")),
        (SmtpCheck(credentials=LOGIN), scripted(b"220\r\n", PLAIN_OFFER, b"535 " + FORMS[3].encode() + b"\r\n")),
        (
            SmtpCheck(credentials=LOGIN),
            scripted(b"220\r\n", LOGIN_OFFER, b"334 VXNlcm5hbWU6\r\n", b"334 UGFzcw==\r\n", b"535 no\r\n"),
        ),
        (SmtpCheck(credentials=LOGIN), scripted(b"220\r\n", CRAM_OFFER, b"334 eHh4eHg=\r\n", b"535 no\r\n")),
        (RedisCheck(credentials=LOGIN), lambda: repeating),
        (MysqlCheck(LOGIN), lambda: repeating),
    ],
)
@listening
async def test_no_form_of_a_password_is_in_what_is_told(check: AnyCheck, handler: Callable[[], Handler]) -> None:
    async with serving(handler()) as port:
        found = await of(check, port, timeout=1.0)
    assert isinstance(found.outcome, Unhealthy)
    assert found.said
    whole = str(found)
    assert not [form for form in FORMS if form in whole]
    assert "sesame" not in whole


@listening
async def test_cram_md5_shows_no_digest() -> None:
    handler, heard = script(b"220\r\n", CRAM_OFFER, b"334 eHh4eHg=\r\n", b"535 no\r\n")
    async with serving(handler) as port:
        found = await of(SmtpCheck(credentials=LOGIN), port)
    digest = next(line for line in heard if len(line) > 40).decode()
    assert digest not in str(found)
    assert [line for line in lines(found) if "octets that may hold" in line]


@listening
async def test_without_a_login_nothing_is_hidden() -> None:
    handler, _ = script(b"hello\r\n", b"you said so\r\n")
    async with serving(handler) as port:
        found = await of(SimpleTcpCheck(b"open sesame\r\n"), port)
    assert "> open sesame" in lines(found)


@listening
async def test_datagrams_and_the_header_of_a_proxy_are_heard() -> None:
    async with answering(lambda _: (b"pong",)) as (port, _):
        found = await of(UdpCheck(b"ping", reply_needed=True), port)
    assert lines(found) == ["> ping", "< pong"]
    async with serving(paged) as port:
        proxied = await of(HttpCheck(), port, Dial(proxy_protocol=1))
    assert lines(proxied)[0].startswith(f"> PROXY TCP4 {HOST} {HOST} ")


@listening
async def test_a_failure_shows_how_far_it_came() -> None:
    found = await of(HttpCheck(), closed_port())
    assert found.outcome == Unhealthy(Reason.REFUSED, "Connection refused")
    assert (list(found.phases), found.said) == (["whole"], ())
    async with serving(silent) as port:
        late = await of(HttpCheck(), port, timeout=0.2)
    assert isinstance(late.outcome, Unhealthy)
    assert late.outcome.reason is Reason.REPLY_TIMEOUT
    assert list(late.phases) == ["connect", "whole"]
    assert {turn.ours for turn in late.said} == {True}


@listening
async def test_what_is_not_seen_is_said_to_be_so() -> None:
    async with serving(silent) as port:
        found = await of(TcpCheck(), port)
    assert (found.outcome, found.said, found.unseen) == (Healthy("connected"), (), UNSEEN[TcpCheck])


@listening
async def test_an_agent_that_cannot_be_asked_is_not_well() -> None:
    found = await of(AgentCheck(), closed_port())
    assert found.outcome == Inconclusive("the agent tells nothing: Connection refused")


@listening
async def test_a_probe_that_crashes_is_a_fault_of_ours(monkeypatch: pytest.MonkeyPatch) -> None:
    async def crashed(*_: object) -> Outcome:
        raise ZeroDivisionError(WORD)

    monkeypatch.setattr("checkers.probes.attempt.probe_of", lambda _: crashed)
    found = await of(SimpleTcpCheck(), 1)
    assert found.outcome == Inconclusive("a fault of the checker: ZeroDivisionError")


@pytest.mark.parametrize(
    ("check", "handler"),
    [
        (HttpCheck(tls=Tls()), lambda: paged),
        (SmtpCheck(TlsMode.IMPLICIT), scripted(b"220 hi\r\n", b"250 hi\r\n")),
        (ImapCheck(TlsMode.IMPLICIT), lambda: tagged(b"* OK hi\r\n", b"* BYE\r\nTAG OK\r\n")[0]),
    ],
)
@listening
async def test_who_listens_in_changes_no_outcome(check: AnyCheck, handler: Callable[[], Handler]) -> None:
    async with serving(handler(), server_context()) as port:
        found = await of(check, port)
    loop = asyncio.get_running_loop()
    assert isinstance(loop, TappedLoop)
    loop.tape = None
    async with serving(handler(), server_context()) as port:
        plain = await find(check, port)
    assert found.outcome == plain.outcome
    assert isinstance(plain.outcome, Healthy)


def test_a_tape_is_bounded() -> None:
    tape = Tape(lambda: 0.0)
    tape.heard(b"", ours=True)
    for number in range(TURNS_LIMIT + 10):
        tape.heard(b"x" * (KEPT_BYTES + 1), ours=number % 2 == 0)
    assert len(tape._turns) == TURNS_LIMIT
    assert {len(turn.words) for turn in tape._turns} == {KEPT_BYTES}
    octets = sum(turn.octets for turn in tape._turns)
    assert octets + tape.left_out == (TURNS_LIMIT + 10) * (KEPT_BYTES + 1)
    assert tape.left_out == 5 * (KEPT_BYTES + 1)  # the last turn goes on: its octets are counted there


def ran(words: bytes, user: str = "nobody") -> subprocess.CompletedProcess[bytes]:
    command = [sys.executable, "-I", "-m", "checkers.runtime.prober", "--user", user]
    return subprocess.run(command, input=words, capture_output=True, timeout=60)


def test_the_process_is_confined_and_answers_in_order() -> None:
    command = ExternalCheck(("/bin/sh", "-c", "id -u; grep -E '^(CapEff|CapBnd|NoNewPrivs)' /proc/self/status"))
    checks = [AssignedCheck(str(number), Target(HOST, closed_port()), TcpCheck(), Timing()) for number in range(3)]
    done = ran(encode_asked((*checks, AssignedCheck("sh", Target(HOST, 1), command, Timing()))))
    assert (done.returncode, done.stderr) == (0, b"")
    told = [decode_told(line) for line in done.stdout.splitlines()]
    assert [one.id for one in told] == ["0", "1", "2", "sh"]
    outcome = told[-1].outcome
    assert isinstance(outcome, Healthy)
    assert "CapEff:\\t0000000000000000" in outcome.detail
    assert "NoNewPrivs:\\t1" in outcome.detail
    if os.geteuid() == 0:
        assert not outcome.detail.startswith("0\\n")
        assert "CapBnd:\\t0000000000000000" in outcome.detail


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has rights to give up")
@pytest.mark.parametrize(("mark", "held"), [(0, "0000000000000000"), (7, "0000000000002000")])
def test_the_process_holds_what_the_checks_need_and_no_more(mark: int, held: str) -> None:
    command = ExternalCheck(("/bin/sh", "-c", "grep CapEff /proc/$PPID/status"))
    marked = AssignedCheck("x", Target(HOST, closed_port()), TcpCheck(), Timing(), dial=Dial(mark=mark))
    done = ran(encode_asked((marked, AssignedCheck("sh", Target(HOST, 1), command, Timing()))))
    outcome = decode_told(done.stdout.splitlines()[-1]).outcome
    assert isinstance(outcome, Healthy)
    assert outcome.detail == f"CapEff:\\t{held}"


@pytest.mark.parametrize("words", [b"", b"{}", b"[1]", b"\xff", encode_asked(())[:-1]])
def test_what_is_not_understood_is_refused(words: bytes) -> None:
    done = ran(words)
    assert (done.returncode, done.stdout) == (REFUSED_EXIT, b"")
    assert b"error prober_refused reason=" in done.stderr


def test_the_process_does_not_last_for_ever(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its end is set before it speaks to anybody, and bounded by what the checks may take."""
    checks = (AssignedCheck("x", Target(HOST, 1), TcpCheck(), Timing(timeout=2.5)),) * 2
    alarms: list[int] = []

    def refused(*_: object) -> None:
        assert alarms == [39]
        raise Refused("enough")

    monkeypatch.setattr(signal, "alarm", alarms.append)
    monkeypatch.setattr(logging, "disable", lambda _: None)
    monkeypatch.setattr(prober, "confine", refused)
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(encode_asked(checks))))
    assert prober.main(["--user", "nobody"]) == REFUSED_EXIT
    assert alarms == [39]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root becomes another user")
def test_nobody_is_probed_with_the_rights_of_root() -> None:
    done = ran(encode_asked((AssignedCheck("x", Target(HOST, 1), TcpCheck(), Timing()),)), "no-such-user")
    assert (done.returncode, done.stdout) == (REFUSED_EXIT, b"")
