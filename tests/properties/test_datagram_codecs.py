"""Whatever bytes come, the codecs of datagrams give an answer or say `Unfit`; and what a server signs is read."""

from __future__ import annotations

import contextlib

import dns.message
from hypothesis import given
from hypothesis import strategies as st

from checkers.probes import dns as dns_probe
from checkers.probes.failures import Failed, Stuck, Unfit
from checkers.probes.radius_packet import Code, Request, access_request, hidden, read_reply
from checkers.probes.sip_message import Asked, options, read_response, well_formed
from checkers.probes.udp import begins
from config.checks import Credentials, DnsCheck, Expect
from config.secret import Secret
from tests.unit.checkers.test_radius_probe import attributes, message, password_of, reply

ASKED = Asked("z9hG4bKabc", "call", "tag")
QUERY = dns_probe.asked(DnsCheck("www.example.", "A"))
QUESTION = QUERY.to_wire()
ANSWER = dns.message.make_response(dns.message.from_wire(QUESTION))
ANSWER.answer.append(dns.rrset.from_text("www.example.", 60, "IN", "A", "192.0.2.7"))
ANSWER.answer.append(dns.rrset.from_text("www.example.", 60, "IN", "TXT", '"a" "b"'))
ANSWER.additional.append(dns.rrset.from_text("www.example.", 60, "IN", "SVCB", "1 . alpn=h2"))
WIRE = ANSWER.to_wire()
SIP = (
    b"SIP/2.0 200 OK\r\nVia: SIP/2.0/UDP h;branch=z9hG4bKabc\r\nCall-ID: call\r\nCSeq: 1 OPTIONS\r\n"
    b"Content-Length: 0\r\n\r\n"
)
RADIUS_REQUEST = Request(7, bytes(range(16)), b"secret")


def damaged(good: bytes) -> st.SearchStrategy[bytes]:
    """The same with some bytes changed, cut, and something appended."""

    def damage(parts: tuple[list[tuple[int, int]], int, bytes]) -> bytes:
        changes, size, tail = parts
        octets = bytearray(good)
        for at, value in changes:
            octets[at] = value
        return bytes(octets[:size]) + tail

    change = st.tuples(st.integers(0, len(good) - 1), st.integers(0, 255))
    return st.tuples(st.lists(change, max_size=6), st.integers(0, len(good)), st.binary(max_size=12)).map(damage)


@given(st.one_of(st.binary(max_size=600), damaged(WIRE), st.binary(max_size=300).map(lambda tail: WIRE[:12] + tail)))
def test_dns_answers_are_read_or_unfit(wire: bytes) -> None:
    """All that goes on with a message that was read is part of it: judging it, too, fails in one way only."""
    wire = QUESTION[:2] + wire[2:]
    for check in (DnsCheck("www.example.", "A"), DnsCheck("www.example.", "TXT", Expect(regex="b"))):
        with contextlib.suppress(Unfit, Failed):
            dns_probe.judged(dns_probe.read(wire, QUERY), check)


@given(st.integers(0, 65535).filter(lambda number: number not in (251, 252)), st.binary(max_size=80))
def test_dns_records_of_any_type_are_shown_or_unfit(number: int, data: bytes) -> None:
    """A record of any type and content, in the answer to a question for it."""
    name = b"\x03www\x07example\0"
    kind = number.to_bytes(2, "big")
    head = b"\x12\x34\x81\x80\0\1\0\1\0\0\0\0"
    record = b"\xc0\x0c" + kind + b"\0\1\0\0\0\x3c" + len(data).to_bytes(2, "big") + data
    wire = head + name + kind + b"\0\1" + record
    try:
        query = dns_probe.asked(DnsCheck("www.example.", f"TYPE{number}"))
    except Stuck:
        return
    query.id = 0x1234
    with contextlib.suppress(Unfit, Failed):
        dns_probe.judged(dns_probe.read(wire, query), DnsCheck("www.example.", f"TYPE{number}"))


@given(st.text(max_size=80), st.text(max_size=12))
def test_dns_questions_are_made_or_stuck(name: str, record: str) -> None:
    with contextlib.suppress(Stuck):
        dns_probe.asked(DnsCheck(name, record)).to_wire()


RADIUS_GOOD = reply(bytes((1, 7, 0, 20)) + RADIUS_REQUEST.authenticator, 2, message(b"hello"), b"secret")


@given(st.one_of(st.binary(max_size=120), damaged(RADIUS_GOOD)))
def test_radius_replies_are_authentic_or_unfit(packet: bytes) -> None:
    """An accepted one is the good one, but for padding."""
    with contextlib.suppress(Unfit):
        assert read_reply(packet, RADIUS_REQUEST).code is Code.ACCESS_ACCEPT
        assert packet[: len(RADIUS_GOOD)] == RADIUS_GOOD


@given(st.binary(max_size=200))
def test_radius_replies_that_are_signed_have_attributes_of_any_bytes(octets: bytes) -> None:
    """Whoever knows the secret may still send nonsense."""
    head = bytes((1, 7, 0, 20)) + RADIUS_REQUEST.authenticator
    with contextlib.suppress(Unfit):
        read_reply(reply(head, 2, octets, b"secret", signed=False), RADIUS_REQUEST)


@given(st.binary(min_size=1, max_size=128).filter(lambda word: not word.endswith(b"\0")), st.binary(max_size=40))
def test_radius_passwords_come_back(password: bytes, secret: bytes) -> None:
    request = Request(1, bytes(range(16)), secret)
    packet = bytes(4) + request.authenticator
    value = hidden(password, request)
    assert len(value) % 16 == 0
    assert password_of(packet + bytes((2, 2 + len(value))) + value, secret) == password


@given(st.text(min_size=1, max_size=60), st.ip_addresses())
def test_radius_requests_hold_what_was_given(login: str, address: object) -> None:
    packet = access_request(RADIUS_REQUEST, Credentials(login, Secret("x")), str(address))
    assert int.from_bytes(packet[2:4], "big") == len(packet)
    assert attributes(packet)[1] == login.encode()


@given(st.one_of(st.binary(max_size=400), damaged(SIP)))
def test_sip_answers_are_read_or_unfit(octets: bytes) -> None:
    with contextlib.suppress(Unfit):
        response = read_response(octets, ASKED)
        assert 100 <= response.status <= 699


def test_the_good_ones_are_read() -> None:
    """What the damaged ones start from."""
    assert dns_probe.judged(dns_probe.read(WIRE, QUERY), DnsCheck("www.example.", "A")) == "192.0.2.7"
    assert read_reply(RADIUS_GOOD, RADIUS_REQUEST).message == b"hello"
    assert read_response(SIP, ASKED).status == 200


@given(st.text(max_size=40))
def test_a_user_of_sip_adds_no_line(user: str) -> None:
    if well_formed(user):
        request = options(ASKED, user, "192.0.2.1", ("192.0.2.2", 5060), "UDP")
        assert request.count(b"\r\n") == 12
        assert len(request.split(b"\r\n")[0].split()) == 3


@given(st.binary(max_size=20), st.text(alphabet="0123456789abcdefxXABCDEF ", max_size=30))
def test_a_pattern_of_digits_fits_or_not(reply_bytes: bytes, pattern: str) -> None:
    digits = pattern.replace(" ", "").lower()
    shown = reply_bytes.hex()[: len(digits)]
    wanted = len(shown) == len(digits) and all(d in ("x", s) for d, s in zip(digits, shown, strict=True))
    assert begins(reply_bytes, pattern) is wanted
