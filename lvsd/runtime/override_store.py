"""What people said of real servers, in the state directory: in wall-clock time, as a machine may start again."""

from __future__ import annotations

from collections.abc import Mapping

import msgspec

from lvsd.core.pool_state import Override, OverrideKind

VERSION = 1


class _Said(msgspec.Struct, frozen=True, forbid_unknown_fields=True, omit_defaults=True):
    real_server: str  # VIRTUAL > ADDRESS:PORT
    kind: OverrideKind
    weight: int
    reason: str
    uid: int
    since: float  # seconds of the epoch
    until: float | None
    deadline: float | None = None
    left: int = 0


class _File(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    version: int
    overrides: tuple[_Said, ...]


def encoded(overrides: Mapping[str, Override], ahead: float) -> bytes:
    """The file. `ahead`: by how much the wall clock is ahead of CLOCK_MONOTONIC, seconds."""
    rows = tuple(
        _Said(
            name,
            one.kind,
            one.weight,
            one.reason,
            one.uid,
            round(one.since + ahead, 3),
            None if one.until is None else round(one.until + ahead, 3),
            None if one.deadline is None else round(one.deadline + ahead, 3),
            one.left,
        )
        for name, one in sorted(overrides.items())
    )
    return msgspec.json.format(msgspec.json.encode(_File(VERSION, rows)), indent=1)


def decoded(text: bytes, ahead: float) -> dict[str, Override]:
    """What it holds. Raises ValueError."""
    found = msgspec.json.decode(text, type=_File)
    if found.version != VERSION:
        message = f"overrides of version {found.version}: this lvsd knows {VERSION}"
        raise ValueError(message)
    return {
        one.real_server: Override(
            one.kind,
            one.weight,
            one.reason,
            one.uid,
            one.since - ahead,
            None if one.until is None else one.until - ahead,
            None if one.deadline is None else one.deadline - ahead,
            one.left,
        )
        for one in found.overrides
    }
