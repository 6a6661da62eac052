"""Our bytes are keepalived's: recorded advertisements and gratuitous ARP, both directions."""

from __future__ import annotations

import pytest

from lvsd.vrrp import frames, ip, packet
from tests.golden.vrrp import captures
from tests.unit.vrrp import samples

PASSWORDS = {"v2_noauth.pcap": None, "v2_pass.pcap": "s3cret12"}


def _source(recorded: bytes) -> str:
    return ".".join(str(octet) for octet in recorded[12:16])


@pytest.mark.parametrize("name", PASSWORDS)
def test_every_recorded_advertisement_is_written_byte_for_byte(name: str) -> None:
    recorded = captures.packets(name)
    priorities = set()
    for theirs in recorded:
        wire = packet.Wire.of(samples.instance(password=PASSWORDS[name]), _source(theirs))
        priority, identification = theirs[22], int.from_bytes(theirs[4:6], "big")
        priorities.add(priority)
        assert packet.encode(wire, priority, identification) == theirs
    assert priorities == {150, 100, 0}


@pytest.mark.parametrize("name", PASSWORDS)
def test_every_recorded_advertisement_is_believed(name: str) -> None:
    for theirs in captures.packets(name):
        wire = packet.Wire.of(samples.instance(password=PASSWORDS[name]), "192.0.2.200")
        heard = packet.decode(ip.open_packet(theirs), wire)
        assert heard == packet.Advertisement(_source(theirs), theirs[22], ("192.0.2.100", "192.0.2.101"), True)


@pytest.mark.parametrize("name", PASSWORDS)
def test_padding_after_the_packet_is_no_part_of_it(name: str) -> None:
    for theirs in captures.packets(name):
        assert ip.open_packet(theirs + bytes(6)) == ip.open_packet(theirs)


def test_recorded_gratuitous_arp_is_built_byte_for_byte() -> None:
    recorded = captures.arps("v2_pass.pcap")
    gratuitous = [frame for frame in recorded if frame[28:32] == frame[38:42]]
    assert len(gratuitous) >= 10
    for theirs in gratuitous:
        address = ".".join(str(octet) for octet in theirs[28:32])
        assert frames.gratuitous_arp(theirs[6:12], address) == theirs[:42]
        assert len(frames.gratuitous_arp(theirs[6:12], address)) == 42
