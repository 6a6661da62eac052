"""Whether the real servers of a service are suspected to have failed only for the checker. Pure."""

from __future__ import annotations

from dataclasses import replace

from checkers.core.messages import State
from config.checks import NoCheck
from config.model import RealServer, VirtualService
from lvsd.core import correlation, pool_words, witnesses
from lvsd.core.correlation import Circumstances, Found
from lvsd.core.effects import Effect, HurryChecks, RememberOverrides
from lvsd.core.health import checked_state, in_maintenance, numbered_checks, serves, taken_out, worst_check
from lvsd.core.identity import endpoint_text, real_id
from lvsd.core.pool_state import Override, OverrideKind, Pool, Suspicion
from lvsd.core.state import Director


def of(director: Director, before: Pool, virtual: VirtualService, now: float) -> tuple[Suspicion | None, list[Effect]]:
    """The suspicion of now, and who of the suspects is to be probed at once."""
    return _hurried(director, _suspicion(director, before, virtual, now), virtual, now)


def is_open(suspicion: Suspicion | None) -> bool:
    """Whether there is one, and it is not known yet whether it is right."""
    return suspicion is not None and not suspicion.confirmed


def is_settled(suspicion: Suspicion | None, name: str) -> bool:
    """Whether the failure of this real server was suspected, and turned out to be its own."""
    return suspicion is not None and suspicion.confirmed and name in suspicion.members


def called_back(
    director: Director, virtual: VirtualService, suspicion: Suspicion | None
) -> tuple[Director, list[Effect]]:
    """Those that await a person since they failed, and are suspected with others now: their failure does not count yet.

    Without them a rule that is to keep a checker's fault from emptying a service would come too late for the first.
    """
    if suspicion is None or suspicion.confirmed or not director.overrides:
        return director, []
    called = {name: one for name in suspicion.members if (one := _awaiting(director, name)) is not None}
    if not called:
        return director, []
    kept = {name: one for name, one in director.overrides.items() if name not in called}
    told = [
        pool_words.of_override_end(virtual.name, endpoint_text(real.address, real.port), called[name], "suspected")
        for real in virtual.real_servers
        if (name := real_id(virtual, real)) in called
    ]
    return replace(director, overrides=kept), [RememberOverrides(kept), *told]


def _awaiting(director: Director, name: str) -> Override | None:
    override = director.overrides.get(name) if director.overrides else None
    return override if override is not None and override.kind is OverrideKind.AWAIT else None


def _suspicion(director: Director, before: Pool, virtual: VirtualService, now: float) -> Suspicion | None:
    rule = virtual.rules.correlated_failure
    if rule is None:
        return None
    probed = [one for one in virtual.real_servers if not isinstance(one.check.kind, NoCheck)]
    timings = [check.timing for one in probed for check in one.checks]
    if not timings:
        return None
    interval = max(one.interval for one in timings)
    span = correlation.window(interval, max(one.timeout for one in timings))
    found = {
        real_id(virtual, one): _found(director, before, virtual, one)
        for one in probed
        if _is_of_note(director, before, virtual, one, now - span)
    }
    pending = before.suspicion
    if pending is None:
        return correlation.suspected(rule, found, now, span)
    sound = pending.confirmed or witnesses.is_sound(director, virtual, pending)
    return correlation.reviewed(pending, found, now, Circumstances(interval * rule.hold, sound))


def _is_of_note(director: Director, before: Pool, virtual: VirtualService, real: RealServer, begin: float) -> bool:
    """Whether what its checks say is news: it is not taken out, or only since it failed after `begin`."""
    if not taken_out(director, virtual, real):
        return True
    name = real_id(virtual, real)
    failed = before.failed_at.get(name)
    awaits = _awaiting(director, name) is not None and not in_maintenance(director.maintenance, real)
    return awaits and failed is not None and failed >= begin


def _hurried(
    director: Director, suspicion: Suspicion | None, virtual: VirtualService, now: float
) -> tuple[Suspicion | None, list[Effect]]:
    """The suspicion, and who of the suspects is to be probed now."""
    if suspicion is None or suspicion.confirmed or now - suspicion.hurried_at < correlation.HURRY_SECONDS:
        return suspicion, []
    checks = [
        identity
        for real in virtual.real_servers
        if real_id(virtual, real) in suspicion.members
        for identity, check in numbered_checks(virtual, real)
        if (verdict := director.verdicts.get(identity)) is not None
        and correlation.is_overdue(suspicion, verdict.probed_at, now, check.timing.interval)
    ]
    return replace(suspicion, hurried_at=now), [HurryChecks(tuple(checks))] if checks else []


def _found(director: Director, before: Pool, virtual: VirtualService, real: RealServer) -> Found:
    verdict, name = worst_check(director, virtual, real)[1], real_id(virtual, real)
    was_up = director.announced.get(name) is State.UP  # be it without weight, or standing by
    return Found(
        checked_state(director, virtual, real),
        verdict.since if verdict is not None else 0.0,
        verdict.probed_at if verdict is not None else 0.0,
        was_up or serves(director, virtual, real),
        before.failed_at.get(name),
    )
