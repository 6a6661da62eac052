"""What a real kernel (6.1) answered, byte by byte, and what it means."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from netlink.errors import NetlinkError
from netlink.ipvs_decoding import (
    decode_daemon,
    decode_destination,
    decode_destination_status,
    decode_info,
    decode_service,
    decode_service_status,
    decode_timeouts,
)
from netlink.table import (
    IRREGULAR_NETMASK,
    Destination,
    DestinationKey,
    DestinationStatus,
    Family,
    Info,
    Service,
    ServiceKey,
    ServiceStatus,
    Stats,
    SyncDaemon,
    Timeouts,
)
from tests.golden.hexfile import read_hex

FOLDER = Path(__file__).parent
TRAFFIC = Stats(
    connections=3,
    packets_in=11,
    packets_out=8,
    bytes_in=6596,
    bytes_out=440,
    packets_in_rate=1,
    packets_out_rate=1,
    bytes_in_rate=618,
    bytes_out_rate=41,
)
TCP_SERVICE = Service(
    ServiceKey(Family.INET, 6, "192.0.2.1", 443), "wrr", flags=0x29, timeout=600, netmask=24, persistence_engine=""
)
MASQUERADED = Destination(
    DestinationKey("192.0.2.1", 8443), forwarding=0, weight=3, upper_threshold=65535, lower_threshold=100
)

ANSWERS: dict[str, tuple[Callable[[memoryview], object], object]] = {
    "service_tcp_persistent": (decode_service_status, ServiceStatus(TCP_SERVICE, stats=TRAFFIC)),
    "service_udp_sip": (
        decode_service,
        Service(ServiceKey(Family.INET, 17, "192.0.2.1", 5060), "rr", flags=1, timeout=60, persistence_engine="sip"),
    ),
    "service_sctp_irregular_mask": (
        decode_service,
        Service(ServiceKey(Family.INET, 132, "192.0.2.1", 2905), "lc", netmask=IRREGULAR_NETMASK + 0xFF00FF00),
    ),
    "service_ipv6": (
        decode_service,
        Service(ServiceKey(Family.INET6, 6, "2001:db8::1", 80), "sh", flags=9, timeout=99, netmask=64),
    ),
    "service_fwmark_ipv6": (
        decode_service,
        Service(ServiceKey(Family.INET6, fwmark=7), "mh", flags=0x10, netmask=128),
    ),
    "destination_masquerade": (
        lambda body: decode_destination_status(body, Family.INET),
        DestinationStatus(MASQUERADED, active=1, inactive=2, persistent=1, stats=TRAFFIC),
    ),
    "destination_ipv6_direct": (
        lambda body: decode_destination(body, Family.INET6),
        Destination(DestinationKey("2001:db8::12", 80), forwarding=3, weight=0),
    ),
    "destination_gue_tunnel": (  # an IPv4 tunnel under an IPv6 service
        lambda body: decode_destination(body, Family.INET6),
        Destination(
            DestinationKey("192.0.2.11", 80), forwarding=2, weight=1, tunnel_type=1, tunnel_port=6080, tunnel_flags=1
        ),
    ),
    "info": (decode_info, Info((1, 2, 1), 4096)),
    "timeouts": (decode_timeouts, Timeouts(900, 120, 300)),
    "daemon_master": (decode_daemon, SyncDaemon("master", "d0", 9, 1400, "224.0.0.82", 8849, 3)),
    "daemon_backup_ipv6": (decode_daemon, SyncDaemon("backup", "d0", 0, 1452, "ff05::82", 8848, 1)),
}

pytestmark = pytest.mark.skipif(sys.byteorder != "little", reason="netlink is in native order; these are little-endian")


@pytest.mark.parametrize("name", ANSWERS)
def test_means(name: str) -> None:
    decode, meaning = ANSWERS[name]
    assert decode(memoryview(read_hex(FOLDER / f"{name}.hex"))) == meaning


def test_every_file_is_tested() -> None:
    assert {path.stem for path in FOLDER.glob("*.hex")} == set(ANSWERS)


@pytest.mark.parametrize("name", sorted(set(ANSWERS) - {"timeouts"}))
def test_cut_anywhere_is_garbled(name: str) -> None:
    """Timeouts alone may be cut between attributes: a kernel without TCP or UDP leaves theirs out."""
    decode, _ = ANSWERS[name]
    whole = read_hex(FOLDER / f"{name}.hex")
    for size in range(len(whole)):
        with pytest.raises(NetlinkError):
            decode(memoryview(whole[:size]))


def test_narrow_statistics_serve_when_there_are_no_wide_ones() -> None:
    body = bytearray(read_hex(FOLDER / "service_tcp_persistent.hex"))
    wide = body.index(bytes.fromhex("a0000c00"))
    body[wide + 2] = 0x3F  # an attribute nobody knows
    assert decode_service_status(memoryview(bytes(body))).stats == TRAFFIC
