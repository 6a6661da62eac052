"""What every way of running a check must find: a real server's behaviour, the check, and the outcome.

The details count too, but for the words of errors that asyncio or a library paraphrases.
"""

from __future__ import annotations

import asyncio
import socket
import ssl
import struct
from dataclasses import dataclass

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy
from checkers.probes.http_body import BODY_LIMIT_BYTES, COURTESY_BYTES
from config.checks import AnyCheck, Expect, HttpCheck, ImapCheck, PopCheck, SimpleTcpCheck, SmtpCheck, Tls, TlsMode
from tests.unit.checkers import servers

TEXT = SimpleTcpCheck(b"PING\r\n", Expect(text="PONG"))
PLAIN: dict[str, AnyCheck] = {
    "http": HttpCheck(),
    "imap": ImapCheck(),
    "pop": PopCheck(),
    "smtp": SmtpCheck(),
    "text": TEXT,
}
SECURED: dict[str, AnyCheck] = {
    "https": HttpCheck(tls=Tls()),
    "imaps": ImapCheck(TlsMode.IMPLICIT),
    "pops": PopCheck(TlsMode.IMPLICIT),
    "smtps": SmtpCheck(TlsMode.IMPLICIT),
}
ALL = {**PLAIN, **SECURED}


@dataclass(frozen=True)
class Situation:
    """A real server that behaves so, asked with this check, is found so."""

    check: AnyCheck
    handler: servers.Handler
    found: Outcome | Reason  # a reason: whatever the detail
    tls: ssl.SSLContext | None = None
    timeout: float = 5.0


def answering(answer: bytes, *, stay: bool = False, pieces: int = 1) -> servers.Handler:
    """Hears a line, then answers, in so many pieces."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        size = max(1, -(-len(answer) // pieces))
        for start in range(0, len(answer), size):
            writer.write(answer[start : start + size])
            await writer.drain()
            await asyncio.sleep(0.002 if pieces > 1 else 0)
        if stay:
            await servers.silent(reader, writer)
        while await reader.read(65536):
            pass

    return handler


def closing(answer: bytes) -> servers.Handler:
    """Hears a line, answers and hangs up."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        await writer.drain()

    return handler


def breaking(answer: bytes) -> servers.Handler:
    """Hears a line, answers, and resets the connection a moment later."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readline()
        writer.write(answer)
        await writer.drain()
        await asyncio.sleep(0.02)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()

    return handler


def said(*steps: bytes) -> servers.Handler:
    """Says the first step at once and each further one after a line."""
    return servers.script(*steps)[0]


def page(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    """An answer of the common form."""
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


CHUNKED = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nldire\r\n5\r\nctord\r\n0\r\n\r\n"
HEAD = b"HTTP/1.1 200 OK\r\n"
WANTED = HttpCheck(expect=Expect(text="ldirectord"))
LATE = b"x" * (BODY_LIMIT_BYTES - 1000) + b"ldirectord"
BEYOND = b"x" * (BODY_LIMIT_BYTES + 100_000) + b"ldirectord"
OK, WITHOUT = Healthy("200 OK"), Unhealthy(Reason.NO_MATCH, "200 OK, without the expected")
CLOSED = Unhealthy(Reason.CLOSED, "closed before its answer was whole")

SITUATIONS: dict[str, Situation] = {
    "a page": Situation(HttpCheck(), answering(page(b"hello")), OK),
    "a page that stays open": Situation(HttpCheck(), answering(page(b"hello"), stay=True), OK),
    "a page in pieces": Situation(WANTED, answering(page(b"a ldirectord b"), pieces=9), OK),
    "a page byte by byte": Situation(WANTED, answering(page(b"a ldirectord b"), pieces=200), OK),
    "a page with lines of LF": Situation(WANTED, closing(page(b"ldirectord").replace(b"\r\n", b"\n")), OK),
    "a page without a reason": Situation(HttpCheck(), answering(page(b"", b"200")), Healthy("200")),
    "a page with odd words": Situation(
        HttpCheck(), answering(page(b"", b"200 All \xe9 well")), Healthy("200 All  well")
    ),
    "a page without the text": Situation(WANTED, answering(page(b"hello")), WITHOUT),
    "a page with the digest": Situation(
        HttpCheck(digest="5D41402ABC4B2A76B9719D911017C592"), answering(page(b"hello")), OK
    ),
    "a page with another digest": Situation(HttpCheck(digest="0" * 32), answering(page(b"hello")), Reason.NO_MATCH),
    "an expression": Situation(HttpCheck(expect=Expect(regex="h.llo$")), answering(page(b"hello")), OK),
    "an expression that misses": Situation(HttpCheck(expect=Expect(regex="^x")), answering(page(b"hello")), WITHOUT),
    "another status": Situation(HttpCheck(), answering(page(b"", b"503 Down")), Unhealthy(Reason.STATUS, "503 Down")),
    "a status that is wanted": Situation(
        HttpCheck(status=((404, 404),)), answering(page(b"", b"404 Gone")), Healthy("404 Gone")
    ),
    "a redirect": Situation(
        HttpCheck(), answering(page(b"", b"302 Found", b"Location: /x\r\n")), Unhealthy(Reason.STATUS, "302 Found")
    ),
    "no content": Situation(
        HttpCheck(), answering(HEAD.replace(b"200 OK", b"204 None") + b"\r\n"), Healthy("204 None")
    ),
    "a head alone": Situation(HttpCheck(method="HEAD"), answering(HEAD + b"Content-Length: 9\r\n\r\n"), OK),
    "chunks": Situation(WANTED, answering(CHUNKED), OK),
    "chunks that do not end": Situation(WANTED, answering(CHUNKED[:-5], stay=True), Reason.REPLY_TIMEOUT, timeout=0.5),
    "a chunk that is none": Situation(WANTED, answering(CHUNKED.replace(b"5\r\nl", b"z\r\nl")), Reason.GARBLED),
    "no length": Situation(WANTED, closing(b"HTTP/1.0 200 OK\r\n\r\nldirectord"), OK),
    "no length, no text": Situation(WANTED, closing(b"HTTP/1.0 200 OK\r\n\r\nhello"), WITHOUT),
    "no length, no end": Situation(WANTED, answering(HEAD + b"\r\nldi", stay=True), Reason.REPLY_TIMEOUT, timeout=0.5),
    "two lengths": Situation(
        WANTED, answering(HEAD + b"Content-Length: 1\r\nContent-Length: 2\r\n\r\nab"), Reason.GARBLED
    ),
    "a length that is none": Situation(WANTED, answering(HEAD + b"Content-Length: x\r\n\r\nab"), Reason.GARBLED),
    "a length twice the same": Situation(
        WANTED, answering(HEAD + b"Content-Length: 10\r\nContent-Length: 10\r\n\r\nldirectord"), OK
    ),
    "a name that is none": Situation(WANTED, answering(HEAD + b"A b: 1\r\nContent-Length: 0\r\n\r\n"), Reason.GARBLED),
    "a continued line": Situation(WANTED, answering(HEAD + b"A: 1\r\n 2\r\nContent-Length: 10\r\n\r\nldirectord"), OK),
    "a body cut short": Situation(HttpCheck(), closing(HEAD + b"Content-Length: 100\r\n\r\nshort"), Reason.CLOSED),
    "a head cut short": Situation(HttpCheck(), closing(HEAD + b"Content-Len"), Reason.CLOSED),
    "nothing": Situation(HttpCheck(), closing(b""), Reason.CLOSED),
    "a hundred first": Situation(WANTED, answering(b"HTTP/1.1 100 Continue\r\n\r\n" + page(b"ldirectord")), OK),
    "other protocols": Situation(
        HttpCheck(), answering(b"HTTP/1.1 101 Switching\r\nUpgrade: x\r\n\r\n", stay=True), Reason.GARBLED
    ),
    "another protocol": Situation(HttpCheck(), answering(b"220 mail.example ESMTP\r\n\r\n"), Reason.GARBLED),
    "an HTTP of old": Situation(HttpCheck(), closing(b"<html>\r\n\r\n"), Reason.GARBLED),
    "a bad beginning": Situation(HttpCheck(), answering(b"\x15\x03\x01\x00\x02", stay=True), Reason.GARBLED),
    "a reset within": Situation(HttpCheck(), breaking(HEAD), Reason.CLOSED),
    "a large page": Situation(HttpCheck(), answering(page(b"x" * COURTESY_BYTES * 4)), OK),
    "a page at the courtesy": Situation(WANTED, answering(page(b"x" * (COURTESY_BYTES - 10) + b"ldirectord")), OK),
    "a text that comes late": Situation(WANTED, answering(page(LATE)), OK),
    "a text beyond": Situation(WANTED, answering(page(BEYOND)), Reason.TOO_LARGE),
    "a digest without end": Situation(HttpCheck(digest="0" * 32), answering(page(BEYOND)), Reason.TOO_LARGE),
    "a head without end": Situation(HttpCheck(), answering(HEAD + b"A: b\r\n" * 40_000), Reason.TOO_LARGE),
    "a secure page": Situation(HttpCheck(tls=Tls()), answering(page(b"hello")), OK, servers.server_context()),
    "a secure page, large": Situation(
        HttpCheck(tls=Tls(), expect=Expect(text="ldirectord")), answering(page(LATE)), OK, servers.server_context()
    ),
    "a secure page cut short": Situation(
        HttpCheck(tls=Tls()), closing(HEAD + b"Content-Length: 9\r\n\r\n"), Reason.CLOSED, servers.server_context()
    ),
    "a certificate of nobody's": Situation(
        HttpCheck(tls=Tls(verify=True)), answering(page(b"")), Reason.CERTIFICATE, servers.server_context()
    ),
    "an SMTP server": Situation(
        SmtpCheck(), said(b"220-mx\r\n220 ready \xc3\xa9\r\n", b"250-mx\r\n250 OK\r\n"), Healthy("220 mx\\nready \\xe9")
    ),
    "an SMTPS server": Situation(
        SmtpCheck(TlsMode.IMPLICIT), said(b"220 mx\r\n", b"250 OK\r\n"), Healthy("220 mx"), servers.server_context()
    ),
    "a refusing SMTP server": Situation(
        SmtpCheck(), said(b"554 no service\r\n"), Unhealthy(Reason.ERROR_REPLY, "554 no service")
    ),
    "an SMTP server without EHLO": Situation(
        SmtpCheck(), said(b"220 mx\r\n", b"502 what?\r\n"), Unhealthy(Reason.ERROR_REPLY, "502 what?")
    ),
    "an SMTP server that stops": Situation(SmtpCheck(), said(b"220 mx\r\n"), Reason.REPLY_TIMEOUT, timeout=0.5),
    "no SMTP server": Situation(
        SmtpCheck(), said(b"+OK ready\r\n"), Unhealthy(Reason.GARBLED, "Malformed SMTP response line: +OK ready")
    ),
    "an SMTP answer without end": Situation(SmtpCheck(), said(b"220-x\r\n" * 9000), Reason.TOO_LARGE),
    "a POP server": Situation(PopCheck(), said(b"+OK Dovecot \xff\r\n"), Healthy("Dovecot \\xff")),
    "a POPS server": Situation(
        PopCheck(TlsMode.IMPLICIT), said(b"+OK ready\r\n"), Healthy("ready"), servers.server_context()
    ),
    "a refusing POP server": Situation(
        PopCheck(), said(b"-ERR [SYS/TEMP] busy\r\n"), Unhealthy(Reason.ERROR_REPLY, "[SYS/TEMP] busy")
    ),
    "no POP server": Situation(PopCheck(), said(b"220 mx\r\n"), Unhealthy(Reason.GARBLED, "220 mx")),
    "half a POP greeting": Situation(PopCheck(), said(b"+OK rea"), Reason.REPLY_TIMEOUT, timeout=0.5),
    "an IMAP server": Situation(ImapCheck(), said(b"* OK [X] ready\r\n"), Healthy("[X] ready")),
    "an IMAPS server": Situation(
        ImapCheck(TlsMode.IMPLICIT), said(b"* PREAUTH hi\r\n"), Healthy("hi"), servers.server_context()
    ),
    "a refusing IMAP server": Situation(ImapCheck(), said(b"* BYE later\r\n"), Unhealthy(Reason.ERROR_REPLY, "later")),
    "no IMAP server": Situation(ImapCheck(), said(b"+OK ready\r\n"), Unhealthy(Reason.GARBLED, "+OK ready")),
    "a text": Situation(TEXT, answering(b"+PONG\r\n"), Healthy("+PONG")),
    "a text in pieces": Situation(TEXT, answering(b"+PONG\r\n", pieces=7), Healthy("+PONG")),
    "another text": Situation(TEXT, closing(b"-ERR\r\n"), Unhealthy(Reason.NO_MATCH, "-ERR")),
    "another text, and silence": Situation(
        TEXT, answering(b"-ERR\r\n", stay=True), Unhealthy(Reason.NO_MATCH, "-ERR"), timeout=0.5
    ),
    "no text": Situation(TEXT, closing(b""), CLOSED),
}


def hostile() -> dict[str, Situation]:
    """Every kind of check against every kind of misbehaviour."""
    found: dict[str, Situation] = {}
    for name, check in ALL.items():
        secured = name in SECURED
        found[f"{name}: silent"] = Situation(check, servers.silent, Reason.REPLY_TIMEOUT, timeout=0.3)
        found[f"{name}: resetting"] = Situation(check, servers.resetting, Reason.CLOSED)
        found[f"{name}: hanging up"] = Situation(check, servers.hanging_up, Reason.CLOSED)
        found[f"{name}: flooding"] = Situation(check, servers.flooding, Reason.TLS if secured else Reason.TOO_LARGE)
        babbled = {"text": Reason.NO_MATCH}.get(name, Reason.TLS if secured else Reason.GARBLED)
        found[f"{name}: babbling"] = Situation(check, servers.babbling, babbled, timeout=0.5)
        if not secured:
            dripped = Reason.NO_MATCH if name == "text" else Reason.REPLY_TIMEOUT
            found[f"{name}: dripping"] = Situation(check, servers.dripping(b"*"), dripped, timeout=0.5)
    for name, check in SECURED.items():
        context = servers.server_context()
        found[f"{name}: silent inside"] = Situation(check, servers.silent, Reason.REPLY_TIMEOUT, context, 0.5)
        found[f"{name}: hanging up inside"] = Situation(check, servers.hanging_up, Reason.CLOSED, context)
        found[f"{name}: flooding inside"] = Situation(check, servers.flooding, Reason.TOO_LARGE, context)
    return found
