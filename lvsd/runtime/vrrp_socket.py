"""The raw sockets on which one interface's VRRP advertisements go out and come in. Needs CAP_NET_RAW."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator

from lvsd.vrrp.drops import Dropped
from lvsd.vrrp.ip import (
    CLASS_CS6,
    GROUP,
    GROUP6,
    PACKET_LIMIT_BYTES,
    TTL,
    VRRP_PROTOCOL,
    Datagram,
    address_text,
    open_packet,
    packed,
)

READS_A_WAKE = 64
"""Packets taken before the timers have their turn: nobody keeps us from advertising by sending much."""

_PRIORITY_CONTROL = 6  # TC_PRIO_INTERACTIVE, the highest an ordinary process may ask for
_IP_MULTICAST_ALL = 49
_IPV6_MULTICAST_ALL = 29
_MREQN = struct.Struct("=4s4si")
_MREQ6 = struct.Struct("=16si")
_PKTINFO6 = struct.Struct("=16si")
_INT = struct.Struct("=i")
_ANCILLARY_BYTES = socket.CMSG_SPACE(_PKTINFO6.size) + socket.CMSG_SPACE(_INT.size)


class VrrpSocket:
    """Advertisements of all virtual routers of one family on one interface, to the group or to us."""

    def __init__(self, interface: str, index: int, *, ipv6: bool) -> None:
        """Join the group on the interface. Raises OSError: no privilege, the interface is gone."""
        self.index = index
        self.ipv6 = ipv6
        family = socket.AF_INET6 if ipv6 else socket.AF_INET
        self._socket = socket.socket(family, socket.SOCK_RAW | socket.SOCK_NONBLOCK, VRRP_PROTOCOL)
        try:
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
            self._socket.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
            self._prepare6() if ipv6 else self._prepare4()
        except OSError:
            self._socket.close()
            raise

    def _prepare4(self) -> None:
        raw, group = self._socket, socket.inet_aton(GROUP)
        here = _MREQN.pack(group, bytes(4), self.index)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        raw.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, here)

    def _prepare6(self) -> None:
        raw = self._socket
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_IF, self.index)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_LOOP, 0)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_MULTICAST_HOPS, TTL)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_UNICAST_HOPS, TTL)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_TCLASS, CLASS_CS6)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVPKTINFO, 1)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_RECVHOPLIMIT, 1)
        with contextlib.suppress(OSError):  # Linux 4.20 and later
            raw.setsockopt(socket.IPPROTO_IPV6, _IPV6_MULTICAST_ALL, 0)
        raw.setsockopt(socket.IPPROTO_IPV6, socket.IPV6_JOIN_GROUP, _MREQ6.pack(packed(GROUP6), self.index))

    def fileno(self) -> int:
        """For the poll."""
        return self._socket.fileno()

    def send(self, packet: bytes, source: bytes, destination: bytes) -> None:
        """One packet (IPv6: one message). Raises OSError: the interface is down, a filter forbids it."""
        address = address_text(destination)
        if not self.ipv6:
            direct = socket.MSG_DONTROUTE if address == GROUP else 0
            self._socket.sendto(packet, direct, (address, 0))
            return
        here = (socket.IPPROTO_IPV6, socket.IPV6_PKTINFO, _PKTINFO6.pack(source, self.index))
        self._socket.sendmsg([packet], [here], 0, (address, 0, 0, self.index))

    def receive(self) -> Iterator[Datagram]:
        """What has come, READS_A_WAKE packets at most. Never blocks. An interface that goes down is no error."""
        for _ in range(READS_A_WAKE):
            try:
                opened = self._receive6() if self.ipv6 else open_packet(self._socket.recv(PACKET_LIMIT_BYTES))
            except Dropped:
                continue
            except OSError:  # nothing more; ENETDOWN and the like are said once, and the link's own news follow
                return
            if opened is not None:
                yield opened

    def _receive6(self) -> Datagram | None:
        """The kernel takes the header off, and tells of it what was asked for."""
        message, ancillary, flags, sender = self._socket.recvmsg(PACKET_LIMIT_BYTES, _ANCILLARY_BYTES)
        told = {kind: data for level, kind, data in ancillary if level == socket.IPPROTO_IPV6}
        information, hops = told.get(socket.IPV6_PKTINFO), told.get(socket.IPV6_HOPLIMIT)
        if information is None or hops is None:
            return None
        destination, _ = _PKTINFO6.unpack(information)
        whole = not flags & socket.MSG_TRUNC
        return Datagram(packed(sender[0].partition("%")[0]), destination, _INT.unpack(hops)[0], whole, message)

    def close(self) -> None:
        """Leave the group and give the descriptor back."""
        self._socket.close()
