"""Real servers a person took out of service by name. Pure.

A name is `ADDRESS` (all its ports) or `ADDRESS:PORT`, an IPv6 address in brackets where a port follows.
"""

from __future__ import annotations

from dataclasses import replace

from config.model import RealServer
from lvsd.core.effects import Effect, Level, Tell
from lvsd.core.identity import endpoint_text
from lvsd.core.state import Director


def in_maintenance(names: frozenset[str], real: RealServer) -> bool:
    """Whether one of the names means this real server."""
    if not names:
        return False
    return not names.isdisjoint((real.address, f"[{real.address}]", endpoint_text(real.address, real.port)))


def seen(director: Director, names: frozenset[str]) -> tuple[Director, list[Effect]]:
    """The names are others now: tell of every real server whom that concerns."""
    told: list[Effect] = []
    for virtual in director.config.services:
        for real in virtual.real_servers:
            was, now = in_maintenance(director.maintenance, real), in_maintenance(names, real)
            if was is not now:
                event = "real_server_in_maintenance" if now else "real_server_back_from_maintenance"
                fields = {"service": virtual.name, "real_server": endpoint_text(real.address, real.port)}
                told.append(Tell(Level.INFO, event, fields))
    return replace(director, maintenance=names), told
