"""How a drill's packets leave a balancer as a client's would, wherever the virtual address is.

A client sends to the MAC that was announced last, and so do we once another router announced an address, also while
ours still has it (it is frozen): by frames, which no IPVS of ours sees. While nobody else has it, packets have to come
to our own IPVS as a client's. Over IPv4 by a raw socket with IP_NODEFRAG, which IPVS lets pass on their way out
(net/netfilter/ipvs/ip_vs_core.c, ip_vs_in_hook), so that they come back in; over IPv6, where there is no such word, by
frames on the loopback interface.
"""

from __future__ import annotations

import contextlib
import socket
from typing import Final

from lvsd.ctl.taps import ETH_P_IP, ETH_P_IPV6

IP_NODEFRAG: Final = 22
LOOPBACK, NO_MAC = "lo", bytes(6)


class Way:
    """Of one family, on `interface`. Needs CAP_NET_RAW. Raises OSError."""

    def __init__(self, interface: str, *, ipv6: bool) -> None:
        """A packet socket, which hears nothing, and over IPv4 a raw one."""
        self._interface, self._ipv6 = interface, ipv6
        self._protocol = ETH_P_IPV6 if ipv6 else ETH_P_IP
        self._macs: dict[str, bytes] = {}
        self._away: set[str] = set()
        with contextlib.ExitStack() as stack:
            self._frames = stack.enter_context(socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0))
            self._frames.setblocking(False)
            if not ipv6:
                self._raw = stack.enter_context(socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW))
                self._raw.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
                self._raw.setblocking(False)
            self._resources = stack.pop_all()

    def send(self, address: str, packet: bytes) -> None:
        """A whole packet to the address. No route, no room: a probe that is not answered, which is what counts."""
        mac = self._macs.get(address)
        with contextlib.suppress(OSError):
            if mac is not None:
                self._frames.sendto(packet, (self._interface, self._protocol, 0, 0, mac))
            elif not self._ipv6:
                self._raw.sendto(packet, (address, 0))
            elif address not in self._away:
                self._frames.sendto(packet, (LOOPBACK, self._protocol, 0, 0, NO_MAC))

    def announced(self, address: str, mac: str) -> None:
        """Another router said that it has the address, as every client hears."""
        self._macs[address] = bytes.fromhex(mac.replace(":", ""))

    def came(self, address: str) -> None:
        """We have the address, and announce it."""
        self._away.discard(address)
        self._macs.pop(address, None)

    def went(self, address: str) -> None:
        """We do not have it any more. Whoever takes it will say so."""
        self._away.add(address)

    def close(self) -> None:
        """Give the descriptors back."""
        self._resources.close()


def local_towards(address: str) -> str:
    """The address that packets of ours to this one come from; empty: there is no way."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])
    return ""
