"""UDP probes, and what all probes over datagrams share: errors, repetition, answers that do not count."""

from __future__ import annotations

import errno
import os
import socket

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from checkers.probes import datagram, sip
from checkers.probes.datagram import Datagrams, refused_to_send
from checkers.probes.failures import Failed, Stuck
from config.checks import AnyCheck, Credentials, DnsCheck, Expect, RadiusCheck, SipCheck, UdpCheck
from config.secret import Secret
from tests.unit.checkers.datagram_servers import answering, closed_udp_port, mute, repeating
from tests.unit.checkers.servers import find, outcome

ASKING: dict[str, AnyCheck] = {
    "dns": DnsCheck(),
    "radius": RadiusCheck(Credentials("monitor", Secret("open sesame")), Secret("shared")),
    "sip": SipCheck(),
    "udp": UdpCheck(b"hello", reply_needed=True),
}


@pytest.mark.parametrize("name", ASKING)
async def test_nobody_at_the_port_is_refused(name: str) -> None:
    assert await outcome(ASKING[name], closed_udp_port()) == Unhealthy(Reason.REFUSED, "Connection refused")


@pytest.mark.parametrize("name", ASKING)
async def test_silence_is_told_at_the_timeout(name: str) -> None:
    async with answering(mute) as (port, _):
        assert await outcome(ASKING[name], port, 0.2) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")


@pytest.mark.parametrize("name", ["dns", "radius", "sip"])
@pytest.mark.parametrize("garbage", [b"", b"\0", b"\xff" * 65507, b"HTTP/1.1 400 Bad Request\r\n\r\n"])
async def test_garbage_is_waited_through_and_told(name: str, garbage: bytes) -> None:
    async with answering(repeating(garbage)) as (port, _):
        found = await outcome(ASKING[name], port, 0.3)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.GARBLED
    assert found.detail.startswith("no answer that counts: ")


@pytest.mark.parametrize("name", ["dns", "radius", "sip"])
async def test_a_question_that_was_lost_is_asked_again(name: str) -> None:
    async with answering(mute) as (port, heard):
        await outcome(ASKING[name], port, 1.6)
    assert len(heard) >= 2
    assert set(heard) == {heard[0]}


async def test_a_flood_of_strange_answers_ends_the_probe(monkeypatch: pytest.MonkeyPatch) -> None:
    """Asked often, as a socket's buffer does not take the whole flood at once."""
    monkeypatch.setattr(sip, "PAUSES_SECONDS", (0.05,) * 40)
    async with answering(repeating(*[b"strange"] * (datagram.UNFIT_LIMIT // 4))) as (port, heard):
        found = await outcome(SipCheck(), port)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.TOO_LARGE
    assert len(heard) >= 4


async def test_what_another_port_sends_is_not_heard(monkeypatch: pytest.MonkeyPatch) -> None:
    """The socket is connected: the kernel hands over what comes from the real server alone."""
    send = Datagrams.send

    def send_and_be_lied_to(self: Datagrams, what: bytes) -> None:
        send(self, what)
        with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stranger:
            stranger.sendto(b"me", self.local_address)

    monkeypatch.setattr(Datagrams, "send", send_and_be_lied_to)
    async with answering(mute) as (port, _):
        assert await outcome(UdpCheck(reply_needed=True), port, 0.2) == Unhealthy(Reason.REPLY_TIMEOUT, "no answer")


async def test_silence_is_healthy_where_no_reply_is_needed() -> None:
    async with answering(mute) as (port, heard):
        assert await outcome(UdpCheck(b"hello"), port, 0.2) == Healthy("sent, and nobody objects")
    assert heard == [b"hello"]


async def test_any_reply_is_healthy_at_once() -> None:
    async with answering(repeating(b"")) as (port, heard):
        assert await outcome(UdpCheck(), port, 30.0) == Healthy("a reply of 0 bytes")
    assert heard == [b""]


async def test_a_closed_port_is_unhealthy_also_where_no_reply_is_needed() -> None:
    assert await outcome(UdpCheck(), closed_udp_port()) == Unhealthy(Reason.REFUSED, "Connection refused")


@pytest.mark.parametrize(
    ("check", "fits"),
    [
        (UdpCheck(expect=Expect(text="pong")), True),
        (UdpCheck(expect=Expect(text="ping")), False),
        (UdpCheck(expect=Expect(regex="^po+ng$")), True),
        (UdpCheck(reply_hex="706f6e67"), True),
        (UdpCheck(reply_hex="70 6F xx x7"), True),
        (UdpCheck(reply_hex="70x"), True),
        (UdpCheck(reply_hex="706f6e6700"), False),
        (UdpCheck(reply_hex="716f"), False),
        (UdpCheck(reply_length=(4, 4)), True),
        (UdpCheck(reply_length=(5, 100)), False),
        (UdpCheck(reply_length=(0, 3)), False),
    ],
)
async def test_a_reply_fits_or_not(check: UdpCheck, fits: bool) -> None:
    async with answering(repeating(b"pong")) as (port, _):
        found = await outcome(check, port)
    if fits:
        assert found == Healthy("a reply of 4 bytes")
    else:
        assert isinstance(found, Unhealthy)
        assert found.reason is Reason.NO_MATCH


@pytest.mark.parametrize("check", [UdpCheck(expect=Expect(regex="(")), UdpCheck(reply_hex="7g", reply_needed=True)])
async def test_a_mistake_in_the_check_is_nobodys_fault(check: UdpCheck) -> None:
    assert isinstance(await outcome(check, closed_udp_port()), Inconclusive)


async def test_a_name_is_not_looked_up_for_datagrams() -> None:
    finding = await find(UdpCheck(), 53, address="localhost")
    assert finding.outcome == Inconclusive("not an address: localhost")


async def test_a_payload_that_no_datagram_carries_is_our_fault() -> None:
    async with answering(mute) as (port, _):
        assert await outcome(UdpCheck(bytes(65508)), port) == Inconclusive("cannot send: Message too long")


async def test_over_ipv6() -> None:
    async with answering(repeating(b"pong"), "::1") as (port, _):
        finding = await find(UdpCheck(reply_needed=True), port, address="::1")
    assert finding.outcome == Healthy("a reply of 4 bytes")


@pytest.mark.parametrize(
    ("number", "at_once", "reason"),
    [
        (errno.ECONNREFUSED, False, Reason.REFUSED),
        (errno.ENOPROTOOPT, False, Reason.REFUSED),
        (errno.EHOSTUNREACH, False, Reason.UNREACHABLE),
        (errno.EHOSTUNREACH, True, None),
        (errno.EACCES, False, Reason.UNREACHABLE),
        (errno.EACCES, True, None),
        (errno.ENETUNREACH, False, Reason.UNREACHABLE),
        (errno.ENETUNREACH, True, None),
        (errno.EPERM, True, None),
        (errno.EPERM, False, None),
        (errno.ENOBUFS, False, None),
        (errno.EMSGSIZE, False, None),
    ],
)
def test_who_is_to_blame_that_a_datagram_cannot_leave(number: int, at_once: bool, reason: Reason | None) -> None:
    error = refused_to_send(OSError(number, os.strerror(number)), at_once=at_once)
    if reason is None:
        assert isinstance(error, Stuck)
    else:
        assert isinstance(error, Failed)
        assert error.reason is reason
