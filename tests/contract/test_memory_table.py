"""The table in memory keeps the contract; the kernel proves the same contract in the lab."""

from __future__ import annotations

import pytest
from hypothesis import given, settings

from netlink.errors import NetlinkError
from netlink.memory import MemoryTable
from netlink.operations import AddDestination, AddService, Operation
from netlink.table import Entry, ServiceKey
from tests.contract.table_contract import HTTP, MARK, PEER, PLAIN, REFUSED, V4, V6, Subject, TableContract, service, to
from tests.unit.netlink.strategies import HISTORIES

SALT = 0xA5


class TestMemoryTable(TableContract):
    """Against the fake."""

    @pytest.fixture
    def subject(self) -> Subject:
        return MemoryTable(salt=SALT)


def test_a_given_table_is_kept_in_its_order_within_a_bucket() -> None:
    older, newer = ServiceKey(V4, fwmark=1), ServiceKey(V4, fwmark=257)
    table = {newer: Entry(service(newer)), older: Entry(service(older))}
    assert [*MemoryTable(table).read_table()] == [newer, older]


def test_the_recorded_order_of_a_real_kernel() -> None:
    """As `ipvsadm --nosort` listed a 6.1 kernel's services, added in another order."""
    recorded = [
        ServiceKey(V4, 6, "192.0.2.1", 80),
        *(ServiceKey(V4, 17, "192.0.2.1", port) for port in range(53, 59)),
        ServiceKey(V4, 6, "192.0.2.1", 0),
        ServiceKey(V6, 6, "2001:db8::1", 80),
        ServiceKey(V4, 17, "192.0.2.1", 5061),
        ServiceKey(V4, 17, "192.0.2.1", 5060),
        ServiceKey(V4, 132, "192.0.2.1", 2905),
        ServiceKey(V4, 6, "192.0.2.1", 8443),
        ServiceKey(V4, 6, "192.0.2.1", 443),
        ServiceKey(V6, 6, "2001:db8:1111:2222:3333:4444:5555:6666", 65535),
        ServiceKey(V4, fwmark=1),
        ServiceKey(V6, fwmark=2),
        ServiceKey(V4, fwmark=0xFFFFFFFF),
    ]
    orders = []
    for salt in range(256):
        table = MemoryTable(salt=salt)
        table.apply([AddService(service(key)) for key in reversed(recorded)])
        orders.append([*table.read_table()])
    assert recorded in orders


def test_what_the_kernel_is_never_told_is_not_taken_here() -> None:
    with pytest.raises(NetlinkError):
        MemoryTable().apply([AddService(service(ServiceKey(V4, 6, "nowhere", 80)))])


def test_a_table_read_before_does_not_change() -> None:
    table = MemoryTable()
    table.apply([AddService(PLAIN)])
    before = table.read_table()
    table.apply([AddDestination(HTTP, PEER), AddService(service(MARK))])
    assert before == {HTTP: Entry(PLAIN)}


def test_histories_meet_every_refusal() -> None:
    """Otherwise the comparison of memory and kernel by histories would say little."""
    met: set[tuple[type[Operation], int]] = set()

    @settings(max_examples=300)
    @given(HISTORIES)
    def meet(history: list[Operation]) -> None:
        met.update((type(found.operation), found.errno) for found in MemoryTable().apply(history))

    meet()
    assert met >= {(type(operation), number) for _, operation, number in REFUSED.values()}


@given(HISTORIES)
def test_every_operation_is_carried_out_or_refused(operations: list[Operation]) -> None:
    """Applying one by one is applying all: nothing is lost, nothing is done twice."""
    together, singly = MemoryTable(), MemoryTable()
    refused = together.apply(operations)
    assert refused == tuple(found for operation in operations for found in singly.apply([operation]))
    assert together.read_table() == singly.read_table()


def test_addresses_are_given_back_in_their_shortest_form() -> None:
    table = MemoryTable()
    table.apply([AddService(service(ServiceKey(V6, 6, "2001:DB8:0::1", 80)))])
    table.apply([AddDestination(ServiceKey(V6, 6, "2001:db8::1", 80), to("2001:db8:0:0::11"))])
    ((key, entry),) = table.read_table().items()
    assert key.address == "2001:db8::1"
    assert [destination.address for destination in entry.destinations] == ["2001:db8::11"]
