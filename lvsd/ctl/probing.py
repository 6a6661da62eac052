"""A probe as a person reads it: what was said, when, what it came to, and what is believed meanwhile. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import datetime

from lvsd.control.messages import CheckRow, RealServerRow, StatusReply
from lvsd.control.probes import NOT_PROBED, ProbeRow, SaidRow, SecuredRow, UseRow
from lvsd.ctl.explaining import found, milliseconds
from lvsd.ctl.render import Paint, plain

_PHASES = {"connect": "connect", "tls": "TLS", "first_byte": "first byte", "whole": "whole"}
_WIDTH = 11  # of a moment, which later lines of the same turn are set under


def probed(row: ProbeRow, standing: Mapping[UseRow, str], now: datetime, paint: Paint = plain) -> str:
    """A paragraph. `standing`: what is believed, by `standings`; `now` tells how long a certificate lasts."""
    lines = [paint(_whom(row), "cyan")]
    if row.result == NOT_PROBED:
        return "\n  ".join([*lines, f"{row.detail}."]) + "\n"
    lines.append(f"asked of {row.target}{_manner(row)}, {row.timeout:g} s at most; no name is looked up")
    lines += _conversation(row, now, paint)
    if row.unseen:
        lines.append(f"({row.unseen})")
    if row.left_out:
        lines.append(f"({row.left_out} octets more are not shown)")
    phases = (f"{_PHASES[name]} {milliseconds(row.phases[name])}" for name in _PHASES if name in row.phases)
    lines.append(f"Took: {', '.join(phases)}.")
    lines += [f"Running{_of(use, row)}: {standing[use]}" for use in row.uses if use in standing]
    return "\n  ".join(lines) + "\n"


def _whom(row: ProbeRow) -> str:
    first, *others = row.uses
    also = f", which stands for {', '.join(one.service for one in others)} too" if others else ""
    return f"{first.service} ({first.virtual}): {first.real_server}, check {row.check}{also}"


def _of(use: UseRow, row: ProbeRow) -> str:
    return f" ({use.service})" if len(row.uses) > 1 else ""


def _manner(row: ProbeRow) -> str:
    said = [f"from {row.source}"] if row.source else []
    said += [f"with mark {row.mark}"] if row.mark else []
    said += [f"behind a PROXY header of version {row.proxy_protocol}"] if row.proxy_protocol else []
    return "".join(f" {one}" for one in said)


def _conversation(row: ProbeRow, now: datetime, paint: Paint) -> Iterator[str]:
    """Everything in the order in which it was: what comes after the result is the goodbye."""
    events: list[tuple[float, int, list[str]]] = []
    at = row.phases.get("connect")
    if at is not None:
        events.append((at, 0, [f"{_moment(at)} * connected"]))
    if row.secured is not None:
        shaken = (at or 0.0) + row.phases.get("tls", 0.0)
        events.append((shaken, 1, [f"{_moment(shaken)} * {words}" for words in _secured(row.secured, now)]))
    events += [(one.at, 2, _said(one, paint)) for one in row.said]
    whole = row.phases.get("whole", 0.0)
    events.append((whole, 3, [_result(row, whole, paint)]))
    for _, _, lines in sorted(events, key=lambda event: event[:2]):
        yield from lines


def _result(row: ProbeRow, whole: float, paint: Paint) -> str:
    colour = {"ok": "green", "inconclusive": "yellow"}.get(row.result, "red")
    detail = f": {row.detail}" if row.detail else ""
    return f"{_moment(whole)} = {paint(row.result, colour)}{detail}"


def _said(one: SaidRow, paint: Paint) -> list[str]:
    mark, colour = (">", "blue") if one.ours else ("<", "white")
    first = _moment(one.at)
    return [
        f"{first if index == 0 else ' ' * _WIDTH} {paint(mark, colour)} {line}".rstrip()
        for index, line in enumerate(one.lines)
    ]


def _secured(one: SecuredRow, now: datetime) -> Iterator[str]:
    yield f"{one.version} with {one.cipher}"
    shown = one.certificate
    if not shown.ends:
        yield "its certificate cannot be read"
        return
    names = f", for {', '.join(shown.names)}" if shown.names else ""
    yield f"certificate of {shown.subject or 'nobody'}{names}, by {shown.issuer or 'nobody'}"
    yield f"which ends {shown.ends.replace('T', ' ').replace('Z', ' UTC')} ({_left(shown.ends, now)})"


def _left(ends: str, now: datetime) -> str:
    try:
        days = (datetime.fromisoformat(ends) - now).days
    except ValueError:
        return "which is no date"
    return f"in {days} days" if days >= 0 else f"it has expired {-days} days ago"


def _moment(seconds: float) -> str:
    return f"{milliseconds(seconds):>{_WIDTH}}"


def standings(status: StatusReply) -> dict[UseRow, str]:
    """What the director believes, by whom a probe may stand for."""
    believed: dict[UseRow, str] = {}
    for service in status.services:
        for real in service.real_servers:
            rows: tuple[RealServerRow | CheckRow, ...] = real.checks or (real,)
            for number, one in enumerate(rows, 1):
                use = UseRow(service.name, service.virtual, real.real_server, number)
                believed[use] = f"{real.standing}; {found(one) if one.result else 'not probed yet.'}"
    return believed
