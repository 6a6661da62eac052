"""/proc/net/ip_vs as the kernel prints it, and the same from our table."""

from __future__ import annotations

import contextlib
from itertools import pairwise
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink.errors import NetlinkError
from netlink.memory import MemoryTable
from netlink.operations import Operation
from netlink.proc_ip_vs import blocks, blocks_of, fingerprint, fingerprint_of, print_of_block
from netlink.table import IRREGULAR_NETMASK, Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table
from tests.unit.netlink.strategies import HISTORIES

SAMPLE = (Path(__file__).parents[2] / "golden" / "ipvs" / "proc_ip_vs.txt").read_text()


def entry(service: Service, *destinations: Destination) -> Entry:
    return Entry(service, {destination.key: destination for destination in destinations})


def to(address: str, port: int, forwarding: int, weight: int) -> Destination:
    return Destination(DestinationKey(address, port), forwarding, weight)


def table_of(*entries: Entry) -> Table:
    return {found.service.key: found for found in entries}


V4 = Family.INET
V6 = Family.INET6
IRREGULAR = IRREGULAR_NETMASK + 0xFF00FF00
HTTP = ServiceKey(V4, 6, "192.0.2.1", 80)
SAMPLE_TABLE = table_of(
    entry(
        Service(HTTP, "rr"),
        to("192.0.2.14", 80, 3, 2147483647),
        to("192.0.2.1", 8081, 0, 1),
        to("127.0.0.1", 80, 1, 1),
        to("192.0.2.12", 80, 2, 100),
    ),
    entry(Service(ServiceKey(V4, 17, "192.0.2.1", 53), "sh", flags=0x18)),
    entry(Service(ServiceKey(V4, 17, "192.0.2.1", 57), "rr", flags=4)),
    entry(Service(ServiceKey(V4, 6, "192.0.2.1", 0), "wrr", flags=1, timeout=600)),
    entry(
        Service(ServiceKey(V4, 6, "192.0.2.1", 81), "wrr", flags=1, timeout=5, netmask=IRREGULAR_NETMASK + 0xFF00FF00)
    ),
    entry(Service(ServiceKey(V4, 17, "192.0.2.1", 5061), "rr", flags=5, timeout=60, persistence_engine="sip")),
    entry(Service(ServiceKey(V4, 132, "192.0.2.1", 2905), "rr"), to("192.0.2.11", 2905, 0, 1)),
    entry(Service(ServiceKey(V4, 47, "192.0.2.1", 1), "rr")),
    entry(
        Service(ServiceKey(V6, 17, "2001:db8::1", 80), "dh", flags=4, netmask=128),
        to("192.0.2.11", 80, 2, 1),
        to("::1", 80, 0, 1),
    ),
    entry(
        Service(
            ServiceKey(V6, 6, "2001:db8:1111:2222:3333:4444:5555:6666", 65535), "sed", flags=1, timeout=99, netmask=64
        )
    ),
    entry(Service(ServiceKey(V4, fwmark=1), "rr", flags=4), to("192.0.2.12", 0, 0, 1)),
    entry(Service(ServiceKey(V6, fwmark=2), "lblcr", flags=1, timeout=120, netmask=64), to("2001:db8::11", 0, 3, 1)),
    entry(Service(ServiceKey(V4, fwmark=0xFFFFFFFF), "rr")),
)


def test_the_kernels_text_and_our_table_agree() -> None:
    assert fingerprint(SAMPLE) == fingerprint_of(SAMPLE_TABLE)


@given(st.lists(st.integers(0, len(SAMPLE)), max_size=6))
def test_in_pieces_it_is_the_same_file(cuts: list[int]) -> None:
    ends = [0, *sorted(cuts), len(SAMPLE)]
    pieces = [SAMPLE[start:end] for start, end in pairwise(ends)]
    assert blocks_of(pieces) == blocks(SAMPLE)
    assert len(blocks(SAMPLE)) == len(SAMPLE_TABLE)
    assert fingerprint("".join(pieces)) == frozenset(map(print_of_block, blocks_of(pieces)))


@pytest.mark.parametrize("text", ["", "\n", "\n\n\n", "one\ntwo\nthree", "one\ntwo\nthree\n"])
def test_a_file_without_services_has_no_blocks(text: str) -> None:
    assert blocks(text) == blocks_of(text) == []


def test_counters_and_order_do_not_count() -> None:
    text = SAMPLE.replace("Masq    1      0          0", "Masq    1      12         1300000")
    assert text != SAMPLE
    assert fingerprint(text) == fingerprint(SAMPLE)


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ("Tunnel  100 ", "Tunnel  101 "),
        ("Tunnel  100 ", "Route   100 "),
        (":0039 rr ops", ":0039 rr"),
        ("FF00FF00", "FFFF0000"),
        ("FWM  00000001 rr", "FWM  00000001 wrr"),
        ("UDP  C0000201:0035 sh  \n", ""),
        ("  -> C000020C:0000      Masq    1      0          0         \n", ""),
    ],
)
def test_drift_is_seen(before: str, after: str) -> None:
    assert before in SAMPLE
    assert fingerprint(SAMPLE.replace(before, after, 1)) != fingerprint_of(SAMPLE_TABLE)


def test_a_destination_that_moved_to_another_service_is_drift() -> None:
    line = "  -> C000020C:0000      Masq    1      0          0         \n"
    assert fingerprint(SAMPLE.replace(line, "") + line) != fingerprint(SAMPLE)


def test_an_empty_table() -> None:
    assert fingerprint("".join(SAMPLE.splitlines(keepends=True)[:3])) == fingerprint_of({}) == frozenset()


@given(HISTORIES)
def test_every_table_has_a_fingerprint(operations: list[Operation]) -> None:
    table = MemoryTable()
    table.apply(operations)
    assert len(fingerprint_of(table.read_table())) == len(table.read_table())


@given(st.text(max_size=200))
def test_garbage_raises_only_netlink_errors(text: str) -> None:
    with contextlib.suppress(NetlinkError):
        fingerprint(f"1\n2\n3\n{text}")
