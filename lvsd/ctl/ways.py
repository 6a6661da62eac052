"""How a drill's packets leave a balancer as a client's would, wherever the virtual address is.

A local connection is scheduled by the local IPVS even when the address is elsewhere. Over IPv4 a raw socket with
IP_NODEFRAG is let pass (net/netfilter/ipvs/ip_vs_core.c, ip_vs_in_hook): the kernel routes it to whoever has the
address. Over IPv6 there is no such word, so that frames are sent: through the loopback interface while the address is
here, which IPVS takes for a client's packet, and to the MAC that was announced for it when it is elsewhere.
"""

from __future__ import annotations

import contextlib
import socket
from ipaddress import IPv6Address
from pathlib import Path
from typing import Final

from lvsd.ctl.taps import ETH_P_IPV6

IP_NODEFRAG: Final = 22
ADDRESSES6: Final = Path("/proc/net/if_inet6")
LOOPBACK, NO_MAC = "lo", bytes(6)


class Way4:
    """Needs CAP_NET_RAW. Raises OSError."""

    def __init__(self) -> None:
        """One raw socket."""
        self._raw = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)
        self._raw.setsockopt(socket.IPPROTO_IP, IP_NODEFRAG, 1)
        self._raw.setblocking(False)

    def send(self, address: str, packet: bytes) -> None:
        """A whole packet to the address. No route, no room: a probe that is not answered, which is what counts."""
        with contextlib.suppress(OSError):
            self._raw.sendto(packet, (address, 0))

    def announced(self, address: str, mac: str) -> None:
        """The kernel has its own table of neighbours."""

    def close(self) -> None:
        """Give the descriptor back."""
        self._raw.close()


class Way6:
    """Frames on `interface`. Needs CAP_NET_RAW. Raises OSError."""

    def __init__(self, interface: str) -> None:
        """One packet socket, which hears nothing."""
        self._interface = interface
        self._macs: dict[str, bytes] = {}
        self._frames = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, 0)
        self._frames.setblocking(False)

    def send(self, address: str, packet: bytes) -> None:
        """A whole packet to the address, if it is known where that is."""
        here = _is_here(address)
        mac = NO_MAC if here else self._macs.get(address)
        if mac is None:
            return
        with contextlib.suppress(OSError):
            self._frames.sendto(packet, (LOOPBACK if here else self._interface, ETH_P_IPV6, 0, 0, mac))

    def announced(self, address: str, mac: str) -> None:
        """Another router said that it has the address, as every client hears."""
        self._macs[address] = bytes.fromhex(mac.replace(":", ""))

    def close(self) -> None:
        """Give the descriptor back."""
        self._frames.close()


def _is_here(address: str) -> bool:
    """Whether one of our interfaces has it."""
    return f"{IPv6Address(address).packed.hex()} " in ADDRESSES6.read_text(encoding="ascii")


def local_towards(address: str) -> str:
    """The address that packets of ours to this one come from; empty: there is no way."""
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with contextlib.suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
        probe.connect((address, 9))
        return str(probe.getsockname()[0])
    return ""
