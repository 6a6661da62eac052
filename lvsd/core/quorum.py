"""Whether enough of a virtual service's real servers are up, with memory: who is to serve, they or the fallback. Pure.

W is the sum of the weights of the real servers that are up. The quorum is gained with W >= quorum + hysteresis, and
lost with W < quorum - hysteresis or W = 0; between the two what was stays. What is not known yet may still be up: as
long as that could make the difference nothing is lost, so that no fallback server shows up at every start.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import replace

from checkers.core.messages import State
from config.model import Config, RealServer, VirtualService
from config.pool_rules import FloorAction
from lvsd.core import fallback
from lvsd.core.health import effective_weight, greatest_weight, sound_state
from lvsd.core.identity import service_key
from lvsd.core.state import Director
from netlink.table import DestinationKey, Entry, ServiceKey, Table


def reckoned(director: Director, services: Iterable[VirtualService]) -> Director:
    """The same belief with the quorum of these services decided anew."""
    gained: dict[ServiceKey, bool] = {}
    for virtual in services:
        key = service_key(virtual.virtual)
        before = director.quorum.get(key)
        decided = _decided(director, virtual, before)
        if decided is not None and decided is not before:
            gained[key] = decided
    return replace(director, quorum={**director.quorum, **gained}) if gained else director


def _decided(director: Director, virtual: VirtualService, before: bool | None) -> bool | None:
    """Gained, lost, or None: not known yet."""
    if floor_action(director, virtual) in (FloorAction.SORRY, FloorAction.WITHDRAW):
        return False
    certain = possible = 0
    undecided = False
    for real in virtual.real_servers:
        match sound_state(director, virtual, real):
            case State.UP:
                weight = effective_weight(director, virtual, real)
                certain += weight
                possible += weight
            case State.UNKNOWN:
                undecided = True
                possible += greatest_weight(real)
            case State.DOWN:
                pass
    if certain and certain >= virtual.quorum + virtual.hysteresis:
        return True
    if not possible or possible < virtual.quorum - virtual.hysteresis:
        return False
    # Between the thresholds, and nothing remembered: real servers that could serve do.
    return True if before is None and not undecided else before


def adopted(config: Config, table: Table) -> Mapping[ServiceKey, bool]:
    """What the kernel's table tells of quorums decided by a predecessor: where the fallback servers serve alone."""
    lost: dict[ServiceKey, bool] = {}
    for virtual in config.services:
        key = service_key(virtual.virtual)
        held = table.get(key)
        if held is not None and serving(held, virtual.fallback) and not serving(held, virtual.real_servers):
            lost[key] = False
    return lost


def serving(held: Entry, servers: tuple[RealServer, ...]) -> int:
    """The sum of the weights these servers have in the kernel."""
    keys = (DestinationKey(one.address, one.port) for one in servers)
    return sum(held.destinations[key].weight for key in keys if key in held.destinations)


def floor_action(director: Director, virtual: VirtualService) -> FloorAction | None:
    """What a broken floor asks for; None while it holds."""
    if virtual.rules.floor is None:
        return None
    pool = director.pools.get(service_key(virtual.virtual))
    return virtual.rules.floor.action if pool is not None and pool.broken else None


def fallback_serves(director: Director, virtual: VirtualService) -> bool:
    """Whether the fallback servers have their turn, be there any or not where a broken floor takes all others out.

    Such without any weight cannot take it, nor such whose checks fail.
    """
    if floor_action(director, virtual) is FloorAction.WITHDRAW:
        return True
    return director.quorum.get(service_key(virtual.virtual)) is False and bool(fallback.able(director, virtual))
