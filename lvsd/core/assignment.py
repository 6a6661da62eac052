"""Which checks each worker runs, from configuration and what is known already. Pure.

All checks of one address go to one worker, so that a cap on probes of one address holds whole. Which, its name decides
alone (rendezvous hashing): a worker more or less moves only what it has, and one that was restarted gets the same.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from hashlib import blake2b
from math import ceil
from typing import overload

from checkers.core.messages import HURRIES_A_PACKET, RAW_WORKER, AssignedCheck, Target
from config.checks import AnyCheck, Check, Dial, ExternalCheck, HttpCheck, SimpleTcpCheck, SynCheck, TcpCheck, Timing
from config.model import Config, VirtualEndpoint, VirtualService
from lvsd.core import initial
from lvsd.core.fallback import is_checked
from lvsd.core.health import numbered_checks
from lvsd.core.sharing import host_of, is_probed, port_of, verdict_of
from lvsd.core.state import Checked, Director, Share, Shared, Shares

PLAIN_PROBES_A_SECOND = 10_000  # of one worker on one core
LIBRARY_COST, TLS_COST, COMMAND_COST = 8, 15, 100  # in plain probes
PLAIN_DIAL = Dial()
WRITTEN_AT_ONCE = 200  # checks
ADDRESSES_KEPT = 1 << 17  # more real servers than one balancer probes
CREWS_KEPT = 4  # that of now, and those of while workers come and go


def configured_checks(config: Config) -> dict[str, Checked]:
    """Every check of a configuration by its identity, those of fallback servers last.

    A real server that is also a fallback server is checked as a real one.
    """
    checks = {
        identity: Checked(virtual, real, check)
        for virtual in config.services
        for real in virtual.real_servers
        for identity, check in numbered_checks(virtual, real)
    }
    for virtual in config.services:
        for real in filter(is_checked, virtual.fallback):
            for identity, check in numbered_checks(virtual, real):
                checks.setdefault(identity, Checked(virtual, real, check))
    return checks


def shares(director: Director) -> Shares:
    """Everybody's share, as it is by now."""
    found, among = director.shares, director.workers.sharing
    if found.checks is director.checks and found.shared is director.shared and found.among == among:
        return found
    return shares_of(director.checks, director.shared, among)


def shares_of(checks: Mapping[str, Checked], shared: Shared, among: tuple[int, ...]) -> Shares:
    """Everybody's share of these checks, where these workers divide the ordinary ones."""
    names: dict[int, list[str]] = {}
    pace: dict[int, float] = {}
    for identity, checked in checks.items() if among else ():
        if is_probed(checked) and identity not in shared.probe:
            number = place(checked, among)
            names.setdefault(number, []).append(identity)
            pace[number] = pace.get(number, 0.0) + 1 / shortest(checked.check.timing)
    return Shares(checks, shared, among, {number: Share(tuple(names[number]), pace[number]) for number in names})


def assigned_checks(director: Director, worker: int) -> Sequence[AssignedCheck]:
    """All checks that this worker is to run. What is known goes along, so that nobody judges afresh.

    Few are written out here, many when they are sent.
    """
    found = Assigned(director, shares(director).given.get(worker, Share()).names)
    return found if len(found) > WRITTEN_AT_ONCE else tuple(found)


class Assigned(Sequence[AssignedCheck]):
    """Checks of a worker, each written out when it is asked for, of one belief."""

    def __init__(self, director: Director, names: tuple[str, ...]) -> None:
        """Of this belief."""
        self._director = director
        self._names = names

    def __len__(self) -> int:
        """How many."""
        return len(self._names)

    @overload
    def __getitem__(self, at: int) -> AssignedCheck: ...
    @overload
    def __getitem__(self, at: slice) -> Sequence[AssignedCheck]: ...
    def __getitem__(self, at: int | slice) -> AssignedCheck | Sequence[AssignedCheck]:
        """One of them, or some."""
        if isinstance(at, slice):
            return Assigned(self._director, self._names[at])
        return _assigned(self._names[at], self._director)

    def __iter__(self) -> Iterator[AssignedCheck]:
        """All of them."""
        return (_assigned(name, self._director) for name in self._names)


def place(checked: Checked, sharing: tuple[int, ...]) -> int:
    """The number of the worker that runs a check. `sharing`: between whom ordinary ones are divided."""
    if needs_raw(checked.check):
        return RAW_WORKER
    return sharing[0] if len(sharing) == 1 else chosen(host_of(checked), sharing)


def chosen(host: str, sharing: tuple[int, ...]) -> int:
    """Whoever of them is first for this address: rendezvous hashing."""
    known = _chosen_before(sharing)
    number = known.get(host)
    if number is None:
        number = max(sharing, key=lambda one: blake2b(f"{one} {host}".encode(), digest_size=8).digest())
        if len(known) >= ADDRESSES_KEPT:
            known.clear()
        known[host] = number
    return number


@lru_cache(CREWS_KEPT)
def _chosen_before(_sharing: tuple[int, ...]) -> dict[str, int]:
    """What was worked out for these, by address.

    Not a cache of calls: its keys are as many things more for Python's collector to look at, and one that is smaller
    than the farm forgets each address before it is asked for again.
    """
    return {}


def needs_raw(check: Check) -> bool:
    """Whether it takes CAP_NET_RAW: packets of our own making, or a mark on them (SO_MARK)."""
    return isinstance(check.kind, SynCheck) or check.dial.mark != 0


def workers_wanted(
    config: Config, checks: Mapping[str, Checked], cores: int, load: Load | None = None
) -> tuple[int, bool]:
    """How many workers are to share the probes, and whether there is to be one with CAP_NET_RAW beside them.

    Where it is left to us, as many as the probes keep busy, never more than the machine has cores. `load`: of these
    checks, where that is known.
    """
    found = load_of(checks) if load is None else load
    if config.daemon.workers:
        return config.daemon.workers, found.raw
    return max(1, min(cores, ceil(found.probes / PLAIN_PROBES_A_SECOND))), found.raw


@dataclass(frozen=True, slots=True)
class Load:
    """What checks come to: in plain probes a second, and whether any takes CAP_NET_RAW."""

    probes: float
    raw: bool


def load_of(checks: Mapping[str, Checked]) -> Load:
    """Of these."""
    probes = sum(cost(checked.check) for checked in checks.values() if is_probed(checked))
    return Load(probes, any(needs_raw(checked.check) for checked in checks.values()))


def cost(check: Check) -> float:
    """How much a check keeps a worker busy, in plain probes a second."""
    return _cost(check.kind, check.dial) / shortest(check.timing)


def shortest(timing: Timing) -> float:
    """The least time between two probes, in seconds."""
    others = (one for one in (timing.fast_interval, timing.down_interval) if one is not None)
    return min((timing.interval, *others))


def _cost(kind: AnyCheck, dial: Dial) -> int:
    match kind:
        case ExternalCheck():
            return COMMAND_COST
        case SynCheck():
            return 1
        case TcpCheck() | SimpleTcpCheck() | HttpCheck(tls=None, proxy_url=None) if dial == PLAIN_DIAL:
            return 1
        case HttpCheck():
            return TLS_COST
        case _:
            return LIBRARY_COST


def hurried(director: Director, checks: Iterable[str]) -> Iterator[tuple[int, tuple[str, ...]]]:
    """Who is to hurry with which probes, in parts of a packet's size."""
    shares: dict[int, dict[str, None]] = {}
    for identity in checks:
        probe = director.shared.probe.get(identity, identity)
        checked = director.checks.get(probe)
        if checked is not None and is_probed(checked):
            shares.setdefault(place(checked, director.workers.sharing), {})[probe] = None
    for worker, probes in shares.items():
        names = tuple(probes)
        yield from ((worker, names[at : at + HURRIES_A_PACKET]) for at in range(0, len(names), HURRIES_A_PACKET))


def _assigned(identity: str, director: Director) -> AssignedCheck:
    checked = director.checks[identity]
    verdict = verdict_of(director, identity)
    presumed = director.presumed.get(identity)
    known = initial.known(presumed, verdict)
    return AssignedCheck(
        identity,
        _target(checked),
        checked.check.kind,
        checked.check.timing,
        known,
        verdict.weight if verdict is not None else None,
        checked.check.dial,
        unseen=presumed is not None,
        since=verdict.since if verdict is not None and verdict.state is known else None,
    )


def question(identity: str, checked: Checked) -> AssignedCheck:
    """The check as it is asked of a real server of which nothing is known."""
    kind, timing, dial = checked.check.kind, checked.check.timing, checked.check.dial
    return AssignedCheck(identity, _target(checked), kind, timing, dial=dial)


def _target(checked: Checked) -> Target:
    """Where to dial. Only a command is told for whom: nothing else may depend on it, so that it can be shared."""
    host, port = host_of(checked), port_of(checked)
    return _command_target(host, port, checked.service) if _is_command(checked.check) else Target(host, port)


def _is_command(check: Check) -> bool:
    return isinstance(check.kind, ExternalCheck)


def _command_target(host: str, port: int, virtual: VirtualService) -> Target:
    endpoint = virtual.virtual
    address, virtual_port = (endpoint.address, endpoint.port) if isinstance(endpoint, VirtualEndpoint) else ("", 0)
    return Target(host, port, address, virtual_port, virtual.name)
