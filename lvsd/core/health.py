"""What is believed of a real server: all its checks and the administrator's word, taken together. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from checkers.core.messages import State, Verdict
from config.checks import AgentCheck, Check, ExternalCheck, FollowCheck, NoCheck
from config.model import RealServer, VirtualService
from config.pool_rules import WHOLE
from config.words import WEIGHING_SCHEDULERS, Initial
from lvsd.core import latency, slow_start
from lvsd.core.identity import check_id, endpoint_text, real_id, service_key
from lvsd.core.pool_state import Hold, OverrideKind, Ramp
from lvsd.core.state import Director
from netlink.table import DestinationKey

WEIGHT_LIMIT = 2**31 - 1  # the kernel's: what a worker reports is not to exceed it

OUT = (OverrideKind.DISABLE, OverrideKind.DRAINED, OverrideKind.AWAIT)
"""Words by which a real server is out."""

_WORST_FIRST = {State.DOWN: 0, State.UNKNOWN: 1, State.UP: 2}


def in_maintenance(names: frozenset[str], real: RealServer) -> bool:
    """Whether one of the names means this real server.

    `ADDRESS` means all its ports, `ADDRESS:PORT` one; an IPv6 address stands in brackets where a port follows.
    """
    if not names:
        return False
    return not names.isdisjoint((real.address, f"[{real.address}]", endpoint_text(real.address, real.port)))


def address_in(name: str) -> str:
    """The address in such a name."""
    if name.startswith("["):
        return name[1:].partition("]")[0]
    return name if name.count(":") > 1 else name.partition(":")[0]


def taken_out(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether it is out by a person's word, or until a person's word; one that is drained stays, without weight."""
    if director.overrides:
        override = director.overrides.get(real_id(virtual, real))
        if override is not None and override.kind in OUT:
            return True
    return in_maintenance(director.maintenance, real)


def overriding_weight(director: Director, virtual: VirtualService, real: RealServer) -> int | None:
    """The weight a person gave it, None when nobody did."""
    override = director.overrides.get(real_id(virtual, real)) if director.overrides else None
    return override.weight if override is not None else None


def standing_state(director: Director, virtual: VirtualService, real: RealServer) -> State:
    """Whether a real server may serve: up when enough of its checks are, down when too few can be or a person said so.

    Unless the rules for the service's real servers together have the last word.
    """
    if taken_out(director, virtual, real):
        return State.DOWN
    hold = hold_on(director, virtual, real) if director.pools else None
    if hold is not None:
        return State.DOWN if hold in (Hold.FLAPPING, Hold.UNANSWERED) else State.UP
    return checked_state(director, virtual, real)


def hold_on(director: Director, virtual: VirtualService, real: RealServer) -> Hold | None:
    """Why it stands otherwise than its checks say."""
    pool = director.pools.get(service_key(virtual.virtual)) if director.pools else None
    return pool.held.get(real_id(virtual, real)) if pool is not None and pool.held else None


def ramp_of(director: Director, virtual: VirtualService, real: RealServer) -> Ramp | None:
    """How far it is on its way to its whole weight; None: it has it."""
    pool = director.pools.get(service_key(virtual.virtual)) if director.pools else None
    return pool.ramps.get(real_id(virtual, real)) if pool is not None and pool.ramps else None


def sound_state(director: Director, virtual: VirtualService, real: RealServer) -> State:
    """As `standing_state`, but one that serves only because too few are left is down: it makes no quorum."""
    if director.pools and hold_on(director, virtual, real) is Hold.FLOOR:
        return State.DOWN
    return standing_state(director, virtual, real)


def checked_state(director: Director, virtual: VirtualService, real: RealServer) -> State:
    """What the checks alone say."""
    if not real.further_checks:  # by far the most
        return check_state(director, check_id(virtual, real), real.check)
    return together(checks_states(director, virtual, real), real.needed)


def checks_states(director: Director, virtual: VirtualService, real: RealServer) -> list[State]:
    """What each of its checks says."""
    return [check_state(director, identity, check) for identity, check in numbered_checks(virtual, real)]


def together(states: list[State], needed: int) -> State:
    """Several checks as one: up when `needed` are (0: all), down when too many are down for that, else unknown."""
    enough = min(needed or len(states), len(states))
    if states.count(State.UP) >= enough:
        return State.UP
    return State.DOWN if states.count(State.DOWN) > len(states) - enough else State.UNKNOWN


def numbered_checks(virtual: VirtualService, real: RealServer) -> Iterator[tuple[str, Check]]:
    """All checks of a real server with their identities, in the configuration's order."""
    for number, check in enumerate(real.checks, start=1):
        yield check_id(virtual, real, number), check


def check_state(director: Director, identity: str, check: Check) -> State:
    """What is believed of one check: one of type none is always up, one never heard of is unknown."""
    if isinstance(check.kind, NoCheck):
        return State.UP
    if isinstance(check.kind, FollowCheck):
        target = director.following.targets.get(identity)
        return checked_state(director, *target) if target is not None else State.UNKNOWN
    if director.presumed and (initial := director.presumed.get(identity)):
        return State.UP if initial is Initial.UP else State.UNKNOWN
    verdict = director.verdicts.get(identity)
    return verdict.state if verdict is not None else State.UNKNOWN


def check_verdict(director: Director, identity: str, check: Check) -> Verdict | None:
    """What was reported last of one check; of one that follows, of whom it follows."""
    if isinstance(check.kind, FollowCheck):
        target = director.following.targets.get(identity)
        return worst_check(director, *target)[1] if target is not None else None
    return director.verdicts.get(identity)


def withheld(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether it is not to serve before its first verdict, whatever the kernel's table has."""
    if not director.presumed:
        return False
    presumed = (director.presumed.get(identity) for identity, _ in numbered_checks(virtual, real))
    return any(initial in (Initial.UNKNOWN, Initial.DOWN) for initial in presumed)


def worst_check(director: Director, virtual: VirtualService, real: RealServer) -> tuple[Check, Verdict | None]:
    """The check whose words tell most of a real server: what is wrong, else what may become so, else the first.

    Where not all are needed it is one that says what they say together, and of those the one that decided it.
    """
    if not real.further_checks:
        return real.check, check_verdict(director, check_id(virtual, real), real.check)
    agreed = checked_state(director, virtual, real) if real.needed else None

    def rank(numbered: tuple[str, Check]) -> tuple[bool, int, float, int, bool]:
        identity, check = numbered
        verdict = check_verdict(director, identity, check)
        state = check_state(director, identity, check)
        since = -verdict.since if verdict is not None and agreed is not None else 0.0
        streak = -verdict.streak if verdict is not None else 0
        disagrees = agreed is not None and state is not agreed
        return disagrees, _WORST_FIRST[state], since, streak, isinstance(check.kind, NoCheck)

    identity, check = min(numbered_checks(virtual, real), key=rank)
    return check, check_verdict(director, identity, check)


def asked_weight(director: Director, virtual: VirtualService, real: RealServer) -> int | None:
    """The weight a real server asks for itself, the least when several of its checks tell one; None: none does.

    Where not all of its checks are needed, those that fail have no say.
    """
    if not real.further_checks:
        verdict = director.verdicts.get(check_id(virtual, real))
        asked = [] if verdict is None else [verdict.weight]
    else:
        verdicts = (director.verdicts.get(identity) for identity, _ in numbered_checks(virtual, real))
        said = (one for one in verdicts if one is not None and not (real.needed and one.state is State.DOWN))
        asked = [verdict.weight for verdict in said]
    told = [weight for weight in asked if weight is not None]
    return max(0, min(*told, WEIGHT_LIMIT)) if told else None


def effective_weight(director: Director, virtual: VirtualService, real: RealServer) -> int:
    """The weight a real server has while it is up: a person's word, else its own, else the configuration's."""
    overriding = overriding_weight(director, virtual, real)
    if overriding is not None:
        return overriding
    asked = asked_weight(director, virtual, real)
    return real.weight if asked is None else asked


def serves(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    """Whether the kernel sends it new connections now: the one memory that survives whatever happens to us."""
    entry = director.kernel.table.get(service_key(virtual.virtual))
    destination = entry.destinations.get(DestinationKey(real.address, real.port)) if entry is not None else None
    return destination is not None and destination.weight > 0


def given_weight(director: Director, virtual: VirtualService, real: RealServer) -> int:
    """The weight it gets in the table while it is up: a part of it when it came back only now, or when it is slow.

    Unless a person said.
    """
    whole = effective_weight(director, virtual, real)
    if not director.pools or overriding_weight(director, virtual, real) is not None:
        return whole
    ramp = ramp_of(director, virtual, real)
    if ramp is not None:
        return slow_start.weight(whole, ramp.step)
    return latency.weight(whole, latency_share(director, virtual, real))


def latency_share(director: Director, virtual: VirtualService, real: RealServer) -> int:
    """Per cent of its weight, less than all while it is slower than the others."""
    pool = director.pools.get(service_key(virtual.virtual)) if director.pools else None
    speed = pool.speeds.get(real_id(virtual, real)) if pool is not None and pool.speeds else None
    return WHOLE if speed is None or virtual.scheduler not in WEIGHING_SCHEDULERS else speed.share


def greatest_weight(real: RealServer) -> int:
    """The most that a real server of which nothing is known yet may turn out to have."""
    return WEIGHT_LIMIT if any(_asks(check) for check in real.checks) else real.weight


def _asks(check: Check) -> bool:
    match check.kind:
        case ExternalCheck(dynamic=dynamic):
            return dynamic
        case AgentCheck():
            return True
        case _:
            return False
