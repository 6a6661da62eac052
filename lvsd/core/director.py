"""The director's decisions: `step(director, event, now)` to a new belief and what to do about it. Pure.

Everything that happens comes in as an event (`lvsd.core.events`), everything wanted of the world goes out as
an effect (`lvsd.core.effects`). Effects are to be carried out in their order.
"""

from __future__ import annotations

from dataclasses import replace

from lvsd.core import (
    draining,
    following,
    groundwork,
    groups,
    hooks,
    initial,
    kernel,
    kernel_settings,
    large,
    mails,
    maintenance,
    monitor,
    overrides,
    pool,
    quorum,
    roles,
    sharing,
    slices,
    speeds,
    sysctls,
    tracking,
    turns,
    unanswered,
    verdicts,
    witnesses,
    workers,
)
from lvsd.core.desired import without_ours
from lvsd.core.effects import (
    Apply,
    ConfigureVrrp,
    Effect,
    Level,
    ReadTable,
    RememberOwned,
    Tell,
    Yield,
)
from lvsd.core.events import (
    ClientsSeen,
    ConfigChanged,
    ConnectionsCounted,
    Event,
    MaintenanceSeen,
    OverridesSet,
    PlanApplied,
    Resumed,
    ScriptHeard,
    SettingsApplied,
    SettingsRead,
    SettingsUnreadable,
    Started,
    StopAsked,
    SysctlsApplied,
    SysctlsRead,
    TableRead,
    TableSuspected,
    TableUnreadable,
    Ticked,
    TracksSeen,
    VerdictsHeard,
    VrrpCame,
    VrrpHeard,
    VrrpWent,
    WorkerCame,
    WorkerWent,
)
from lvsd.core.groundwork import Groundwork
from lvsd.core.index import services_of
from lvsd.core.pool import rules_applied, rules_pending, turns_remembered
from lvsd.core.state import Director, Kernel, Vrrp
from lvsd.version import VERSION, is_older
from lvsd.vrrp.messages import VrrpStatus
from netlink.operations import DeleteService

Step = tuple[Director, tuple[Effect, ...]]

READY_LIMIT_SECONDS = 15.0  # checks that never answer must not keep an address from the only balancer there is


def step(director: Director, event: Event, now: float) -> Step:
    """One event, decided. `now` is CLOCK_MONOTONIC in seconds."""
    if director.stopping:
        return director, ()  # what is left is to end: nothing may be set up again behind the stop
    after, effects = _decided(director, event, now)
    tracked, weighed = tracking.beside(director, after, event, now)  # first of all: an address may have to move
    told = roles.beside(director, tracked, event)
    settled = kernel_settings.beside(director, told[0], event, now)
    return _and_then(sysctls.beside(settled[0], event), (*weighed, *effects, *told[1], *settled[1]))


def _decided(director: Director, event: Event, now: float) -> Step:
    match event:
        case Started() | ConfigChanged() | StopAsked():
            return _configuration(director, event, now)
        case WorkerCame() | WorkerWent() | VerdictsHeard() | ClientsSeen():
            return _worker(director, event, now)
        case VrrpCame() | VrrpWent() | VrrpHeard():
            return _vrrp(director, event, now)
        case TableSuspected() | TableRead() | TableUnreadable() | PlanApplied() | Ticked():
            return _kernel(director, event, now)
        case SettingsRead() | SettingsUnreadable() | SettingsApplied() | SysctlsRead() | SysctlsApplied():
            return _ipvs(director, event, now)
        case MaintenanceSeen() | OverridesSet() | ConnectionsCounted():
            return _said(director, event, now)
        case Resumed():
            return _gone_on(director, now)
        case ScriptHeard() | TracksSeen():
            return director, ()  # of these VRRP alone depends


def _gone_on(director: Director, now: float) -> Step:
    """Some more of whatever is done in slices."""
    settled, effects = _settled(director, [], now)
    divided, given = workers.gone_on(settled)
    looked, mailed = mails.gone_on(divided, now)
    return looked, (*effects, *given, *mailed)


def _ipvs(
    director: Director,
    event: SettingsRead | SettingsUnreadable | SettingsApplied | SysctlsRead | SysctlsApplied,
    now: float,
) -> Step:
    """What the kernel answered about IPVS as a whole."""
    match event:
        case SysctlsRead() | SysctlsApplied():
            return sysctls.heard(director, event, now)
        case _:
            return kernel_settings.heard(director, event, now)


def _said(director: Director, event: MaintenanceSeen | OverridesSet | ConnectionsCounted, now: float) -> Step:
    """A person takes real servers out of service, or has another word on them; or such a word has come to its end."""
    match event:
        case MaintenanceSeen(names):
            seen, told = maintenance.seen(director, names)
            return _settled(slices.due(seen, None), told, now)
        case OverridesSet(changes):
            heard, told = overrides.changed(director, changes, now)
            return _settled(slices.due(heard, None), told, now)
        case ConnectionsCounted(counts):
            drained, told = draining.counted(director, counts, now)
            return _settled(drained, told, now) if told else (director, ())


def _configuration(director: Director, event: Started | ConfigChanged | StopAsked, now: float) -> Step:
    match event:
        case Started(config, owned, table, restarted, overrides=said, cores=cores):
            held_back = None if restarted else now + READY_LIMIT_SECONDS
            lost = quorum.adopted(config, table)
            begun = replace(
                director,
                owned=owned,
                kernel=Kernel(table=table),
                vrrp=Vrrp(held_back_until=held_back),
                quorum=lost,
                announced=turns.adopted(config, table) if restarted else {},
                overrides=said,
                pools=pool.adopted(config, lost),
            )
            begun = workers.begun(begun, now, cores)
            return _configured(begun, groundwork.of(begun, config), now, "config_loaded")
        case ConfigChanged(config, done):
            if done is None or done.config is not config or done.before is not director.config:
                done = groundwork.of(director, config)
            return _configured(director, done, now, "config_reloaded")
        case StopAsked():
            return _stopped(director)


def _configured(director: Director, work: Groundwork, now: float, told: str) -> Step:
    """Take over a configuration: verdicts of checks that are still there are kept, by identity."""
    config, checks = work.config, work.checks
    services_of.know(config, work.services)
    witnesses.forget()
    presumed = initial.presumed(director, work.initials, checks)
    as_assumed = director.shared is work.before_shared and presumed == work.presumed
    changed = replace(
        director,
        config=config,
        generation=director.generation + 1,
        loaded_at=now,
        owned=director.owned.union(work.services),
        checks=checks,
        presumed=presumed,
        following=work.following,
        shared=work.shared if as_assumed else sharing.shared(checks, presumed, director.shared),
        shares=work.shares,
        pools=pool.carried_over(director, config),
        verdicts=large.changed(director.verdicts, {}, work.unprobed),
    )
    changed, assigned = workers.configured(sharing.joined(changed), now, work.load)
    changed, ended = overrides.reviewed(changed, now)
    fields = {"services": len(config.services), "real_servers": work.real_servers, "vrrp_instances": len(config.vrrp)}
    effects: list[Effect] = [Tell(Level.INFO, told, {"generation": changed.generation, **fields})]
    effects.extend(ended)
    if told == "config_loaded":
        effects.extend(maintenance.seen(replace(changed, maintenance=frozenset()), director.maintenance)[1])
    if changed.owned != director.owned or told == "config_loaded":
        effects.append(RememberOwned(changed.owned))
    effects.extend(assigned)
    if changed.vrrp.connected and changed.vrrp.held_back_until is None:
        effects.append(ConfigureVrrp(changed.generation, config.vrrp))
    looking = following.services_following(changed)
    touched = None if told == "config_loaded" else {**work.changed, **looking}
    remembered = slices.forgotten(mails.all_begin(changed), work.gone, work.lost)
    settled, followed = _settled(slices.due(remembered, touched, sweep=True), effects, now)
    departed = turns.departed(director, work.departed)
    lines = hooks.lines(departed, config.daemon.lvs_notify_fifo)
    return settled, (*followed, *hooks.commands(departed), *lines)


def _stopped(director: Director) -> Step:
    """The table stays, unless the configuration says to clear what is ours."""
    stopped = replace(director, stopping=True)
    commands = hooks.commands(turns.leaving(director))
    if not director.config.daemon.clear_table_on_stop:
        return stopped, (Tell(Level.INFO, "stopped", {"table": "left"}), *commands, *mails.stopped(stopped, ()))
    ours = without_ours(director)
    deletions = tuple(DeleteService(key) for key in ours)
    told = Tell(Level.INFO, "stopped", {"table": "cleared"})
    return stopped, (told, Apply(deletions), *commands, *mails.stopped(stopped, ours))


def _worker(director: Director, event: WorkerCame | WorkerWent | VerdictsHeard | ClientsSeen, now: float) -> Step:
    match event:
        case WorkerCame(hello):
            came, told = workers.came(director, hello, now)
            return came, tuple(told)
        case WorkerWent(number):
            went, told = workers.went(director, number, now)
            return went, tuple(told)
        case ClientsSeen(found):
            suspicious, told = unanswered.heard(director, found, now)
            return _settled(suspicious, told, now)
        case VerdictsHeard(said, number):
            listening, message, answers = workers.heard(director, number, said, now)
            if not message.verdicts:
                return listening, tuple(answers)
            followed = (*answers, *monitor.lines(director, message))
            heard, changed = verdicts.heard(listening, message)
            heard, reweighed = speeds.heard(heard, message, now)
            if not changed and not reweighed:  # the wanted table is the same
                return heard, followed
            touched = {**slices.of_verdicts(director, heard, message.verdicts), **reweighed}
            settled = _settled(slices.due(heard, touched), [*followed], now)
            if any(isinstance(effect, Apply) for effect in settled[1]):
                return settled  # the table first: PlanApplied comes back here
            return _and_then(_let_vrrp_go(settled[0], now), settled[1])


def _vrrp(director: Director, event: VrrpCame | VrrpWent | VrrpHeard, now: float) -> Step:
    match event:
        case VrrpCame():
            came = replace(director, vrrp=replace(director.vrrp, connected=True, changed_at=now))
            if came.vrrp.held_back_until is not None:
                return _let_vrrp_go(came, now)
            return came, (ConfigureVrrp(came.generation, came.config.vrrp),)
        case VrrpWent():
            went = replace(director, vrrp=replace(director.vrrp, connected=False, changed_at=now))
            said_so = director.vrrp.status is not None and director.vrrp.status.ending
            return went, () if said_so else (Tell(Level.WARNING, "vrrp_process_lost", {}),)
        case VrrpHeard(status):
            heard = replace(director, vrrp=replace(director.vrrp, status=status, heard_at=now))
            return heard, _outdated(director.vrrp.status, status)


def _outdated(before: VrrpStatus | None, status: VrrpStatus) -> tuple[Effect, ...]:
    """Told once of each process: nobody restarts the one that holds the addresses by himself."""
    if not is_older(status.version) or (before is not None and before.pid == status.pid):
        return ()
    fields: dict[str, str | int | float] = {"pid": status.pid, "version": status.version or "unknown", "ours": VERSION}
    fields["hint"] = "`lvsctl failover` where this balancer is active, then `systemctl restart lvsd`"
    return (Tell(Level.WARNING, "vrrp_outdated", fields),)


def _let_vrrp_go(director: Director, now: float) -> Step:
    """Have vrrp begin, once every service can serve: an address taken with an empty table serves nobody.

    That is, every service has a real server with a weight in the kernel, or a first verdict on all of them.
    """
    until = director.vrrp.held_back_until
    if until is None or not director.vrrp.connected:
        return director, ()
    late = now >= until
    if not late and director.unsettled.services:
        return director, ()
    if not late and not kernel.all_can_serve(director):
        return director, ()
    gone = replace(director, vrrp=replace(director.vrrp, held_back_until=None))
    waited = late and gone.config.vrrp  # without an instance nobody waited
    fields: dict[str, str | int | float] = {"after_seconds": READY_LIMIT_SECONDS}
    told = (Tell(Level.WARNING, "vrrp_not_held_back_any_longer", fields),) if waited else ()
    return gone, (*told, ConfigureVrrp(gone.generation, gone.config.vrrp))


def _kernel(
    director: Director, event: TableSuspected | TableRead | TableUnreadable | PlanApplied | Ticked, now: float
) -> Step:
    match event:
        case TableSuspected():
            return director, (ReadTable(),)
        case TableRead(table):
            read, touched, effects = kernel.read(director, table, now)
            due = slices.due(read, touched)
            if slices.are_many(due):  # to find them was a step
                return due, (*effects, Yield())
            return _settled(due, effects, now)
        case TableUnreadable(error):
            return kernel.unreadable(director, error, now)
        case PlanApplied(operations, refusals):
            answered, answers = kernel.answered(director, operations, refusals, now)
            refused = {refusal.operation for refusal in refusals}
            letters = mails.changes(director, (one for one in operations if one not in refused))
            posted, sent = mails.posted(answered, letters)
            return _and_then(_let_vrrp_go(mails.rounds_reviewed(posted, operations), now), (*answers, *sent))
        case Ticked():
            again = director.kernel.retry_at is not None and director.kernel.retry_at <= now
            attended, parted = workers.ticked(director, now)
            ticked, sent = mails.ticked(attended, now)
            sent = [*parted, *sent]
            if ticked.unsettled.services:
                sent = [*sent, Yield()]  # whatever became of the last slice
            timed, followed = _timed(ticked, sent, now)
            return _and_then(_let_vrrp_go(timed, now), (*followed, *((ReadTable(),) if again else ())))


def _timed(director: Director, effects: list[Effect], now: float) -> Step:
    """What the time alone changes for real servers."""
    if overrides.due(director, now):
        reviewed, ended = overrides.reviewed(director, now)
        return _settled(slices.due(reviewed, None), [*effects, *ended], now)
    pending = slices.by_key(rules_pending(director))
    return _settled(slices.due(director, pending), effects, now) if pending else (director, tuple(effects))


def _and_then(second: Step, first: tuple[Effect, ...]) -> Step:
    """One step behind another: the later belief, the effects in their order."""
    return second[0], (*first, *second[1])


def _settled(director: Director, effects: list[Effect], now: float) -> Step:
    """Whatever was learnt, the table follows: the one place where a plan is made. Commands hear of it after that.

    The next of the services that are unsettled, all at once when they are few.
    """
    left, services, sweep = slices.taken(director)
    ruled, told_of_rules = rules_applied(left, services, now)
    effects.extend(told_of_rules)
    settled, noticed = turns.noticed(quorum.reckoned(ruled, services), services)
    settled, awaiting = overrides.awaited(turns_remembered(settled, noticed, now), noticed, now)
    settled, told_of_groups = groups.applied(settled, services)
    settled, alarms = mails.posted(settled, mails.alarms(services, told_of_rules))
    effects.extend((*awaiting, *told_of_groups))
    effects.extend(told for turn in noticed if (told := turns.told(settled, turn)) is not None)
    plan = kernel.plan_for(settled, now, services, sweep=sweep)
    if plan:
        effects.append(Apply(plan))
    if settled.unsettled.services:
        effects.append(Yield())
    effects.extend((*hooks.commands(noticed), *alarms))
    effects.extend(hooks.lines(noticed, settled.config.daemon.lvs_notify_fifo))
    return settled, tuple(effects)
