"""What VRRP instances depend on, and what that means for them: scripts, files, processes, services' health. Pure.

Interfaces and routes are tracked in the vrrp process itself (lvsd.vrrp.tracks). What is told to it is a level: all of
it, whenever it changes and whenever that process connects. A director that follows a dead one says nothing before it
knows everything: until then what its predecessor said stands.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace

from config.model import (
    AnyTrack,
    Config,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
    VrrpInstance,
)
from lvsd.core import tracked_scripts, tracked_services
from lvsd.core.effects import Effect, InstructNotify, Level, Tell, WeighVrrp
from lvsd.core.events import ConfigChanged, Event, ScriptHeard, Started, TracksSeen, VrrpCame
from lvsd.core.index import services_named
from lvsd.core.state import Damped, Director, ScriptKey, Tracking
from lvsd.vrrp.messages import Role, Weight
from lvsd.vrrp.tracks import NEAR

LOWEST_RESULT = -253  # a file that takes off more is a fault, as with keepalived
HOLD_SECONDS = 15.0  # a successor waits for verdicts on its services no longer than that
NUMBER = re.compile(r"\s*([+-]?[0-9]{1,9})\s*")

Step = tuple[Director, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Standing:
    """One track of one instance: what it adds, why the instance cannot run (empty: it can), and a word for people."""

    delta: int
    fault: str
    state: str  # good, bad, unknown, or a number


def beside(before: Director, after: Director, event: Event, now: float) -> Step:
    """What an event means for the instances, when all else of it is decided: `before` it became `after`."""
    match event:
        case Started(restarted=restarted):
            begun = _configured(after, Config(), now)
            held = begun.tracking.watched and restarted
            return _decided(replace(begun, tracking=replace(begun.tracking, held=held)), _instructed(after), now)
        case ConfigChanged():
            return _decided(_configured(after, before.config, now), _instructed(after, before), now)
        case VrrpCame():
            tracking = after.tracking
            sent = () if tracking.held else (WeighVrrp(tracking.weights),)
            return _decided(after, sent, now)
        case ScriptHeard():
            scripts = tracked_scripts.heard(after.tracking.scripts, event)
            return _decided(replace(after, tracking=replace(after.tracking, scripts=scripts)), (), now)
        case TracksSeen():
            seen, told = _seen(after, event)
            return _decided(seen, told, now)
        case _:
            return _decided(after, (), now)


def _configured(director: Director, old: Config, now: float) -> Director:
    """What is known of things that are still tracked is kept."""
    config, tracking = director.config, director.tracking
    others = [one for instance in config.vrrp for one in instance.tracks if not isinstance(one, NEAR)]
    files = {one.path for one in others if isinstance(one, TrackedFile)}
    pairs = {(one.name, track.name) for one in config.vrrp for track in one.tracks if isinstance(track, TrackedService)}
    kept = replace(
        tracking,
        scripts=tracked_scripts.carried(tracking.scripts, old, config, now),
        files={path: number for path, number in tracking.files.items() if path in files},
        wrong=tracking.wrong & files,
        services={pair: one for pair, one in tracking.services.items() if pair in pairs},
        watched=bool(others) or bool(tracking.weights),
        began_at=now,
    )
    return replace(director, tracking=kept)


def _instructed(after: Director, before: Director | None = None) -> tuple[Effect, ...]:
    order = instruction(after.config)
    return () if order == instruction(before.config if before else Config()) else (order,)


def instruction(config: Config) -> InstructNotify:
    """What lvsd-notify has to do all the time."""
    daemon = config.daemon
    fifos = tuple(path for path in dict.fromkeys((daemon.notify_fifo, daemon.lvs_notify_fifo)) if path)
    return InstructNotify(tracked_scripts.wanted(config), fifos)


def _seen(director: Director, event: TracksSeen) -> Step:
    """Files and processes as they are. A file that holds no number leaves the last one as it was, told once."""
    numbers = {path: _number(text) for path, text in event.files.items()}
    wrong = frozenset(path for path, number in numbers.items() if number is None)
    tracking = director.tracking
    files = dict(tracking.files) | {path: number for path, number in numbers.items() if number is not None}
    told = tuple(
        Tell(Level.WARNING, "tracked_file_without_number", {"file": path, "number": files.get(path, 0)})
        for path in sorted(wrong - tracking.wrong)
    )
    seen = replace(tracking, files=files, wrong=wrong, processes=event.processes, looked=True)
    return replace(director, tracking=seen), told


def _number(text: str | None) -> int | None:
    found = NUMBER.fullmatch(text) if text is not None else None
    return int(found[1]) if found else None


def _decided(director: Director, effects: tuple[Effect, ...], now: float) -> Step:
    """Weigh every instance anew, and tell the vrrp process when that changes anything."""
    if not director.tracking.watched:
        return director, effects
    scripts = director.tracking.scripts
    late = tracked_scripts.not_heard(scripts, tracked_scripts.tracked(director.config.vrrp), now)
    told = tuple(Tell(Level.WARNING, "tracked_script_not_heard", {"script": name}) for name in _names(late))
    seen = _services_seen(
        replace(director, tracking=replace(director.tracking, scripts={**scripts, **late})) if late else director, now
    )
    if seen.tracking.held and not _known(seen, now):
        return seen, (*effects, *told)
    weights = tuple(_weight(seen, instance) for instance in seen.config.vrrp if _depends(instance))
    if weights == seen.tracking.weights and not seen.tracking.held:
        return seen, (*effects, *told)
    weighed = replace(seen, tracking=replace(seen.tracking, weights=weights, held=False))
    sent: tuple[Effect, ...] = (WeighVrrp(weights),) if seen.vrrp.connected else ()
    return weighed, (*effects, *told, *sent, *_changes(seen, weights))


def _names(keys: Iterable[ScriptKey]) -> list[str]:
    return sorted({script.rpartition(" ")[0] for script, _, _ in keys})


def _depends(instance: VrrpInstance) -> bool:
    return any(not isinstance(track, NEAR) for track in instance.tracks)


def _services_seen(director: Director, now: float) -> Director:
    """What tracked services add now, damped. What is not known yet leaves it as it was."""
    found: dict[tuple[str, str], Damped] = dict(director.tracking.services)
    services = services_named(director.config) if _tracks_services(director) else {}
    for instance in director.config.vrrp:
        for track in instance.tracks:
            if isinstance(track, TrackedService) and track.name in services:
                pair = instance.name, track.name
                value = tracked_services.worth(track, tracked_services.seen(director, services[track.name]))
                if value is not None:
                    active = _is_active(director, instance.name)
                    found[pair] = tracked_services.damped(found.get(pair), value, track.delay, now, active=active)
    if found == director.tracking.services:
        return director
    return replace(director, tracking=replace(director.tracking, services=found))


def _tracks_services(director: Director) -> bool:
    return any(isinstance(track, TrackedService) for instance in director.config.vrrp for track in instance.tracks)


def _is_active(director: Director, name: str) -> bool:
    status = director.vrrp.status
    return status is not None and any(one.name == name and one.role is Role.ACTIVE for one in status.instances)


def _known(director: Director, now: float) -> bool:
    """Whether all that instances depend on has been looked at once."""
    late = now >= director.tracking.began_at + HOLD_SECONDS
    instances = director.config.vrrp
    return all(_is_known(director.tracking, one, track, late=late) for one in instances for track in one.tracks)


def _is_known(tracking: Tracking, instance: VrrpInstance, track: AnyTrack, *, late: bool) -> bool:
    match track:
        case TrackedScript():
            return tracking.scripts[tracked_scripts.key_of(track)].good is not None
        case TrackedFile() | TrackedProcess():
            return tracking.looked
        case TrackedService():
            return late or (instance.name, track.name) in tracking.services
        case TrackedInterface() | TrackedRoute():
            return True


def _weight(director: Director, instance: VrrpInstance) -> Weight:
    standings = [standing(director, instance, track) for track in instance.tracks]
    fault = next((one.fault for one in standings if one.fault), "")
    return Weight(instance.name, sum(one.delta for one in standings), fault)


def standing(director: Director, instance: VrrpInstance, track: AnyTrack) -> Standing:
    """One track as it counts now. An interface or a route is not looked at here."""
    match track:
        case TrackedInterface() | TrackedRoute():
            return Standing(0, "", "")
        case TrackedScript():
            return _script(director.tracking, track)
        case TrackedFile():
            return _file(director.tracking, track)
        case TrackedProcess():
            running = director.tracking.processes.get(track.name, 0)
            words = f"process {track.name}: {running} of {track.count} run"
            enough = (running >= track.count) is not track.inverted
            return _binary(track.weight, enough or not director.tracking.looked, words)
        case TrackedService():
            return _service(director, instance, track)


def _binary(weight: int, good: bool, words: str) -> Standing:
    state = "good" if good else "bad"
    if weight == 0:
        return Standing(0, "" if good else words, state)
    return Standing(weight if good is (weight > 0) else 0, "", state)


def _script(tracking: Tracking, track: TrackedScript) -> Standing:
    script = tracking.scripts[tracked_scripts.key_of(track)]
    if script.good is None:
        return Standing(0, "" if track.weight else f"script {track.name}: {tracked_scripts.AWAITED}", "unknown")
    good = script.good is not (track.inverted and script.heard)  # before it was heard it counts as well, either way
    return _binary(track.weight, good, f"script {track.name}: {script.words}")


def _file(tracking: Tracking, track: TrackedFile) -> Standing:
    number = tracking.files.get(track.path, 0)
    words = f"file {track.path}: {number}"
    if track.weight == 0:
        bad = tracking.looked and bool(number) is not track.inverted
        return Standing(0, words if bad else "", str(number))
    delta = number * (-track.weight if track.inverted else track.weight)
    return Standing(0, words, str(number)) if delta < LOWEST_RESULT else Standing(min(delta, 253), "", str(number))


def _service(director: Director, instance: VrrpInstance, track: TrackedService) -> Standing:
    found = director.tracking.services.get((instance.name, track.name))
    if found is None:
        return Standing(max(0, track.weight), "", "unknown")
    virtual = services_named(director.config).get(track.name)
    sight = tracked_services.seen(director, virtual) if virtual is not None else None
    if sight is None or sight.gained is None:
        return Standing(found.value, "", "unknown")
    return Standing(found.value, "", "good" if sight.gained is not track.inverted else "bad")


def _changes(before: Director, weights: tuple[Weight, ...]) -> Iterator[Effect]:
    old = {one.name: one for one in before.tracking.weights}
    for one in weights:
        was = old.get(one.name, Weight(one.name))
        if one == was:
            continue
        worse = bool(one.fault) or one.delta < was.delta
        fields: dict[str, str | int | float] = {"instance": one.name, "weight": one.delta, "fault": one.fault}
        fields["because"] = _bad(before, one.name)
        yield Tell(Level.WARNING if worse else Level.INFO, "vrrp_weighed", fields)


def _bad(director: Director, name: str) -> str:
    """What is bad, in words."""
    instance = next(one for one in director.config.vrrp if one.name == name)
    found = ((track, standing(director, instance, track)) for track in instance.tracks)
    bad = [named(track)[1] for track, one in found if one.fault or one.state == "bad" or one.delta < 0]
    return ", ".join(bad)


def named(track: AnyTrack) -> tuple[str, str]:
    """A track's kind and its name."""
    match track:
        case TrackedInterface(name=name):
            return "interface", name
        case TrackedScript(name=name):
            return "script", name
        case TrackedFile(path=path):
            return "file", path
        case TrackedProcess(name=name):
            return "process", name
        case TrackedService(name=name):
            return "service", name
        case TrackedRoute(prefix=prefix):
            return "route", prefix
