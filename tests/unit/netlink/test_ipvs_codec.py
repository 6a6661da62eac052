"""Our packed messages against pyroute2's, which is the oracle; and every kind of nonsense."""

from __future__ import annotations

import contextlib
import random
from collections.abc import Callable
from socket import inet_pton

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pyroute2.netlink.generic.ipvs import ipvsmsg

from netlink import ipvs_codec, ipvs_decoding
from netlink.errors import NetlinkError
from netlink.ipvs_codec import encode
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.table import (
    IRREGULAR_NETMASK,
    SETTABLE_FLAGS,
    Destination,
    DestinationKey,
    Family,
    Service,
    ServiceKey,
)
from netlink.wire import attribute, generic
from tests.unit.netlink.strategies import ANY_DESTINATION, ANY_OPERATION, ANY_SERVICE

Decoder = Callable[[memoryview], object]
Attribute = tuple[str, object]
HEADER_BYTES = 16
KEY = ServiceKey(Family.INET, 6, "192.0.2.1", 80)
PEER = Destination(DestinationKey("192.0.2.11", 80), 3, 1)


def oracle_key(key: ServiceKey) -> list[Attribute]:
    family: Attribute = ("IPVS_SVC_ATTR_AF", int(key.family))
    if key.fwmark:
        return [family, ("IPVS_SVC_ATTR_FWMARK", key.fwmark)]
    return [
        family,
        ("IPVS_SVC_ATTR_PROTOCOL", key.protocol),
        ("IPVS_SVC_ATTR_ADDR", key.address),
        ("IPVS_SVC_ATTR_PORT", key.port),
    ]


def oracle_netmask(service: Service) -> str:
    """pyroute2 sends every netmask as an IPv4 address: a prefix length has to be squeezed through it."""
    if service.key.family is Family.INET6:
        raw = service.netmask.to_bytes(4, "little")
    elif service.netmask & IRREGULAR_NETMASK:
        raw = (service.netmask - IRREGULAR_NETMASK).to_bytes(4)
    else:
        raw = (0xFFFFFFFF << (32 - service.netmask) & 0xFFFFFFFF).to_bytes(4)
    return ".".join(map(str, raw))


def oracle_service(service: Service) -> list[Attribute]:
    engine: list[Attribute] = [("IPVS_SVC_ATTR_PE_NAME", service.persistence_engine)]
    return [
        *oracle_key(service.key),
        ("IPVS_SVC_ATTR_SCHED_NAME", service.scheduler),
        ("IPVS_SVC_ATTR_FLAGS", {"flags": service.flags, "mask": SETTABLE_FLAGS}),
        ("IPVS_SVC_ATTR_TIMEOUT", service.timeout),
        ("IPVS_SVC_ATTR_NETMASK", oracle_netmask(service)),
        *(engine if service.persistence_engine else []),
    ]


def oracle_destination_key(key: DestinationKey) -> list[Attribute]:
    return [
        ("IPVS_DEST_ATTR_ADDR_FAMILY", 10 if ":" in key.address else 2),
        ("IPVS_DEST_ATTR_ADDR", key.address),
        ("IPVS_DEST_ATTR_PORT", key.port),
    ]


def oracle_destination(destination: Destination) -> list[Attribute]:
    swapped = int.from_bytes(destination.tunnel_port.to_bytes(2, "big"), "little")  # declared in native order there
    return [
        *oracle_destination_key(destination.key),
        ("IPVS_DEST_ATTR_FWD_METHOD", destination.forwarding),
        ("IPVS_DEST_ATTR_WEIGHT", destination.weight),
        ("IPVS_DEST_ATTR_U_THRESH", destination.upper_threshold),
        ("IPVS_DEST_ATTR_L_THRESH", destination.lower_threshold),
        ("IPVS_DEST_ATTR_TUN_TYPE", destination.tunnel_type),
        ("IPVS_DEST_ATTR_TUN_PORT", swapped),
        ("IPVS_DEST_ATTR_TUN_FLAGS", destination.tunnel_flags),
    ]


def oracle_parts(operation: Operation) -> tuple[int, list[Attribute], list[Attribute]]:
    match operation:
        case AddService(service):
            return 1, oracle_service(service), []
        case SetService(service):
            return 2, oracle_service(service), []
        case DeleteService(key):
            return 3, oracle_key(key), []
        case AddDestination(key, destination):
            return 5, oracle_key(key), oracle_destination(destination)
        case SetDestination(key, destination):
            return 6, oracle_key(key), oracle_destination(destination)
        case DeleteDestination(key, destination_key):
            return 7, oracle_key(key), oracle_destination_key(destination_key)


def oracle(operation: Operation) -> bytes:
    command, service, destination = oracle_parts(operation)
    message = ipvsmsg()
    message["cmd"], message["version"] = command, 1
    attributes: list[Attribute] = [("IPVS_CMD_ATTR_SERVICE", {"attrs": service})]
    if destination:
        attributes.append(("IPVS_CMD_ATTR_DEST", {"attrs": destination}))
    message["attrs"] = attributes
    message.encode()
    return bytes(message.data)[HEADER_BYTES:]


@given(ANY_OPERATION)
def test_bytes_equal_pyroute2s(operation: Operation) -> None:
    assert encode(operation) == oracle(operation)


@given(ANY_SERVICE)
def test_a_service_reads_back(service: Service) -> None:
    assert ipvs_decoding.decode_service(memoryview(encode(AddService(service)))) == service


@given(ANY_DESTINATION)
def test_a_destination_reads_back(destination: Destination) -> None:
    body = encode(AddDestination(KEY, destination))
    found = ipvs_decoding.decode_destination(memoryview(body), Family.INET)
    assert found == destination


def test_kernel_flags_are_neither_sent_nor_read() -> None:
    service = Service(KEY, "rr", flags=0xFF)
    body = encode(AddService(service))
    assert ipvs_decoding.decode_service(memoryview(body)).flags == SETTABLE_FLAGS
    assert bytes.fromhex("0c000700 3d000000 3d000000") in body


@pytest.mark.parametrize(
    "operation",
    [
        AddService(Service(ServiceKey(Family.INET, 6, "2001:db8::1", 80), "rr")),
        AddService(Service(ServiceKey(Family.INET, 6, "192.0.2", 80), "rr")),
        AddService(Service(ServiceKey(Family.INET, 6, "192.0.2.1", 65536), "rr")),
        AddService(Service(ServiceKey(Family.INET, 6, "192.0.2.1", -1), "rr")),
        AddService(Service(ServiceKey(Family.INET, 65536, "192.0.2.1", 80), "rr")),
        AddService(Service(ServiceKey(Family.INET, fwmark=1 << 32), "rr")),
        AddService(Service(KEY, "")),
        AddService(Service(KEY, "sixteen-letters-")),
        AddService(Service(KEY, "rr", netmask=33)),
        AddService(Service(KEY, "rr", netmask=-1)),
        AddService(Service(KEY, "rr", netmask=IRREGULAR_NETMASK << 1 | IRREGULAR_NETMASK)),
        AddService(Service(KEY, "rr", timeout=-1)),
        AddService(Service(KEY, "rr", persistence_engine="ü")),
        AddDestination(KEY, Destination(DestinationKey("rs1", 80), 3, 1)),
        AddDestination(KEY, Destination(DestinationKey("192.0.2.11", 80), 3, -1)),
        AddDestination(KEY, Destination(DestinationKey("192.0.2.11", 80), 3, 1 << 32)),
        SetDestination(KEY, Destination(DestinationKey("192.0.2.11", 80), 3, 1, tunnel_port=1 << 16)),
        DeleteDestination(KEY, DestinationKey("::g", 80)),
        DeleteService(ServiceKey(Family.INET)),
    ],
    ids=str,
)
def test_what_no_message_can_carry_is_refused(operation: Operation) -> None:
    with pytest.raises(NetlinkError, match="cannot be said to the kernel"):
        encode(operation)


DECODERS: tuple[Decoder, ...] = (
    ipvs_decoding.decode_service,
    ipvs_decoding.decode_service_status,
    lambda body: ipvs_decoding.decode_destination(body, Family.INET),
    lambda body: ipvs_decoding.decode_destination_status(body, Family.INET6),
    ipvs_decoding.decode_info,
    ipvs_decoding.decode_timeouts,
    ipvs_decoding.decode_daemon,
)
ATTRIBUTES = st.dictionaries(st.integers(1, 15), st.binary(max_size=20), min_size=8)
MIN_DECODERS = 7  # a ratchet


def test_all_decoders_are_fuzzed() -> None:
    assert len(DECODERS) >= MIN_DECODERS


@given(st.sampled_from(DECODERS), st.binary(max_size=200))
def test_garbage_raises_only_netlink_errors(decode: Decoder, body: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        decode(memoryview(body))


@given(st.sampled_from(DECODERS), ANY_OPERATION, st.randoms(use_true_random=False))
def test_flipped_bytes_raise_only_netlink_errors(decode: Decoder, operation: Operation, chance: random.Random) -> None:
    body = bytearray(encode(operation))
    for _ in range(chance.randint(1, 4)):
        body[chance.randrange(len(body))] = chance.randrange(256)
    with contextlib.suppress(NetlinkError):
        decode(memoryview(bytes(body)))


@given(
    st.sampled_from(DECODERS),
    st.integers(1, 3),
    st.dictionaries(st.integers(1, 15), st.binary(max_size=20), min_size=8),
)
def test_well_formed_nonsense_raises_only_netlink_errors(decode: Decoder, kind: int, values: dict[int, bytes]) -> None:
    """Right frames around values of every wrong length."""
    inner = b"".join(attribute(*item) for item in values.items())
    for body in (inner, attribute(kind, inner)):
        with contextlib.suppress(NetlinkError):
            decode(memoryview(generic(1, body)))


@pytest.mark.parametrize("size", range(16))
def test_a_short_address_is_garbled(size: int) -> None:
    body = encode(AddService(Service(ServiceKey(Family.INET6, 6, "2001:db8::1", 80), "rr", netmask=128)))
    address = attribute(3, inet_pton(Family.INET6, "2001:db8::1"))
    assert address in body
    nested = body[8:].replace(address, attribute(3, address[4 : 4 + size]))
    with pytest.raises(NetlinkError, match="short address"):
        ipvs_decoding.decode_service(memoryview(generic(1, attribute(1, nested))))


@given(ANY_SERVICE)
def test_netmasks_are_never_mistaken(service: Service) -> None:
    family = service.key.family
    raw = ipvs_codec.netmask_bytes(family, service.netmask)
    assert ipvs_codec.netmask_of(family, raw) == service.netmask
