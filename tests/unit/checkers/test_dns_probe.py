"""DNS probes: what is asked, what counts as the answer, what must be in it."""

from __future__ import annotations

import asyncio
import struct
from collections.abc import Callable

import dns.flags
import dns.message
import dns.opcode
import dns.rcode
import dns.rrset
import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.dns import MESSAGE_LIMIT_BYTES
from config.checks import DnsCheck, Expect
from tests.unit.checkers.datagram_servers import Manner, answering
from tests.unit.checkers.servers import Handler, closed_port, outcome, serving, silent

ROOT = (". 60 IN SOA a.root.example. hostmaster.example. 1 2 3 4 5",)
WWW = ("www.example. 60 IN CNAME web.example.", "web.example. 60 IN A 192.0.2.7", "web.example. 60 IN A 192.0.2.8")


def reply(question: bytes, *records: str, change: Callable[[dns.message.Message], object] = lambda _: None) -> bytes:
    """An answer with these records."""
    answer = dns.message.make_response(dns.message.from_wire(question))
    for record in records:
        name, ttl, kind, rdtype, words = record.split(" ", 4)
        answer.answer.append(dns.rrset.from_text(name, int(ttl), kind, rdtype, words))
    change(answer)
    return answer.to_wire()


def server(*records: str, change: Callable[[dns.message.Message], object] = lambda _: None) -> Manner:
    """Answers every question so."""
    return lambda question: (reply(question, *records, change=change),)


def stream_server(*answers: Callable[[bytes], bytes]) -> Handler:
    """The same over TCP, each answer with its length."""

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        (size,) = struct.unpack("!H", await reader.readexactly(2))
        question = await reader.readexactly(size)
        for make in answers:
            answer = make(question)
            writer.write(struct.pack("!H", len(answer)) + answer)
        await silent(reader, writer)

    return handler


async def asked(check: DnsCheck, manner: Manner, timeout: float = 5.0) -> Outcome:
    async with answering(manner) as (port, _):
        return await outcome(check, port, timeout)


async def test_the_root_is_asked_for_its_soa() -> None:
    async with answering(server(*ROOT)) as (port, heard):
        found = await outcome(DnsCheck(), port)
    assert found == Healthy("a.root.example. hostmaster.example. 1 2 3 4 5")
    [question] = dns.message.from_wire(heard[0]).question
    assert question.to_text() == ". IN SOA"


async def test_each_question_has_its_own_id() -> None:
    async with answering(server(*ROOT)) as (port, heard):
        for _ in range(8):
            await outcome(DnsCheck(), port)
    assert len({question[:2] for question in heard}) > 1


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        (Expect(), Healthy("192.0.2.7")),
        (Expect(text="192.0.2.8"), Healthy("192.0.2.8")),
        (Expect(regex=r"^192\.0\.2\.8$"), Healthy("192.0.2.8")),
        (Expect(text="192.0.2.9"), Unhealthy(Reason.NO_MATCH, "192.0.2.7; 192.0.2.8")),
    ],
)
async def test_a_record_behind_an_alias(expect: Expect, found: Outcome) -> None:
    assert await asked(DnsCheck("www.example.", "A", expect), server(*WWW)) == found


@pytest.mark.parametrize("regex", [r"^web\.example$", r"^web\.example\.$"])
async def test_a_name_is_found_with_or_without_its_final_dot(regex: str) -> None:
    pointer = "7.2.0.192.in-addr.arpa. 60 IN PTR web.example."
    check = DnsCheck("7.2.0.192.in-addr.arpa.", "PTR", Expect(regex=regex))
    assert await asked(check, server(pointer)) == Healthy("web.example.")


async def test_any_record_will_do_where_any_is_asked_for() -> None:
    check = DnsCheck("www.example.", "ANY", Expect(text="web.example."))
    assert await asked(check, server(WWW[0])) == Healthy("web.example.")


async def test_an_answer_without_the_record() -> None:
    found = await asked(DnsCheck("www.example.", "AAAA"), server(WWW[0]))
    assert found == Unhealthy(Reason.NO_MATCH, "no AAAA record in the answer")


async def test_an_answer_that_needs_no_record() -> None:
    assert await asked(DnsCheck(answer_needed=False), server()) == Healthy("NOERROR")


async def test_a_truncated_answer_says_so() -> None:
    def cut(answer: dns.message.Message) -> None:
        answer.flags |= dns.flags.TC

    found = await asked(DnsCheck(), server(change=cut))
    assert found == Unhealthy(Reason.NO_MATCH, "no SOA record in the answer (the answer was cut: ask over TCP)")


@pytest.mark.parametrize("code", ["NXDOMAIN", "SERVFAIL", "REFUSED"])
@pytest.mark.parametrize("check", [DnsCheck(), DnsCheck(answer_needed=False)])
async def test_an_error_is_told_by_its_name(code: str, check: DnsCheck) -> None:
    found = await asked(check, server(change=lambda answer: answer.set_rcode(dns.rcode.from_text(code))))
    assert found == Unhealthy(Reason.STATUS, code)


def other_id(question: bytes) -> bytes:
    answer = reply(question, *ROOT)
    return bytes((answer[0] ^ 0xFF,)) + answer[1:]


def other_question(question: bytes) -> bytes:
    query = dns.message.make_query("other.example.", "SOA", id=int.from_bytes(question[:2], "big"))
    return dns.message.make_response(query).to_wire()


def no_answer_at_all(question: bytes) -> bytes:
    return question


def other_opcode(question: bytes) -> bytes:
    return reply(question, *ROOT, change=lambda answer: answer.set_opcode(dns.opcode.NOTIFY))


def cut_short(question: bytes) -> bytes:
    return reply(question, *ROOT)[:-3]


NO_ANSWERS = [other_id, other_question, no_answer_at_all, other_opcode, cut_short]


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_what_does_not_answer_is_ignored(wrong: Callable[[bytes], bytes]) -> None:
    found = await asked(DnsCheck(), lambda question: (wrong(question), reply(question, *ROOT)))
    assert isinstance(found, Healthy)


@pytest.mark.parametrize("wrong", NO_ANSWERS)
async def test_only_what_does_not_answer_is_garbled_at_the_timeout(wrong: Callable[[bytes], bytes]) -> None:
    found = await asked(DnsCheck(), lambda question: (wrong(question),), 0.2)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED


async def test_over_tcp() -> None:
    handler = stream_server(other_id, lambda question: reply(question, *ROOT))
    async with serving(handler) as port:
        assert isinstance(await outcome(DnsCheck(tcp=True), port), Healthy)


async def test_over_tcp_an_answer_to_something_else_is_told_at_the_timeout() -> None:
    async with serving(stream_server(other_id)) as port:
        found = await outcome(DnsCheck(tcp=True), port, 0.3)
    assert found == Unhealthy(Reason.GARBLED, "no answer that counts: another id")


async def test_over_tcp_a_long_message_is_not_read() -> None:
    async with serving(stream_server(lambda _: bytes(MESSAGE_LIMIT_BYTES + 1))) as port:
        found = await outcome(DnsCheck(tcp=True), port)
    assert found == Unhealthy(Reason.TOO_LARGE, f"a message of {MESSAGE_LIMIT_BYTES + 1} bytes")


async def test_over_tcp_nobody_at_the_port() -> None:
    assert await outcome(DnsCheck(tcp=True), closed_port()) == Unhealthy(Reason.REFUSED, "Connection refused")


@pytest.mark.parametrize(
    "check",
    [
        DnsCheck("a..b", "A"),
        DnsCheck("x" * 64 + ".example.", "A"),
        DnsCheck(record="NOSUCH"),
        DnsCheck(record="AXFR"),
        DnsCheck(record="OPT"),
        DnsCheck(expect=Expect(regex="(")),
    ],
)
async def test_what_cannot_be_asked_is_nobodys_fault(check: DnsCheck) -> None:
    assert isinstance(await outcome(check, 53), Inconclusive)


async def test_a_name_that_is_not_ascii() -> None:
    async with answering(server()) as (port, heard):
        await outcome(DnsCheck("bücher.example.", "A", answer_needed=False), port)
    assert b"\x0dxn--bcher-kva" in heard[0]
