"""Keeps the interfaces with virtual routers' MACs: there while they are configured, and gone with the last word."""

from __future__ import annotations

from collections.abc import Iterable
from math import inf

from config.model import VrrpInstance
from lvsd.runtime.journal import tell
from lvsd.runtime.vrrp_router import Network
from lvsd.vrrp.sight import Sight
from lvsd.vrrp.virtual_mac import Macvlan, before_of, fits, is_ours, is_ready, noted_below, unwanted, wanted
from netlink.errors import NetlinkError

AGAIN_SECONDS = 5.0


class VirtualMacs:
    """Of all instances, on one Network."""

    def __init__(self, network: Network) -> None:
        """Nothing is made yet."""
        self._network = network
        self._unmade: dict[str, float] = {}  # could not be made, which was told, and when to try again

    @property
    def again_at(self) -> float:
        """When to call `keep` again, whatever happens."""
        return min(self._unmade.values(), default=inf)

    def keep(self, configs: Iterable[VrrpInstance], sight: Sight, now: float) -> bool:
        """Have what these need. Whether anything was changed, so that there is something new to see."""
        changed = False
        for needed in wanted(configs).values():
            there = sight.interfaces.get(needed.name)
            if needed.parent not in sight.interfaces or (there is not None and is_ready(needed, there, sight)):
                continue
            if there is not None and not fits(needed, there, sight):
                if not is_ours(there):
                    continue  # a stranger's: the instance has a fault
                self._remove(needed.name, sight)
            if now >= self._unmade.get(needed.name, now):  # what is taken away again is news, and brings us back here
                changed |= self._make(needed, sight, now)
        return changed

    def _make(self, needed: Macvlan, sight: Sight, now: float) -> bool:
        try:
            self._network.make_macvlan(needed, noted_below(sight.interfaces[needed.parent].index, sight, needed.name))
        except (NetlinkError, OSError, ValueError) as error:
            if needed.name not in self._unmade:
                tell("error", "virtual_mac_not_made", interface=needed.name, error=str(error))
            self._unmade[needed.name] = now + AGAIN_SECONDS
            return False
        self._unmade.pop(needed.name, None)
        tell("info", "virtual_mac_made", interface=needed.name, on=needed.parent, mac=needed.mac.hex(":"))
        return True

    def prune(self, configs: Iterable[VrrpInstance]) -> None:
        """Remove ours, also a predecessor's, that none of these needs."""
        needed = wanted(configs)
        self._unmade = {name: at for name, at in self._unmade.items() if name in needed}
        try:
            sight = self._network.look()
            for name in unwanted(needed, sight):
                self._remove(name, sight)
                sight = self._network.look()
        except NetlinkError as error:
            tell("error", "virtual_mac_not_removed", error=str(error))

    def _remove(self, name: str, sight: Sight) -> None:
        """What was set below for the sake of all of ours goes back with the last of them."""
        there = sight.interfaces[name]
        before = before_of(there)
        below = next((one for one, found in sight.interfaces.items() if found.index == there.parent), "")
        last = before is not None and noted_below(there.parent, sight, name) is None
        try:
            self._network.remove_macvlan(name, (below, before) if last and below and before is not None else None)
        except (NetlinkError, OSError, ValueError) as error:
            tell("error", "virtual_mac_not_removed", interface=name, error=str(error))
            return
        tell("info", "virtual_mac_removed", interface=name)
