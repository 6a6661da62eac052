"""An IPVS table in memory with the kernel's manners, for tests and dry runs. Pure.

It refuses what the kernel refuses, with the same errno, and lists what it holds in the kernel's order
(net/netfilter/ipvs/ip_vs_ctl.c): services by hash bucket, firewall marks last, the newest first in a bucket;
destinations newest first. What only a real kernel can know (local addresses, loadable modules, memory) is left out.
"""

from __future__ import annotations

import errno
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from socket import inet_ntop, inet_pton  # text to bytes and back, no socket
from types import MappingProxyType

from msgspec.structs import replace

from netlink.errors import Refusal, SettingRefusal
from netlink.ipvs_codec import encode
from netlink.memory_settings import MemorySettings
from netlink.operations import (
    AddDestination,
    AddService,
    DeleteDestination,
    DeleteService,
    Operation,
    SetDestination,
    SetService,
)
from netlink.refusals import refusal
from netlink.settings import Setting
from netlink.table import (
    SETTABLE_FLAGS,
    Destination,
    DestinationKey,
    Entry,
    Family,
    Service,
    ServiceKey,
    SyncDaemon,
    Table,
    Timeouts,
)

SCHEDULERS = frozenset(
    {"rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "twos", "none"}
)
ENGINES = frozenset({"", "sip"})

_TUNNEL = 2
_GUE = 1
_BUCKET_BITS = 8
_BUCKETS = 1 << _BUCKET_BITS
_WEIGHT_LIMIT = 0x7FFFFFFF  # the kernel's weight is signed
_PREFIX_LIMIT = 128
_MULTICAST_FIRST, _MULTICAST_LAST = 224, 239
_MULTICAST6 = 0xFF
_LINK_LOCAL6, _LINK_LOCAL6_MASK = 0xFE80, 0xFFC0

_Put = Callable[[Family, dict[DestinationKey, Destination], Destination], int]


class MemoryTable:
    """A table that takes operations as the kernel does. `salt` is what a network namespace adds to the hash."""

    def __init__(self, table: Table | None = None, *, salt: int = 0, settings: MemorySettings | None = None) -> None:
        self._salt = salt
        self._settings = settings or MemorySettings()
        # oldest first, as they were added: both orders are turned round when they are read
        self._entries: dict[ServiceKey, _Held] = {
            key: _Held(entry.service, dict(reversed(list(entry.destinations.items()))))
            for key, entry in reversed(list((table or {}).items()))
        }

    def read_table(self) -> Table:
        """All services and destinations, in the kernel's order."""
        newest_first = ((key, held.entry()) for key, held in reversed(self._entries.items()))
        return MappingProxyType(dict(sorted(newest_first, key=lambda item: bucket(item[0], self._salt))))

    def read_in_parts(self, size: int) -> Iterator[tuple[Entry, ...]]:
        """As `read_table`, about so many services and destinations at a time; an empty part comes first."""
        keys = tuple(self.read_table())
        yield ()
        part: list[Entry] = []
        held = 0
        for key in keys:
            entry = self.read_entry(key)
            if entry is not None:
                part.append(entry)
                held += 1 + len(entry.destinations)
            if held >= size:
                yield tuple(part)
                part, held = [], 0
        if part:
            yield tuple(part)

    def read_entry(self, key: ServiceKey) -> Entry | None:
        """One service with its destinations; None: there is no such service."""
        held = self._entries.get(canonical_key(key))
        return None if held is None else held.entry()

    def apply(self, operations: Sequence[Operation]) -> tuple[Refusal, ...]:
        """Carry the operations out in their order; those that were refused. NetlinkError as `encode` raises it."""
        for operation in operations:
            encode(operation)  # what no message can carry never reaches the kernel, so neither this table
        answers = [(operation, self._one(operation)) for operation in operations]
        return tuple(refusal(operation, code) for operation, code in answers if code)

    def timeouts(self) -> Timeouts:
        """The connection timeouts."""
        return self._settings.timeouts()

    def daemons(self) -> tuple[SyncDaemon, ...]:
        """The connection sync daemons that run."""
        return self._settings.daemons()

    def apply_settings(self, settings: Sequence[Setting]) -> tuple[SettingRefusal, ...]:
        """Change timeouts and daemons; those changes that were refused."""
        return self._settings.apply_settings(settings, mixed=self._is_mixed())

    def _is_mixed(self) -> bool:
        return any(
            _family(key) is not service.family for service, held in self._entries.items() for key in held.destinations
        )

    def _one(self, operation: Operation) -> int:
        match operation:
            case AddService(service):
                return self._add_service(_canonical_service(service))
            case SetService(service):
                return self._set_service(_canonical_service(service))
            case DeleteService(key):
                return 0 if self._entries.pop(canonical_key(key), None) else errno.ESRCH
            case AddDestination(key, destination):
                return self._put(key, destination, _add_destination)
            case SetDestination(key, destination):
                return self._put(key, destination, _set_destination)
            case DeleteDestination(key, destination_key):
                return self._within(key, partial(_delete_destination, key=canonical_destination_key(destination_key)))

    def _add_service(self, service: Service) -> int:
        if service.key in self._entries:
            return errno.EEXIST
        code = _service_fault(service)
        if not code:
            self._entries[service.key] = _Held(service, {})
        return code

    def _set_service(self, service: Service) -> int:
        held = self._entries.get(service.key)
        if held is None:
            return errno.ESRCH
        code = _service_fault(service)
        if not code:
            held.service = service
        return code

    def _put(self, key: ServiceKey, destination: Destination, put: _Put) -> int:
        if key in self._entries and self._not_synced(key.family, destination):
            return errno.EINVAL
        return self._within(key, lambda family, held: put(family, held, _canonical(destination)))

    def _within(self, key: ServiceKey, change: Callable[[Family, dict[DestinationKey, Destination]], int]) -> int:
        held = self._entries.get(canonical_key(key))
        return errno.ESRCH if held is None else change(key.family, held.destinations)

    def _not_synced(self, family: Family, destination: Destination) -> bool:
        """A destination of another family: nothing for the sync protocol (ip_vs_genl_set_cmd)."""
        return bool(self._settings.daemons()) and _family(destination.key) is not family


@dataclass(slots=True)
class _Held:
    """A service of this table. Its destinations are oldest first."""

    service: Service
    destinations: dict[DestinationKey, Destination]

    def entry(self) -> Entry:
        return Entry(self.service, MappingProxyType(dict(reversed(self.destinations.items()))))


def bucket(key: ServiceKey, salt: int) -> tuple[bool, int]:
    """Where the kernel's dump comes upon the service: firewall marks after the others, each by hash bucket."""
    if key.fwmark:
        return True, (key.fwmark ^ salt) % _BUCKETS
    address = inet_pton(key.family, key.address)
    folded = 0
    for start in range(0, len(address), 4):
        folded ^= int.from_bytes(address[start : start + 4])
    return False, (key.protocol ^ folded ^ salt ^ key.port >> _BUCKET_BITS ^ key.port) % _BUCKETS


def canonical_key(key: ServiceKey) -> ServiceKey:
    """The key as the kernel gives it back: a mark has no address, an address its shortest form."""
    if key.fwmark:
        return ServiceKey(key.family, fwmark=key.fwmark)
    return replace(key, address=_canonical_address(key.family, key.address))


def canonical_destination_key(key: DestinationKey) -> DestinationKey:
    """The key as the kernel gives it back."""
    return replace(key, address=_canonical_address(_family(key), key.address))


def _canonical_service(service: Service) -> Service:
    return replace(service, key=canonical_key(service.key), flags=service.flags & SETTABLE_FLAGS)


def _canonical(destination: Destination) -> Destination:
    return replace(destination, key=canonical_destination_key(destination.key))


def _canonical_address(family: Family, address: str) -> str:
    return inet_ntop(family, inet_pton(family, address))


def _family(key: DestinationKey) -> Family:
    return Family.INET6 if ":" in key.address else Family.INET


def _service_fault(service: Service) -> int:
    if service.scheduler not in SCHEDULERS or service.persistence_engine not in ENGINES:
        return errno.ENOENT
    if service.key.family is Family.INET6 and not 1 <= service.netmask <= _PREFIX_LIMIT:
        return errno.EINVAL
    return 0


def _add_destination(family: Family, held: dict[DestinationKey, Destination], destination: Destination) -> int:
    code = _destination_fault(family, destination)
    if code:
        return code
    if destination.key in held:
        return errno.EEXIST
    if not _is_unicast(destination.key):
        return errno.EINVAL
    held[destination.key] = destination
    return 0


def _set_destination(family: Family, held: dict[DestinationKey, Destination], destination: Destination) -> int:
    code = _destination_fault(family, destination)
    if code:
        return code
    if destination.key not in held:
        return errno.ENOENT
    held[destination.key] = destination
    return 0


def _delete_destination(_: Family, held: dict[DestinationKey, Destination], key: DestinationKey) -> int:
    return 0 if held.pop(key, None) else errno.ENOENT


def _destination_fault(family: Family, destination: Destination) -> int:
    """The checks common to adding and editing, in the kernel's order."""
    if _family(destination.key) is not family and destination.forwarding != _TUNNEL:
        return errno.EINVAL
    if destination.weight > _WEIGHT_LIMIT or destination.lower_threshold > destination.upper_threshold:
        return errno.ERANGE
    if destination.tunnel_type == _GUE and not destination.tunnel_port:
        return errno.EINVAL
    return 0


def _is_unicast(key: DestinationKey) -> bool:
    raw = inet_pton(_family(key), key.address)
    if not any(raw):
        return False
    if _family(key) is Family.INET:
        return not _MULTICAST_FIRST <= raw[0] <= _MULTICAST_LAST and raw != b"\xff\xff\xff\xff"
    link_local = int.from_bytes(raw[:2]) & _LINK_LOCAL6_MASK == _LINK_LOCAL6
    return raw[0] != _MULTICAST6 and not link_local
