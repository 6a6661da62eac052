"""Checks that ask one endpoint the same thing are probed once, for all services that have them. Pure.

The same thing: address, port, kind, timing and how the packets leave; a command is told the virtual service too, so
that one is never shared. A probe is named after one of its checks, and keeps that name while the check has it: what is
known of it goes on, whoever else joins or leaves.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterable, Iterator, Mapping
from dataclasses import replace

import msgspec

from checkers.core.messages import Verdict
from config.checks import ExternalCheck, FollowCheck, NoCheck
from config.words import Initial
from lvsd.core import large
from lvsd.core.state import Checked, Director, Shared


def host_of(checked: Checked) -> str:
    """The address that is probed."""
    return checked.check.address or checked.real.address


def port_of(checked: Checked) -> int:
    """The port that is probed."""
    return checked.check.port or checked.real.port


def is_probed(checked: Checked) -> bool:
    """Whether anything is sent for it."""
    return not isinstance(checked.check.kind, NoCheck | FollowCheck)


def shared(checks: Mapping[str, Checked], presumed: Mapping[str, Initial], before: Shared) -> Shared:
    """Which checks share a probe. `before`: as it was until now."""
    others: dict[str, tuple[str, ...]] = {}
    probe: dict[str, str] = {}
    for same in _alike(checks, presumed):
        name = next((one for one in same if one in before.others), same[0])
        others[name] = tuple(one for one in same if one != name)
        probe.update(dict.fromkeys(others[name], name))
    return Shared(others, probe)


def _alike(checks: Mapping[str, Checked], presumed: Mapping[str, Initial]) -> Iterator[list[str]]:
    """The identities of checks that are alike, two or more."""
    endpoints: dict[tuple[str, int], list[str]] = {}
    for identity, checked in checks.items():
        if is_probed(checked) and not isinstance(checked.check.kind, ExternalCheck):
            endpoints.setdefault((host_of(checked), port_of(checked)), []).append(identity)
    for there in endpoints.values():
        if len(there) == 1:  # by far the most
            continue
        asked: dict[Hashable, list[str]] = {}
        for identity in there:
            check = checks[identity].check
            asked.setdefault((check.kind, check.timing, check.dial, presumed.get(identity)), []).append(identity)
        yield from (same for same in asked.values() if len(same) > 1)


def joined(director: Director) -> Director:
    """Checks about which nothing is known take over what is known of those they share a probe with."""
    found: dict[str, Verdict] = {}
    for name, others in director.shared.others.items():
        known = verdict_of(director, name)
        if known is not None:
            found |= {one: _of(one, known) for one in (name, *others) if one not in director.verdicts}
    return replace(director, verdicts=large.changed(director.verdicts, found)) if found else director


def verdict_of(director: Director, probe: str) -> Verdict | None:
    """What is known of a probe: what is of its first check that anything is known about."""
    own = director.verdicts.get(probe)
    if own is not None:  # by far the most
        return own
    names = director.shared.others.get(probe, ())
    return next((verdict for name in names if (verdict := director.verdicts.get(name)) is not None), None)


def fanned_out(director: Director, verdicts: Iterable[Verdict]) -> Iterator[Verdict]:
    """What was found by each probe, for all the checks that share it."""
    for verdict in verdicts:
        yield verdict
        for other in director.shared.others.get(verdict.id, ()):
            yield _of(other, verdict)


def _of(identity: str, verdict: Verdict) -> Verdict:
    return msgspec.structs.replace(verdict, id=identity)


def services_with(director: Director, identity: str) -> tuple[str, ...]:
    """The names of all services that share this check's probe; none when it has one to itself."""
    name = director.shared.probe.get(identity, identity)
    others = director.shared.others.get(name)
    if others is None:
        return ()
    return tuple(dict.fromkeys(director.checks[one].service.name for one in (name, *others)))
