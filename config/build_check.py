"""A check's keys, level by level, to the check a worker runs. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import msgspec

from config import codes
from config import shape_checks as keys
from config.check_kinds import build_kind
from config.check_parts import check_type
from config.checks import (
    AnyCheck,
    Check,
    Dial,
    DnsCheck,
    ExternalCheck,
    FollowCheck,
    NoCheck,
    PingCheck,
    SipCheck,
    Timing,
)
from config.nodes import At, Place
from config.reading import Reading
from config.sections import Fields
from config.strangers import CHECK_STRANGERS

NO_CHECK_SAID: Final = Fields(Place(""))
_SPECIFIC: Final = frozenset(key.name for specific in keys.TYPE_KEYS.values() for key in specific)
_KNOWN: Final = {kind: frozenset(key.name for key in keys.known_keys(kind)) for kind in keys.TYPE_KEYS}
_TIMING: Final = frozenset(
    key.name
    for key in (
        keys.INTERVAL,
        keys.FAST_INTERVAL,
        keys.DOWN_INTERVAL,
        keys.TIMEOUT,
        keys.RISE,
        keys.FALL,
        keys.CONNECTS,
    )
)
_INSTEAD: Final = (
    (keys.RECEIVE, keys.RECEIVE_REGEX),
    (keys.RECEIVE_REGEX, keys.RECEIVE),
    (keys.SEND, keys.SEND_HEX),
    (keys.SEND_HEX, keys.SEND),
)
"""Keys that, said at one level, leave another of the level above behind."""


class Probes(msgspec.Struct, frozen=True):
    """What a level's real servers are probed with: its `check`, or each of its `checks` when there are any.

    `made` keeps what `build_checks` makes of it: thousands of services may share one level's.
    """

    check: Fields = NO_CHECK_SAID
    checks: tuple[Fields, ...] = ()
    made: list[tuple[Check, ...]] = msgspec.field(default_factory=list)

    def each(self) -> tuple[Fields, ...]:
        """The fields of every check to be made."""
        return self.checks or (self.check,)


def inherit_probes(outer: Probes, check: At[Fields] | None, checks: At[tuple[At[Fields], ...]] | None,
                   reading: Reading) -> Probes:  # fmt: skip
    """A level's `check` and `checks` over those of the level above.

    `checks` replaces an outer list; its items stand over the level's `check`. A `check` that says a `type` replaces
    an outer list too; one that says none goes over each of the list's items.
    """
    own = check.value if check is not None else None
    if checks is not None:
        base = outer.check if own is None else inherit_check(outer.check, own, reading)
        return Probes(base, tuple(inherit_check(base, item.value, reading) for item in checks.value))
    if own is None:
        return outer
    if outer.checks and not own.said(keys.TYPE):
        return Probes(own.over(outer.check), _over_each(own, outer.checks, reading))
    return Probes(inherit_check(outer.check, own, reading))


def timing_of(probes: Probes) -> Probes:
    """When a level probes, without what it asks."""
    return Probes(probes.check.only(_TIMING))


def _over_each(own: Fields, items: Iterable[Fields], reading: Reading) -> tuple[Fields, ...]:
    """Keys over every check of a list, each key over those whose type knows it."""
    items = tuple(items)
    _refuse_foreign_keys(own, [check_type(item) for item in items], reading)
    return tuple(_over(own.only(_KNOWN[check_type(item)]), item, check_type(item)) for item in items)


def inherit_check(outer: Fields, inner: Fields, reading: Reading) -> Fields:
    """A level's keys over those of the level above.

    A type of its own leaves the outer type's specific keys behind, and so does `receive` with an outer
    `receive_regex` and the other way round. Keys said here must belong to the type that results; inherited ones that
    mean nothing to it have no effect, and reach the levels below.
    """
    kind = check_type(inner) if inner.said(keys.TYPE) else check_type(outer)
    if not inner.said(keys.TYPE) or inner.get(keys.TYPE) is not None:
        _refuse_foreign_keys(inner, [kind], reading)
    return _over(inner, outer, kind)


def _over(inner: Fields, outer: Fields, kind: str) -> Fields:
    left = set(_SPECIFIC) if kind != check_type(outer) else set()
    left.update(gone.name for said, gone in _INSTEAD if inner.said(said))
    return inner.over(outer, without=frozenset(left))


def _refuse_foreign_keys(inner: Fields, kinds: list[str], reading: Reading) -> None:
    known = frozenset[str]().union(*(_KNOWN[kind] for kind in kinds))
    for name, place in inner.key_places.items():
        if name not in known:
            message = f"`{name}` is unknown for type {' and '.join(dict.fromkeys(kinds))}"
            types = ", ".join(other for other, own in _KNOWN.items() if name in own)
            hint = f"it belongs to {types}" + ("" if inner.said(keys.TYPE) else "; no `type` is said here")
            hint += f"; {CHECK_STRANGERS[name]}" if name in CHECK_STRANGERS else ""
            reading.error(codes.KEY_OF_OTHER_TYPE, place, message, hint)


def build_checks(probes: Probes, reading: Reading) -> tuple[Check, ...]:
    """Every check of a level, at least one; made once."""
    if not probes.made:
        probes.made.append(tuple(build_check(fields, reading) for fields in probes.each()))
    return probes.made[0]


def build_check(fields: Fields, reading: Reading) -> Check:
    """The check, every default filled in."""
    fields = fields.only(_KNOWN[check_type(fields)])
    built_in = Timing()
    fast, down = fields.get(keys.FAST_INTERVAL), fields.get(keys.DOWN_INTERVAL)
    if fast is not None and fast.value > fields.value(keys.INTERVAL, built_in.interval):
        message = "`fast_interval` is longer than `interval`: what changes would be probed less often"
        reading.warning(codes.CONTRADICTION, fast.place, message, "shorten it, or leave it out")
    timing = Timing(
        interval=fields.value(keys.INTERVAL, built_in.interval),
        timeout=fields.value(keys.TIMEOUT, built_in.timeout),
        rise=fields.value(keys.RISE, built_in.rise),
        fall=fields.value(keys.FALL, built_in.fall),
        fast_interval=fast.value if fast else None,
        connects=fields.value(keys.CONNECTS, built_in.connects),
        down_interval=down.value if down else None,
    )
    port, address = fields.get(keys.CHECK_PORT), fields.get(keys.CHECK_ADDRESS)
    kind = build_kind(fields, reading)
    return Check(
        kind, timing, port.value if port else None, address.value if address else None, _dial(fields, kind, reading)
    )


def _dial(fields: Fields, kind: AnyCheck, reading: Reading) -> Dial:
    proxy_protocol = fields.value(keys.PROXY_PROTOCOL, 0)
    if proxy_protocol and isinstance(kind, DnsCheck | SipCheck) and not kind.tcp:
        message = "`proxy_protocol` needs a stream, and this check speaks UDP"
        reading.error(codes.CONTRADICTION, fields.place_of(keys.PROXY_PROTOCOL), message, "transport: tcp")
    return Dial(fields.value(keys.SOURCE, None) or "", fields.value(keys.MARK, 0), proxy_protocol)


def dials_a_port(kind: AnyCheck) -> bool:
    """Whether the check needs to know a port."""
    return not isinstance(kind, NoCheck | ExternalCheck | PingCheck | FollowCheck)
