"""Makes and removes the interfaces that carry a virtual router's MAC. Needs CAP_NET_ADMIN.

What an interface does with ARP and router advertisements is set under /proc/sys, before it is up for the first time.
"""

from __future__ import annotations

import contextlib
import errno
from pathlib import Path

from lvsd.vrrp.virtual_mac import QUIET, Macvlan, alias_of
from netlink.errors import NetlinkError
from netlink.route_socket import RouteSocket

SETTINGS = Path("/proc/sys/net")

OWN4 = (("arp_ignore", 1), ("arp_announce", 2), ("rp_filter", 2), ("promote_secondaries", 1))
"""It answers for its own addresses alone. Clients' packets come in by it and their answers leave by the interface
below, which a strict rp_filter would not have; the greater of this and `all` counts, so that 2 is loose in any case."""

OWN6 = (("addr_gen_mode", 1), ("accept_ra", 0), ("autoconf", 0))
"""No address and no route comes to it by itself."""

_BELOW = ("arp_ignore", "arp_announce")


def make(routes: RouteSocket, needed: Macvlan, noted: tuple[int, int] | None) -> None:
    """Make the interface, down, or take over the one that is there. Raises NetlinkError, OSError.

    `noted`: what others upon the same interface know of its settings before all of us.
    """
    links = routes.links()
    if needed.name in links:
        _settle(routes, links[needed.name].index, needed, noted)
        return
    if needed.parent not in links:
        text = f"interface {needed.parent} does not exist"
        raise NetlinkError(text, errno=errno.ENODEV)
    routes.add_macvlan(needed.name, links[needed.parent].index, needed.mac)
    made = routes.links()[needed.name].index
    try:
        _settle(routes, made, needed, noted)
    except (NetlinkError, OSError):
        routes.delete_link(made)
        raise


def _settle(routes: RouteSocket, index: int, needed: Macvlan, noted: tuple[int, int] | None) -> None:
    """Its settings, those below it, and last the mark: what bears it is complete."""
    before = (noted or (_read(needed.parent, _BELOW[0]), _read(needed.parent, _BELOW[1]))) if needed.quiet else None
    for key, value in OWN4:
        _write("ipv4", needed.name, key, value)
    for key, value in OWN6:
        with contextlib.suppress(FileNotFoundError):  # no IPv6 here
            _write("ipv6", needed.name, key, value)
    if needed.quiet:
        for key, value in zip(_BELOW, QUIET, strict=True):
            if _read(needed.parent, key) < value:
                _write("ipv4", needed.parent, key, value)
    routes.set_alias(index, alias_of(before))


def restore(parent: str, before: tuple[int, int]) -> None:
    """Give the interface below its settings back, those that still are as we made them. Raises OSError."""
    for key, ours, theirs in zip(_BELOW, QUIET, before, strict=True):
        if _read(parent, key) == ours != theirs:
            _write("ipv4", parent, key, theirs)


def _read(interface: str, key: str) -> int:
    return int((SETTINGS / "ipv4" / "conf" / interface / key).read_text(encoding="ascii"))


def _write(family: str, interface: str, key: str, value: int) -> None:
    (SETTINGS / family / "conf" / interface / key).write_text(f"{value}\n", encoding="ascii")
