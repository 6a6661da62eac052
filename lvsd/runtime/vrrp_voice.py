"""What a virtual router says: advertisements, whispers to one router, announcements to all hosts."""

from __future__ import annotations

import contextlib
from collections.abc import Iterable

from config.model import VirtualAddress
from lvsd.runtime.journal import tell
from lvsd.runtime.vrrp_router import Network, Router, place_of
from lvsd.vrrp.frames import MAC_BYTES, announcement, multicast
from lvsd.vrrp.ip import packed
from lvsd.vrrp.packet import Kind, Wire, encode
from lvsd.vrrp.sight import Sight
from lvsd.vrrp.virtual_mac import mac_of

IDENTIFICATION_LIMIT = 0xFFFF


class Voice:
    """Speaks over a Network."""

    def __init__(self, network: Network) -> None:
        """Nothing is said yet."""
        self._network = network

    def advertise(self, router: Router, priority: int) -> None:
        """To the group or to each peer. What cannot be said is told once."""
        if router.wire is None:
            return
        _count(router)
        try:
            self._to_all(router, router.wire, priority)
        except OSError as error:
            if not router.mute:
                tell("error", "advertisement_not_sent", instance=router.instance.config.name, error=str(error))
            router.mute = True
            return
        router.sent += 1
        router.mute = False

    def _to_all(self, router: Router, wire: Wire, priority: int) -> None:
        """One peer that cannot be reached keeps it from none of the others.

        To the group from the virtual MAC, where there is one (RFC 9568 section 5.1.1.1); switches learn by it. As a
        frame upon the interface below, since the macvlan is not raised yet when the first advertisement goes out.
        """
        config = router.instance.config
        if config.virtual_mac and not wire.peers:
            packet = encode(wire, priority, router.identification)
            mac = mac_of(config.virtual_router_id, ipv6=config.ipv6)
            self._network.announce(config.interface, multicast(mac, wire.source, packet))
            return
        failed: OSError | None = None
        for destination in wire.destinations:
            packet = encode(wire, priority, router.identification, destination)
            try:
                self._network.send(place_of(config), packet, wire.source, destination)
            except OSError as error:
                failed = error
        if failed is not None:
            raise failed

    def whisper(self, router: Router, kind: Kind, priority: int, to: str) -> None:
        """To one router. Nobody depends on it, so that a failure is not told."""
        if router.wire is None:
            return
        _count(router)
        destination = packed(to)
        words = encode(router.wire, priority, router.identification, destination, kind)
        with contextlib.suppress(OSError):
            self._network.send(place_of(router.instance.config), words, router.wire.source, destination)

    def announce(self, addresses: Iterable[VirtualAddress], rounds: int, sight: Sight) -> None:
        """Where these addresses are, by gratuitous ARP and neighbour advertisements: all in turn, `rounds` times."""
        frames = [
            (address.interface, announcement(interface.mac, address.address, router=sight.forwards_ipv6))
            for address in addresses
            if (interface := sight.interfaces.get(address.interface)) and len(interface.mac) == MAC_BYTES
        ]
        try:
            for _ in range(rounds):
                for interface_name, frame in frames:
                    self._network.announce(interface_name, frame)
        except OSError as error:
            tell("warning", "announcement_not_sent", error=str(error))


def _count(router: Router) -> None:
    router.identification = router.identification % IDENTIFICATION_LIMIT + 1
