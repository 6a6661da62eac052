"""Every version, way and family, and whispers too: what is sent is heard, and noise raises the one error."""

from __future__ import annotations

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp import ip, packet
from lvsd.vrrp.drops import Dropped
from lvsd.vrrp.ip import Datagram, address_text
from lvsd.vrrp.packet import Kind, Wire
from tests.unit.vrrp import samples

OWN6, PEER6 = "fe80::12", "fe80::13"


def _config(*, version: int, ipv6: bool, unicast: str, rfc_checksum: bool, interval: float = 1.0) -> VrrpInstance:
    """`unicast`: the peer; empty: multicast."""
    prefix, listed = (64, ("fe80::100", "2001:db8::100")) if ipv6 else (24, ("192.0.2.100", "192.0.2.101"))
    plain = samples.instance(version=version, password="secret12" if version == 2 else None, interval=interval)
    return msgspec.structs.replace(
        plain,
        addresses=tuple(VirtualAddress(one, prefix, "eth0") for one in listed),
        unicast_peers=(unicast,) if unicast else (),
        rfc_checksum=rfc_checksum,
    )


def _both_wires(
    version: int, ipv6: bool, unicast: bool, rfc_checksum: bool, interval: float = 1.0
) -> tuple[Wire, Wire]:
    """Ours and the peer's."""
    own, peer = (OWN6, PEER6) if ipv6 else (samples.OWN_SOURCE, samples.PEER_SOURCE)
    ours = _config(
        version=version, ipv6=ipv6, unicast=peer if unicast else "", rfc_checksum=rfc_checksum, interval=interval
    )
    theirs = msgspec.structs.replace(ours, unicast_peers=(own,) if unicast else ())
    return Wire.of(ours, own), Wire.of(theirs, peer)


kinds_of_wire = st.builds(
    _both_wires,
    version=st.just(3),
    ipv6=st.booleans(),
    unicast=st.booleans(),
    rfc_checksum=st.booleans(),
    interval=st.integers(1, 4095).map(lambda hundredths: hundredths / 100),
) | st.builds(_both_wires, version=st.just(2), ipv6=st.just(False), unicast=st.booleans(), rfc_checksum=st.just(False))


def _arrived(sender: Wire, receiver: Wire, kind: Kind, priority: int, identification: int = 1) -> Datagram:
    """What the receiver's socket gives."""
    to = receiver.source if kind is not Kind.ADVERTISEMENT else sender.destinations[0]
    sent = packet.encode(sender, priority, identification, to, kind)
    return Datagram(sender.source, to, ip.TTL, True, sent) if sender.ipv6 else ip.open_packet(sent)


@given(kinds_of_wire, st.sampled_from(Kind), st.integers(0, 255), st.integers(1, 65535))
def test_every_kind_of_message_comes_through(
    wires: tuple[Wire, Wire], kind: Kind, priority: int, identification: int
) -> None:
    ours, theirs = wires
    heard = packet.decode(_arrived(theirs, ours, kind, priority, identification), ours)
    assert (heard.kind, heard.priority, heard.source) == (kind, priority, address_text(theirs.source))
    assert heard.addresses_agree
    assert round(heard.interval * (1 if ours.version == 2 else 100)) == theirs.interval


@given(kinds_of_wire, st.sampled_from(Kind), st.data())
def test_a_damaged_message_is_dropped_or_read_whole(wires: tuple[Wire, Wire], kind: Kind, data: st.DataObject) -> None:
    ours, theirs = wires
    good = _arrived(theirs, ours, kind, 100)
    message = bytearray(good.message)
    for _ in range(data.draw(st.integers(1, 4))):
        message[data.draw(st.integers(0, len(message) - 1))] ^= data.draw(st.integers(1, 255))
    cut = data.draw(st.integers(-len(message), 24))
    damaged = bytes(message[:cut]) if cut < 0 else bytes(message) + bytes(cut)
    try:
        heard = packet.decode(Datagram(good.source, good.destination, good.ttl, good.whole, damaged), ours)
    except Dropped:
        return
    assert len(heard.addresses) == damaged[3]
    assert heard.interval > 0


@given(
    kinds_of_wire,
    st.binary(max_size=ip.PACKET_LIMIT_BYTES),
    st.sampled_from([4, 16]).flatmap(lambda size: st.tuples(*[st.binary(min_size=size, max_size=size)] * 2)),
    st.integers(0, 255),
    st.booleans(),
)
def test_noise_raises_nothing_but_dropped(
    wires: tuple[Wire, Wire], message: bytes, ends: tuple[bytes, bytes], ttl: int, whole: bool
) -> None:
    datagram = Datagram(*ends, ttl, whole, message)
    packet.virtual_router_id(datagram)
    try:
        packet.decode(datagram, wires[0])
    except Dropped:
        return


@given(kinds_of_wire, st.sampled_from([Kind.STANDBY, Kind.HANDOVER]))
def test_a_whisper_to_all_is_none(wires: tuple[Wire, Wire], kind: Kind) -> None:
    """Nobody makes every backup of a group take over with one packet."""
    ours, theirs = wires
    group = ip.group_of(ours.ipv6)
    sent = packet.encode(theirs, 100, 1, group, kind)
    datagram = Datagram(theirs.source, group, ip.TTL, True, sent) if ours.ipv6 else ip.open_packet(sent)
    with pytest.raises(Dropped, match="destination"):
        packet.decode(datagram, ours)
