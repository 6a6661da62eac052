"""The small topology for ordinary tests: a client, two balancers, two real servers on one network. Pure."""

from __future__ import annotations

from tests.lab.topology import Attachment, Host, Network, Topology

NETWORK = "public"
VIP = "192.0.2.100"
DIRECT_ROUTING = (("net.ipv4.conf.all.arp_ignore", "1"), ("net.ipv4.conf.all.arp_announce", "2"))


def _host(name: str, last: int, *, real: bool = False) -> Host:
    return Host(
        name,
        (Attachment(NETWORK, (f"192.0.2.{last}/24",)),),
        loopback=(f"{VIP}/32",) if real else (),
        sysctls=DIRECT_ROUTING if real else (),
    )


PAIR = Topology(
    "pair",
    (Network(NETWORK, "192.0.2.0/24"),),
    (
        _host("client", 50),
        _host("lb1", 1),
        _host("lb2", 2),
        _host("rs1", 11, real=True),
        _host("rs2", 12, real=True),
    ),
    names=((VIP, "vip.test vip"),),
)
