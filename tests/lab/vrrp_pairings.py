"""Pairings of lvsd and keepalived: virtual routers of every kind, described once and said in either's words. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.model import VirtualAddress, VrrpInstance
from config.secret import Secret
from tests.lab.topology import Attachment, Host, Network, Topology

HIGH, LOW = 200, 100
SHORT_SECONDS = 0.8  # of a second, and yet bearable to a keepalived that shares its processor, and is long to stop
PEERS = {
    ("eth0", False): ("1.1.1.13", "1.1.1.14"),
    ("eth0", True): ("2001:db8:1::13", "2001:db8:1::14"),
}
PASSWORD = "opensesame"

TOPOLOGY = Topology(
    "pairings",
    (Network("public", "1.1.1.0/24"), Network("private", "10.9.9.0/24")),
    tuple(
        Host(
            name,
            (
                Attachment("public", (f"1.1.1.{last}/24", f"2001:db8:1::{last}/64")),
                Attachment("private", (f"10.9.9.{last}/24",)),
            ),
        )
        for name, last in (("client", 50), ("lb1", 13), ("lb2", 14))
    ),
)


@dataclass(frozen=True)
class Pairing:
    """One virtual router; `leader` has the higher priority. lb1 is lvsd's, lb2 keepalived's."""

    number: int
    name: str
    leader: Literal["lvsd", "keepalived"]
    version: int = 3
    unicast: bool = False
    ipv6: bool = False
    interface: str = "eth0"
    group: str = ""
    their_interval: float = 0.0
    password: str = ""

    @property
    def address(self) -> str:
        """The virtual address."""
        return f"2001:db8:1::{0x100 + self.number:x}" if self.ipv6 else f"1.1.1.{100 + self.number}"

    @property
    def interval(self) -> float:
        """Of lvsd's advertisements, seconds."""
        return 1.0 if self.version == 2 else SHORT_SECONDS

    def instance(self, priority: int = 0, *, peer: int = 1) -> VrrpInstance:
        """In lvsd's words; `peer` is the index of the other's address."""
        return VrrpInstance(
            name=self.name,
            interface=self.interface,
            virtual_router_id=self.number,
            priority=priority or (HIGH if self.leader == "lvsd" else LOW),
            version=self.version,
            addresses=(VirtualAddress(self.address, 64 if self.ipv6 else 24, self.interface),),
            advertisement_interval=self.interval,
            password=Secret(self.password) if self.password else None,
            unicast_peers=(PEERS["eth0", self.ipv6][peer],) if self.unicast else (),
            source=PEERS["eth0", self.ipv6][1 - peer] if self.unicast else "",
            sync_group=self.group,
        )

    def keepalived(self, priority: int = 0, *, peer: int = 0) -> str:
        """In keepalived's words."""
        lines = [
            f"interface {self.interface}",
            f"virtual_router_id {self.number}",
            f"version {self.version}",
            f"priority {priority or (HIGH if self.leader == 'keepalived' else LOW)}",
            f"advert_int {self.their_interval or self.interval:g}",
            f"virtual_ipaddress {{\n        {self.address}/{64 if self.ipv6 else 24} dev {self.interface}\n    }}",
        ]
        if self.password:
            lines.append(f"authentication {{\n        auth_type PASS\n        auth_pass {self.password[:8]}\n    }}")
        if self.unicast:
            addresses = PEERS["eth0", self.ipv6]
            lines.append(f"unicast_src_ip {addresses[1 - peer]}")
            lines.append(f"unicast_peer {{\n        {addresses[peer]}\n    }}")
        inside = "\n    ".join(lines)
        return f"vrrp_instance {self.name} {{\n    {inside}\n}}\n"


def _both_ways() -> list[Pairing]:
    """Versions, ways and families that there are; each led by lvsd and by keepalived."""
    ways = [
        (version, unicast, ipv6) for version, ipv6 in ((2, False), (3, False), (3, True)) for unicast in (False, True)
    ]
    return [
        Pairing(
            number,
            f"v{version}-{'unicast' if unicast else 'multicast'}-{'ipv6' if ipv6 else 'ipv4'}-{leader}",
            leader,
            version,
            unicast,
            ipv6,
        )
        for number, (leader, (version, unicast, ipv6)) in enumerate(
            ((leader, way) for leader in LEADERS for way in ways), 1
        )
    ]


LEADERS: tuple[Literal["lvsd", "keepalived"], ...] = ("lvsd", "keepalived")
PAIRINGS = (
    *_both_ways(),
    Pairing(21, "password-lvsd", "lvsd", 2, password=PASSWORD),
    Pairing(22, "password-keepalived", "keepalived", 2, password=PASSWORD),
    Pairing(23, "learned-lvsd", "lvsd", their_interval=1.2),
    Pairing(24, "learned-keepalived", "keepalived", their_interval=1.2),
    Pairing(25, "vlan-lvsd", "lvsd", interface="eth0.100"),
    Pairing(26, "vlan-keepalived", "keepalived", interface="eth0.100"),
    Pairing(27, "other-network-lvsd", "lvsd", interface="eth1"),
    Pairing(28, "group-public", "lvsd", group="ours"),
    Pairing(29, "group-private", "lvsd", group="ours", interface="eth1"),
    Pairing(30, "theirs-public", "keepalived", group="theirs"),
    Pairing(31, "theirs-private", "keepalived", group="theirs", interface="eth1"),
)


def keepalived_conf(pairings: tuple[Pairing, ...], priority: int = 0, *, peer: int = 0) -> str:
    """A whole file."""
    groups: dict[str, list[str]] = {}
    for one in pairings:
        if one.group:
            groups.setdefault(one.group, []).append(one.name)
    blocks = [
        f"vrrp_sync_group {name} {{\n    group {{\n        {chr(10).join(members)}\n    }}\n}}\n"
        for name, members in groups.items()
    ]
    return "".join([*blocks, *(one.keepalived(priority, peer=peer) for one in pairings)])
