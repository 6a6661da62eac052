"""Packets through everything lvsd can have the kernel do: who answers, and whom it sees."""

from __future__ import annotations

import socket
from collections.abc import Iterator
from contextlib import ExitStack

import pytest

from tests.lab.balancer import Balancer
from tests.lab.teller import Teller, asked, sent
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.world import World

VIP, VIP6 = "192.0.2.100", "2001:db8::100"
CLIENT, CLIENT6 = "192.0.2.50", "2001:db8::50"
MODULES = (
    "ipip",
    "ip_gre",
    "fou",
    "sit",
    "ip6_tunnel",
    "sctp",
    "ip_vs_pe_sip",
    "sch_ingress",
    "cls_u32",
    "act_skbedit",
)
SYSCTLS = (
    ("net.ipv4.conf.all.arp_ignore", "1"),
    ("net.ipv4.conf.all.arp_announce", "2"),
    ("net.ipv4.conf.all.rp_filter", "0"),
    ("net.ipv4.conf.default.rp_filter", "0"),
)
GUE_PORT = 6080


def _real(name: str, last: int) -> Host:
    attachment = Attachment("public", (f"192.0.2.{last}/24", f"2001:db8::{last}/64"))
    return Host(name, (attachment,), loopback=(f"{VIP}/32", f"{VIP6}/128"), sysctls=SYSCTLS)


TOPOLOGY = Topology(
    "packets",
    (Network("public", "192.0.2.0/24"), Network("private", "10.9.0.0/24", "local")),
    (
        Host("client", (Attachment("public", (f"{CLIENT}/24", f"{CLIENT6}/64")),)),
        Host(
            "lb1",
            (
                Attachment("public", ("192.0.2.1/24", "2001:db8::1/64", f"{VIP}/24")),
                Attachment("private", ("10.9.0.1/24", "2001:db8:9::1/64")),
            ),
            sysctls=(("net.ipv4.ip_forward", "1"), ("net.ipv6.conf.all.forwarding", "1")),
        ),
        _real("rs1", 11),
        _real("rs2", 12),
        Host(
            "nat1",
            (Attachment("private", ("10.9.0.13/24", "2001:db8:9::13/64")),),
            routes=("default via 10.9.0.1", "default via 2001:db8:9::1"),
        ),
    ),
)
DIRECT, MASQUERADE, MARKED, ALSO_MARKED, PERSISTENT, PLAIN = 80, 81, 88, 89, 90, 92
IPIP, GRE, GRE_CHECKSUM, GUE, GUE_CHECKSUM, GUE_REMOTE, IPV4_IN_IPV6 = 82, 83, 84, 85, 86, 87, 91
DNS, SIP, SCTP = 53, 5060, 2905
IPV6_IN_IPV6, IPV6_IN_IPV4 = 82, 83
SIP_CALLS = "persistence: {timeout: 5m, engine: sip}"
BOTH = "[192.0.2.11, 192.0.2.12]"


def _tunnel(port: int, said: str, real: str = "192.0.2.11", vip: str = VIP) -> str:
    virtual = f"[{vip}]:{port}" if ":" in vip else f"{vip}:{port}"
    return f'virtual: "{virtual}", forwarding: tunnel, tunnel: {said}, real_servers: ["{real}"]'


SERVICES = (
    f'virtual: "{VIP}:{DIRECT}", scheduler: rr, real_servers: {BOTH}',
    f'virtual: "{VIP}:{MASQUERADE}", forwarding: masquerade, real_servers: ["10.9.0.13:8080"]',
    f'virtual: "{VIP}:{PERSISTENT}", scheduler: rr, persistence: 5m, real_servers: {BOTH}',
    f"fwmark: 7, scheduler: rr, persistence: 5m, real_servers: {BOTH}",
    _tunnel(IPIP, "ipip"),
    _tunnel(GRE, "gre"),
    _tunnel(GRE_CHECKSUM, "{type: gre, checksum: checksum}", "192.0.2.12"),
    _tunnel(GUE, f"{{type: gue, port: {GUE_PORT}}}"),
    _tunnel(GUE_CHECKSUM, f"{{type: gue, port: {GUE_PORT}, checksum: checksum}}"),
    _tunnel(GUE_REMOTE, f"{{type: gue, port: {GUE_PORT}, checksum: remote}}"),
    _tunnel(IPV4_IN_IPV6, "ipip", "[2001:db8::11]:91"),
    f'virtual: "{VIP}:{DNS}", protocol: udp, one_packet: true, scheduler: rr, real_servers: {BOTH}',
    f'virtual: "{VIP}:{PLAIN}", protocol: udp, scheduler: rr, real_servers: {BOTH}',
    f'virtual: "{VIP}:{SIP}", protocol: udp, one_packet: true, scheduler: rr, {SIP_CALLS}, real_servers: {BOTH}',
    f'virtual: "{VIP}:{SCTP}", protocol: sctp, real_servers: ["192.0.2.11"]',
    f'virtual: "[{VIP6}]:{DIRECT}", real_servers: ["2001:db8::12"]',
    f'virtual: "[{VIP6}]:{MASQUERADE}", forwarding: masquerade, real_servers: ["[2001:db8:9::13]:8080"]',
    _tunnel(IPV6_IN_IPV6, "ipip", "2001:db8::11", VIP6),
    _tunnel(IPV6_IN_IPV4, "ipip", "192.0.2.12", VIP6),
)
CONFIG = "\n".join(
    ["defaults: {check: {type: none}}", "services:", *(f"  s{n}: {{{text}}}" for n, text in enumerate(SERVICES)), ""]
)
TUNNELS = {
    "rs1": (
        "ip link set tunl0 up",
        "ip link add gre1 type gre local 192.0.2.11",
        "ip link set gre1 up",
        f"ip fou add port {GUE_PORT} gue",
        "ip link add six1 type ip6tnl mode any local 2001:db8::11 remote ::",
        "ip link set six1 up",
    ),
    "rs2": (
        "ip link add gre1 type gre local 192.0.2.12 icsum",
        "ip link set gre1 up",
        "ip link set sit0 up",
    ),
}
# This kernel has nftables for bridges alone; a traffic control filter marks as well. One mask for both ports.
MARK = f"u32 match ip dst {VIP}/32 match ip dport {MARKED} 0xfffe action skbedit mark 7"
MARKING = (
    "tc qdisc add dev eth0 clsact",
    f"tc filter add dev eth0 ingress protocol ip {MARK}",
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(TOPOLOGY) as running, ExitStack() as servers:
        running["lb1"].run(["modprobe", "-a", *MODULES])
        for name, commands in TUNNELS.items():
            for command in commands:
                running[name].run(command.split())
            packets = [(VIP, port) for port in (DNS, SIP, PLAIN)]
            host = running[name]
            servers.enter_context(Teller(host, streams=range(80, 93), sctp=[SCTP], packets=packets))
        servers.enter_context(Teller(running["nat1"], streams=[8080]))
        # Deprecated, else it becomes the source of tunnelled packets, and real servers that hold it refuse those.
        running["lb1"].run(f"ip address add {VIP6}/64 dev eth0 nodad preferred_lft 0".split())
        for command in MARKING:
            running["lb1"].run(command.split())
        balancer = Balancer(running["lb1"], CONFIG).start()
        assert "refused" not in balancer.log()
        yield running
        assert balancer.stop() == 0


@pytest.mark.parametrize(
    ("vip", "port", "server", "seen"),
    [
        pytest.param(VIP, MASQUERADE, "nat1", CLIENT, id="masquerade to another port"),
        pytest.param(VIP, IPIP, "rs1", CLIENT, id="ipip"),
        pytest.param(VIP, GRE, "rs1", CLIENT, id="gre"),
        pytest.param(VIP, GRE_CHECKSUM, "rs2", CLIENT, id="gre with checksum"),
        pytest.param(VIP, GUE, "rs1", CLIENT, id="gue"),
        pytest.param(VIP, GUE_CHECKSUM, "rs1", CLIENT, id="gue with checksum"),
        pytest.param(VIP, GUE_REMOTE, "rs1", CLIENT, id="gue with remote checksum"),
        pytest.param(VIP, IPV4_IN_IPV6, "rs1", CLIENT, id="IPv4 in IPv6"),
        pytest.param(VIP6, DIRECT, "rs2", CLIENT6, id="IPv6 direct"),
        pytest.param(VIP6, MASQUERADE, "nat1", CLIENT6, id="IPv6 masquerade"),
        pytest.param(VIP6, IPV6_IN_IPV6, "rs1", CLIENT6, id="IPv6 in IPv6"),
        pytest.param(VIP6, IPV6_IN_IPV4, "rs2", CLIENT6, id="IPv6 in IPv4"),
    ],
)
def test_the_real_server_answers_and_sees_the_client(world: World, vip: str, port: int, server: str, seen: str) -> None:
    assert asked(world["client"], vip, port) == f"{server} {seen}"


def test_direct_routing_takes_turns(world: World) -> None:
    told = [asked(world["client"], VIP, DIRECT) for _ in range(4)]
    assert sorted(told) == [f"rs1 {CLIENT}"] * 2 + [f"rs2 {CLIENT}"] * 2


def test_a_persistent_client_returns_to_its_server(world: World) -> None:
    assert len({asked(world["client"], VIP, PERSISTENT) for _ in range(6)} & {f"rs1 {CLIENT}", f"rs2 {CLIENT}"}) == 1


def test_a_firewall_mark_joins_ports(world: World) -> None:
    told = {asked(world["client"], VIP, port) for port in (MARKED, ALSO_MARKED) * 3}
    assert told in ({f"rs1 {CLIENT}"}, {f"rs2 {CLIENT}"})


def test_one_packet_scheduling_spreads_the_packets_of_one_socket(world: World) -> None:
    spread = sent(world["client"], VIP, DNS, [b"query"] * 6)
    assert sorted(spread) == [f"rs1 {CLIENT}"] * 3 + [f"rs2 {CLIENT}"] * 3
    assert len(set(sent(world["client"], VIP, PLAIN, [b"query"] * 6))) == 1


def call(identity: str) -> bytes:
    return (
        f"OPTIONS sip:a@{VIP} SIP/2.0\r\nVia: SIP/2.0/UDP {CLIENT};branch=z9hG4bK1\r\nMax-Forwards: 70\r\n"
        f"From: <sip:b@lab>;tag=1\r\nTo: <sip:a@{VIP}>\r\nCall-ID: {identity}\r\nCSeq: 1 OPTIONS\r\n\r\n"
    ).encode()


def test_the_sip_engine_keeps_a_call_together_and_spreads_a_clients_calls(world: World) -> None:
    client = world["client"]
    servers: list[str] = []
    for number in range(4):
        packet = [call(f"call-{number}@lab")]
        told = [sent(client, VIP, SIP, packet * 2, source=CLIENT) for _ in range(3)]  # from other ports each time
        by_server = {answer.split()[0] for answers in told for answer in answers}
        assert len(by_server) == 1, told
        servers += by_server
    assert sorted(servers) == ["rs1", "rs1", "rs2", "rs2"]


def test_sctp_is_answered(world: World) -> None:
    assert asked(world["client"], VIP, SCTP, socket.IPPROTO_SCTP) == f"rs1 {CLIENT}"
