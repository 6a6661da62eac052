"""Tracked scripts: which have to run, and what their results add up to. Pure.

An instance that begins waits for the first result of a script of weight 0, as it may not be fit to serve; the helper
that runs scripts may be dead, so it waits with a limit. One that runs goes on until a result says otherwise.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import replace

from config.model import Config, TrackedScript, VrrpInstance
from lvsd.control import hooks
from lvsd.core.events import ScriptHeard
from lvsd.core.state import Script, ScriptKey

PATIENCE_SECONDS = 10.0
DIGEST_BYTES = 12
AWAITED = "no result yet"  # ends the fault of an instance that waits for its scripts after the start


def script_id(track: TrackedScript) -> str:
    """The same for tracks that one run can serve. Of a command that holds a password it tells nothing."""
    what = repr((track.command, track.interval, track.timeout, track.user))
    return f"{track.name} {hashlib.blake2b(what.encode(errors='surrogatepass'), digest_size=DIGEST_BYTES).hexdigest()}"


def key_of(track: TrackedScript) -> ScriptKey:
    """Tracks of one script that count results differently are told apart."""
    return script_id(track), track.rise, track.fall


def tracked(instances: Iterable[VrrpInstance]) -> Iterator[TrackedScript]:
    """The scripts the instances track."""
    for instance in instances:
        yield from (track for track in instance.tracks if isinstance(track, TrackedScript))


def wanted(config: Config) -> tuple[hooks.Script, ...]:
    """Each script once, as it is to be run."""
    found: dict[str, hooks.Script] = {}
    for track in tracked(config.vrrp):
        user = track.user or config.daemon.command_user
        one = hooks.Script(script_id(track), track.name, track.command, track.interval, track.timeout, user)
        found.setdefault(one.id, one)
    return tuple(found.values())


def carried(held: Mapping[ScriptKey, Script], old: Config, new: Config, now: float) -> dict[ScriptKey, Script]:
    """What is believed when the configuration changes. A new script of an instance that was there counts as good."""
    known = {instance.name for instance in old.vrrp}
    believed: dict[ScriptKey, Script] = {}
    for instance in sorted(new.vrrp, key=lambda one: one.name not in known):
        for track in tracked((instance,)):
            begun = Script(True if instance.name in known else None, now)
            believed.setdefault(key_of(track), held.get(key_of(track), begun))
    return believed


def heard(held: Mapping[ScriptKey, Script], event: ScriptHeard) -> dict[ScriptKey, Script]:
    """A result: it counts for every track of this script, in its own way."""
    return {key: _counted(key, one, event) if key[0] == event.script else one for key, one in held.items()}


def _counted(key: ScriptKey, script: Script, event: ScriptHeard) -> Script:
    if event.at <= script.at:
        return script
    script, good = replace(script, at=event.at), event.status == 0 and not event.timed_out
    if not script.heard:  # the first result counts alone
        return replace(script, good=good, heard=True, streak=0, words=words(event))
    if good is script.good:
        return replace(script, streak=0)
    _, rise, fall = key
    streak = script.streak + 1
    if streak < (rise if good else fall):
        return replace(script, streak=streak)
    return replace(script, good=good, streak=0, words=words(event))


def words(event: ScriptHeard) -> str:
    """A result in words."""
    if event.timed_out:
        return "timed out"
    return f"ended by signal {-event.status}" if event.status < 0 else f"status {event.status}"


def not_heard(held: Mapping[ScriptKey, Script], tracks: Iterable[TrackedScript], now: float) -> dict[ScriptKey, Script]:
    """Those of which there is no result after so long that there will be none: they count as good."""
    late: dict[ScriptKey, Script] = {}
    for track in tracks:
        script = held.get(key_of(track))
        if script is None or script.good is not None:
            continue
        if now >= script.since + track.timeout * track.fall + PATIENCE_SECONDS:
            late[key_of(track)] = replace(script, good=True, words="no result")
    return late
