"""Tables and operations as hypothesis makes them. Few names, so that they meet."""

from __future__ import annotations

from socket import inet_ntop, inet_pton
from typing import Literal

from hypothesis import strategies as st

from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.table import IRREGULAR_NETMASK, Destination, DestinationKey, Family, Service, ServiceKey

U16 = st.integers(0, 0xFFFF)
U32 = st.integers(0, 0xFFFFFFFF)
PORTS = st.one_of(st.sampled_from((0, 80, 443, 65535)), U16)
NAMES = st.text("abcdefghijklmnopqrstuvwxyz0123456789", min_size=1, max_size=15)
SCHEDULERS = st.one_of(st.sampled_from(("rr", "wrr", "sh", "mh")), NAMES)
ENGINES = st.one_of(st.sampled_from(("", "sip")), NAMES)


def addresses(family: Family) -> st.SearchStrategy[str]:
    version: Literal[4, 6] = 4 if family is Family.INET else 6
    # in C's spelling: ipaddress writes ::ffff:0:1 for ::ffff:0.0.0.1
    return st.ip_addresses(v=version).map(lambda address: inet_ntop(family, inet_pton(family, str(address))))


def service_keys(family: Family) -> st.SearchStrategy[ServiceKey]:
    protocols = st.one_of(st.sampled_from((6, 17, 132)), st.integers(0, 255))
    by_address = st.builds(ServiceKey, st.just(family), protocols, addresses(family), PORTS)
    by_mark = st.builds(ServiceKey, st.just(family), fwmark=st.integers(1, 0xFFFFFFFF))
    return st.one_of(by_address, by_mark)


def netmasks(family: Family) -> st.SearchStrategy[int]:
    if family is Family.INET6:
        return st.integers(0, 128)
    irregular = st.just(IRREGULAR_NETMASK + 0xFF00FF00)
    return st.one_of(st.integers(0, 32), irregular)


def services(family: Family) -> st.SearchStrategy[Service]:
    flags = st.sampled_from((0, 1, 4, 8, 9, 0x10, 0x28, 0x39, 0x3D))
    return st.builds(Service, service_keys(family), SCHEDULERS, flags, U32, netmasks(family), ENGINES)


ANY_FAMILY = st.sampled_from(tuple(Family))
ANY_SERVICE_KEY = ANY_FAMILY.flatmap(service_keys)
ANY_SERVICE = ANY_FAMILY.flatmap(services)
ANY_DESTINATION_KEY = st.builds(DestinationKey, ANY_FAMILY.flatmap(addresses), PORTS)
ANY_DESTINATION = st.builds(
    Destination,
    ANY_DESTINATION_KEY,
    forwarding=st.integers(0, 3),
    weight=U32,
    upper_threshold=U32,
    lower_threshold=U32,
    tunnel_type=st.integers(0, 255),
    tunnel_port=U16,
    tunnel_flags=U16,
)
ANY_OPERATION: st.SearchStrategy[Operation] = st.one_of(
    st.builds(AddService, ANY_SERVICE),
    st.builds(SetService, ANY_SERVICE),
    st.builds(DeleteService, ANY_SERVICE_KEY),
    st.builds(AddDestination, ANY_SERVICE_KEY, ANY_DESTINATION),
    st.builds(SetDestination, ANY_SERVICE_KEY, ANY_DESTINATION),
    st.builds(DeleteDestination, ANY_SERVICE_KEY, ANY_DESTINATION_KEY),
)

# a small world, in which operations meet each other and the kernel's refusals: most of what is drawn is allowed
_HTTP = ServiceKey(Family.INET, 6, "192.0.2.1", 80)
_HTTP6 = ServiceKey(Family.INET6, 6, "2001:db8::1", 80)
_FEW_KEYS = st.sampled_from(
    (
        *(_HTTP,) * 6,
        *(_HTTP6,) * 4,
        ServiceKey(Family.INET, 6, "192.0.2.1", 336),  # the same bucket as the first
        ServiceKey(Family.INET, 17, "192.0.2.1", 53),
        ServiceKey(Family.INET, fwmark=1),
        ServiceKey(Family.INET, fwmark=257),  # the same bucket as the one before
        ServiceKey(Family.INET6, fwmark=1),
    )
)
_USUAL = ("192.0.2.11", "192.0.2.12", "2001:db8::11", "2001:db8::12") * 6
_UNUSUAL = ("224.0.0.1", "0.0.0.0", "fe80::1", "ff02::1", "::", "255.255.255.255")
_FEW_DESTINATION_KEYS = st.builds(DestinationKey, st.sampled_from(_USUAL + _UNUSUAL), st.sampled_from((80, 80, 8080)))
_FEW_DESTINATIONS = st.builds(
    Destination,
    _FEW_DESTINATION_KEYS,
    forwarding=st.sampled_from((0, 2, 2, 3, 3, 3)),
    weight=st.sampled_from((0, 0, 1, 1, 1, 100, 100, 0x7FFFFFFF, 0x80000000)),
    upper_threshold=st.sampled_from((0, 5)),
    lower_threshold=st.sampled_from((0,) * 8 + (4, 6)),
    tunnel_type=st.sampled_from((0,) * 6 + (1, 2)),
    tunnel_port=st.sampled_from((0, 6080)),
    tunnel_flags=st.sampled_from((0, 1)),
)


def _few_services(key: ServiceKey) -> st.SearchStrategy[Service]:
    masks = (32, 24, 0) if key.family is Family.INET else (128, 64, 0, 129)
    return st.builds(
        Service,
        st.just(key),
        st.sampled_from(("rr", "wrr", "sh", "wlc", "none", "nosuch")),
        st.sampled_from((0, 1, 4, 9, 0x18)),
        st.sampled_from((0, 300)),
        st.sampled_from(masks),
        st.sampled_from(("", "", "", "", "sip", "nosuch")),
    )


_FEW_SERVICES = _FEW_KEYS.flatmap(_few_services)
FEW_OPERATIONS: st.SearchStrategy[Operation] = st.one_of(
    st.builds(AddService, _FEW_SERVICES),
    *(st.builds(SetService, _FEW_SERVICES),) * 3,
    st.builds(DeleteService, _FEW_KEYS),
    *(st.builds(AddDestination, _FEW_KEYS, _FEW_DESTINATIONS),) * 4,
    *(st.builds(SetDestination, _FEW_KEYS, _FEW_DESTINATIONS),) * 2,
    *(st.builds(DeleteDestination, _FEW_KEYS, _FEW_DESTINATION_KEYS),) * 2,
)
_START: tuple[Operation, ...] = (
    AddService(Service(_HTTP, "wrr")),
    AddService(Service(_HTTP6, "wrr", netmask=128)),
)
# what a table goes through: two services, and then whatever happens
HISTORIES: st.SearchStrategy[list[Operation]] = st.lists(FEW_OPERATIONS, min_size=5, max_size=25).map(
    lambda operations: [*_START, *operations]
)
