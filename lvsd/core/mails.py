"""Mails about real servers that come and go: who is told what, when again, and never a flood. Pure.

The subjects are ldirectord's own, as people filter by them. What a mail tells of is what the kernel accepted.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from types import MappingProxyType

from checkers.core.messages import State
from config.model import FirewallMark, Mail, RealServer, VirtualService
from lvsd.core import large
from lvsd.core.effects import Effect, SendMail, Tell, Yield
from lvsd.core.health import checked_state, standing_state, taken_out
from lvsd.core.identity import endpoint_text, real_id, service_key
from lvsd.core.index import services_mailing, services_of
from lvsd.core.state import Director, Waiting
from netlink.operations import AddDestination, DeleteDestination, Operation, SetDestination
from netlink.table import DestinationKey, ServiceKey

MAILS_A_TICK = 10  # what comes on top of these waits for the next tick and goes out summed up
REAL_SERVERS_AT_ONCE = 1000  # are looked at whether they are still down: some milliseconds
MESSAGES_A_MAIL = 40  # a mail that sums up more than that counts the others: it must fit one packet


@dataclass(frozen=True, slots=True)
class Letter:
    """One message about one service."""

    virtual: VirtualService
    message: str


def posted(director: Director, letters: Iterable[Letter], phase: str | None = None) -> tuple[Director, list[Effect]]:
    """Send what may go now, keep the rest. A mail that does not want to hear of this phase is none."""
    post = director.post
    sent, waiting = post.sent, dict(post.waiting)
    mails: list[Effect] = []
    for letter in letters:
        mail, now = letter.virtual.mail, phase or phase_of(director, letter.virtual)
        if mail is None or now not in mail.phases:
            continue
        subject = _labelled(mail, letter.message)
        if sent < MAILS_A_TICK:
            sent += 1
            mails.append(SendMail(mail, subject, _body(mail, (subject,), now)))
        else:
            waiting[_envelope(mail)] = _and_one_more(waiting.get(_envelope(mail), Waiting(mail)), subject)
    return replace(director, post=replace(post, sent=sent, waiting=waiting)), mails


def _envelope(mail: Mail) -> tuple[str, ...]:
    return (mail.sender, mail.smtp or "", *mail.to)


def _and_one_more(waiting: Waiting, subject: str) -> Waiting:
    if len(waiting.subjects) < MESSAGES_A_MAIL:
        return replace(waiting, subjects=(*waiting.subjects, subject))
    return replace(waiting, more=waiting.more + 1)


def _labelled(mail: Mail, message: str) -> str:
    return f"[{mail.label}] {message}" if mail.label else message


def _body(mail: Mail, messages: tuple[str, ...], phase: str, more: int = 0) -> str:
    lines = [*(f"Log-Message: {message}" for message in messages)]
    if more:
        lines.append(f"and {more} more: see the log")
    lines += [f"Daemon-Status: {phase}", ""]
    if mail.label:
        lines.append(f"Service name: {mail.label}")
    if mail.comment:
        lines.append(f"Comment: {mail.comment}")
    return "\n".join(lines).rstrip() + "\n"


def phase_of(director: Director, virtual: VirtualService) -> str:
    """`starting` or `reloading` until all real servers have a first verdict, then `running`; at last `stopping`."""
    if director.stopping:
        return "stopping"
    if service_key(virtual.virtual) in director.post.first_round:
        return "starting" if director.generation == 1 else "reloading"
    return "running"


def all_begin(director: Director) -> Director:
    """A configuration was taken over: every service is in its first round."""
    keys = frozenset(service_key(virtual.virtual) for virtual in services_mailing(director.config))
    told_at = {identity: at for identity, at in director.post.told_at.items() if _is_reminded_of(director, identity)}
    return replace(director, post=replace(director.post, first_round=keys, told_at=told_at, looked_at=0))


def _is_reminded_of(director: Director, identity: str) -> bool:
    checked = director.checks.get(identity)
    if checked is None or checked.real not in checked.service.real_servers:
        return False
    return checked.service.mail is not None and bool(checked.service.mail.repeat)


def ticked(director: Director, now: float) -> tuple[Director, list[Effect]]:
    """A second has passed: what waited goes out summed up, who is still down is told of again when it is time."""
    post = director.post
    if not (post.sent or post.waiting or post.first_round or services_mailing(director.config)):
        return director, []
    flushed, mails = _flushed(replace(director, post=replace(post, sent=0)))
    looked, more = _some_looked_at(flushed, now)
    return looked, [*mails, *more]


def gone_on(director: Director, now: float) -> tuple[Director, list[Effect]]:
    """The next services of the look that a tick began, if it goes on."""
    return _some_looked_at(director, now) if director.post.looked_at else (director, [])


def _some_looked_at(director: Director, now: float) -> tuple[Director, list[Effect]]:
    """So many services: who is still down there, and whether their first round is over."""
    services, end = services_mailing(director.config), director.post.looked_at
    some: list[VirtualService] = []
    size = 0
    while end < len(services) and size < REAL_SERVERS_AT_ONCE:
        some.append(services[end])
        size += 1 + len(services[end].real_servers)
        end += 1
    reminded, letters = _reminders(director, some, now)
    told, mails = posted(reminded, letters)
    over = _rounds_over(told, {service_key(one.virtual) for one in some} if told.post.first_round else ())
    left = replace(over, post=replace(over.post, looked_at=end if end < len(services) else 0))
    return left, [*mails, *([Yield()] if left.post.looked_at else [])]


def rounds_reviewed(director: Director, operations: Iterable[Operation]) -> Director:
    """A service's first round is over when all its real servers have a verdict, and that was told of.

    Of those whose real servers these operations changed.
    """
    return _rounds_over(director, _concerned(operations)) if director.post.first_round else director


def _rounds_over(director: Director, looked_at: Iterable[ServiceKey]) -> Director:
    before = director.post.first_round
    services = services_of(director.config)
    over = {key for key in before.intersection(looked_at) if not _undecided(director, services[key])}
    return replace(director, post=replace(director.post, first_round=before - over)) if over else director


def _concerned(operations: Iterable[Operation]) -> frozenset[ServiceKey]:
    reals = (one for one in operations if isinstance(one, AddDestination | SetDestination | DeleteDestination))
    return frozenset(one.service for one in reals)


def _undecided(director: Director, virtual: VirtualService) -> bool:
    return any(checked_state(director, virtual, real) is State.UNKNOWN for real in virtual.real_servers)


def _flushed(director: Director) -> tuple[Director, list[Effect]]:
    """One mail for each set of recipients with what waits for it, as many as may go at once."""
    post = director.post
    going = dict(list(post.waiting.items())[: MAILS_A_TICK - post.sent])
    staying = {envelope: one for envelope, one in post.waiting.items() if envelope not in going}
    phase = "stopping" if director.stopping else "running"
    mails = [_summed_up(one, phase) for one in going.values()]
    return replace(director, post=replace(post, sent=post.sent + len(mails), waiting=staying)), mails


def _summed_up(one: Waiting, phase: str) -> Effect:
    number = len(one.subjects) + one.more
    if number == 1:
        return SendMail(one.mail, one.subjects[0], _body(one.mail, one.subjects, phase))
    return SendMail(one.mail, f"{number} further messages", _body(one.mail, one.subjects, phase, one.more))


def _reminders(director: Director, services: Iterable[VirtualService], now: float) -> tuple[Director, list[Letter]]:
    before = director.post.told_at
    told_at: dict[str, float] = {}
    better: list[str] = []
    letters: list[Letter] = []
    settled = not director.unsettled.services  # then they stand as was announced
    for virtual in services:
        if virtual.mail is None or not virtual.mail.repeat:
            continue
        for real in virtual.real_servers:
            identity = real_id(virtual, real)
            if (settled and director.announced.get(identity) is not State.DOWN) or not _is_down(
                director, virtual, real
            ):
                if before and identity in before:
                    better.append(identity)
                continue  # by far the most
            told_at[identity] = before.get(identity, now)
            if now - told_at[identity] >= virtual.mail.repeat:
                told_at[identity] = now
                server = endpoint_text(real.address, real.port)
                letters.append(Letter(virtual, f"Inaccessible real server: {server} ({virtual_words(virtual)})"))
    if not told_at and not better:
        return director, letters
    return replace(director, post=replace(director.post, told_at=large.changed(before, told_at, better))), letters


def _is_down(director: Director, virtual: VirtualService, real: RealServer) -> bool:
    return standing_state(director, virtual, real) is State.DOWN and not taken_out(director, virtual, real)


def changes(director: Director, operations: Iterable[Operation]) -> Iterator[Letter]:
    """What the accepted operations mean for those who get mails. `director` still holds the table before them."""
    services = services_of(director.config)
    for operation in operations:
        weight: int | None = None
        match operation:
            case AddDestination(key, one) | SetDestination(key, one):
                place, weight = one.key, one.weight
            case DeleteDestination(key, place):
                pass
            case _:
                continue
        virtual = services.get(key)
        if virtual is None or virtual.mail is None:  # by far the most
            continue
        message = _came_or_left(director, virtual, place, weight)
        if message:
            yield Letter(virtual, message)


_ALARMS: Mapping[str, str] = MappingProxyType(
    {
        "floor_broken": "Floor broken: {up} real servers up, {floor} wanted ({virtual}): {action}",
        "floor_restored": "Floor restored: {up} real servers up, {floor} wanted ({virtual})",
        "failure_suspected": "Failure suspected: {real_servers} real servers failed at once ({virtual}), kept for now",
        "failure_confirmed": "Failure confirmed: {real_servers} real servers ({virtual})",
        "failure_not_confirmed": "Failure not confirmed ({virtual})",
    }
)
"""What is told of the rules of a service's real servers that a person should read at once, as a subject."""


def alarms(services: Iterable[VirtualService], told: Iterable[Effect]) -> Iterator[Letter]:
    """Letters for those of the told facts that no change of the table tells of."""
    named = {one.name: one for one in services if one.mail is not None}
    for one in told if named else ():
        if isinstance(one, Tell) and one.event in _ALARMS and one.fields["service"] in named:
            virtual = named[str(one.fields["service"])]
            yield Letter(virtual, _ALARMS[one.event].format(virtual=virtual_words(virtual), **one.fields))


def _came_or_left(director: Director, virtual: VirtualService, key: DestinationKey, weight: int | None) -> str:
    """ldirectord's sentence for a destination that gets this weight, None: is deleted. Empty: nothing to tell."""
    entry = director.kernel.table.get(service_key(virtual.virtual))
    held = entry.destinations.get(key) if entry is not None else None
    before = held.weight if held is not None else None
    kind = _kind(virtual, key)
    place = f"{endpoint_text(key.address, key.port)} ({virtual_words(virtual)})"
    if weight:
        verb = "Added" if before is None or kind == "fallback" else "Restored"
        return "" if before else f"{verb} {kind} server: {place} (Weight set to {weight})"
    if weight is None and kind == "unconfigured":
        return f"Purged real server (start): {place}"
    if not before:
        return ""
    if weight is None or kind == "fallback":
        return f"Deleted {kind} server: {place}"
    return f"Quiescent {kind} server: {place} (Weight set to 0)"


def _kind(virtual: VirtualService, key: DestinationKey) -> str:
    if any((one.address, one.port) == (key.address, key.port) for one in virtual.real_servers):
        return "real"
    fallback = any((one.address, one.port) == (key.address, key.port) for one in virtual.fallback)
    return "fallback" if fallback else "unconfigured"


def virtual_words(virtual: VirtualService) -> str:
    """`ip:port`, `[v6]:port` or the bare mark."""
    endpoint = virtual.virtual
    if isinstance(endpoint, FirewallMark):
        return str(endpoint.mark)
    return endpoint_text(endpoint.address, endpoint.port)


def stopped(director: Director, cleared: Iterable[ServiceKey]) -> list[Effect]:
    """The last mails: what the stop took out of the table, and what waited for a tick that will not come."""
    gone = frozenset(cleared)
    letters = [
        Letter(virtual, f"Purged real server (stop): {endpoint_text(key.address, key.port)} ({virtual_words(virtual)})")
        for virtual in services_mailing(director.config)
        if service_key(virtual.virtual) in gone
        for key, one in director.kernel.table[service_key(virtual.virtual)].destinations.items()
        if one.weight
    ]
    last, mails = posted(director, letters, "stopping")
    _, summed_up = _flushed(replace(last, post=replace(last.post, sent=0)))
    return [*mails, *summed_up]
