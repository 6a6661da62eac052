"""Our bytes are keepalived's: recorded advertisements of version 3, of unicast, of IPv6, and what announces IPv6."""

from __future__ import annotations

from dataclasses import dataclass

import msgspec
import pytest

from config.model import VrrpInstance
from lvsd.vrrp import frames, ip, packet
from tests.golden.vrrp import captures
from tests.unit.vrrp import samples

PEERS4, PEERS6 = ("192.0.2.12", "192.0.2.13"), ("2001:db8::12", "2001:db8::13")


@dataclass(frozen=True, slots=True)
class Recording:
    """A capture, and the configuration that made it; `peers` are those of both routers together."""

    interval: float
    addresses: tuple[str, ...]
    version: int = 3
    password: str | None = None
    peers: tuple[str, ...] = ()

    def instance(self, source: str) -> VrrpInstance:
        made = samples.instance(
            version=self.version, interval=self.interval, addresses=self.addresses, password=self.password
        )
        return msgspec.structs.replace(made, unicast_peers=tuple(one for one in self.peers if one != source))


V4 = ("192.0.2.100", "192.0.2.101")
V6 = ("fe80::5:1", "2001:db8::100")
RECORDINGS = {
    "v2_unicast_pass.pcap": Recording(1.0, V4, version=2, password="s3cret12", peers=PEERS4),
    "v3_ipv4.pcap": Recording(0.1, V4),
    "v3_unicast.pcap": Recording(0.5, V4, peers=PEERS4),
    "v3_ipv6.pcap": Recording(0.5, V6),
    "v3_ipv6_unicast.pcap": Recording(0.5, V6, peers=PEERS6),
}


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_advertisement_is_written_byte_for_byte(name: str) -> None:
    recording, priorities = RECORDINGS[name], set()
    for recorded in captures.advertisements(name):
        theirs = recorded.datagram
        source = ip.address_text(theirs.source)
        wire = packet.Wire.of(recording.instance(source), source)
        assert theirs.destination in wire.destinations
        priorities.add(theirs.message[2])
        written = packet.encode(wire, theirs.message[2], recorded.identification, theirs.destination)
        assert written == (theirs.message if theirs.ipv6 else recorded.packet)
    assert priorities == {150, 100, 0}


@pytest.mark.parametrize("name", RECORDINGS)
def test_every_recorded_advertisement_is_believed(name: str) -> None:
    recording = RECORDINGS[name]
    for recorded in captures.advertisements(name):
        theirs = recorded.datagram
        source = ip.address_text(theirs.source)
        hearer = ip.address_text(theirs.destination)
        if not recording.peers:
            hearer = "fe80::99" if theirs.ipv6 else "192.0.2.99"
        heard = packet.decode(theirs, packet.Wire.of(recording.instance(hearer), hearer))
        expected = (source, theirs.message[2], recording.addresses, True, recording.interval)
        assert (heard.source, heard.priority, heard.addresses, heard.addresses_agree, heard.interval) == expected


@pytest.mark.parametrize("name", ["v3_ipv6.pcap", "v3_ipv6_unicast.pcap"])
def test_recorded_neighbour_advertisements_are_built_byte_for_byte(name: str) -> None:
    recorded = captures.neighbour_advertisements(name)
    assert {ip.address_text(frame[62:78]) for frame in recorded} == set(V6)
    for frame in recorded:
        assert frames.neighbour_advertisement(frame[6:12], ip.address_text(frame[62:78]), router=False) == frame
