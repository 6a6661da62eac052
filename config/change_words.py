"""Values of the configuration in the words of a change. No word ever tells a secret. Pure."""

from __future__ import annotations

from enum import Enum
from typing import Final

import msgspec

from config.model import (
    AnyTrack,
    FirewallMark,
    Persistence,
    RealServer,
    TrackedFile,
    TrackedRoute,
    TrackedScript,
    VirtualAddress,
    VirtualEndpoint,
)
from config.pool_rules import Amount, CorrelatedFailure, Floor, HoldDown, LatencyWeights, Passive
from config.scalars import duration_words
from config.words import SCHEDULER_FLAGS

_ONE_PACKET_FLAG: Final = 0x4
_DURATIONS: Final = frozenset(
    ("interval", "fast_interval", "down_interval", "timeout", "advertisement_interval", "delay", "refresh", "repeat",
     "tcp", "tcp_fin", "udp", "slow_start", "first", "longest", "forget", "window"),
)  # fmt: skip
_SHARES: Final = frozenset(("share", "slack", "minimum"))
_RANGES: Final = frozenset(("reply_length",))
_NAMED: Final = {"needed": {0: "all", 1: "any"}, "workers": {0: "auto"}}
_BOOLEANS: Final = ("false", "true")
_SWITCHED: Final = {"manual_resume": ("automatic", "manual")}
_CALLED: Final = {"manual_resume": "resume", "needed": "checks needed"}
_HIDDEN: Final = frozenset(("name", "path", "prefix", "command"))  # said first, see track_words


def called(name: str) -> str:
    """The field `name` in a person's words."""
    return _CALLED.get(name, name.replace("_", " "))


def words(name: str, value: object) -> str:
    """The value of the field `name`."""
    match value:
        case None | "":
            return "none"
        case bool():
            return _SWITCHED.get(name, _BOOLEANS)[value]
        case Enum():
            return value.name.lower().replace("_", "-")
        case msgspec.Struct():
            return _struct(value)
        case int() | float():
            return _number(name, value)
        case str():
            return value if value.isprintable() and " " not in value else repr(value)
        case tuple() | frozenset():
            return _several(name, value)
        case _:
            return str(value)


def _struct(value: msgspec.Struct) -> str:
    match value:
        case VirtualEndpoint() | FirewallMark():
            return virtual_words(value)
        case Amount():
            return str(value)
        case Persistence():
            engine = f" by {value.engine}" if value.engine else ""
            return f"{duration_words(value.seconds)}/{value.netmask}{engine}"
        case Floor() | CorrelatedFailure() | HoldDown() | Passive() | LatencyWeights():
            told = ((field, getattr(value, field)) for field in value.__struct_fields__)
            return ", ".join(f"{called(field)} {words(field, one)}" for field, one in told if one is not None)
        case _:
            return "given"  # a secret, a login, TLS where there was none


def _several(name: str, value: tuple[object, ...] | frozenset[object]) -> str:
    if isinstance(value, frozenset):
        return ", ".join(sorted(map(str, value))) or "none"
    if name in _RANGES:
        return "-".join(map(str, value))
    return ", ".join(_item(name, one) for one in value) or "none"


def _item(name: str, one: object) -> str:
    """One of a list: a fallback server, a range of statuses, an argument."""
    match one:
        case RealServer():
            return endpoint_words(one.address, one.port)
        case (low, high):
            return str(low) if low == high else f"{low}-{high}"
        case _:
            return words(name, one)


def _number(name: str, value: float) -> str:
    if name == "flags":
        return _flags(int(value))
    if name in _SHARES:
        return f"{value}%"
    return duration_words(value) if name in _DURATIONS else _NAMED.get(name, {}).get(int(value), str(value))


def _flags(bits: int) -> str:
    words = ["one-packet"] if bits & _ONE_PACKET_FLAG else []
    words += [word for word, bit in SCHEDULER_FLAGS.items() if word.startswith("flag-") and bits & bit]
    return "+".join(words) or "none"


def virtual_words(virtual: VirtualEndpoint | FirewallMark) -> str:
    """What clients use."""
    if isinstance(virtual, FirewallMark):
        return f"fwmark {virtual.mark}{' IPv6' if virtual.ipv6 else ''}"
    return f"{virtual.protocol.name.lower()} {endpoint_words(virtual.address, virtual.port)}"


def endpoint_words(address: str, port: int) -> str:
    """Address and port."""
    return f"[{address}]:{port}" if ":" in address else f"{address}:{port}"


def method_words(real_server: RealServer) -> str:
    """The forwarding method."""
    return real_server.forwarding.name.lower()


def address_words(one: VirtualAddress) -> str:
    """A virtual address and where it lives."""
    return f"{one.address}/{one.prefix_length} on {one.interface}"


def track_words(track: AnyTrack) -> str:
    """What is tracked, and all that is said of it otherwise than by default."""
    match track:
        case TrackedFile():
            subject = track.path
        case TrackedRoute():
            subject = track.prefix
        case TrackedScript():
            subject = f"{track.name} ({' '.join(track.command)})"
        case _:
            subject = track.name
    told = [
        f"{field.name.replace('_', ' ')} {words(field.name, getattr(track, field.name))}"
        for field in msgspec.structs.fields(track)
        if field.name not in _HIDDEN and getattr(track, field.name) != field.default
    ]
    return " ".join((str(track.__struct_config__.tag), subject, *(f"({', '.join(told)})" for _ in told[:1])))
