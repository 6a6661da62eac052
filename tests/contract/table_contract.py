"""What any IPVS table promises: run against `netlink.memory` on the host and against the kernel in the lab."""

from __future__ import annotations

import errno
from collections.abc import Iterator, Sequence
from typing import Protocol

import pytest

from netlink.errors import Refusal
from netlink.memory import MemoryTable, bucket
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

V4 = Family.INET
V6 = Family.INET6
HTTP = ServiceKey(V4, 6, "192.0.2.1", 80)
HTTP6 = ServiceKey(V6, 6, "2001:db8::1", 80)
MARK = ServiceKey(V4, fwmark=7)
PLAIN = Service(HTTP, "wrr")
PLAIN6 = Service(HTTP6, "wrr", netmask=128)
DIRECT, TUNNEL, MASQUERADE = 3, 2, 0
SALTS = range(256)


class Subject(Protocol):
    """An IPVS table that can be read and changed."""

    def read_table(self) -> Table:
        """All of it."""

    def read_in_parts(self, size: int) -> Iterator[tuple[Entry, ...]]:
        """All of it, about so many services and destinations at a time."""

    def apply(self, operations: Sequence[Operation]) -> tuple[Refusal, ...]:
        """Change it."""


def to(address: str, port: int = 80, **settings: int) -> Destination:
    """A destination by direct routing with weight 1, unless told otherwise."""
    return Destination(DestinationKey(address, port), **{"forwarding": DIRECT, "weight": 1, **settings})


def service(
    key: ServiceKey = HTTP, scheduler: str = "wrr", *, flags: int = 0, timeout: int = 0, netmask: int | None = None
) -> Service:
    """A service whose netmask says nothing, unless told otherwise."""
    whole = 32 if key.family is V4 else 128
    return Service(key, scheduler, flags, timeout, whole if netmask is None else netmask)


PEER = to("192.0.2.11")
HELD = (AddService(PLAIN), AddDestination(HTTP, PEER))
HELD6 = (AddService(PLAIN6), AddDestination(HTTP6, to("2001:db8::11")))

REFUSED: dict[str, tuple[tuple[Operation, ...], Operation, int]] = {
    "service twice": (HELD, AddService(service(scheduler="rr")), errno.EEXIST),
    "service twice, unknown scheduler": (HELD, AddService(service(scheduler="nosuch")), errno.EEXIST),
    "unknown scheduler": ((), AddService(service(scheduler="nosuch")), errno.ENOENT),
    "unknown engine": ((), AddService(Service(HTTP, "rr", persistence_engine="nosuch")), errno.ENOENT),
    "unknown scheduler to edit": (HELD, SetService(service(scheduler="nosuch")), errno.ENOENT),
    "unknown engine to edit": (HELD, SetService(Service(HTTP, "rr", persistence_engine="nosuch")), errno.ENOENT),
    "no service to edit": ((), SetService(PLAIN), errno.ESRCH),
    "no service to edit, unknown scheduler": ((), SetService(service(scheduler="nosuch")), errno.ESRCH),
    "no service to delete": ((), DeleteService(HTTP), errno.ESRCH),
    "no mark to delete": (HELD, DeleteService(MARK), errno.ESRCH),
    "mark of the other family": ((AddService(service(MARK)),), DeleteService(ServiceKey(V6, fwmark=7)), errno.ESRCH),
    "IPv6 without netmask": ((), AddService(service(HTTP6, netmask=0)), errno.EINVAL),
    "IPv6 netmask too long": ((), AddService(service(HTTP6, netmask=129)), errno.EINVAL),
    "IPv6 netmask too long to edit": (HELD6, SetService(service(HTTP6, netmask=129)), errno.EINVAL),
    "no service to add to": ((), AddDestination(HTTP, PEER), errno.ESRCH),
    "no service to edit in": ((), SetDestination(HTTP, PEER), errno.ESRCH),
    "no service to delete from": ((), DeleteDestination(HTTP, PEER.key), errno.ESRCH),
    "destination twice": (HELD, AddDestination(HTTP, PEER), errno.EEXIST),
    "no destination to edit": (HELD, SetDestination(HTTP, to("192.0.2.12")), errno.ENOENT),
    "no destination to delete": (HELD, DeleteDestination(HTTP, DestinationKey("192.0.2.11", 81)), errno.ENOENT),
    "negative weight": (HELD, AddDestination(HTTP, to("192.0.2.12", weight=0x80000000)), errno.ERANGE),
    "negative weight to edit": (HELD, SetDestination(HTTP, to("192.0.2.11", weight=0x80000000)), errno.ERANGE),
    "thresholds crossed": (
        HELD,
        AddDestination(HTTP, to("192.0.2.12", upper_threshold=5, lower_threshold=6)),
        errno.ERANGE,
    ),
    "lower threshold alone": (HELD, SetDestination(HTTP, to("192.0.2.11", lower_threshold=1)), errno.ERANGE),
    "GUE without port": (HELD, AddDestination(HTTP, to("192.0.2.12", forwarding=TUNNEL, tunnel_type=1)), errno.EINVAL),
    "GUE without port to edit": (
        HELD,
        SetDestination(HTTP, to("192.0.2.11", forwarding=TUNNEL, tunnel_type=1)),
        errno.EINVAL,
    ),
    "multicast": (HELD, AddDestination(HTTP, to("224.0.0.1")), errno.EINVAL),
    "broadcast": (HELD, AddDestination(HTTP, to("255.255.255.255")), errno.EINVAL),
    "no address": (HELD, AddDestination(HTTP, to("0.0.0.0")), errno.EINVAL),
    "IPv6 multicast": (HELD6, AddDestination(HTTP6, to("ff02::1")), errno.EINVAL),
    "IPv6 link-local": (HELD6, AddDestination(HTTP6, to("fe80::1")), errno.EINVAL),
    "IPv6 no address": (HELD6, AddDestination(HTTP6, to("::")), errno.EINVAL),
    "other family, direct": (HELD, AddDestination(HTTP, to("2001:db8::11")), errno.EINVAL),
    "other family, direct, to edit": (HELD, SetDestination(HTTP, to("2001:db8::11")), errno.EINVAL),
}

ACCEPTED: dict[str, tuple[tuple[Operation, ...], Operation]] = {
    "port 0 without persistence": ((), AddService(service(ServiceKey(V4, 6, "192.0.2.1", 0)))),
    "one packet for TCP": ((), AddService(service(flags=4))),
    "no scheduler": ((), AddService(service(scheduler="none"))),
    "scheduler edited": (HELD, SetService(service(scheduler="wlc", flags=9, timeout=300, netmask=24))),
    "engine": ((), AddService(Service(HTTP, "rr", flags=1, timeout=60, persistence_engine="sip"))),
    "engine taken away": (
        (AddService(Service(HTTP, "rr", flags=1, timeout=60, persistence_engine="sip")),),
        SetService(service()),
    ),
    "an unusual protocol": ((), AddService(service(ServiceKey(V4, 47, "192.0.2.1", 0)))),
    "no netmask": ((), AddService(service(netmask=0))),
    "IPv4 mark": ((), AddService(service(MARK))),
    "the same mark for IPv6": ((AddService(service(MARK)),), AddService(service(ServiceKey(V6, fwmark=7)))),
    "edited in place": (HELD, SetDestination(HTTP, to("192.0.2.11", weight=0, forwarding=MASQUERADE))),
    "same address, other port": (HELD, AddDestination(HTTP, to("192.0.2.11", 81))),
    "thresholds": (HELD, AddDestination(HTTP, to("192.0.2.12", upper_threshold=6, lower_threshold=6))),
    "greatest weight": (HELD, AddDestination(HTTP, to("192.0.2.12", weight=0x7FFFFFFF))),
    "other family by tunnel": (HELD6, AddDestination(HTTP6, to("192.0.2.11", forwarding=TUNNEL))),
    "other family deleted": (
        (*HELD6, AddDestination(HTTP6, to("192.0.2.11", forwarding=TUNNEL))),
        DeleteDestination(HTTP6, DestinationKey("192.0.2.11", 80)),
    ),
    "GUE": (
        HELD,
        AddDestination(HTTP, to("192.0.2.12", forwarding=2, tunnel_type=1, tunnel_port=6080, tunnel_flags=1)),
    ),
    "local": (HELD, AddDestination(HTTP, to("127.0.0.1", forwarding=1))),
    "loopback": (HELD6, AddDestination(HTTP6, to("::1"))),
    "long spelling": ((), AddService(service(ServiceKey(V6, 6, "2001:0db8:0:0::1", 80)))),
    "long spelling of a destination": (HELD6, SetDestination(HTTP6, to("2001:db8:0:0::11", weight=5))),
    "service with destinations deleted": (HELD, DeleteService(HTTP)),
}


class TableContract:
    """Inherited by a test class with a fixture `subject`: an empty table."""

    @pytest.mark.parametrize("name", REFUSED)
    def test_refuses(self, subject: Subject, name: str) -> None:
        before, operation, number = REFUSED[name]
        assert subject.apply(before) == ()
        held = subject.read_table()
        assert [(found.operation, found.errno) for found in subject.apply([operation])] == [(operation, number)]
        assert subject.read_table() == held

    @pytest.mark.parametrize("name", ACCEPTED)
    def test_accepts(self, subject: Subject, name: str) -> None:
        before, operation = ACCEPTED[name]
        model = MemoryTable()
        assert model.apply([*before, operation]) == ()
        assert subject.apply([*before, operation]) == ()
        assert subject.read_table() == model.read_table()

    def test_a_refusal_does_not_stop_what_follows(self, subject: Subject) -> None:
        refused = subject.apply([DeleteService(MARK), *HELD, AddService(PLAIN), SetService(service(scheduler="rr"))])
        assert [(type(found.operation), found.errno) for found in refused] == [
            (DeleteService, errno.ESRCH),
            (AddService, errno.EEXIST),
        ]
        assert subject.read_table() == {HTTP: Entry(service(scheduler="rr"), {PEER.key: PEER})}

    def test_destinations_are_listed_newest_first(self, subject: Subject) -> None:
        peers = [to(f"192.0.2.{host}") for host in (12, 14, 11, 13)]
        subject.apply([AddService(PLAIN), *(AddDestination(HTTP, peer) for peer in peers)])
        assert [*subject.read_table()[HTTP].destinations] == [peer.key for peer in reversed(peers)]

    def test_an_edit_keeps_the_place_and_a_return_takes_the_first(self, subject: Subject) -> None:
        first, second, third = (to(f"192.0.2.{host}") for host in (11, 12, 13))
        subject.apply([AddService(PLAIN), *(AddDestination(HTTP, peer) for peer in (first, second, third))])
        subject.apply([SetDestination(HTTP, to("192.0.2.12", weight=9))])
        assert [*subject.read_table()[HTTP].destinations] == [third.key, second.key, first.key]
        subject.apply([DeleteDestination(HTTP, first.key), AddDestination(HTTP, first)])
        assert [*subject.read_table()[HTTP].destinations] == [first.key, third.key, second.key]

    @pytest.mark.parametrize("size", [1, 4, 7, 1000])
    def test_in_parts_it_is_the_same_table(self, subject: Subject, size: int) -> None:
        keys = [ServiceKey(V4, 6, f"192.0.2.{number}", 80) for number in range(1, 31)]
        peers = [to(f"192.0.2.{host}") for host in (11, 12, 13)]
        for number, key in enumerate(keys):
            subject.apply([AddService(service(key)), *(AddDestination(key, peer) for peer in peers[: number % 4])])
        parts = list(subject.read_in_parts(size))
        assert [entry for part in parts for entry in part] == list(subject.read_table().values())
        held = [sum(1 + len(entry.destinations) for entry in part) for part in parts if part]
        assert all(size <= one <= size + 3 for one in held[:-1])

    def test_between_two_parts_it_can_be_changed(self, subject: Subject) -> None:
        keys = [ServiceKey(V4, 6, f"192.0.2.{number}", 80) for number in range(1, 31)]
        subject.apply([AddService(service(key)) for key in keys])
        parts = subject.read_in_parts(1)
        before = [*next(parts), *next(parts)]
        assert subject.apply([AddDestination(key, PEER) for key in keys]) == ()
        assert all(entry.destinations for entry in subject.read_table().values())
        after = [entry for part in parts for entry in part]
        assert [entry.destinations for entry in before] == [{}] * len(before)
        assert [entry.destinations for entry in after] == [{PEER.key: PEER}] * (len(keys) - len(before))

    def test_services_are_listed_by_hash_bucket(self, subject: Subject) -> None:
        addresses = (("192.0.2.1", V4), ("10.0.0.250", V4), ("2001:db8::1", V6), ("2001:db8:1:2:3:4:5:6", V6))
        keys = [
            ServiceKey(family, protocol, address, port)
            for address, family in addresses
            for protocol in (6, 17, 132)
            for port in (0, 53, 80, 336, 443, 8443, 65535)
        ]
        marks = [ServiceKey(family, fwmark=mark) for family in Family for mark in (1, 2, 257, 0xFFFFFFFF)]
        assert subject.apply([AddService(service(key)) for key in (*marks, *keys)]) == ()
        model = MemoryTable(salt=salt_of_order(subject))
        model.apply([AddService(service(key)) for key in (*marks, *keys)])
        assert [*subject.read_table()] == [*model.read_table()]
        subject.apply([SetService(service(keys[0], "rr"))])
        assert [*subject.read_table()] == [*model.read_table()]


def salt_of_order(subject: Subject) -> int:
    """The salt under which the subject's order of buckets is ascending."""
    keys = [*subject.read_table()]
    for salt in SALTS:
        places = [bucket(key, salt) for key in keys]
        if places == sorted(places):
            return salt
    pytest.fail("the services are not in the order of any hash we know")
