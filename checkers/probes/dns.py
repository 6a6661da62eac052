"""DNS (RFC 1035): a query over UDP or TCP, and what its answer must hold. dnspython reads and writes messages only."""

from __future__ import annotations

import struct

import dns.exception
import dns.flags
import dns.message
import dns.name
import dns.rcode
import dns.rdata
import dns.rdatatype

from checkers.core.outcome import Healthy, Outcome, Reason, escaped
from checkers.probes.datagram import Datagrams, exchange
from checkers.probes.expect import holds
from checkers.probes.failures import Failed, Stuck, Unfit
from checkers.probes.session import Session
from config.checks import DnsCheck, Expect

MESSAGE_LIMIT_BYTES = 16384  # what is taken apart: a longer answer is no health check's
ALLOWANCE_BYTES = 65536  # of a conversation over TCP
_LENGTH = struct.Struct("!H")  # RFC 1035 section 4.2.2

dns.rdata.load_all_types()  # type: ignore[no-untyped-call] # dnspython's. Now, and never by what an answer names


async def probe(session: Session, check: DnsCheck) -> Outcome:
    """Healthy at NOERROR with what is asked for. Answers of another id or question are no answers."""
    holds(b"", check.expect)  # a mistake in the expression is told at once
    query = asked(check)
    if check.tcp:
        answer = await _over_tcp(session, query)
    else:
        with Datagrams(session) as port:
            answer = await exchange(session, port, query.to_wire(), lambda wire: read(wire, query))
    return Healthy(judged(answer, check))


async def _over_tcp(session: Session, query: dns.message.Message) -> dns.message.Message:
    reader, writer = await session.stream(ALLOWANCE_BYTES)
    wire = query.to_wire()
    writer.write(_LENGTH.pack(len(wire)) + wire)
    while True:
        (size,) = _LENGTH.unpack(await reader.readexactly(_LENGTH.size))
        if size > MESSAGE_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, f"a message of {size} bytes")
        try:
            return read(await reader.readexactly(size), query)
        except Unfit as unfit:
            session.silence = unfit.outcome()


def asked(check: DnsCheck) -> dns.message.Message:
    """The query, with a random id. Raises Stuck for a name or type that DNS does not know."""
    try:
        kind = dns.rdatatype.from_text(check.record)
        name = dns.name.from_text(check.name)
    except (dns.exception.DNSException, UnicodeError, ValueError) as error:
        text = f"not a query: {check.name} {check.record}: {error}"
        raise Stuck(text) from error
    if dns.rdatatype.is_metatype(kind) and kind != dns.rdatatype.ANY:
        text = f"not a type of record: {check.record}"
        raise Stuck(text)
    return dns.message.make_query(name, kind)


def read(wire: bytes, query: dns.message.Message) -> dns.message.Message:
    """The answer to the query. Raises Unfit for what is none, and nothing else."""
    if len(wire) > MESSAGE_LIMIT_BYTES:
        text = f"a message of {len(wire)} bytes"
        raise Unfit(text)
    if wire[:2] != query.id.to_bytes(2, "big"):
        text = "another id"
        raise Unfit(text)
    try:
        answer = dns.message.from_wire(wire, keyring=False, ignore_trailing=True)
    except (dns.exception.DNSException, ValueError) as error:
        text = f"no message of DNS: {type(error).__name__}"
        raise Unfit(text) from error
    if not query.is_response(answer):
        text = "the answer to another question"
        raise Unfit(text)
    return answer


def judged(answer: dns.message.Message, check: DnsCheck) -> str:
    """The record that decided, in words. Raises Failed."""
    code = answer.rcode()
    if code != dns.rcode.NOERROR:
        raise Failed(Reason.STATUS, dns.rcode.to_text(code))
    kind = dns.rdatatype.from_text(check.record)
    texts = [
        record.to_text() for rrset in answer.answer if kind in (rrset.rdtype, dns.rdatatype.ANY) for record in rrset
    ]
    if check.expect == Expect() and (texts or not check.answer_needed):
        return escaped(texts[0]) if texts else "NOERROR"
    for text in texts:
        if _fits(text, check.expect):
            return escaped(text)
    raise Failed(Reason.NO_MATCH, _missing(texts, check.record, cut=bool(answer.flags & dns.flags.TC)))


def _fits(text: str, expect: Expect) -> bool:
    """A name is also taken without its final dot, as people write it."""
    return holds(text.encode(), expect) or (text.endswith(".") and holds(text[:-1].encode(), expect))


def _missing(texts: list[str], record: str, *, cut: bool) -> str:
    words = "; ".join(texts) if texts else f"no {record.upper()} record in the answer"
    return f"{words} (the answer was cut: ask over TCP)" if cut else words
