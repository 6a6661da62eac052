"""What is believed of a real server before its first verdict, where its configuration says so. Pure.

`initial` is for real servers nobody knows anything about: those that join a running lvsd, and those of a service whose
table is empty or was somebody else's. In a service of ours that serves the table is a predecessor's word on all of
them. And it never empties a service: whoever serves alone stays until it is judged.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from checkers.core.messages import State, Verdict
from checkers.core.outcome import Healthy, Inconclusive
from config.checks import FollowCheck, NoCheck
from config.model import Config, RealServer, VirtualService
from config.words import Initial
from lvsd.core.identity import check_id, service_key
from lvsd.core.state import Checked, Director
from netlink.table import DestinationKey, Entry


def concerned(config: Config) -> tuple[VirtualService, ...]:
    """The services whose configuration says anything of it: few, mostly none."""
    return tuple(
        virtual
        for virtual in config.services
        if any(real.initial is not Initial.ADOPT for real in virtual.real_servers)
    )


def presumed(
    before: Director, services: Iterable[VirtualService], checks: Mapping[str, Checked]
) -> Mapping[str, Initial]:
    """By identity of their checks: what is presumed of real servers from here on, until they are judged.

    `before`: the belief under the configuration so far; of a director that begins, there is none but the table.
    `services`: of the new one, those that are `concerned`.
    """
    kept = {
        identity: initial
        for identity, initial in before.presumed.items()
        if identity in checks and checks[identity].real.initial is initial
    }
    for virtual in services:
        for real in _presumed(before, virtual):
            kept.update(dict.fromkeys(_probed(virtual, real), real.initial))
    return kept


def _presumed(before: Director, virtual: VirtualService) -> Iterator[RealServer]:
    key = service_key(virtual.virtual)
    held = before.kernel.table.get(key)
    serving = [real for real in virtual.real_servers if serves(held, real)]
    if serving and not before.checks and key in before.owned:
        return
    joined = [real for real in virtual.real_servers if check_id(virtual, real) not in before.checks]
    unsaid = [real for real in serving if real not in joined or real.initial is Initial.ADOPT]
    alone = not unsaid and all(real.initial is not Initial.UP for real in joined)
    for real in joined:
        if real.initial is not Initial.ADOPT and not (alone and real in serving):
            yield real


def serves(held: Entry | None, real: RealServer) -> bool:
    """Whether it has a weight in the kernel's table."""
    destination = held.destinations.get(DestinationKey(real.address, real.port)) if held is not None else None
    return destination is not None and destination.weight > 0


def _probed(virtual: VirtualService, real: RealServer) -> Iterator[str]:
    for number, check in enumerate(real.checks, start=1):
        if not isinstance(check.kind, NoCheck | FollowCheck):
            yield check_id(virtual, real, number)


def judged(initial: Initial, verdict: Verdict) -> bool:
    """Whether a verdict ends what was presumed. Who is to pass several probes first is not judged by the first."""
    if verdict.probes == 0 or isinstance(verdict.outcome, Inconclusive):
        return False
    return not (initial is Initial.DOWN and verdict.state is State.DOWN and isinstance(verdict.outcome, Healthy))


def known(initial: Initial | None, verdict: Verdict | None) -> State:
    """What whoever probes the check is to go on from."""
    if verdict is not None and verdict.state is not State.UNKNOWN:
        return verdict.state
    return {Initial.UP: State.UP, Initial.DOWN: State.DOWN}.get(initial, State.UNKNOWN) if initial else State.UNKNOWN
