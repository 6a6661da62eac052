"""The table over a scripted kernel: what is asked, what becomes of the answers, what happens after an error."""

from __future__ import annotations

import errno
import struct

import pytest

from netlink.errors import NetlinkError
from netlink.ipvs_codec import encode
from netlink.ipvs_socket import DATAGRAMS_A_PART, IpvsSocket
from netlink.operations import AddDestination, AddService, DeleteService, Operation
from netlink.settings import StopDaemon
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, ServiceStatus
from netlink.wire import attribute, generic
from tests.unit.netlink.kernel import Answer, ScriptedKernel, done, error, message, requests

IPVS = 30
CONTROL = 16
DELETE_SERVICE, GET_SERVICE, GET_DESTINATION = 3, 4, 8
HTTP = Service(ServiceKey(Family.INET, 6, "192.0.2.1", 80), "wrr")
HTTPS = Service(ServiceKey(Family.INET, 6, "192.0.2.1", 443), "wlc")
PEERS = tuple(Destination(DestinationKey(f"192.0.2.{host}", 80), 3, 1) for host in (13, 11, 12))
PAIR = {peer.key: peer for peer in PEERS[:2]}


def destination_body(destination: Destination) -> bytes:
    """As the kernel sends it: no service beside it, which nobody reads there."""
    return encode(AddDestination(HTTP.key, destination))


def kernel_with_two_services(data: bytes) -> list[Answer]:
    """HTTP with three destinations, one of them twice, and HTTPS with none."""
    ((kind, _, sequence, body),) = requests(data)
    if kind == CONTROL:
        family = generic(1, attribute(1, struct.pack("=H", IPVS)) + attribute(2, b"IPVS\0"))
        return [message(CONTROL, sequence, family), error(sequence, 0)]
    if body[0] == GET_SERVICE:
        both = b"".join(message(IPVS, sequence, encode(AddService(service))) for service in (HTTPS, HTTP))
        return [both, done(sequence)]
    if b"\x01\xbb" in body:
        return [done(sequence)]
    twice = (*PEERS, PEERS[1])
    return [b"".join(message(IPVS, sequence, destination_body(peer)) for peer in twice), done(sequence)]


class Factory:
    """Opens scripted kernels and remembers them."""

    def __init__(self) -> None:
        self.opened: list[ScriptedKernel] = []

    def __call__(self) -> ScriptedKernel:
        self.opened.append(ScriptedKernel(kernel_with_two_services))
        return self.opened[-1]


def test_a_table_keeps_the_kernels_order_and_drops_doubles() -> None:
    table = IpvsSocket(Factory()).read_table()
    assert list(table.values()) == [Entry(HTTPS), Entry(HTTP, {peer.key: peer for peer in PEERS})]
    assert [*table] == [HTTPS.key, HTTP.key]
    assert [*table[HTTP.key].destinations] == [peer.key for peer in PEERS]


def test_status_of_all() -> None:
    statuses = IpvsSocket(Factory()).read_status()
    assert [status.service for status in statuses] == [HTTPS, HTTP]
    assert [found.destination for found in statuses[1].destinations] == list(PEERS)
    assert statuses[0] == ServiceStatus(HTTPS)


def scripted(*answers: list[Answer]) -> tuple[IpvsSocket, list[ScriptedKernel]]:
    """A socket whose family is known, and which then is answered with each of the lists."""
    queue = list(answers)
    kernels: list[ScriptedKernel] = []

    def reply(data: bytes) -> list[Answer]:
        if requests(data)[0][0] == CONTROL:
            return kernel_with_two_services(data)
        return queue.pop(0)

    def opener() -> ScriptedKernel:
        kernels.append(ScriptedKernel(reply))
        return kernels[-1]

    return IpvsSocket(opener), kernels


def test_refusals_name_their_operation() -> None:
    socket, _ = scripted([error(3, errno.ESRCH), error(4, 0)])
    operations: list[Operation] = [AddService(HTTP), DeleteService(HTTPS.key), AddService(HTTPS)]
    (refused,) = socket.apply(operations)
    assert refused.operation is operations[1]
    assert (refused.errno, refused.meaning) == (errno.ESRCH, "no such virtual service")


def test_a_missing_service_is_no_error() -> None:
    socket, kernels = scripted([error(2, errno.ESRCH)])
    assert socket.read_status(HTTP.key) == ()
    assert not kernels[0].closed


def test_after_an_error_the_socket_is_opened_anew() -> None:
    socket, kernels = scripted([], [done(2)])
    with pytest.raises(NetlinkError, match="in time"):
        socket.read_table()
    assert kernels[0].closed
    assert socket.read_table() == {}
    assert len(kernels) == 2


def test_an_operation_that_cannot_be_said_leaves_all_unsaid() -> None:
    socket, kernels = scripted()
    impossible = AddService(Service(ServiceKey(Family.INET, 6, "nowhere", 80), "rr"))
    with pytest.raises(NetlinkError, match="cannot be said"):
        socket.apply([AddService(HTTP), impossible])
    assert len(kernels[0].sent) == 1  # the family only


def test_a_kernel_without_ipvs_is_told_with_a_hint() -> None:
    kernel = ScriptedKernel(lambda data: [error(requests(data)[0][2], errno.ENOENT)])
    with pytest.raises(NetlinkError, match="modprobe ip_vs"):
        IpvsSocket(lambda: kernel)
    assert kernel.closed


def test_a_daemon_stopped_before_it_ran_is_not_answered_and_not_waited_for() -> None:
    """As Linux 6.1 does it: netlink_rcv_skb skips the acknowledgement of a command that ended with EINTR."""

    def reply(data: bytes) -> list[Answer]:
        if requests(data)[0][0] == CONTROL:
            return kernel_with_two_services(data)
        commands = [(sequence, body[0]) for _, _, sequence, body in requests(data)]
        assert [command for _, command in commands] == [10, 10, 15]
        (refused, _), _, (last, _) = commands
        return [error(refused, errno.ESRCH), message(IPVS, last, generic(15)), error(last, 0)]

    socket = IpvsSocket(lambda: ScriptedKernel(reply))
    (refusal,) = socket.apply_settings([StopDaemon("backup"), StopDaemon("master")])
    assert (refusal.setting, refusal.meaning) == (StopDaemon("backup"), "no such sync daemon runs")


def services(count: int) -> list[Service]:
    return [Service(ServiceKey(Family.INET, 6, f"192.0.2.{number}", 80), "wrr") for number in range(count)]


class ListedSlowly:
    """Kernels that list their services one a datagram, each with the same two destinations."""

    def __init__(self, count: int) -> None:
        self.services = services(count)
        self.opened: list[ScriptedKernel] = []
        self.broken = False

    def __call__(self) -> ScriptedKernel:
        self.opened.append(ScriptedKernel(self._answer))
        return self.opened[-1]

    def _answer(self, data: bytes) -> list[Answer]:
        (kind, _, sequence, body), *_ = requests(data)
        if kind == CONTROL:
            return kernel_with_two_services(data)
        if body[0] == GET_SERVICE:
            listed: list[Answer] = [message(IPVS, sequence, encode(AddService(one))) for one in self.services]
            return [*listed[:-1], error(sequence, errno.EPERM)] if self.broken else [*listed, done(sequence)]
        if body[0] == GET_DESTINATION:
            return [*(message(IPVS, sequence, destination_body(peer)) for peer in PEERS[:2]), done(sequence)]
        return [error(sequence, 0)]

    def seen(self) -> list[list[int]]:
        """The commands that each of the kernels was asked, without that for its family."""
        return [
            [body[0] for data in one.sent for kind, _, _, body in requests(data) if kind != CONTROL]
            for one in self.opened
        ]


def test_services_are_listed_in_small_steps_and_others_may_ask_meanwhile() -> None:
    kernels = ListedSlowly(DATAGRAMS_A_PART * 4)
    socket = IpvsSocket(kernels)
    parts = socket.read_in_parts(6)
    assert next(parts) == ()
    assert socket.apply([DeleteService(HTTP.key)]) == ()
    assert [next(parts) for _ in range(4)] == [(), (), (), tuple(Entry(one, PAIR) for one in kernels.services[:2])]
    assert socket.apply([DeleteService(HTTP.key)]) == ()
    left = [entry.service for part in parts for entry in part]
    assert left == kernels.services[2:]
    assert [one.closed for one in kernels.opened] == [False, True]
    read = [GET_DESTINATION] * len(left)
    assert kernels.seen() == [[DELETE_SERVICE, GET_DESTINATION, GET_DESTINATION, DELETE_SERVICE, *read], [GET_SERVICE]]


def test_a_listing_that_is_given_up_leaves_nothing_open() -> None:
    kernels = ListedSlowly(DATAGRAMS_A_PART * 2)
    socket = IpvsSocket(kernels)
    parts = socket.read_in_parts(4)
    assert next(parts) == ()
    parts.close()  # type: ignore[attr-defined]  # it is a generator
    assert [one.closed for one in kernels.opened] == [False, True]


def test_after_an_error_in_a_listing_both_sockets_are_opened_anew() -> None:
    kernels = ListedSlowly(DATAGRAMS_A_PART * 2)
    kernels.broken = True
    socket = IpvsSocket(kernels)
    parts = socket.read_in_parts(4)
    assert next(parts) == ()
    with pytest.raises(NetlinkError, match="CAP_NET_ADMIN"):
        next(parts)
    assert [one.closed for one in kernels.opened] == [True, True]
    kernels.broken = False
    assert sum(map(len, socket.read_in_parts(1000))) == DATAGRAMS_A_PART * 2
