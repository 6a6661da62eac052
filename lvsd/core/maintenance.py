"""A person takes real servers out of service by name: what there is to tell of it. Pure."""

from __future__ import annotations

from dataclasses import replace

from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.health import address_in, checked_state, in_maintenance
from lvsd.core.identity import endpoint_text
from lvsd.core.state import Director


def seen(director: Director, names: frozenset[str]) -> tuple[Director, list[Effect]]:
    """The names are others now: tell of every real server whom that concerns, and what its checks say meanwhile."""
    told: list[Effect] = []
    differ = names ^ director.maintenance
    addresses = frozenset(map(address_in, differ))
    for virtual in director.config.services if differ else ():
        for real in virtual.real_servers:
            if real.address not in addresses:  # by far the most
                continue
            was, now = in_maintenance(director.maintenance, real), in_maintenance(names, real)
            if was is not now:
                event = "real_server_in_maintenance" if now else "real_server_back_from_maintenance"
                server = endpoint_text(real.address, real.port)
                fields = {"service": virtual.name, "real_server": server}
                told.append(Tell(Level.INFO, event, {**fields, "state": checked_state(director, virtual, real).value}))
    return replace(director, maintenance=names), told
