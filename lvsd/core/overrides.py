"""A person's word on real servers, over the configuration's and the checks': asked, refused, kept, ended. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace

from checkers.core.messages import State
from config.model import RealServer, VirtualService
from config.words import HASHING_SCHEDULERS
from lvsd.core import fallback, quorum
from lvsd.core.effects import Effect, Level, RememberOverrides, Tell
from lvsd.core.groups import FALLBACK
from lvsd.core.health import WEIGHT_LIMIT, address_in, effective_weight, in_maintenance, serves, sound_state, taken_out
from lvsd.core.identity import BEHIND, endpoint_text, real_id, service_key, virtual_text
from lvsd.core.pool_state import Override, OverrideKind
from lvsd.core.pool_words import of_override_end
from lvsd.core.state import Director
from lvsd.core.turns import Turn

REASON_LIMIT = 200  # characters
LONGEST_SECONDS = 366 * 86400.0
NAMES_SHOWN = 10

Changes = Mapping[str, Override | None]
"""By `real_id`; None ends an override."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What a person wants of a real server, `ADDRESS` or `ADDRESS:PORT`; `kind` None: nothing special any more.

    `service`: a virtual service's name or address, empty for all that have it. `seconds`: None for ever.
    `deadline`: seconds until a drain ends with what is left.
    """

    real: str
    kind: OverrideKind | None
    uid: int
    weight: int = 0
    service: str = ""
    seconds: float | None = None
    reason: str = ""
    force: bool = False
    deadline: float | None = None


@dataclass(frozen=True, slots=True)
class Refused:
    """Why not, and what to do."""

    message: str
    hint: str = ""


def decided(director: Director, asked: Asked, now: float) -> Refused | Changes:
    """What follows from it. Refused when nobody is meant, or too few would be left and it is not forced."""
    wrong = _wrong(asked)
    if wrong is not None:
        return wrong
    address, names = address_in(asked.real), frozenset((asked.real,))
    meant = [
        (virtual, real)
        for virtual in director.config.services
        if not asked.service or asked.service in _names(virtual)
        for real in virtual.real_servers
        if real.address == address and in_maintenance(names, real)
    ]
    if not meant:
        return _nobody(director, asked)
    until = None if asked.seconds is None else now + asked.seconds
    override = None
    if asked.kind is not None:
        weight = asked.weight if asked.kind is OverrideKind.WEIGHT else 0
        deadline = None if asked.deadline is None else now + asked.deadline
        override = Override(asked.kind, weight, asked.reason, asked.uid, now, until, deadline)
    changes = {real_id(virtual, real): override for virtual, real in meant}
    if not asked.force and override is not None:
        for virtual in {virtual_text(one.virtual): one for one, _ in meant}.values():
            refused = _harmful(director, virtual, changes, override)
            if refused is not None:
                return refused
    return changes


def _wrong(asked: Asked) -> Refused | None:
    if not 0 <= asked.weight <= WEIGHT_LIMIT:
        return Refused(f"a weight of {asked.weight}", f"from 0 to {WEIGHT_LIMIT}")
    if asked.seconds is not None and not 0 < asked.seconds <= LONGEST_SECONDS:
        return Refused("a time that is none, or too long", "at most 366 days; without it: until `lvsctl enable`")
    if asked.deadline is not None and not 0 < asked.deadline <= LONGEST_SECONDS:
        return Refused("a deadline that is none, or too far", "at most 366 days; without it: as long as it takes")
    if len(asked.reason) > REASON_LIMIT or not asked.reason.isprintable():
        return Refused("a reason that is too long, or no line of text", f"at most {REASON_LIMIT} characters")
    return None


def _names(virtual: VirtualService) -> tuple[str, str, str]:
    text = virtual_text(virtual.virtual)
    return virtual.name, text, text.partition(" ")[2]


def _nobody(director: Director, asked: Asked) -> Refused:
    if asked.service and not any(asked.service in _names(one) for one in director.config.services):
        known = ", ".join(one.name for one in director.config.services[:NAMES_SHOWN])
        return Refused(f"no virtual service {asked.service!r}", f"there are: {known}")
    found = (
        endpoint_text(real.address, real.port)
        for virtual in director.config.services
        if not asked.service or asked.service in _names(virtual)
        for real in virtual.real_servers
    )
    known = ", ".join(list(dict.fromkeys(found))[:NAMES_SHOWN])
    return Refused(f"no real server {asked.real!r}", f"ADDRESS or ADDRESS:PORT; there are: {known}")


def _harmful(director: Director, virtual: VirtualService, changes: Changes, override: Override) -> Refused | None:
    """Why the service would suffer from it. What takes nothing away from it is never refused."""
    rule = virtual.rules.floor
    least = rule.minimum.of(len(virtual.real_servers)) if rule is not None else 1
    before = _able(director, virtual)
    after = _able(replace(director, overrides=_merged(director.overrides, changes)), virtual)
    forced = "with --force it is done all the same"
    if after < before and after < least:
        floor = f"its floor is {rule.minimum}" if rule is not None else "nobody would serve"
        return Refused(f"{virtual.name}: {after} of {before} real servers that are up would be left, {floor}", forced)
    if _loses_quorum(director, virtual, changes):
        lost = f"its quorum of {virtual.quorum} would be lost, and the fallback servers would serve alone"
        return Refused(f"{virtual.name}: {lost}", forced)
    stays = override.kind is not OverrideKind.DISABLE and override.weight == 0
    if stays and virtual.scheduler in HASHING_SCHEDULERS and not virtual.flags & FALLBACK:
        text = f"{virtual.name}: {virtual.scheduler} without its fallback flag refuses the clients of a drained server"
        return Refused(text, f"`lvsctl disable`; {forced}")
    return None


def _loses_quorum(director: Director, virtual: VirtualService, changes: Changes) -> bool:
    """Whether those that are left would go out of service, too."""
    if not director.quorum.get(service_key(virtual.virtual)) or not fallback.able(director, virtual):
        return False
    after = replace(director, overrides=_merged(director.overrides, changes))
    return quorum.reckoned(after, (virtual,)).quorum.get(service_key(virtual.virtual)) is False


def _able(director: Director, virtual: VirtualService) -> int:
    """How many are up with a weight; one that serves and was not probed yet counts."""
    return sum(_is_able(director, virtual, real) for real in virtual.real_servers)


def _is_able(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    if not effective_weight(director, virtual, real):
        return False
    match sound_state(director, virtual, real):
        case State.UP:
            return True
        case State.DOWN:
            return False
        case State.UNKNOWN:
            return serves(director, virtual, real)


def _merged(overrides: Mapping[str, Override], changes: Changes) -> Mapping[str, Override]:
    after = {**overrides, **changes}
    return {name: one for name, one in after.items() if one is not None}


def changed(director: Director, changes: Changes, now: float) -> tuple[Director, list[Effect]]:
    """These overrides are set or end now, as a person asked."""
    after = replace(director, overrides=_merged(director.overrides, changes))
    effects: list[Effect] = []
    if after.overrides != director.overrides:
        effects.append(RememberOverrides(after.overrides))
    for virtual, real, name in _placed(director, changes):
        override, before = changes[name], director.overrides.get(name)
        if override is not None:
            effects.append(_told_set(virtual, real, override, now))
        elif before is not None:
            effects.append(of_override_end(virtual.name, endpoint_text(real.address, real.port), before, "enabled"))
    return after, effects


def awaited(director: Director, turns: Iterable[Turn], now: float) -> tuple[Director, list[Effect]]:
    """Who left service because of its checks, and by the configuration awaits a person's word now."""
    failed = [
        real_id(turn.virtual, turn.real)
        for turn in turns
        if turn.real is not None
        and not turn.fallback
        and turn.virtual.rules.manual_resume
        and (turn.before, turn.after) == (State.UP, State.DOWN)
        and not taken_out(director, turn.virtual, turn.real)
    ]
    if not failed:
        return director, []
    override = Override(OverrideKind.AWAIT, since=now)
    after = {**director.overrides, **dict.fromkeys(failed, override)}
    return replace(director, overrides=after), [RememberOverrides(after)]


def due(director: Director, now: float) -> bool:
    """Whether the time of one is over."""
    return any(one.until is not None and one.until <= now for one in director.overrides.values())


def reviewed(director: Director, now: float) -> tuple[Director, list[Effect]]:
    """The belief without those whose time is over, and those whose real server is not configured any more."""
    if not director.overrides:
        return director, []
    places = {name: (virtual, real) for virtual, real, name in _placed(director, director.overrides)}
    kept: dict[str, Override] = {}
    effects: list[Effect] = []
    for name, override in director.overrides.items():
        over = override.until is not None and override.until <= now
        ruled = name in places and (override.kind is not OverrideKind.AWAIT or places[name][0].rules.manual_resume)
        if ruled and not over:
            kept[name] = override
            continue
        virtual, _, server = name.partition(" > ")
        service = places[name][0].name if name in places else virtual
        effects.append(of_override_end(service, server, override, "over" if over else "not configured any more"))
    if not effects:
        return director, []
    return replace(director, overrides=kept), [RememberOverrides(kept), *effects]


def _placed(director: Director, names: Iterable[str]) -> list[tuple[VirtualService, RealServer, str]]:
    wanted = frozenset(names)
    concerned = {name.partition(BEHIND)[0] for name in wanted}
    placed = (
        (virtual, real, real_id(virtual, real))
        for virtual in director.config.services
        if virtual_text(virtual.virtual) in concerned
        for real in virtual.real_servers
    )
    return [one for one in placed if one[2] in wanted]


def _told_set(virtual: VirtualService, real: RealServer, override: Override, now: float) -> Effect:
    fields: dict[str, str | int | float] = {
        "service": virtual.name,
        "real_server": endpoint_text(real.address, real.port),
        "kind": override.kind.value,
        "weight": override.weight,
        "uid": override.uid,
        "seconds": round(override.until - now, 1) if override.until is not None else 0.0,
        "reason": override.reason,
    }
    return Tell(Level.INFO, "override_set", fields)
