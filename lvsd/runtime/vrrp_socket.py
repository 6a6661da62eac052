"""The raw socket on which one interface's VRRP advertisements go out and come in. Needs CAP_NET_RAW."""

from __future__ import annotations

import socket
import struct

from lvsd.vrrp.packet import GROUP, PACKET_LIMIT_BYTES, VRRP_PROTOCOL

READS_A_WAKE = 64
"""Packets taken before the timers have their turn: nobody keeps us from advertising by sending much."""

_PRIORITY_CONTROL = 6  # TC_PRIO_INTERACTIVE, the highest an ordinary process may ask for
_IP_MULTICAST_ALL = 49
_MREQN = struct.Struct("=4s4si")


class VrrpSocket:
    """Advertisements of all virtual routers on one interface; whole IPv4 packets, in and out."""

    def __init__(self, interface: str, index: int) -> None:
        """Join the group on the interface. Raises OSError: no privilege, the interface is gone."""
        self.index = index
        self._socket = socket.socket(socket.AF_INET, socket.SOCK_RAW | socket.SOCK_NONBLOCK, VRRP_PROTOCOL)
        try:
            self._prepare(interface)
        except OSError:
            self._socket.close()
            raise

    def _prepare(self, interface: str) -> None:
        raw, group = self._socket, socket.inet_aton(GROUP)
        here = _MREQN.pack(group, bytes(4), self.index)
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_BINDTODEVICE, interface.encode() + b"\0")
        raw.setsockopt(socket.SOL_SOCKET, socket.SO_PRIORITY, _PRIORITY_CONTROL)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_HDRINCL, 1)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_IF, here)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_MULTICAST_LOOP, 0)
        raw.setsockopt(socket.IPPROTO_IP, _IP_MULTICAST_ALL, 0)
        raw.setsockopt(socket.IPPROTO_IP, socket.IP_ADD_MEMBERSHIP, here)
        raw.bind((GROUP, 0))  # what is sent to another address is not for us

    def fileno(self) -> int:
        """For the poll."""
        return self._socket.fileno()

    def send(self, packet: bytes) -> None:
        """One packet to the group. Raises OSError: the interface is down, a filter forbids it."""
        self._socket.sendto(packet, socket.MSG_DONTROUTE, (GROUP, 0))

    def receive(self) -> list[bytes]:
        """What has come, READS_A_WAKE packets at most. Never blocks. An interface that goes down is no error."""
        packets: list[bytes] = []
        for _ in range(READS_A_WAKE):
            try:
                packets.append(self._socket.recv(PACKET_LIMIT_BYTES))
            except BlockingIOError:
                break
            except OSError:  # ENETDOWN and the like are said once, and the link's own news follow
                break
        return packets

    def close(self) -> None:
        """Leave the group and give the descriptor back."""
        self._socket.close()
