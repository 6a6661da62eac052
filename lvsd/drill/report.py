"""A drill as it is told and kept. Pure."""

from __future__ import annotations

from collections.abc import Iterator

import msgspec

from lvsd.control.messages import FailoverRow
from lvsd.drill.comparison import Finding
from lvsd.drill.observation import ObservedService, words
from lvsd.drill.outage import Outage

GRACEFUL, FREEZE, KILL = "graceful", "freeze", "kill"
OWN_VIEW = "seen from the balancer itself; `lvsctl drill watch` on a third machine is a client, and holds connections"
REFUSED, REHEARSED, FAILED, COMPARED = "refused", "rehearsed", "failed", "compared"


class Moment(msgspec.Struct, frozen=True):
    """Something that happened, so many milliseconds after the failover was begun."""

    milliseconds: float
    text: str


class Announcement(msgspec.Struct, frozen=True):
    """Gratuitous ARP, or unsolicited neighbour advertisements, for a virtual address from another router."""

    address: str
    mac: str
    first_milliseconds: float
    times: int


class Connections(msgspec.Struct, frozen=True):
    """Of the connections that a service had before, how many the other balancer knew of: those were kept."""

    service: str
    before: int
    kept: int


class Report(msgspec.Struct, frozen=True):
    """A whole drill. `began` and `ended`: seconds since 1970."""

    result: str  # compared, refused, rehearsed, failed
    why: str
    node: str
    began: float
    how: str
    instances: tuple[str, ...]
    findings: tuple[Finding, ...]
    forced: bool = False
    moved: tuple[FailoverRow, ...] = ()
    returned: tuple[FailoverRow, ...] = ()
    there: tuple[Outage, ...] = ()
    back: tuple[Outage, ...] = ()
    unwatched: tuple[str, ...] = ()
    connections: tuple[Connections, ...] = ()
    announcements: tuple[Announcement, ...] = ()
    timeline: tuple[Moment, ...] = ()
    ended: float = 0.0
    observed: tuple[ObservedService, ...] = ()  # by clients on other machines

    @property
    def good(self) -> bool:
        """Whether a person may be content."""
        return self.result == REHEARSED or (self.result == COMPARED and not any(one.blocks for one in self.findings))


def text(report: Report) -> str:
    """As a person reads it."""
    return "\n".join(_lines(report)) + "\n"


def _lines(report: Report) -> Iterator[str]:
    yield f"drill on {report.node}: {', '.join(report.instances) or 'no instance'}, {report.how}"
    yield from _findings(report)
    if report.moved:
        yield "there:"
        yield from (f"  {_moved(row)}" for row in report.moved)
    yield from (f"  {_outage(one)}" for one in report.there)
    for one in report.connections:
        yield f"  {one.service}: {one.kept} of {one.before} connections known to the other kernel"
    for heard in report.announcements:
        when = f"{heard.times} times, first after {heard.first_milliseconds} ms"
        what = "neighbour advertisement" if ":" in heard.address else "gratuitous ARP"
        yield f"  {what} for {heard.address} from {heard.mac}: {when}"
    if report.returned or report.back:
        yield "back:"
        yield from (f"  {_moved(row)}" for row in report.returned)
        yield from (f"  {_outage(one)}" for one in report.back)
    yield from (f"not watched: {one}" for one in report.unwatched)
    if report.there and not report.observed:
        yield OWN_VIEW
    for node in dict.fromkeys(one.node for one in report.observed):
        yield f"seen by {node}, a client:"
        yield from (f"  {words(one)}" for one in report.observed if one.node == node)
    if report.timeline:
        yield "time line (ms):"
        yield from (f"  {one.milliseconds:>9.1f}  {one.text}" for one in report.timeline)
    yield f"{report.result}{': ' + report.why if report.why else ''}"


def _findings(report: Report) -> Iterator[str]:
    if not report.findings:
        yield "the balancers agree: configuration, table, health, sysctls, connection sync"
    for one in report.findings:
        yield f"  {'NOT READY' if one.blocks else 'note'}: {one.text} [{one.code}]"


def _moved(row: FailoverRow) -> str:
    match row.outcome:
        case "handed_over":
            return f"{row.name}: handed over to {row.active_router} in {row.milliseconds} ms"
        case "returned":
            return f"{row.name}: active here again after {row.milliseconds} ms"
        case "released":
            return f"{row.name}: stays with {row.active_router}, which this router does not preempt"
        case "taken_back":
            return f"{row.name}: nobody took over; taken back after {row.milliseconds} ms"
        case _:
            return f"{row.name}: {row.outcome.replace('_', ' ')} after {row.milliseconds} ms"


def _outage(one: Outage) -> str:
    if one.milliseconds is None:
        return f"{one.service}: cannot be told from here ({one.probes} probes, {one.unanswered} unanswered)"
    length = f"at least {one.milliseconds} ms, to the end" if one.lasting else f"{one.milliseconds} ms"
    return f"{one.service}: outage {length} ({one.probes} probes, {one.unanswered} unanswered)"


def row_text(row: FailoverRow) -> str:
    """One instance of a hand-over or a return."""
    return _moved(row)
