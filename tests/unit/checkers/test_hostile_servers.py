"""Whatever a real server does, a probe ends in time, with the right reason, and reads no more than its cap."""

from __future__ import annotations

import asyncio
import gc
import tracemalloc

import pytest

from checkers.core.outcome import Inconclusive, Reason, Unhealthy
from checkers.probes import ftp, http_body, imap, ldap, mysql, nntp, pgsql, pop, redis, smtp
from checkers.probes.session import FAREWELL_SECONDS
from config.checks import (
    AnyCheck,
    Credentials,
    FtpCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    NntpCheck,
    PgsqlCheck,
    PopCheck,
    RedisCheck,
    SmtpCheck,
    TcpCheck,
    Tls,
    TlsMode,
)
from config.secret import Secret
from tests.unit.checkers import servers

LOGIN = Credentials("monitor", Secret("open sesame"))
PLAIN: dict[str, AnyCheck] = {
    "http": HttpCheck(),
    "mysql": MysqlCheck(LOGIN),
    "imap": ImapCheck(),
    "pop": PopCheck(),
    "smtp": SmtpCheck(),
    "http_proxy": HttpCheck(proxy_url="http://www.example.org/"),
    "ldap": LdapCheck(credentials=LOGIN, base=""),
    "ftp": FtpCheck(LOGIN, "check"),
    "nntp": NntpCheck(),
    "pgsql": PgsqlCheck(LOGIN),
    "redis": RedisCheck(credentials=LOGIN, role="master"),
}
SECURED: dict[str, AnyCheck] = {
    "https": HttpCheck(tls=Tls()),
    "imaps": ImapCheck(TlsMode.IMPLICIT),
    "pops": PopCheck(TlsMode.IMPLICIT),
    "smtps": SmtpCheck(TlsMode.IMPLICIT),
    "ldaps": LdapCheck(TlsMode.IMPLICIT),
    "rediss": RedisCheck(TlsMode.IMPLICIT),
}
STARTED: dict[str, tuple[AnyCheck, bytes]] = {
    "ldap": (LdapCheck(TlsMode.STARTTLS), bytes.fromhex("300c02010178070a010004000400")),
    "pgsql": (PgsqlCheck(LOGIN), b"S"),
}
"""Checks that start TLS within a conversation, and what a server says to agree."""
ALL = {**PLAIN, **SECURED}
DRIPS = {
    "mysql": b"\x4a\x00\x00\x00\x0a5.5.5-10.11",
    "ldap": b"\x30\x84\x00\x00",
    "pgsql": b"NR\x00\x00\x7f",
}
"""What begins well, for those protocols whose first byte is judged."""
MEMORY_LIMIT_BYTES = 4 * 1024 * 1024


@pytest.mark.parametrize("name", ALL)
async def test_a_server_that_never_answers_is_told_at_the_timeout(name: str) -> None:
    async with servers.serving(servers.silent) as port:
        finding = await servers.find(ALL[name], port, 0.2)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.REPLY_TIMEOUT


@pytest.mark.parametrize("name", PLAIN)
async def test_a_byte_at_a_time_is_told_at_the_timeout(name: str) -> None:
    words = DRIPS.get(name, b"*")
    async with servers.serving(servers.dripping(words)) as port:
        finding = await servers.find(PLAIN[name], port, 0.6)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.REPLY_TIMEOUT


@pytest.mark.parametrize("name", SECURED)
async def test_a_byte_at_a_time_below_tls_ends_too(name: str) -> None:
    async with servers.serving(servers.dripping(b"*")) as port:
        finding = await servers.find(SECURED[name], port, 1.2)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason in {Reason.REPLY_TIMEOUT, Reason.TLS}


@pytest.mark.parametrize(
    ("name", "reason"),
    [
        ("http", Reason.TOO_LARGE),
        ("mysql", Reason.GARBLED),
        ("imap", Reason.TOO_LARGE),
        ("pop", Reason.TOO_LARGE),
        ("smtp", Reason.TOO_LARGE),
        ("http_proxy", Reason.TOO_LARGE),
        ("ldap", Reason.GARBLED),
        ("ftp", Reason.TOO_LARGE),
        ("nntp", Reason.TOO_LARGE),
        ("pgsql", Reason.GARBLED),
        ("redis", Reason.TOO_LARGE),
        ("rediss", Reason.TLS),
        ("ldaps", Reason.TLS),
        ("https", Reason.TLS),
        ("imaps", Reason.TLS),
        ("pops", Reason.TLS),
        ("smtps", Reason.TLS),
    ],
)
async def test_a_hundred_megabytes_are_not_read(name: str, reason: Reason) -> None:
    tracemalloc.start()
    try:
        async with servers.serving(servers.flooding) as port:
            finding = await servers.find(ALL[name], port)
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is reason
    assert peak < MEMORY_LIMIT_BYTES


@pytest.mark.parametrize("name", SECURED)
async def test_a_hundred_megabytes_inside_tls_are_not_read(name: str) -> None:
    async with servers.serving(servers.flooding, servers.server_context()) as port:
        finding = await servers.find(SECURED[name], port)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason in {Reason.TOO_LARGE, Reason.GARBLED}


@pytest.mark.parametrize("name", ALL)
async def test_a_reset_is_a_closed_connection(name: str) -> None:
    async with servers.serving(servers.resetting) as port:
        finding = await servers.find(ALL[name], port)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.CLOSED


@pytest.mark.parametrize("name", ALL)
async def test_a_connection_that_ends_at_once_is_closed(name: str) -> None:
    async with servers.serving(servers.hanging_up) as port:
        finding = await servers.find(ALL[name], port)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.CLOSED


@pytest.mark.parametrize("name", PLAIN)
async def test_garbage_is_told_as_such(name: str) -> None:
    async with servers.serving(servers.babbling) as port:
        finding = await servers.find(PLAIN[name], port, 1.0)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.GARBLED


@pytest.mark.parametrize("name", SECURED)
async def test_garbage_instead_of_tls_is_a_tls_failure(name: str) -> None:
    async with servers.serving(servers.babbling) as port:
        finding = await servers.find(SECURED[name], port, 1.0)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is Reason.TLS


def agreeing(words: bytes, then: servers.Handler) -> servers.Handler:
    """A server that agrees to start TLS and goes on as another."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.read(65536)
        writer.write(words)
        await reader.read(65536)
        await then(reader, writer)

    return handler


@pytest.mark.parametrize("name", STARTED)
@pytest.mark.parametrize(
    ("then", "reason"),
    [
        (servers.silent, Reason.REPLY_TIMEOUT),
        (servers.babbling, Reason.TLS),
        (servers.flooding, Reason.TLS),
        (servers.hanging_up, Reason.CLOSED),
        (servers.resetting, Reason.CLOSED),
    ],
)
async def test_tls_that_is_agreed_on_and_never_spoken(name: str, then: servers.Handler, reason: Reason) -> None:
    check, words = STARTED[name]
    async with servers.serving(agreeing(words, then)) as port:
        finding = await servers.find(check, port, 0.5)
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason is reason


@pytest.mark.parametrize("name", [*ALL, "tcp"])
async def test_a_closed_port_is_refused(name: str) -> None:
    check = ALL.get(name, TcpCheck())
    finding = await servers.find(check, servers.closed_port())
    assert finding.outcome == Unhealthy(Reason.REFUSED, "Connection refused")


@pytest.mark.parametrize("name", ["http", "imap", "pop", "smtp", "https", "ldap", "ftp", "pgsql"])
async def test_an_endless_conversation_ends_at_the_allowance(name: str) -> None:
    """Lines without number, each of which is good: only the count of bytes ends it."""
    lines = {
        "http": b"HTTP/1.1 100 Continue\r\n\r\n",
        "imap": b"* OK on\r\n",
        "pop": b"+",
        "smtp": b"220-x\r\n",
        "ldap": bytes.fromhex("3009020101730404027800"),
        "ftp": b"220-x\r\n",
        "pgsql": b"NN\0\0\0\4",
    }
    line = lines[name.removesuffix("s")] * 1000

    async def endless(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while True:
            writer.write(line)
            await writer.drain()

    tls = servers.server_context() if name == "https" else None
    check = {**ALL, "imap": ImapCheck(credentials=LOGIN)}[name]
    async with servers.serving(endless, tls) as port:
        finding = await servers.find(check, port, 60.0)  # two megabytes of lines take seconds of a processor
    assert isinstance(finding.outcome, Unhealthy)
    assert finding.outcome.reason in {Reason.TOO_LARGE, Reason.GARBLED}


async def test_hostile_servers_do_not_disturb_other_checks() -> None:
    hostile = (servers.silent, servers.dripping(b"*"), servers.flooding, servers.resetting, servers.babbling)
    good, _ = servers.script(b"+OK ready\r\n")
    async with servers.serving(good) as good_port:
        for handler in hostile:
            async with servers.serving(handler) as port:
                bad = [asyncio.create_task(servers.find(check, port, 0.5)) for check in PLAIN.values()]
                finding = await servers.find(PopCheck(), good_port)
                assert finding.outcome.__class__.__name__ == "Healthy"
                await asyncio.gather(*bad)


async def test_the_goodbye_never_lasts_longer_than_its_grace() -> None:
    async def deaf(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"+OK ready\r\n")
        await servers.silent(reader, writer)

    loop = asyncio.get_running_loop()
    async with servers.serving(deaf) as port:
        finding = await servers.find(PopCheck(), port)
        assert loop.time() - finding.ended_at < FAREWELL_SECONDS + 2.0


async def test_a_name_is_not_looked_up() -> None:
    finding = await servers.find(TcpCheck(), 80, address="localhost")
    assert finding.outcome == Inconclusive("not an address: localhost")


def test_every_allowance_is_a_bound_on_memory() -> None:
    for module in (ftp, imap, ldap, mysql, nntp, pgsql, pop, redis, smtp):
        assert module.ALLOWANCE_BYTES <= 1024 * 1024
    assert http_body.BODY_LIMIT_BYTES <= 1024 * 1024
    assert ftp.BODY_LIMIT_BYTES <= 1024 * 1024


async def test_a_flood_of_imap_greetings_makes_no_tasks() -> None:
    async def greet(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.write(b"* OK x\r\n" * 20000)
        await writer.drain()

    faults: list[dict[str, object]] = []
    asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
    async with servers.serving(greet) as port:
        await servers.find(ImapCheck(), port, 1.0)
    gc.collect()
    assert not faults
