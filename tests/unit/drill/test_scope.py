"""What a drill can watch, from where, and which connections it counts as kept."""

from __future__ import annotations

from msgspec.structs import replace

from lvsd.control.messages import Datagram, PeerPortrait, PortraitsReply
from lvsd.control.portrait import Portrait
from lvsd.drill.report import Connections
from lvsd.drill.scope import WATCHED_LIMIT, Target, kept, moving, source, stray, together, towards, watched
from tests.unit.drill.portraits import INSTANCE, OWN, REAL, SERVICE

NAME = "tcp 192.0.2.100:80"
IPV6 = replace(INSTANCE, ipv6=True, addresses=("2001:db8::1/64",), active_router="fe80::1")
VIP = "192.0.2.100"


def having(*names: str) -> Portrait:
    return replace(OWN, services=dict.fromkeys(names, SERVICE))


def test_tcp_and_udp_of_both_families_on_what_moves_is_watched() -> None:
    own = having(NAME, "udp 192.0.2.100:53", "tcp [2001:db8::1]:80", "tcp 192.0.2.200:80")
    found = watched(own, (INSTANCE, IPV6), {"udp 192.0.2.100:53": Datagram(b"question")})
    assert found.targets == (Target(VIP, 80), Target(VIP, 53, b"question"), Target("2001:db8::1", 80))
    assert found.unwatched == ()
    assert [one.name for one in found.targets] == [NAME, "udp 192.0.2.100:53", "tcp [2001:db8::1]:80"]


def test_what_is_not_watched_is_named_with_its_reason() -> None:
    own = having("fwmark 7", "tcp 192.0.2.100:0", "sctp 192.0.2.100:5060", "udp 192.0.2.100:1812", "udp 192.0.2.100:9")
    found = watched(own, (INSTANCE,), {"udp 192.0.2.100:1812": Datagram(why="a password")})
    assert found.targets == ()
    assert [one.partition(": ")[0] for one in found.unwatched] == list(own.services)
    reasons = [one.partition(": ")[2] for one in found.unwatched]
    assert "--watch ADDRESS:PORT" in reasons[0]
    assert "--watch ADDRESS:PORT" in reasons[1]
    assert reasons[2:] == ["SCTP is not probed", "a password", "its check is not known"]


def test_what_a_person_names_is_watched_beside_the_services_and_once() -> None:
    found = watched(having(NAME), (INSTANCE,), {}, ((VIP, 443), (VIP, 80)))
    assert found.targets == (Target(VIP, 443), Target(VIP, 80))
    assert stray(((VIP, 443), ("192.0.2.9", 80)), (INSTANCE,)) == "192.0.2.9"
    assert stray(((VIP, 443),), (INSTANCE,)) == ""


def test_a_sync_group_moves_as_one() -> None:
    first, second = replace(INSTANCE, sync_group="both"), replace(INSTANCE, name="lb1", sync_group="both")
    own = replace(OWN, instances=(first, second, replace(INSTANCE, name="lb2")))
    assert together(own, ("lb0",)) == ("lb0", "lb1")
    assert together(own, ("lb2", "lb9")) == ("lb2", "lb9")


def test_there_is_an_end_to_what_is_watched() -> None:
    names = [f"tcp 192.0.2.100:{port}" for port in range(1, WATCHED_LIMIT + 4)]
    found = watched(having(*names), (INSTANCE,), {})
    assert len(found.targets) == WATCHED_LIMIT
    assert found.unwatched == tuple(f"{name}: {WATCHED_LIMIT} services are watched, not more" for name in names[-3:])


def test_probes_come_from_an_address_that_can_be_answered() -> None:
    assert source((IPV6, INSTANCE)) == "192.0.2.1"
    assert source((IPV6,)) == ""
    assert moving((INSTANCE, IPV6)) == ("192.0.2.100", "2001:db8::1")
    mixed = replace(SERVICE, real_servers={"192.0.2.11:80": REAL, "[2001:db8::11]:80": REAL})
    own = replace(OWN, services={NAME: mixed})
    assert (list(towards(own, ipv6=False)), list(towards(own, ipv6=True))) == (["192.0.2.11"], ["2001:db8::11"])


def test_kept_is_what_the_best_peer_knew_of() -> None:
    def knowing(number: int) -> Portrait:
        return replace(OWN, services={NAME: replace(SERVICE, connections=number)})

    peers = (PeerPortrait("a", knowing(198)), PeerPortrait("b", knowing(3)), PeerPortrait("c", error="gone"))
    assert kept(PortraitsReply(knowing(200), peers)) == (Connections(NAME, 200, 198),)
    assert kept(PortraitsReply(knowing(2), peers)) == (Connections(NAME, 2, 2),)
    assert kept(PortraitsReply(knowing(5), ())) == (Connections(NAME, 5, 0),)
    assert kept(PortraitsReply(OWN, peers)) == ()
