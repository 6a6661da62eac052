"""The latencies that a worker reports, folded into the belief of those services whose weights follow them. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from checkers.core.messages import State, Verdict, Verdicts
from checkers.core.outcome import Healthy
from config.model import VirtualService
from config.pool_rules import WHOLE
from config.words import WEIGHING_SCHEDULERS
from lvsd.core import latency
from lvsd.core.health import ramp_of, standing_state
from lvsd.core.identity import real_id, service_key
from lvsd.core.pool_state import NO_POOL, Pool
from lvsd.core.state import Director, Services
from netlink.table import ServiceKey


def heard(director: Director, message: Verdicts, now: float) -> tuple[Director, Services]:
    """The belief with these latencies, and the services whose weights follow."""
    touched: dict[ServiceKey, list[Verdict]] = {}
    services: dict[ServiceKey, VirtualService] = {}
    for verdict in message.verdicts:
        checked = director.checks.get(verdict.id)
        if checked is None or not follows(checked.service) or verdict.id != real_id(checked.service, checked.real):
            continue
        key = service_key(checked.service.virtual)
        services[key] = checked.service
        touched.setdefault(key, []).append(verdict)
    if not touched:  # by far the most
        return director, {}
    pools = dict(director.pools)
    due: dict[ServiceKey, VirtualService] = {}
    for key, verdicts in touched.items():
        before = director.pools.get(key, NO_POOL)
        pools[key] = after = _measured(director, services[key], before, verdicts, now)
        if _shares(after) != _shares(before):
            due[key] = services[key]
    return replace(director, pools=pools), due


def follows(virtual: VirtualService) -> bool:
    """Whether its weights follow latencies."""
    return virtual.rules.latency_weights is not None and virtual.scheduler in WEIGHING_SCHEDULERS


def _measured(director: Director, virtual: VirtualService, before: Pool, verdicts: list[Verdict], now: float) -> Pool:
    """Who is not up, or on its way to its whole weight, is not compared; what was known of it is forgotten."""
    rule = virtual.rules.latency_weights
    speeds = dict(before.speeds)
    for verdict in verdicts:
        if isinstance(verdict.outcome, Healthy) and verdict.probes:
            speeds[verdict.id] = latency.measured(speeds.get(verdict.id), verdict.latency, verdict.probed_at)
    serving = {
        real_id(virtual, real)
        for real in virtual.real_servers
        if standing_state(director, virtual, real) is State.UP and ramp_of(director, virtual, real) is None
    }
    compared = {name: speed for name, speed in speeds.items() if name in serving}
    return replace(before, speeds=compared if rule is None else latency.shared(rule, compared, now))


def _shares(pool: Pool) -> Mapping[str, int]:
    return {name: one.share for name, one in pool.speeds.items() if one.share != WHOLE}
