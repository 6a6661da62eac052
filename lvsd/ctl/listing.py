"""The kernel's table printed byte for byte as `ipvsadm -L` (1.31) prints it. Pure: names are looked up by functions.

People and scripts have read these columns for twenty years, so the oddities stay: marks and weights are signed, names
are cut at 28 columns for IPv4 and not for IPv6, two titles end with a blank, and the order is that of a comparison by
wrapping subtraction under C's merge sort.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from enum import Enum, auto
from socket import inet_pton  # text to bytes only, no socket
from typing import TypeVar

from lvsd.ctl import spelling
from lvsd.ctl.names import NUMERIC, Names
from netlink.table import (
    DestinationStatus,
    Family,
    Info,
    ServiceKey,
    ServiceStatus,
    Stats,
    SyncDaemon,
    Timeouts,
)

SERVICE_COLUMNS = 33
DESTINATION_COLUMNS = 28

T = TypeVar("T")


class View(Enum):
    """What is shown of each entry. Where several options are given ipvsadm takes the first of these."""

    STATS = auto()
    RATE = auto()
    THRESHOLDS = auto()
    PERSISTENT = auto()
    TUNNELS = auto()
    PLAIN = auto()


@dataclass(frozen=True, slots=True)
class ListingOptions:
    """As ipvsadm's. `single` is a listing of one service (-t, -u, -f), which has no version line."""

    view: View = View.PLAIN
    numeric: bool = False
    exact: bool = False
    kernel_order: bool = False
    single: bool = False


_TITLES = {
    View.STATS: "Prot LocalAddress:Port               Conns   InPkts  OutPkts  InBytes OutBytes\n"
    "  -> RemoteAddress:Port\n",
    View.RATE: "Prot LocalAddress:Port                 CPS    InPPS   OutPPS    InBPS   OutBPS\n"
    "  -> RemoteAddress:Port\n",
    View.THRESHOLDS: "Prot LocalAddress:Port            Uthreshold Lthreshold ActiveConn InActConn \n"
    "  -> RemoteAddress:Port\n",
    View.PERSISTENT: "Prot LocalAddress:Port            Weight    PersistConn ActiveConn InActConn \n"
    "  -> RemoteAddress:Port\n",
    View.TUNNELS: "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port           Forward TunnelInfo    Weight ActiveConn InActConn\n",
    View.PLAIN: "Prot LocalAddress:Port Scheduler Flags\n"
    "  -> RemoteAddress:Port           Forward Weight ActiveConn InActConn\n",
}


def render(options: ListingOptions, info: Info, statuses: Sequence[ServiceStatus], names: Names) -> str:
    """The whole listing. `statuses` come in the kernel's order; `names` are not asked if it is to be numeric."""
    if options.numeric:
        names = NUMERIC
    parts = [] if options.single else [version_line(info)]
    parts.append(_TITLES[options.view])
    for status in statuses if options.kernel_order else services_in_order(statuses):
        parts.append(_service_line(options, status, names))
        destinations = status.destinations
        ordered = destinations if options.kernel_order else destinations_in_order(destinations)
        parts += [_destination_line(options, status.service.key, found, names) for found in ordered]
    return "".join(parts)


def services_in_order(statuses: Sequence[ServiceStatus]) -> Sequence[ServiceStatus]:
    """As ipvsadm sorts them: by mark, family, protocol, address and port."""
    return _sorted(statuses, _service_place)


def destinations_in_order(statuses: Sequence[DestinationStatus]) -> Sequence[DestinationStatus]:
    """As ipvsadm sorts them: by address and port."""
    return _sorted(statuses, _destination_place)


def version_line(info: Info) -> str:
    """The line that every listing of the whole table begins with."""
    major, minor, patch = info.version
    return f"IP Virtual Server version {major}.{minor}.{patch} (size={info.connection_table_size})\n"


def render_timeouts(timeouts: Timeouts) -> str:
    """`ipvsadm -L --timeout`."""
    return f"Timeout (tcp tcpfin udp): {timeouts.tcp} {timeouts.tcp_fin} {timeouts.udp}\n"


def render_daemons(daemons: Sequence[SyncDaemon]) -> str:
    """`ipvsadm -L --daemon`."""
    return "".join(
        f"{found.role} sync daemon (mcast={found.interface}, syncid={found.sync_id}, maxlen={found.max_length}, "
        f"group={found.group}, port={found.port}, ttl={found.ttl})\n"
        for found in sorted(daemons, key=lambda one: one.role != "master")
    )


def _service_line(options: ListingOptions, status: ServiceStatus, names: Names) -> str:
    key = status.service.key
    name = spelling.service_name(names, key)
    if key.family is Family.INET:
        name = name[:SERVICE_COLUMNS]
    if options.view in {View.STATS, View.RATE}:
        return f"{name:<{SERVICE_COLUMNS}}{_counters(options, status.stats)}\n"
    return f"{name}{spelling.service_settings(status.service)}\n"


def _destination_line(options: ListingOptions, service: ServiceKey, status: DestinationStatus, names: Names) -> str:
    key = status.destination.key
    name = spelling.endpoint(names, key.address, key.port, service.protocol)
    if ":" not in key.address:
        name = name[:DESTINATION_COLUMNS]
    return f"  -> {name:<{DESTINATION_COLUMNS}}{_destination_columns(options, status)}\n"


def _destination_columns(options: ListingOptions, status: DestinationStatus) -> str:
    destination = status.destination
    weight = spelling.signed(destination.weight)
    connections = f"{status.active:<10} {status.inactive:<10}"
    match options.view:
        case View.STATS | View.RATE:
            return _counters(options, status.stats)
        case View.THRESHOLDS:
            return f" {destination.upper_threshold:<10} {destination.lower_threshold:<10} {connections}"
        case View.PERSISTENT:
            return f" {weight:<9} {status.persistent:<11} {connections}"
        case View.TUNNELS:
            tunnel = spelling.tunnel(destination)
            return f" {spelling.method(destination):<7} {tunnel:<13} {weight:<6} {connections}"
        case View.PLAIN:
            return f" {spelling.method(destination):<7} {weight:<6} {connections}"


def _counters(options: ListingOptions, stats: Stats) -> str:
    if options.view is View.STATS:
        numbers = (stats.connections, stats.packets_in, stats.packets_out, stats.bytes_in, stats.bytes_out)
    else:
        numbers = (
            stats.connections_rate,
            stats.packets_in_rate,
            stats.packets_out_rate,
            stats.bytes_in_rate,
            stats.bytes_out_rate,
        )
    return "".join(spelling.large(number, exact=options.exact) for number in numbers)


@dataclass(frozen=True, slots=True)
class _Place:
    """What an entry is sorted by; made once, since each entry is compared many times."""

    head: tuple[int, ...]
    words: tuple[int, ...]
    port: int
    significant: int


def _service_place(status: ServiceStatus) -> _Place:
    key = status.service.key
    return _place((key.fwmark, key.family, key.protocol), key.address, key.port)


def _destination_place(status: DestinationStatus) -> _Place:
    key = status.destination.key
    return _place((), key.address, key.port)


def _place(head: tuple[int, ...], address: str, port: int) -> _Place:
    """An address as four words; of an IPv4 one the first is its own, and alone compared."""
    family = Family.INET6 if ":" in address else Family.INET
    raw = inet_pton(family, address) if address else b""
    words = tuple(int.from_bytes(raw[start : start + 4]) for start in (0, 4, 8, 12))
    return _Place(head, words, port, significant=4 if family is Family.INET6 else 1)


def _compare(one: _Place, other: _Place) -> int:
    """The first difference, by subtraction that wraps at 32 bits; so marks and addresses may come in odd order."""
    count = one.significant
    first = (*one.head, *one.words[:count], one.port)
    second = (*other.head, *other.words[:count], other.port)
    return next((spelling.signed(a - b & 0xFFFFFFFF) for a, b in zip(first, second, strict=True) if a != b), 0)


def _sorted(items: Sequence[T], place: Callable[[T], _Place]) -> list[T]:
    return [item for _, item in _merge_sorted([(place(item), item) for item in items])]


def _merge_sorted(items: Sequence[tuple[_Place, T]]) -> list[tuple[_Place, T]]:
    """C's merge sort: the comparison is not transitive, so another algorithm would give another order."""
    if len(items) <= 1:
        return [*items]
    half = len(items) // 2
    left, right = _merge_sorted(items[:half]), _merge_sorted(items[half:])
    merged: list[tuple[_Place, T]] = []
    one = other = 0
    while one < len(left) and other < len(right):
        if _compare(left[one][0], right[other][0]) <= 0:
            merged.append(left[one])
            one += 1
        else:
            merged.append(right[other])
            other += 1
    return [*merged, *left[one:], *right[other:]]
