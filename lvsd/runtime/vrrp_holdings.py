"""What this machine holds because of VRRP: takes addresses and gives them back, and keeps the held file true."""

from __future__ import annotations

from collections.abc import Iterable, ValuesView

from config.model import VirtualAddress, VrrpInstance
from lvsd.runtime.journal import tell
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_router import Network, Router, bare
from lvsd.vrrp.messages import Role
from lvsd.vrrp.sight import Sight, lost_addresses
from netlink.errors import NetlinkError


class Holdings:
    """Of all virtual routers, and of a predecessor until an instance takes it over or `disown`."""

    def __init__(self, network: Network, held_file: HeldFile, routers: ValuesView[Router]) -> None:
        """`routers` are looked at again and again."""
        self._network = network
        self._held_file = held_file
        self._routers = routers
        self._inherited = set(held_file.inherited)
        self._unwritten = False  # the held file could not be written, and that was told

    def were_of(self, config: VrrpInstance, sight: Sight) -> bool:
        """Whether a predecessor held all of the instance's addresses, and they are all still there."""
        ours = not self._held_file.known or self._inherited.issuperset(map(bare, config.addresses))
        return ours and not lost_addresses(config, sight)

    def claim(self, router: Router, addresses: tuple[VirtualAddress, ...]) -> bool:
        """Put the addresses where they belong; whether all are there."""
        self.write(addresses)
        whole = self._raise(router.instance.config)
        for address in addresses:
            try:
                self._network.add(address)
                router.held.add(bare(address))
            except NetlinkError as error:
                tell("error", "virtual_address_not_added", address=address.address, error=str(error))
                whole = False
        self.write()
        return whole

    def _raise(self, config: VrrpInstance) -> bool:
        try:
            return not config.virtual_mac or self._network.raise_macvlan(config.virtual_mac, up=True)
        except NetlinkError as error:
            tell("error", "virtual_mac_not_raised", interface=config.virtual_mac, error=str(error))
            return False

    def release(self, router: Router, addresses: tuple[VirtualAddress, ...]) -> None:
        """Take the addresses off."""
        config = router.instance.config
        if config.virtual_mac and router.instance.role is not Role.ACTIVE:
            self._lower(config.virtual_mac)
        for address in addresses:
            self._delete(address)
        router.held.difference_update(map(bare, addresses))
        self._inherited.difference_update(map(bare, addresses))
        self.write()

    def _lower(self, name: str) -> None:
        """Before its addresses go: leaving their multicast groups it would be heard with the virtual MAC once more."""
        try:
            self._network.raise_macvlan(name, up=False)
        except NetlinkError as error:
            tell("error", "virtual_mac_not_lowered", interface=name, error=str(error))

    def _delete(self, address: VirtualAddress) -> None:
        try:
            self._network.delete(address)
        except NetlinkError as error:
            tell("error", "virtual_address_not_removed", address=address.address, error=str(error))

    def disown(self) -> None:
        """Remove what a predecessor left and no instance holds now."""
        held = set().union(*(router.held for router in self._routers))
        for address in sorted(self._inherited - held, key=lambda one: (one.interface, one.address)):
            tell("warning", "leftover_address_removed", address=address.address, interface=address.interface)
            self._delete(address)
        self._inherited.clear()
        self.write()

    def write(self, coming: Iterable[VirtualAddress] = ()) -> None:
        """Have the file name all that is held, and what is `coming`."""
        held = self._inherited.union(map(bare, coming), *(router.held for router in self._routers))
        try:
            self._held_file.write(frozenset(held))
        except OSError as error:
            if not self._unwritten:
                tell("error", "held_file_not_written", error=str(error))
            self._unwritten = True
            return
        self._unwritten = False
