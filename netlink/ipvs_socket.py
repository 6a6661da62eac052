"""The kernel's IPVS table over one long-lived generic netlink socket: read it, change it, ask about it."""

from __future__ import annotations

import errno
import struct
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import closing
from functools import partial
from pathlib import Path
from types import MappingProxyType, TracebackType
from typing import Self, TypeVar

from netlink import ipvs_codec as codec
from netlink import ipvs_decoding as decoding
from netlink.errors import NetlinkError, Refusal, SettingRefusal
from netlink.kernel_socket import RECEIVE_TIMEOUT_SECONDS, KernelSocket, Line, open_line
from netlink.operations import Operation
from netlink.refusals import refusal, setting_refusal
from netlink.settings import Setting
from netlink.settings_codec import encode_setting
from netlink.table import (
    DestinationStatus,
    Entry,
    Info,
    Service,
    ServiceKey,
    ServiceStatus,
    SyncDaemon,
    Table,
    Timeouts,
)
from netlink.wire import GENERIC_SIZE, attribute, attributes, garbled, generic, number

_NETLINK_GENERIC = 16
_CONTROL_FAMILY = 16  # GENL_ID_CTRL, which names the others
_GET_FAMILY = 3
_FAMILY_ID, _FAMILY_NAME = 1, 2
_PROC_FILE = Path("/proc/net/ip_vs")
_PIECE_BYTES = 1 << 16
DATAGRAMS_A_PART = 2  # of a listing of services: some ninety of them each
_MODULE_HINT = "load the module: modprobe ip_vs"

T = TypeVar("T")


def open_generic() -> Line:
    """A generic netlink socket of the kernel's."""
    return open_line(_NETLINK_GENERIC, timeout_seconds=RECEIVE_TIMEOUT_SECONDS)


class IpvsSocket:
    """The IPVS table of this network namespace. Synchronous; every method may raise NetlinkError.

    After an error the socket is opened anew at the next call, so that no late answer is taken for another's. The
    kernel does not lock its table during a dump: what changes meanwhile may be missed or seen twice (a second sight
    replaces the first), and comes right at the next reading.
    """

    def __init__(self, opener: Callable[[], Line] = open_generic) -> None:
        self._opener = opener
        self._socket: KernelSocket | None = None
        self._family = 0
        self._connected()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the socket. Another call opens it again."""
        if self._socket is not None:
            self._socket.close()
            self._socket = None

    def read_table(self) -> Table:
        """The settings of all services and destinations, in the kernel's order."""
        return self._guarded(self._read_table)

    def read_in_parts(self, size: int) -> Iterator[tuple[Entry, ...]]:
        """As `read_table`, about so many services and destinations at a time; each is as it is when its part is read.

        Empty parts come first, while the services are listed. That is done over a socket of its own, so that other
        calls may come in between any two parts. Of services that are deleted meanwhile others may be missed for each.
        """
        part: list[Entry] = []
        held = 0
        for body in (yield from self._listed()):
            entry = self._guarded(partial(self._decoded, body))
            part.append(entry)
            held += 1 + len(entry.destinations)
            if held >= size:
                yield tuple(part)
                part, held = [], 0
        if part:
            yield tuple(part)

    def read_entry(self, key: ServiceKey) -> Entry | None:
        """One service with its destinations; None: there is no such service."""
        bodies = self._guarded(lambda: self._one_service(key))
        return self._guarded(partial(self._decoded, bodies[0])) if bodies else None

    def read_status(self, key: ServiceKey | None = None) -> tuple[ServiceStatus, ...]:
        """All services with their counters, in the kernel's order; or the one asked for, none if it is missing."""
        return self._guarded(lambda: self._read_status(key))

    def info(self) -> Info:
        """The kernel's IPVS version and the size of its connection table."""
        return self._guarded(lambda: decoding.decode_info(self._single(codec.get_info())))

    def timeouts(self) -> Timeouts:
        """The connection timeouts."""
        return self._guarded(lambda: decoding.decode_timeouts(self._single(codec.get_timeouts())))

    def daemons(self) -> tuple[SyncDaemon, ...]:
        """The connection sync daemons that run; at most a master and a backup."""
        return self._guarded(lambda: tuple(map(decoding.decode_daemon, self._dump(codec.dump_daemons()))))

    def apply(self, operations: Sequence[Operation]) -> tuple[Refusal, ...]:
        """Carry the operations out in their order; those that were refused, with their meaning.

        A refused one does not stop those after it. NetlinkError says that it is unknown how far this came: read the
        table again.
        """
        bodies = [codec.encode(operation) for operation in operations]
        refused = self._guarded(lambda: self._connected().send_batch(self._family, bodies))
        return tuple(refusal(operations[position], code) for position, code in sorted(refused.items()))

    def apply_settings(self, settings: Sequence[Setting]) -> tuple[SettingRefusal, ...]:
        """Make the changes in their order; those that were refused, with their meaning. As `apply` otherwise.

        A question that is always answered goes last: of a daemon that is stopped before its thread ever ran the kernel
        says nothing at all (kthread_stop's EINTR, for which netlink_rcv_skb sends no acknowledgement).
        """
        bodies = [*map(encode_setting, settings), codec.get_info()]
        refused = self._guarded(lambda: self._connected().send_batch(self._family, bodies))
        return tuple(setting_refusal(settings[position], code) for position, code in sorted(refused.items()))

    def _read_table(self) -> Table:
        table = {}
        for body in self._dump(codec.dump_services()):
            service = decoding.decode_service(body)
            table[service.key] = self._entry(service)
        return MappingProxyType(table)

    def _listed(self) -> Generator[tuple[()], None, list[memoryview]]:
        """All services as the kernel tells them, in small steps."""
        try:
            self._connected()  # it knows the family's number
            with closing(KernelSocket(self._opener())) as line:
                for bodies in line.dump_in_steps(self._family, codec.dump_services(), DATAGRAMS_A_PART):
                    if bodies is not None:
                        return bodies
                    yield ()
        except NetlinkError:
            self.close()
            raise
        return []

    def _decoded(self, body: memoryview) -> Entry:
        return self._entry(decoding.decode_service(body))

    def _entry(self, service: Service) -> Entry:
        family = service.key.family
        bodies = self._dump(codec.dump_destinations(service.key))
        destinations = (decoding.decode_destination(body, family) for body in bodies)
        return Entry(service, MappingProxyType({destination.key: destination for destination in destinations}))

    def _read_status(self, key: ServiceKey | None) -> tuple[ServiceStatus, ...]:
        bodies = self._dump(codec.dump_services()) if key is None else self._one_service(key)
        found = {status.service.key: status for status in map(decoding.decode_service_status, bodies)}
        return tuple(
            ServiceStatus(status.service, self._destinations(status.service.key), status.stats)
            for status in found.values()
        )

    def _one_service(self, key: ServiceKey) -> list[memoryview]:
        try:
            return self._connected().ask(self._family, codec.get_service(key))
        except NetlinkError as error:
            if error.errno == errno.ESRCH:
                return []
            raise

    def _destinations(self, key: ServiceKey) -> tuple[DestinationStatus, ...]:
        bodies = self._dump(codec.dump_destinations(key))
        found = (decoding.decode_destination_status(body, key.family) for body in bodies)
        return tuple({status.destination.key: status for status in found}.values())

    def _dump(self, request: bytes) -> list[memoryview]:
        return self._connected().dump(self._family, request)

    def _single(self, request: bytes) -> memoryview:
        answer = self._connected().ask(self._family, request)
        if len(answer) != 1:
            raise garbled("one message expected")
        return answer[0]

    def _guarded(self, call: Callable[[], T]) -> T:
        try:
            return call()
        except NetlinkError:
            self.close()
            raise

    def _connected(self) -> KernelSocket:
        if self._socket is None:
            fresh = KernelSocket(self._opener())
            try:
                self._family = resolve_family(fresh, b"IPVS\0")
            except NetlinkError:
                fresh.close()
                raise
            self._socket = fresh
        return self._socket


def read_proc_ip_vs() -> str:
    """The text of /proc/net/ip_vs of this network namespace, for `netlink.proc_ip_vs.fingerprint`."""
    return "".join(proc_ip_vs_pieces())


def proc_ip_vs_pieces() -> Iterator[str]:
    """The same in pieces, cut anywhere, for `netlink.proc_ip_vs.blocks_of`."""
    try:
        with _PROC_FILE.open("rb") as file:
            while piece := file.read(_PIECE_BYTES):
                yield piece.decode("ascii", "backslashreplace")
    except OSError as error:
        message = f"{_PROC_FILE} cannot be read: {error.strerror}"
        hint = _MODULE_HINT if error.errno == errno.ENOENT else ""
        raise NetlinkError(message, errno=error.errno or 0, hint=hint) from error


def resolve_family(line: KernelSocket, name: bytes) -> int:
    """The number of a generic netlink family, which the kernel gives at run time."""
    try:
        answer = line.ask(_CONTROL_FAMILY, generic(_GET_FAMILY, attribute(_FAMILY_NAME, name)))
    except NetlinkError as error:
        if error.errno == errno.ENOENT:
            message = "this kernel has no IPVS"
            raise NetlinkError(message, errno=errno.ENOENT, hint=_MODULE_HINT) from error
        raise
    if len(answer) != 1:
        raise garbled("one family expected")
    found = attributes(answer[0], GENERIC_SIZE)
    if _FAMILY_ID not in found:
        raise garbled("family without a number")
    return number(found[_FAMILY_ID], struct.calcsize("=H"))
