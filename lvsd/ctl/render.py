"""Replies as a person reads them. Pure: colours are asked for, never guessed."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lvsd.control.messages import (
    ChangeReply,
    CheckRow,
    LatenessRow,
    OverrideMark,
    RealServerRow,
    ServiceRow,
    StatusReply,
    TrackRow,
    VrrpReply,
    VrrpRow,
)

Paint = Callable[[str, str], str]  # (text, colour) -> text

_STANDING_COLOURS = {"serving": "green", "out": "red", "quiesced": "yellow", "standby": "blue", "unknown": "cyan"}
_STATE_COLOURS = {"up": "green", "down": "red", "unknown": "cyan"}
_ROLE_COLOURS = {"active": "green", "backup": "blue", "initialize": "red", "unknown": "cyan"}
DETAIL_WIDTH = 60
TENTHS_BELOW = 10  # seconds
MINUTE, HOUR, DAY = 60, 3600, 86400  # seconds


def plain(text: str, _colour: str) -> str:
    """No colours."""
    return text


def span(seconds: float | None) -> str:
    """A length of time in two units at most: `0.3s`, `12s`, `2m03s`, `5h10m`, `3d4h`."""
    if seconds is None:
        return "-"
    if seconds < TENTHS_BELOW:
        return f"{max(0.0, seconds):.1f}s"
    whole = round(seconds)
    if whole < MINUTE:
        return f"{whole}s"
    if whole < HOUR:
        return f"{whole // MINUTE}m{whole % MINUTE:02}s"
    if whole < DAY:
        return f"{whole // HOUR}h{whole % HOUR // MINUTE:02}m"
    return f"{whole // DAY}d{whole % DAY // HOUR}h"


def columns(rows: Sequence[Sequence[str]], colours: Sequence[dict[int, str]], paint: Paint) -> list[str]:
    """Rows aligned under each other; `colours` holds a row's colour by column. No trailing blanks."""
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = []
    for row, coloured in zip(rows, colours, strict=True):
        cells = []
        for i, cell in enumerate(row):
            padding = " " * (widths[i] - len(cell))
            cells.append((paint(cell, coloured[i]) if i in coloured else cell) + padding)
        lines.append("  ".join(cells).rstrip())
    return lines


def status(reply: StatusReply, paint: Paint = plain, *, every_check: bool = False) -> str:
    """The health of every real server, and what is wrong with services and the daemon itself.

    `every_check`: where a real server has several checks, a line for each below its own.
    """
    rows: list[Sequence[str]] = [
        ("SERVICE", "VIRTUAL", "REAL SERVER", "STANDING", "SINCE", "WEIGHT", "LAST", "LATENCY", "RESULT")
    ]
    colours: list[dict[int, str]] = [{}]
    for service in reply.services:
        for index, real in enumerate(service.real_servers):
            rows.append(_real(service, real, first=index == 0))
            colours.append({3: _STANDING_COLOURS.get(real.standing, "white")})
            checks = real.checks if every_check else ()
            rows.extend(_check(one) for one in checks)
            colours.extend({3: _STATE_COLOURS.get(one.state, "white")} for one in checks)
        if not service.real_servers:
            rows.append((service.name, f"{service.virtual} {service.scheduler}", "none", *("-",) * 6))
            colours.append({})
    lines = columns(rows, colours, paint) if len(rows) > 1 else ["no virtual services"]
    return "\n".join([*lines, *_troubles(reply, paint)]) + "\n"


def _real(service: ServiceRow, real: RealServerRow, *, first: bool) -> Sequence[str]:
    return (
        service.name if first else "",
        f"{service.virtual} {service.scheduler}" if first else "",
        real.real_server,
        real.standing,
        span(real.state_age),
        _weight(real),
        span(real.probe_age),
        _latency(real),
        "; ".join((*_remarks(real), _result(real))),
    )


def _said(mark: OverrideMark) -> str:
    """A person's word on it."""
    if mark.kind == "await":
        return f"awaits `lvsctl enable` since {span(mark.age)}"
    words = {"drain": "drained", "drained": "drained to the end", "disable": "disabled"}
    what = words.get(mark.kind, f"weight {mark.weight} by hand")
    left = f" for {span(mark.left)} more" if mark.left is not None else ""
    return f"{what} {span(mark.age)} ago{left}{out_in(mark)}{': ' + mark.reason if mark.reason else ''}"


def out_in(mark: OverrideMark) -> str:
    """When a drain ends in any case."""
    return f", out in {span(mark.deadline)} at the latest" if mark.kind == "drain" and mark.deadline is not None else ""


_HOLDS = {
    "floor": "kept by floor",
    "suspected": "failure suspected",
    "flapping": "held down after failures",
    "unanswered": "held out, clients are not answered",
}


def _remarks(real: RealServerRow) -> list[str]:
    """Why it stands otherwise than its checks say."""
    remarks = ["in maintenance"] if real.maintenance else []
    if real.override is not None:
        remarks.append(_said(real.override))
    if real.slow_start is not None:
        remarks.append(f"slow start at {real.slow_start} %")
    if real.checks_needed < len(real.checks) > real.checks_up:
        remarks.append(f"{real.checks_up} of {len(real.checks)} checks up, {real.checks_needed} needed")
    if real.unanswered:
        remarks.append("clients are not answered")
    if real.latency_share is not None:
        remarks.append(f"slow: {real.latency_share} % of its weight")
    return [*remarks, _HOLDS.get(real.hold, real.hold)] if real.hold else remarks


def _check(one: CheckRow) -> Sequence[str]:
    last, name = span(one.probe_age), f"  {one.check} {one.about}".rstrip()
    return ("", "", name, one.state, span(one.state_age), "", last, _latency(one), _result(one))


def _latency(row: RealServerRow | CheckRow) -> str:
    return "-" if row.latency is None else f"{row.latency * 1000:.1f}ms"


def _weight(real: RealServerRow) -> str:
    """The weight held in the kernel, and where it is to go when that differs."""
    held = "-" if real.weight_held is None else str(real.weight_held)
    wanted = "-" if real.weight_wanted is None else str(real.weight_wanted)
    asked = "" if real.weight_asked is None or real.weight_wanted != real.weight_asked else " (asked)"
    return (held if held == wanted else f"{held} -> {wanted}") + asked


def _result(real: RealServerRow | CheckRow) -> str:
    if not real.result:
        return {"none": "always up", "fallback": "fallback, not probed"}.get(real.check, "not probed yet")
    streak = f" ({real.streak} of {real.needed})" if real.streak else ""
    detail = real.detail if len(real.detail) <= DETAIL_WIDTH else real.detail[: DETAIL_WIDTH - 3] + "..."
    return f"{real.check} {real.result}{streak}{': ' + detail if detail else ''}"


def _troubles(reply: StatusReply, paint: Paint) -> list[str]:
    lines = [paint(_quorum_lost(one), "red") for one in reply.services if quorum_is_lost(one)]
    lines.extend(paint(_floor_broken(one), "red") for one in reply.services if one.floor_broken)
    for process in reply.processes:
        if not process.connected:
            gone = f"is gone since {span(process.age)}: what it last said stands"
            never = f"has not come for {span(process.age)}"
            lines.append(paint(f"the {process.name} process {gone if process.pid else never}", "red"))
        elif process.outdated:
            todo = "`lvsctl failover` where this balancer is active, then `systemctl restart lvsd`"
            lines.append(
                paint(f"the {process.name} process is of an older lvsd ({process.outdated}): {todo}", "yellow")
            )
    if reply.table_error:
        lines.append(paint(f"the kernel's table cannot be read: {reply.table_error}", "red"))
    lines.extend(paint(f"refused by the kernel: {refusal}", "red") for refusal in reply.refusals)
    if reply.repairs:
        text = f"the table was changed by a stranger and mended {reply.repairs} times"
        lines.append(paint(f"{text}, last {span(reply.repair_age)} ago", "yellow"))
    return ["", *lines] if lines else []


_BELOW_FLOOR = {"keep": "those that fail stay in service", "fail-open": "all serve, whatever their checks say"}


def quorum_is_lost(service: ServiceRow) -> bool:
    """Whether by its weights: one that a broken floor takes away is told with the floor."""
    return service.quorum_state == "lost" and service.floor_broken not in ("sorry", "withdraw")


def floor_broken(service: ServiceRow) -> str:
    """What a broken floor means for its service."""
    instead = _BELOW_FLOOR.get(service.floor_broken) or f"the quorum counts as lost; {_instead(service)}"
    return f"the floor of {service.floor} is broken: {instead}"


def _floor_broken(service: ServiceRow) -> str:
    return f"{service.name}: {floor_broken(service)}"


def _instead(service: ServiceRow) -> str:
    """Who serves without the quorum."""
    if any(real.fallback and real.standing == "serving" for real in service.real_servers):
        return "the fallback servers serve"
    if not any(real.standing == "serving" for real in service.real_servers):
        return "nobody serves"
    return "those that are up go on serving" if service.weight_up else "those that the floor keeps go on serving"


def _quorum_lost(service: ServiceRow) -> str:
    needed = service.quorum + service.hysteresis
    told = f"the quorum is lost: weight {service.weight_up} is up, {needed} is needed"
    return f"{service.name}: {told}; {_instead(service)}"


def vrrp(reply: VrrpReply, paint: Paint = plain) -> str:
    """The VRRP instances."""
    if not reply.instances:
        return "no VRRP instances are configured\n"
    header = ("INSTANCE", "INTERFACE", "VRID", "ROLE", "PRIORITY", "ACTIVE ROUTER", "SINCE", "CAUSE", "ADDRESSES")
    rows: list[Sequence[str]] = [header, *(_instance(one) for one in reply.instances)]
    colours = [{}, *({3: _ROLE_COLOURS.get(one.role, "white")} for one in reply.instances)]
    lines = columns(rows, colours, paint)
    for one in reply.instances:
        lines.extend(_instance_remarks(one, paint))
    if any(number for _, number in reply.lateness.counts):
        lines.append(_lateness(reply.lateness))
    if not reply.connected:
        lines.append(paint(f"the vrrp process is gone since {span(reply.age)}: this is what it last said", "red"))
    return "\n".join(lines) + "\n"


def _instance_remarks(one: VrrpRow, paint: Paint) -> list[str]:
    """What is to be said of an instance below the table."""
    lines = [paint(f"{one.name}: {one.fault}", "red")] if one.fault else []
    lines.extend(_track(one.name, track, paint) for track in one.tracks)
    if one.yielded:
        text = "was handed over and does not preempt: `lvsctl failover --back` lets it"
        lines.append(paint(f"{one.name}: {text}", "yellow"))
    if one.virtual_mac:
        lines.append(f"{one.name}: addresses on {one.virtual_mac} with the MAC {one.mac}")
    if not one.accept:
        lines.append(f"{one.name}: does not accept packets for itself on its addresses")
    if one.standbys:
        lines.append(f"{one.name}: {', '.join(one.standbys)} standing by")
    if one.dropped:
        counts = ", ".join(f"{kind} {number}" for kind, number in sorted(one.dropped.items()))
        lines.append(paint(f"{one.name}: advertisements dropped: {counts}", "yellow"))
    return lines


def _lateness(row: LatenessRow) -> str:
    parts = [f"{number} {_bound(bound)}" for bound, number in row.counts if number]
    return f"timers: {row.maximum * 1000:.1f} ms late at most, {row.last * 1000:.1f} ms last; {', '.join(parts)}"


def _bound(seconds: float | None) -> str:
    return "later" if seconds is None else f"within {seconds * 1000:g} ms"


def _track(instance: str, track: TrackRow, paint: Paint) -> str:
    weight = "fault" if track.fault else f"{track.weight:+d}" if track.weight else "0"
    bad = track.fault or track.state == "bad" or track.weight < 0
    text = f"{instance}: {track.kind} {track.name}: {track.state} ({weight})"
    return paint(text, "yellow") if bad else text


def _instance(one: VrrpRow) -> Sequence[str]:
    active = f"{one.active_router} ({one.active_priority})" if one.active_router else "-"
    held = set(one.addresses_held)
    addresses = " ".join(f"{address}{'' if address in held else ' (not here)'}" for address in one.addresses)
    return (
        one.name,
        one.interface,
        str(one.virtual_router_id),
        one.role,
        str(one.priority),
        active,
        span(one.age),
        one.cause,
        addresses,
    )


def change(reply: ChangeReply, *, done: bool) -> str:
    """A reload or a plan: what changed in the configuration, and what that means for the kernel."""
    lines = [f"  {text}" for text in reply.changes] or ["  nothing"]
    head = "reloaded; the configuration changed:" if done else "the configuration would change:"
    operations = [f"  {text}" for text in reply.operations] or ["  nothing"]
    second = "sent to the kernel:" if done else "would be sent to the kernel now:"
    refused = ["refused by the kernel:", *(f"  {text}" for text in reply.refusals)] if reply.refusals else []
    return "\n".join([head, *lines, second, *operations, *refused]) + "\n"
