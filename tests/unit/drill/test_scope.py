"""What a drill can watch, from where, and which connections it counts as kept."""

from __future__ import annotations

from msgspec.structs import replace

from lvsd.control.messages import PeerPortrait, PortraitsReply
from lvsd.control.portrait import Portrait
from lvsd.drill.report import Connections
from lvsd.drill.scope import WATCHED_LIMIT, kept, moving, source, watched
from tests.unit.drill.portraits import INSTANCE, OWN, SERVICE

NAME = "tcp 192.0.2.100:80"
IPV6 = replace(INSTANCE, ipv6=True, addresses=("2001:db8::1/64",), active_router="fe80::1")


def test_tcp_over_ipv4_on_what_moves_is_watched() -> None:
    names = (NAME, "tcp 192.0.2.200:80", "udp 192.0.2.100:53", "tcp 192.0.2.100:0", "fwmark 7")
    targets, others = watched(replace(OWN, services=dict.fromkeys(names, SERVICE)), (INSTANCE,))
    assert targets == (("192.0.2.100", 80),)
    assert others == ("udp 192.0.2.100:53", "tcp 192.0.2.100:0", "fwmark 7")
    own = replace(OWN, services={"tcp [2001:db8::1]:80": SERVICE})
    assert watched(own, (IPV6,)) == ((), ("tcp [2001:db8::1]:80",))


def test_there_is_an_end_to_what_is_watched() -> None:
    names = [f"tcp 192.0.2.100:{port}" for port in range(1, WATCHED_LIMIT + 4)]
    targets, others = watched(replace(OWN, services=dict.fromkeys(names, SERVICE)), (INSTANCE,))
    assert (len(targets), others) == (WATCHED_LIMIT, tuple(names[-3:]))


def test_probes_come_from_the_address_that_advertises() -> None:
    assert source((IPV6, INSTANCE)) == "192.0.2.1"
    assert source((IPV6,)) == "127.0.0.1"
    assert moving((INSTANCE, IPV6)) == ("192.0.2.100", "2001:db8::1")


def test_kept_is_what_the_best_peer_knew_of() -> None:
    def knowing(number: int) -> Portrait:
        return replace(OWN, services={NAME: replace(SERVICE, connections=number)})

    peers = (PeerPortrait("a", knowing(198)), PeerPortrait("b", knowing(3)), PeerPortrait("c", error="gone"))
    assert kept(PortraitsReply(knowing(200), peers)) == (Connections(NAME, 200, 198),)
    assert kept(PortraitsReply(knowing(2), peers)) == (Connections(NAME, 2, 2),)
    assert kept(PortraitsReply(knowing(5), ())) == (Connections(NAME, 5, 0),)
    assert kept(PortraitsReply(OWN, peers)) == ()
