"""Listings that ipvsadm 1.31 printed on a 6.1 kernel, and the tables they were printed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvsd.ctl.listing import ListingOptions, View, render
from lvsd.ctl.names import Names
from netlink.table import (
    Destination,
    DestinationKey,
    DestinationStatus,
    Family,
    Info,
    Service,
    ServiceKey,
    ServiceStatus,
    Stats,
)

FOLDER = Path(__file__).parent
INFO = Info((1, 2, 1), 4096)
V4, V6 = Family.INET, Family.INET6
DIRECT, TUNNEL, MASQUERADE = 3, 2, 0
PORTS = {
    ("tcp", 80): "http",
    ("tcp", 443): "https",
    ("tcp", 8080): "http-alt",
    ("tcp", 8081): "tproxy",
    ("udp", 53): "domain",
    ("udp", 5060): "sip",
    ("udp", 5061): "sip-tls",
}
HOSTS = {
    "192.0.2.100": "a-very-long-hostname-for-the-virtual-service.example.com",
    "192.0.2.12": "a-very-long-hostname-for-real-server-one.example.com",
    "2001:db8::12": "a-very-long-v6-hostname-for-real-server-one.example.com",
}


def names(hosts: dict[str, str]) -> Names:
    protocols = {6: "tcp", 17: "udp", 132: "sctp"}
    return Names(host=hosts.get, service=lambda port, protocol: PORTS.get((protocols.get(protocol, ""), port)))


def at(address: str, port: int, protocol: int = 6) -> ServiceKey:
    return ServiceKey(V6 if ":" in address else V4, protocol, address, port)


def service(key: ServiceKey, scheduler: str, flags: int = 0, timeout: int = 0, netmask: int | None = None) -> Service:
    whole = 32 if key.family is V4 else 128
    return Service(key, scheduler, flags, timeout, whole if netmask is None else netmask)


def to(address: str, port: int, forwarding: int, weight: int = 1, **settings: int) -> DestinationStatus:
    return DestinationStatus(Destination(DestinationKey(address, port), forwarding, weight, **settings))


GUE = {"tunnel_type": 1, "tunnel_port": 6080, "tunnel_flags": 1}
GUE_REMOTE = {"tunnel_type": 1, "tunnel_port": 6079, "tunnel_flags": 2}
HTTP = ServiceStatus(
    service(at("192.0.2.1", 80), "rr"),
    (
        to("192.0.2.17", 80, TUNNEL, **GUE_REMOTE),
        to("192.0.2.16", 80, TUNNEL, tunnel_type=2),
        to("192.0.2.15", 80, TUNNEL, **GUE),
        to("192.0.2.14", 80, DIRECT, 2147483647, upper_threshold=65535, lower_threshold=100),
        to("192.0.2.1", 8081, MASQUERADE),
        to("127.0.0.1", 80, DIRECT),
        to("192.0.2.13", 8080, MASQUERADE, 0),
        to("192.0.2.12", 80, TUNNEL, 100),
        to("192.0.2.11", 80, DIRECT),
    ),
)
MARK = ServiceStatus(
    service(ServiceKey(V4, fwmark=1), "rr"), (to("192.0.2.12", 0, MASQUERADE), to("192.0.2.11", 0, DIRECT))
)
LONG = "2001:db8:1111:2222:3333:4444:5555:6666"
FORMATS = (  # in the kernel's order
    HTTP,
    ServiceStatus(service(at("192.0.2.1", 53, 17), "sh", 0x18)),
    ServiceStatus(service(at("192.0.2.1", 54, 17), "sh", 0x10)),
    ServiceStatus(service(at("192.0.2.1", 55, 17), "mh", 0x18)),
    ServiceStatus(service(at("192.0.2.1", 56, 17), "mh", 0x8)),
    ServiceStatus(service(at("192.0.2.1", 57, 17), "rr", 0x4)),
    ServiceStatus(service(at("192.0.2.1", 58, 17), "rr", 0x38)),
    ServiceStatus(service(at("192.0.2.1", 0), "wrr", 0x1, 600)),
    ServiceStatus(
        service(at("2001:db8::1", 80), "dh"),
        (
            to("192.0.2.11", 80, TUNNEL),
            to("::1", 80, MASQUERADE),
            to(LONG, 8080, MASQUERADE),
            to("2001:db8::11", 80, DIRECT),
        ),
    ),
    ServiceStatus(Service(at("192.0.2.1", 5061, 17), "rr", 0x5, 60, persistence_engine="sip")),
    ServiceStatus(Service(at("192.0.2.1", 5060, 17), "rr", 0x1, 60, persistence_engine="sip")),
    ServiceStatus(service(at("192.0.2.1", 2905, 132), "rr"), (to("192.0.2.11", 2905, MASQUERADE),)),
    ServiceStatus(service(at("192.0.2.1", 8443), "wrr", 0x1, 600, 24)),
    ServiceStatus(service(at("192.0.2.1", 443), "wlc", 0x1, 360)),
    ServiceStatus(service(at(LONG, 65535), "sed", 0x1, 99, 64)),
    MARK,
    ServiceStatus(service(ServiceKey(V6, fwmark=2), "lblcr", 0x1, 120, 64), (to("2001:db8::11", 0, DIRECT),)),
    ServiceStatus(service(ServiceKey(V4, fwmark=0xFFFFFFFF), "rr")),
)


def busy(settings: Service, address: str, port: int, stats: Stats, counts: tuple[int, int, int]) -> ServiceStatus:
    """A service with one masqueraded destination that did all its work; counts active, inactive, persistent."""
    destination = Destination(DestinationKey(address, port), MASQUERADE, 1)
    return ServiceStatus(settings, (DestinationStatus(destination, *counts, stats=stats),), stats)


ONE = Stats(connections=1, packets_in=1, packets_out=1, bytes_in=60, bytes_out=40)
THREE = Stats(connections=3, packets_in=3, packets_out=3, bytes_in=180, bytes_out=120)
NAMED = (
    busy(service(ServiceKey(V4, fwmark=5), "rr", 0x1, 50), "192.0.2.12", 80, ONE, (0, 1, 1)),
    busy(service(at("2001:db8::100", 80), "rr"), "2001:db8::12", 80, Stats(), (0, 0, 0)),
    busy(service(at("192.0.2.101", 80), "sh", 0x19, 60), "192.0.2.12", 80, ONE, (0, 1, 1)),
    busy(service(at("192.0.2.100", 80), "rr"), "192.0.2.12", 80, THREE, (0, 3, 0)),
)
FLOOD = Stats(6, 151609, 151608, 216497652, 216496224, 0, 2570, 2570, 3670158, 3670294)
LARGE = (busy(service(at("192.0.2.100", 9000, 17), "rr"), "192.0.2.12", 9000, FLOOD, (1, 5, 0)),)

N = True  # numeric
LISTINGS: dict[str, tuple[tuple[ServiceStatus, ...], ListingOptions]] = {
    "empty-list": ((), ListingOptions()),
    "empty-stats": ((), ListingOptions(View.STATS)),
    "empty-rate": ((), ListingOptions(View.RATE)),
    "empty-thresholds": ((), ListingOptions(View.THRESHOLDS)),
    "empty-persistent": ((), ListingOptions(View.PERSISTENT)),
    "empty-tunnels": ((), ListingOptions(View.TUNNELS)),
    "formats-list": (FORMATS, ListingOptions()),
    "formats-list-numeric": (FORMATS, ListingOptions(numeric=N)),
    "formats-kernel-order": (FORMATS, ListingOptions(numeric=N, kernel_order=True)),
    "formats-one": ((HTTP,), ListingOptions(numeric=N, single=True)),
    "formats-mark": ((MARK,), ListingOptions(numeric=N, single=True)),
    "formats-stats": (FORMATS, ListingOptions(View.STATS, numeric=N)),
    "formats-stats-exact": (FORMATS, ListingOptions(View.STATS, numeric=N, exact=True)),
    "formats-rate": (FORMATS, ListingOptions(View.RATE, numeric=N)),
    "formats-thresholds": (FORMATS, ListingOptions(View.THRESHOLDS, numeric=N)),
    "formats-persistent": (FORMATS, ListingOptions(View.PERSISTENT, numeric=N)),
    "formats-tunnels": (FORMATS, ListingOptions(View.TUNNELS, numeric=N)),
    "names-list": (NAMED, ListingOptions()),
    "names-list-numeric": (NAMED, ListingOptions(numeric=N)),
    "names-stats": (NAMED, ListingOptions(View.STATS)),
    "names-persistent": (NAMED, ListingOptions(View.PERSISTENT, numeric=N)),
    "large-stats": (LARGE, ListingOptions(View.STATS, numeric=N)),
    "large-stats-exact": (LARGE, ListingOptions(View.STATS, numeric=N, exact=True)),
    "large-rate": (LARGE, ListingOptions(View.RATE, numeric=N)),
}


@pytest.mark.parametrize("name", LISTINGS)
def test_listing(name: str) -> None:
    statuses, options = LISTINGS[name]
    hosts = {"127.0.0.1": "localhost"} if name.startswith("formats") else HOSTS
    assert render(options, INFO, statuses, names(hosts)) == (FOLDER / f"{name}.txt").read_text()


def test_every_file_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.txt")} == set(LISTINGS)
