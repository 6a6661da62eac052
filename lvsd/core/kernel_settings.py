"""IPVS's timeouts and connection sync daemons: what is wanted of them, what that changes, what is ours. Pure.

Only what the configuration says is set, and set again when a stranger changes it. At most one daemon of a role runs in
a kernel, and its settings cannot be changed while it does.
"""

from __future__ import annotations

from dataclasses import replace

from config.model import ConnectionSync
from config.words import SyncRole
from lvsd.core.effects import ApplySettings, Effect, Level, ReadSettings, RememberDaemons, Tell
from lvsd.core.events import (
    ConfigChanged,
    Event,
    SettingsApplied,
    SettingsRead,
    SettingsUnreadable,
    Started,
    StopAsked,
    Ticked,
    VrrpHeard,
)
from lvsd.core.state import Director, Settings
from lvsd.core.wording import setting_text
from lvsd.vrrp.messages import Role
from netlink.errors import SettingRefusal
from netlink.settings import BACKUP, MASTER, ROLES, SetTimeouts, Setting, StartDaemon, StopDaemon, as_kept
from netlink.table import SyncDaemon, Timeouts

BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
LINGER_SECONDS = 3.0  # a master sends what it gathered within 2 s (IPVS_SYNC_FLUSH_TIME); stopped, it throws it away

_ROLES_SAID = {SyncRole.MASTER: (MASTER,), SyncRole.BACKUP: (BACKUP,), SyncRole.BOTH: ROLES}

Step = tuple[Director, tuple[Effect, ...]]


def concerned(director: Director) -> bool:
    """Whether there is anything to look after: settings that are said, or daemons of ours."""
    ipvs = director.config.ipvs
    return ipvs.timeouts is not None or ipvs.sync is not None or bool(director.settings.started)


def heard(director: Director, event: SettingsRead | SettingsUnreadable | SettingsApplied, now: float) -> Step:
    """What the kernel answered about its settings."""
    match event:
        case SettingsRead():
            return read(director, event, now)
        case SettingsUnreadable(error):
            return unreadable(director, error)
        case SettingsApplied():
            return applied(director, event, now)


def beside(before: Director, after: Director, event: Event, now: float) -> Step:
    """What an event means for the settings, when all else of it is decided: `before` it became `after`."""
    match event:
        case Started(daemons=daemons):
            return reconfigured(replace(after, settings=Settings(started=daemons)), now)
        case ConfigChanged():
            return reconfigured(after, now)
        case VrrpHeard():
            return vrrp_heard(before, after)
        case Ticked():
            return after, look(after)
        case StopAsked():
            return after, stopped(after)
        case _:  # of no other event the settings depend
            return after, ()


def look(director: Director) -> tuple[Effect, ...]:
    """Once a second, and whenever what is wanted may have changed."""
    return (ReadSettings(),) if concerned(director) else ()


def reconfigured(director: Director, now: float) -> Step:
    """A configuration was taken over: what was read last tells what it changes, unless nothing was."""
    begun = replace(director, settings=replace(director.settings, retry_at=None, failures=0, tried=()))
    if begun.settings.timeouts is None or not concerned(begun):
        return begun, look(begun)
    return _settled(begun, now)


def vrrp_heard(before: Director, after: Director) -> Step:
    """VRRP has reported: a changed role is followed at once, whatever was refused before."""
    sync = after.config.ipvs.sync
    if sync is None or sync.role is not SyncRole.FOLLOW:
        return after, ()
    if is_active(before, sync.instance) is is_active(after, sync.instance):
        return after, ()
    eager = replace(after, settings=replace(after.settings, retry_at=None, failures=0, tried=()))
    return eager, look(eager)


def read(director: Director, event: SettingsRead, now: float) -> Step:
    """They were read: what differs from what is wanted is mended, and told when a stranger did it."""
    before = director.settings
    state = replace(before, timeouts=event.timeouts, daemons=event.daemons, fresh=True, unreadable="")
    seen = replace(director, settings=_yielded(director, state, now))
    if before.retry_at is not None and now < before.retry_at:
        return seen, ()
    plan = plan_for(seen, now)
    if not plan:
        quiet = replace(seen.settings, failures=0, retry_at=None, refusals=(), tried=())
        return _settled(replace(seen, settings=quiet), now)
    if plan == before.tried:
        return _not_kept(seen, plan, now)
    changed = (before.timeouts, before.daemons) != (event.timeouts, event.daemons)
    told = (Tell(Level.WARNING, "setting_changed_by_stranger", _texts(plan)),) if changed and before.fresh else ()
    after, effects = _settled(seen, now)
    return after, (*told, *effects)


def _not_kept(director: Director, plan: tuple[Setting, ...], now: float) -> Step:
    """What the kernel took it does not show: tried again, ever more seldom."""
    failures = director.settings.failures + 1
    told = (Tell(Level.ERROR, "setting_not_kept", _texts(plan)),) if failures == 1 else ()
    later = replace(director.settings, failures=failures, retry_at=now + _backoff(failures), tried=())
    return replace(director, settings=later), told


def unreadable(director: Director, error: str) -> Step:
    """They cannot be read: nothing is changed blindly."""
    told = (
        () if director.settings.unreadable == error else (Tell(Level.ERROR, "settings_unreadable", {"error": error}),)
    )
    return replace(director, settings=replace(director.settings, unreadable=error)), told


def applied(director: Director, event: SettingsApplied, now: float) -> Step:
    """Changes were sent: tell them, remember which daemons are ours, and read what came of it."""
    before = director.settings
    refused = {refusal.setting for refusal in event.refusals}
    accepted = tuple(setting for setting in event.settings if setting not in refused)
    told: list[Effect] = [Tell(Level.INFO, "setting_changed", {"setting": setting_text(one)}) for one in accepted]
    if event.refusals != before.refusals:
        told.extend(map(_refusal, event.refusals))
    state = replace(before, fresh=False, tried=event.settings, refusals=event.refusals)
    if event.refusals:
        failures = before.failures + 1
        state = replace(state, failures=failures, retry_at=now + _backoff(failures), tried=())
    return replace(director, settings=state), (*told, ReadSettings())


def stopped(director: Director) -> tuple[Effect, ...]:
    """At the end the daemons are left running; of those that follow VRRP both, to send what is gathered and to hear.

    When the table is cleared, ours end.
    """
    if director.settings.timeouts is None:
        return ()
    if director.config.daemon.clear_table_on_stop:
        ends = tuple(StopDaemon(one.role) for one in _running_of_ours(director.settings))
        return _sent(ends, frozenset()) if ends else ()
    sync = director.config.ipvs.sync
    if sync is None or sync.role is not SyncRole.FOLLOW or BACKUP in _running(director.settings):
        return ()
    plan = (_daemon(sync, BACKUP),)
    return _sent(plan, _started_after(director.settings, plan))


def plan_for(director: Director, now: float) -> tuple[Setting, ...]:
    """What the kernel should be sent now, daemons started before others are stopped."""
    held = director.settings
    if held.timeouts is None or held.unreadable or (held.retry_at is not None and now < held.retry_at):
        return ()
    starts, stops = _daemons(director, held, now)
    return (*_timeouts(director, held.timeouts), *starts, *stops)


def _settled(director: Director, now: float) -> Step:
    plan = plan_for(director, now)
    started = _started_after(director.settings, plan)
    remembered = replace(director, settings=replace(director.settings, started=started))
    if plan:
        return remembered, _sent(plan, started)
    return remembered, () if started == director.settings.started else (RememberDaemons(started),)


def _sent(plan: tuple[Setting, ...], started: frozenset[StartDaemon]) -> tuple[Effect, ...]:
    """What is ours is written down before the kernel hears of it: a crash must not orphan any."""
    return RememberDaemons(started), ApplySettings(plan)


def _started_after(held: Settings, plan: tuple[Setting, ...]) -> frozenset[StartDaemon]:
    """Ours: what is started now, and what runs as we started it. Others that run are a stranger's."""
    starting = {one.role: one for one in plan if isinstance(one, StartDaemon)}
    kept = {one for one in _running_of_ours(held) if one.role not in starting}
    return frozenset((*starting.values(), *kept))


def _running_of_ours(held: Settings) -> tuple[StartDaemon, ...]:
    running = _running(held)
    return tuple(one for one in held.started if one.role in running and _is(one, running[one.role]))


def _running(held: Settings) -> dict[str, SyncDaemon]:
    return {daemon.role: daemon for daemon in held.daemons}


def _is(wanted: StartDaemon, running: SyncDaemon) -> bool:
    """Whether what runs is what was wanted. A length that was not said is the kernel's to choose."""
    kept = as_kept(wanted)
    return replace(kept, max_length=kept.max_length or running.max_length) == running


def _timeouts(director: Director, held: Timeouts) -> tuple[Setting, ...]:
    said = director.config.ipvs.timeouts
    if said is None:
        return ()
    wanted = SetTimeouts(
        said.tcp if said.tcp != held.tcp else 0,
        said.tcp_fin if said.tcp_fin != held.tcp_fin else 0,
        said.udp if said.udp != held.udp else 0,
    )
    return () if wanted == SetTimeouts() else (wanted,)


def _daemons(director: Director, held: Settings, now: float) -> tuple[list[Setting], list[Setting]]:
    """What starts (a wrong one is stopped before its place is taken), and what ends behind it."""
    sync = director.config.ipvs.sync
    running = _running(held)
    if sync is None:
        return [], [StopDaemon(one.role) for one in _running_of_ours(held)]
    roles = _roles(director, sync)
    if roles is None:  # not known yet: whoever hears can take over, whoever runs goes on
        return ([] if running else [_daemon(sync, BACKUP)]), []
    starts: list[Setting] = []
    for role in roles:
        wanted = _daemon(sync, role)
        if role not in running:
            starts.append(wanted)
        elif not _fits(wanted, running[role], held):
            starts.extend((StopDaemon(role), wanted))
    leaving = _leaving(director, sync, roles, now)
    return starts, [StopDaemon(role) for role in leaving if role in running]


def _roles(director: Director, sync: ConnectionSync) -> tuple[str, ...] | None:
    """The roles that should run; None: what the VRRP instance does is not known."""
    if sync.role is not SyncRole.FOLLOW:
        return _ROLES_SAID[sync.role]
    active = is_active(director, sync.instance)
    return None if active is None else (MASTER,) if active else (BACKUP,)


def is_active(director: Director, instance: str) -> bool | None:
    """Whether the VRRP instance is active; None: the vrrp process has not said."""
    if all(one.name != instance for one in director.config.vrrp):
        return False
    status = director.vrrp.status
    told = () if status is None else (one for one in status.instances if one.name == instance)
    return next((one.role is Role.ACTIVE for one in told), None)


def _leaving(director: Director, sync: ConnectionSync, roles: tuple[str, ...], now: float) -> tuple[str, ...]:
    """The roles that end. Without VRRP to follow, the other role is not ours to end unless we began it."""
    held = director.settings
    if sync.role is not SyncRole.FOLLOW:
        return tuple(one.role for one in _running_of_ours(held) if one.role not in roles)
    if roles == (MASTER,):
        return (BACKUP,)
    lingers = held.yielded_at is None or now < held.yielded_at + LINGER_SECONDS
    return () if lingers else (MASTER,)


def _yielded(director: Director, state: Settings, now: float) -> Settings:
    sync = director.config.ipvs.sync
    yielding = (
        sync is not None
        and sync.role is SyncRole.FOLLOW
        and is_active(director, sync.instance) is False
        and MASTER in _running(state)
    )
    since = now if state.yielded_at is None else state.yielded_at
    return replace(state, yielded_at=since if yielding else None)


def _fits(wanted: StartDaemon, running: SyncDaemon, held: Settings) -> bool:
    if not _is(wanted, running):
        return False
    said_before = any(one.role == wanted.role and one.max_length for one in _running_of_ours(held))
    return bool(wanted.max_length) or not said_before


def _daemon(sync: ConnectionSync, role: str) -> StartDaemon:
    return StartDaemon(role, sync.interface, sync.sync_id, sync.max_length, sync.group, sync.port, sync.ttl)


def _texts(plan: tuple[Setting, ...]) -> dict[str, str | int | float]:
    return {"to_mend": "; ".join(map(setting_text, plan))}


def _refusal(refusal: SettingRefusal) -> Effect:
    fields: dict[str, str | int | float] = {
        "setting": setting_text(refusal.setting),
        "errno": refusal.errno,
        "meaning": refusal.meaning,
    }
    return Tell(Level.ERROR, "setting_refused", fields)


def _backoff(failures: int) -> float:
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]
