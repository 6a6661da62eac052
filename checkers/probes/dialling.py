"""How a probe's packets leave: from which address and with which mark (config.checks.Dial)."""

from __future__ import annotations

import errno
import os
import socket
import struct

from checkers.probes.failures import Stuck
from config.checks import Dial

SOCKET_FAMILIES = {socket.AF_INET: "IPv4", socket.AF_INET6: "IPv6"}

_IP_BIND_ADDRESS_NO_PORT = 24  # linux/in.h; IPv6 sockets take it too
_IP_PKTINFO = 8  # linux/in.h
_IN_PKTINFO = struct.Struct("=i4s4s")  # interface, the local address to use, the header's (linux/in.h)
_IN6_PKTINFO = struct.Struct("=16si")  # address, interface (linux/ipv6.h)
_MARK = struct.Struct("=I")

Ancillary = tuple[int, int, bytes]
"""A control message: level, type, data."""


def settle(sock: socket.socket, dial: Dial) -> None:
    """Bind and mark a socket that is not connected yet. Raises Stuck: neither can be a real server's fault.

    The port is chosen when it connects, when the peer is known: so a source has 28,000 ports for each real server and
    not for all of them together.
    """
    if dial.mark:
        try:
            _set_mark(sock, dial.mark)
        except OSError as error:
            raise Stuck(no_mark(error)) from error
    if dial.source:
        address = _numeric(dial.source, sock.family)
        try:
            sock.setsockopt(socket.IPPROTO_IP, _IP_BIND_ADDRESS_NO_PORT, 1)
            sock.bind(address)
        except OSError as error:
            text = f"cannot leave from {dial.source}: {os.strerror(error.errno or 0)}"
            raise Stuck(text) from error


def ancillary(family: int, dial: Dial) -> list[Ancillary]:
    """The same for one message of a socket that others share (sendmsg(2), ip(7), ipv6(7)). Raises Stuck."""
    told: list[Ancillary] = []
    if dial.mark:
        told.append((socket.SOL_SOCKET, socket.SO_MARK, _MARK.pack(dial.mark)))
    if dial.source:
        host, _, *rest = _numeric(dial.source, family)
        packed = socket.inet_pton(family, str(host).partition("%")[0])
        if family == socket.AF_INET:
            told.append((socket.IPPROTO_IP, _IP_PKTINFO, _IN_PKTINFO.pack(0, packed, bytes(4))))
        else:
            scope = rest[1] if len(rest) > 1 and isinstance(rest[1], int) else 0
            told.append((socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _IN6_PKTINFO.pack(packed, scope)))
    return told


def _set_mark(sock: socket.socket, mark: int) -> None:
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_MARK, _MARK.pack(mark))


def no_mark(error: OSError) -> str:
    """Why a packet cannot be marked."""
    if error.errno == errno.EPERM:
        return "cannot mark packets: CAP_NET_RAW is missing (CAP_NET_ADMIN before Linux 5.17)"
    return f"cannot mark packets: {os.strerror(error.errno or 0)}"


def _numeric(source: str, family: int) -> tuple[object, ...]:
    try:
        infos = socket.getaddrinfo(source, 0, family=family, type=socket.SOCK_STREAM, flags=socket.AI_NUMERICHOST)
    except (OSError, UnicodeError) as error:
        text = f"the source is no {SOCKET_FAMILIES[socket.AddressFamily(family)]} address: {source}"
        raise Stuck(text) from error
    return infos[0][4]
