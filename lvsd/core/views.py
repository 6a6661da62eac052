"""The director's belief as the answers lvsctl shows. Pure."""

from __future__ import annotations

from msgspec import structs

from checkers.core.messages import State, Verdict
from config.checks import Check, FollowCheck, Timing
from config.model import RealServer, VirtualService, VrrpInstance
from config.pool_rules import WHOLE
from lvsd.control.messages import (
    CheckRow,
    LatenessRow,
    ProcessRow,
    RealServerRow,
    ServiceRow,
    StatusReply,
    TrackRow,
    VrrpReply,
    VrrpRow,
)
from lvsd.core import fallback, groups, sharing, tracking, unanswered, workers
from lvsd.core.check_words import check_about, check_word
from lvsd.core.crew import name_of
from lvsd.core.desired import desired
from lvsd.core.health import (
    asked_weight,
    check_state,
    check_verdict,
    checked_state,
    checks_states,
    effective_weight,
    hold_on,
    in_maintenance,
    latency_share,
    numbered_checks,
    ramp_of,
    sound_state,
    standing_state,
    taken_out,
    worst_check,
)
from lvsd.core.identity import check_id, endpoint_text, service_key, virtual_text
from lvsd.core.override_views import mark
from lvsd.core.quorum import floor_action
from lvsd.core.slow_start import STEPS
from lvsd.core.state import Director, Worker
from lvsd.core.verdicts import outcome_words
from lvsd.core.wording import operation_text
from lvsd.version import is_older
from lvsd.vrrp.messages import LATENESS_BOUNDS_SECONDS, InstanceStatus, Lateness
from lvsd.vrrp.virtual_mac import mac_of
from netlink.table import DestinationKey, Entry


def status(director: Director, now: float, service: str = "") -> StatusReply:
    """Health of every virtual service, or of those whose name or address is `service`."""
    return status_of(director, tuple(service_row(one, director, now) for one in chosen(director, service)), now)


def chosen(director: Director, service: str) -> tuple[VirtualService, ...]:
    """Every virtual service, or those whose name or address is `service`."""
    return tuple(one for one in director.config.services if not service or names(one, service))


def status_of(director: Director, rows: tuple[ServiceRow, ...], now: float) -> StatusReply:
    """How the daemon fares, with these services: of thousands each may have been made by itself, of one belief."""
    state = director.kernel
    return StatusReply(
        director.generation,
        now - director.loaded_at,
        rows,
        _processes(director, now),
        tuple(f"{operation_text(one.operation)}: {one.meaning}" for one in state.refusals),
        state.repairs,
        _age(state.repaired_at, now),
        state.unreadable,
    )


def names(virtual: VirtualService, asked: str) -> bool:
    """Whether a person who says `asked` means this virtual service."""
    text = virtual_text(virtual.virtual)
    return asked in (virtual.name, text, text.partition(" ")[2])


def service_row(virtual: VirtualService, director: Director, now: float) -> ServiceRow:
    """Health of one of them."""
    key = service_key(virtual.virtual)
    held = director.kernel.table.get(key)
    wanted = desired(director, (virtual,))[key]
    rows = [_real(virtual, real, director, (wanted, held), now) for real in virtual.real_servers]
    rows += [_spare(virtual, real, director, (wanted, held), now) for real in virtual.fallback]
    up = (real for real in virtual.real_servers if sound_state(director, virtual, real) is State.UP)
    action = floor_action(director, virtual)
    return ServiceRow(
        name=virtual.name,
        virtual=virtual_text(virtual.virtual),
        scheduler=virtual.scheduler,
        in_kernel=held is not None,
        real_servers=tuple(rows),
        quorum=virtual.quorum,
        hysteresis=virtual.hysteresis,
        quorum_state={True: "gained", False: "lost", None: "unknown"}[director.quorum.get(key)],
        weight_up=sum(effective_weight(director, virtual, real) for real in up),
        floor="" if virtual.rules.floor is None else str(virtual.rules.floor.minimum),
        floor_broken=action.value if action is not None else "",
    )


def _spare(
    virtual: VirtualService, real: RealServer, director: Director, tables: tuple[Entry, Entry | None], now: float
) -> RealServerRow:
    """A fallback server: its turn, and its health where that is checked."""
    row = _fallback(real, *tables)
    if not fallback.is_checked(real):
        return row
    check, verdict = worst_check(director, virtual, real)
    state = fallback.state_of(director, virtual, real)
    found = structs.asdict(_check(check, verdict, state, now))
    health = {name: value for name, value in found.items() if name in RealServerRow.__struct_fields__}
    standing = row.standing if row.weight_wanted or state is not State.DOWN else "out"
    taken = in_maintenance(director.maintenance, real)
    return structs.replace(row, **health, standing=standing, maintenance=taken)


def _fallback(real: RealServer, wanted: Entry, held: Entry | None) -> RealServerRow:
    """A fallback server has no health, only a turn."""
    key = DestinationKey(real.address, real.port)
    weight = _weight(wanted, key)
    return RealServerRow(
        real_server=endpoint_text(real.address, real.port),
        check="fallback",
        standing="serving" if weight else "spare",
        state=State.UP.value,
        state_age=None,
        result="",
        detail="",
        probe_age=None,
        latency=None,
        streak=0,
        needed=0,
        interval=0.0,
        timeout=0.0,
        weight_configured=real.weight,
        weight_wanted=weight,
        weight_held=_weight(held, key),
        probes=0,
        failures=0,
        fallback=True,
    )


def _real(
    virtual: VirtualService, real: RealServer, director: Director, tables: tuple[Entry, Entry | None], now: float
) -> RealServerRow:
    state = standing_state(director, virtual, real)
    key = DestinationKey(real.address, real.port)
    weight_wanted, weight_held = (_weight(entry, key) for entry in tables)
    check, verdict = worst_check(director, virtual, real)
    hold = hold_on(director, virtual, real)
    ramp = ramp_of(director, virtual, real)
    checked = checked_state(director, virtual, real) if hold or taken_out(director, virtual, real) else state
    row = _check(check, verdict, checked if hold else state, now)
    return RealServerRow(
        real_server=endpoint_text(real.address, real.port),
        check=row.check,
        standing=_standing(virtual, real, director, state, weight_wanted),
        state=row.state,
        state_age=row.state_age,
        result=row.result,
        detail=row.detail,
        probe_age=row.probe_age,
        latency=row.latency,
        streak=row.streak,
        needed=row.needed,
        interval=row.interval,
        timeout=row.timeout,
        weight_configured=real.weight,
        weight_wanted=weight_wanted,
        weight_held=weight_held,
        probes=row.probes,
        failures=row.failures,
        weight_asked=asked_weight(director, virtual, real),
        maintenance=in_maintenance(director.maintenance, real),
        override=mark(director, virtual, real, now),
        slow_start=ramp.step * 100 // STEPS if ramp is not None else None,
        hold=hold.value if hold is not None else "",
        priority_group=real.priority_group,
        unanswered=unanswered.is_suspect(director, virtual, real),
        latency_share=share if (share := latency_share(director, virtual, real)) < WHOLE else None,
        shared=() if real.further_checks else sharing.services_with(director, check_id(virtual, real)),
        checks=_checks(virtual, real, director, now) if real.further_checks else (),
        checks_up=checks_states(director, virtual, real).count(State.UP) if real.further_checks else 0,
        checks_needed=(real.needed or len(real.checks)) if real.further_checks else 0,
        checked=checked.value if checked.value != row.state else "",
        about=check_about(check) if isinstance(check.kind, FollowCheck) else "",
    )


def _checks(virtual: VirtualService, real: RealServer, director: Director, now: float) -> tuple[CheckRow, ...]:
    rows = (
        (identity, check, check_verdict(director, identity, check), check_state(director, identity, check))
        for identity, check in numbered_checks(virtual, real)
    )
    return tuple(
        structs.replace(
            _check(check, verdict, state, now),
            shared=sharing.services_with(director, identity),
            about=check_about(check),
        )
        for identity, check, verdict, state in rows
    )


def _check(check: Check, verdict: Verdict | None, state: State, now: float) -> CheckRow:
    result, detail = outcome_words(verdict.outcome) if verdict is not None else ("", "")
    follows = isinstance(check.kind, FollowCheck)  # what it takes stands with whom it follows
    return CheckRow(
        check=check_word(check.kind),
        state=state.value,
        state_age=now - verdict.since if verdict is not None else None,
        result=result,
        detail=detail,
        probe_age=now - verdict.probed_at if verdict is not None else None,
        latency=verdict.latency if verdict is not None else None,
        streak=verdict.streak if verdict is not None and not follows else 0,
        needed=_needed(verdict, check.timing) if not follows else 0,
        interval=interval_of(verdict, check.timing) if not follows else 0.0,
        timeout=check.timing.timeout if not follows else 0.0,
        probes=verdict.probes if verdict is not None else 0,
        failures=verdict.failures if verdict is not None else 0,
    )


def interval_of(verdict: Verdict | None, timing: Timing) -> float:
    """How often it is probed, as things are."""
    if verdict is not None and verdict.streak:
        return timing.interval if timing.fast_interval is None else timing.fast_interval
    down = verdict is not None and verdict.state is State.DOWN
    return timing.interval if timing.down_interval is None or not down else timing.down_interval


def _standing(virtual: VirtualService, real: RealServer, director: Director, state: State, weight: int | None) -> str:
    waits = state is State.UP and not weight and groups.stands_by(director, virtual, real)
    return "standby" if waits else standing(state, weight)


def standing(state: State, weight: int | None) -> str:
    """What is concluded for a real server, in one word."""
    match state:
        case State.UP if weight:
            return "serving"
        case State.UP | State.DOWN:  # in good health and yet not serving: its service lost the quorum
            return "out" if weight is None else "quiesced"
        case State.UNKNOWN:
            return "unknown"


def _needed(verdict: Verdict | None, timing: Timing) -> int:
    match verdict.state if verdict is not None else State.UNKNOWN:
        case State.UP:
            return timing.fall
        case State.DOWN:
            return timing.rise
        case State.UNKNOWN:
            return 1


def _weight(entry: Entry | None, key: DestinationKey) -> int | None:
    destination = entry.destinations.get(key) if entry is not None else None
    return destination.weight if destination is not None else None


def _age(moment: float | None, now: float) -> float | None:
    return None if moment is None else now - moment


def _worker(number: int, worker: Worker, now: float) -> ProcessRow:
    pid = worker.hello.pid if worker.hello is not None else 0
    return ProcessRow(name_of(number), pid, worker.connected, now - worker.changed_at, worker.probes)


def _processes(director: Director, now: float) -> tuple[ProcessRow, ...]:
    vrrp = director.vrrp
    rows = [_worker(number, worker, now) for number, worker in workers.seen(director.workers)]
    if vrrp.status is not None:
        older = (vrrp.status.version or "unknown") if is_older(vrrp.status.version) else ""
        rows.append(ProcessRow("vrrp", vrrp.status.pid, vrrp.connected, now - vrrp.changed_at, outdated=older))
    return tuple(rows)


def vrrp(director: Director, now: float) -> VrrpReply:
    """Every configured instance, as the vrrp process last reported it."""
    heard = director.vrrp.status
    reported = {one.name: one for one in heard.instances} if heard is not None else {}
    rows = tuple(_instance(director, instance, reported.get(instance.name), now) for instance in director.config.vrrp)
    lateness = _lateness(heard.lateness) if heard is not None else LatenessRow()
    return VrrpReply(director.vrrp.connected, now - director.vrrp.changed_at, rows, lateness)


def _lateness(heard: Lateness) -> LatenessRow:
    bounds = (*LATENESS_BOUNDS_SECONDS, None)
    return LatenessRow(heard.last, heard.maximum, tuple(zip(bounds, heard.counts, strict=False)))


def _instance(director: Director, instance: VrrpInstance, heard: InstanceStatus | None, now: float) -> VrrpRow:
    return VrrpRow(
        name=instance.name,
        interface=instance.interface,
        virtual_router_id=instance.virtual_router_id,
        version=instance.version,
        role=heard.role.value if heard is not None else "unknown",
        priority=heard.priority if heard is not None else instance.priority,
        interval=instance.advertisement_interval,
        active_router=heard.active_router if heard is not None else "",
        active_priority=heard.active_priority if heard is not None else 0,
        addresses=tuple(f"{one.address}/{one.prefix_length}" for one in instance.addresses),
        addresses_held=heard.addresses_held if heard is not None else (),
        age=now - heard.since if heard is not None else None,
        cause=heard.cause.value if heard is not None else "",
        transitions=heard.transitions if heard is not None else 0,
        adverts_sent=heard.adverts_sent if heard is not None else 0,
        adverts_received=heard.adverts_received if heard is not None else 0,
        dropped=heard.dropped if heard is not None else {},
        fault=heard.fault if heard is not None else "",
        yielded=heard is not None and heard.yielded,
        standbys=heard.standbys if heard is not None else (),
        tracks=_tracks(director, instance, heard),
        virtual_mac=instance.virtual_mac,
        mac=mac_of(instance.virtual_router_id, ipv6=instance.ipv6).hex(":") if instance.virtual_mac else "",
        accept=instance.accept,
    )


def _tracks(director: Director, instance: VrrpInstance, heard: InstanceStatus | None) -> tuple[TrackRow, ...]:
    """What we follow, and what the vrrp process says it follows itself."""
    found = ((track, tracking.standing(director, instance, track)) for track in instance.tracks)
    ours = (TrackRow(*tracking.named(track), one.state, one.delta, one.fault) for track, one in found if one.state)
    near = (
        TrackRow(one.kind, one.name, "good" if one.good else "bad", one.delta, one.words if one.bad else "")
        for one in (heard.near if heard is not None else ())
    )
    return (*near, *ours)
