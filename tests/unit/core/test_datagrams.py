"""What a drill may send to services over UDP, and why it may not."""

from __future__ import annotations

import dns.message
import pytest
from msgspec.structs import replace

from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    DnsCheck,
    Expect,
    NtpCheck,
    RadiusCheck,
    SipCheck,
    TcpCheck,
    UdpCheck,
)
from config.model import Config, VirtualEndpoint
from config.secret import Secret
from config.words import Protocol
from lvsd.control.messages import Datagram
from lvsd.core.datagrams import datagrams
from tests.unit.core.world import config, real, virtual

NAME = "udp 192.0.2.100:53"
ENDPOINT = VirtualEndpoint(Protocol.UDP, "192.0.2.100", 53)


def asked(*kinds: AnyCheck) -> Datagram:
    reals = tuple(replace(real(f"10.0.0.{number}"), check=Check(kind)) for number, kind in enumerate(kinds, 1))
    service = replace(virtual(real("10.0.0.1")), virtual=ENDPOINT, real_servers=reals)
    return datagrams(config(service))[NAME]


def test_a_question_of_dns_is_the_checks() -> None:
    message = dns.message.from_wire(asked(DnsCheck("www.example.net.", "AAAA")).payload)
    assert [str(one) for one in message.question] == ["www.example.net. IN AAAA"]
    assert [str(one) for one in dns.message.from_wire(asked(DnsCheck()).payload).question] == [". IN SOA"]


def test_ntp_sip_and_datagrams_of_a_persons_own() -> None:
    assert len(asked(NtpCheck()).payload) == 48
    assert asked(SipCheck("alice@example.net")).payload.startswith(b"OPTIONS sip:alice@example.net SIP/2.0\r\n")
    for check in (
        UdpCheck(b"hello", reply_needed=True),
        UdpCheck(b"hello", Expect("x")),
        UdpCheck(b"hello", reply_hex="0"),
    ):
        assert asked(check) == Datagram(b"hello")


@pytest.mark.parametrize(
    ("kind", "words"),
    [
        (UdpCheck(b"hello"), "does not need a reply"),
        (UdpCheck(reply_needed=True), "does not need a reply"),
        (RadiusCheck(Credentials("l", Secret("hidden-word")), Secret("hidden-word")), "with a password"),
        (DnsCheck(tcp=True), "no check of it asks by a datagram"),
        (TcpCheck(), "no check of it asks by a datagram"),
    ],
)
def test_why_nothing_can_be_asked(kind: AnyCheck, words: str) -> None:
    found = asked(kind)
    assert words in found.why
    assert (found.payload, "hidden-word" in repr(found)) == (b"", False)


def test_the_first_check_that_can_ask_does() -> None:
    assert asked(TcpCheck(), NtpCheck()).payload
    assert datagrams(Config(services=(virtual(real("10.0.0.1")),))) == {}
