"""Version 3, unicast and whispers: one wrong packet for each rule they have beside version 2's."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest

from config.model import VirtualAddress
from lvsd.vrrp import ip, packet
from lvsd.vrrp.drops import Drop, Dropped
from lvsd.vrrp.ip import Datagram
from lvsd.vrrp.packet import Kind, Wire
from tests.unit.vrrp import samples

VERSION_3 = samples.instance(version=3, interval=0.1, password=None)
IPV6 = msgspec.structs.replace(VERSION_3, addresses=(VirtualAddress("fe80::100", 64, "eth0"),))
OWN6, PEER6, STRANGER6 = "fe80::12", "fe80::13", "fe80::14"


def _wires(*, ipv6: bool, unicast: bool = False) -> tuple[Wire, Wire]:
    """Ours and the peer's."""
    own, peer = (OWN6, PEER6) if ipv6 else (samples.OWN_SOURCE, samples.PEER_SOURCE)
    config = IPV6 if ipv6 else VERSION_3
    ours = msgspec.structs.replace(config, unicast_peers=(peer,) if unicast else ())
    theirs = msgspec.structs.replace(config, unicast_peers=(own,) if unicast else ())
    return Wire.of(ours, own), Wire.of(theirs, peer)


def _datagram(sender: Wire, kind: Kind = Kind.ADVERTISEMENT, to: bytes = b"") -> Datagram:
    destination = to or sender.destinations[0]
    return Datagram(sender.source, destination, 255, True, packet.encode_message(sender, 100, destination, kind))


def _judge(datagram: Datagram, ours: Wire) -> Drop | packet.Advertisement:
    try:
        return packet.decode(datagram, ours)
    except Dropped as dropped:
        return dropped.kind


def _changed(datagram: Datagram, at: int, value: int) -> Datagram:
    """With the checksum repaired, so that only the change is wrong."""
    blank = datagram.message[:at] + bytes([value]) + datagram.message[at + 1 :]
    blank = blank[:6] + b"\0\0" + blank[8:]
    covered = ip.pseudo_header(datagram.source, datagram.destination, len(blank)) + blank
    return replace(datagram, message=blank[:6] + ip.checksum(covered).to_bytes(2, "big") + blank[8:])


@pytest.mark.parametrize("ipv6", [False, True])
def test_an_interval_of_nothing_is_dropped_and_reserved_bits_are_passed_over(ipv6: bool) -> None:
    ours, theirs = _wires(ipv6=ipv6)
    good = _datagram(theirs)
    assert _judge(_changed(good, 5, 0), ours) is Drop.INTERVAL
    assert _judge(_changed(_changed(good, 5, 0), 4, 0xF0), ours) is Drop.INTERVAL
    heard = _judge(_changed(good, 4, 0xF1), ours)
    assert isinstance(heard, packet.Advertisement)
    assert heard.interval == pytest.approx((0x100 + 10) / 100)


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_hop_limit_below_255_is_dropped_where_no_list_of_peers_guards(ipv6: bool) -> None:
    ours, theirs = _wires(ipv6=ipv6)
    assert _judge(replace(_datagram(theirs), ttl=254), ours) is Drop.TTL
    assert _judge(replace(_datagram(theirs, Kind.HANDOVER, ours.source), ttl=254), ours) is Drop.TTL
    ours, theirs = _wires(ipv6=ipv6, unicast=True)
    assert isinstance(_judge(replace(_datagram(theirs), ttl=64), ours), packet.Advertisement)


@pytest.mark.parametrize("ipv6", [False, True])
def test_a_wrong_checksum_is_dropped(ipv6: bool) -> None:
    ours, theirs = _wires(ipv6=ipv6)
    good = _datagram(theirs)
    assert _judge(replace(good, message=good.message[:6] + b"\1\2" + good.message[8:]), ours) is Drop.CHECKSUM


def test_both_forms_of_checksum_are_believed_over_ipv4_and_one_over_ipv6() -> None:
    ours, theirs = _wires(ipv6=False)
    assert isinstance(_judge(_datagram(replace(theirs, plain_checksum=True)), ours), packet.Advertisement)
    ours, theirs = _wires(ipv6=True)
    good = _datagram(theirs)
    blank = good.message[:6] + b"\0\0" + good.message[8:]
    plain = blank[:6] + ip.checksum(blank).to_bytes(2, "big") + blank[8:]
    assert _judge(replace(good, message=plain), ours) is Drop.CHECKSUM


def test_a_stranger_is_no_peer() -> None:
    ours, theirs = _wires(ipv6=True, unicast=True)
    assert _judge(_datagram(replace(theirs, source=ip.packed(STRANGER6))), ours) is Drop.PEER
    assert _judge(_datagram(replace(theirs, source=ours.source)), ours) is Drop.OWN_ADDRESS


def test_multicast_and_unicast_do_not_hear_each_other() -> None:
    multicast, theirs = _wires(ipv6=True)
    unicast, peer = _wires(ipv6=True, unicast=True)
    assert _judge(_datagram(theirs), unicast) is Drop.DESTINATION
    assert _judge(_datagram(peer), multicast) is Drop.DESTINATION


def test_the_other_family_is_not_ours() -> None:
    assert _judge(_datagram(_wires(ipv6=True)[1]), _wires(ipv6=False)[0]) is Drop.PROTOCOL


@pytest.mark.parametrize("first", [0x30, 0x34, 0x3F])
def test_an_unknown_type_is_dropped(first: int) -> None:
    ours, theirs = _wires(ipv6=False)
    assert _judge(_changed(_datagram(theirs), 0, first), ours) is Drop.TYPE


def test_another_version_is_dropped_for_its_version() -> None:
    ours, theirs = _wires(ipv6=False)
    second = Wire.of(samples.instance(password=None), samples.PEER_SOURCE)
    assert _judge(_datagram(second), ours) is Drop.VERSION
    assert _judge(_datagram(theirs), Wire.of(samples.instance(password=None), samples.OWN_SOURCE)) is Drop.VERSION
