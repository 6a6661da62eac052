"""Accept mode: what comes for the addresses of an active router is for IPVS alone (RFC 9568 section 6.1).

Only while it is active: a balancer that is also a real server holds the address elsewhere meanwhile, and is to answer.
"""

from __future__ import annotations

from collections.abc import Iterable

from lvsd.runtime.journal import tell
from lvsd.runtime.vrrp_router import Network
from lvsd.vrrp.messages import Role
from lvsd.vrrp.state import OWNER_PRIORITY, Instance
from netlink.errors import NetlinkError


class AcceptMode:
    """Of all instances, on one Network."""

    def __init__(self, network: Network) -> None:
        """All is accepted."""
        self._network = network
        self._asked: frozenset[str] = frozenset()
        self._told: set[str] = set()  # instances whose addresses are accepted though they should not be

    def keep(self, instances: Iterable[Instance]) -> None:
        """Have dropped what should be, as they are now. Where that cannot be, it is accepted, and told."""
        refusing = [one for one in instances if _refuses(one)]
        wanted = frozenset(address.address for one in refusing for address in one.config.addresses)
        if wanted == self._asked:
            return
        self._asked = wanted
        try:
            self._network.drop(wanted)
        except NetlinkError as error:
            for name in sorted({one.config.name for one in refusing} - self._told):
                tell("warning", "virtual_addresses_accepted", instance=name, error=str(error))
                self._told.add(name)
            return
        self._told.clear()


def _refuses(instance: Instance) -> bool:
    """The owner accepts, whatever is configured."""
    config = instance.config
    return instance.role is Role.ACTIVE and not config.accept and config.priority != OWNER_PRIORITY
