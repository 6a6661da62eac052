"""What the kernel holds, answers and refuses: plans, drift, back-off. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from checkers.core.messages import State
from config.model import VirtualService
from lvsd.core import slices
from lvsd.core.desired import desired
from lvsd.core.effects import Effect, Level, RememberOwned, Tell
from lvsd.core.health import standing_state
from lvsd.core.index import services_of
from lvsd.core.reconcile import applied, differences, plan
from lvsd.core.state import Director, Kernel, Services
from lvsd.core.wording import operation_text
from netlink.errors import Refusal
from netlink.operations import DeleteService, Operation
from netlink.table import ServiceKey, Table

BACKOFF_SECONDS = (1.0, 2.0, 5.0, 10.0, 30.0)
TOLD_OPERATIONS = 20  # a longer plan is told by its number


def plan_for(
    director: Director, now: float, services: Iterable[VirtualService], *, sweep: bool
) -> tuple[Operation, ...]:
    """What the kernel should be sent now for these services, and with `sweep` for those no longer configured.

    What it refused waits for its back-off.
    """
    state = director.kernel
    if state.unreadable:
        return ()
    departed = director.owned.difference(services_of(director.config)) if sweep else frozenset[ServiceKey]()
    operations = plan(desired(director, services), state.table, departed)
    if state.retry_at is None or state.retry_at <= now:
        return operations
    refused = {refusal.operation for refusal in state.refusals}
    return tuple(operation for operation in operations if operation not in refused)


def all_can_serve(director: Director) -> bool:
    """Whether clients of every service would be served, or would be refused for a known reason."""
    return all(_can_serve(director, key, virtual) for key, virtual in services_of(director.config).items())


def _can_serve(director: Director, key: ServiceKey, virtual: VirtualService) -> bool:
    entry = director.kernel.table.get(key)
    if entry is not None and any(destination.weight for destination in entry.destinations.values()):
        return True
    states = (standing_state(director, virtual, real) for real in virtual.real_servers)
    return State.UNKNOWN not in states


def read(director: Director, table: Table, now: float) -> tuple[Director, Services | None, list[Effect]]:
    """The kernel's table was read: tell what a stranger changed in what is ours. The plan that follows mends it.

    With the services that this makes due; None: all, since the kernel has not all that was sent to it.
    """
    before = director.kernel
    differ = slices.changed_keys(before.table, table)
    changed = differ & director.owned
    ours = {key: entry for key, entry in before.table.items() if key in changed}
    number, first = differences(ours, table, changed, TOLD_OPERATIONS)
    drifted = bool(number) and not before.refusals and not before.unreadable
    state = replace(
        before,
        table=table,
        unreadable="",
        retry_at=None,
        refusals=(),
        failures=before.failures if before.refusals else 0,
        repairs=before.repairs + drifted,
        repaired_at=now if drifted else before.repaired_at,
    )
    told: list[Effect] = []
    if before.unreadable:
        told.append(Tell(Level.INFO, "table_readable_again", {}))
    if drifted:
        told.append(Tell(Level.WARNING, "table_changed_by_stranger", _summary(number, first)))
    touched = None if before.refusals or before.unreadable else slices.of_keys(director, differ)
    return replace(director, kernel=state), touched, told


def _summary(number: int, first: tuple[Operation, ...]) -> dict[str, str | int | float]:
    return {"differences": number, "to_mend": "; ".join(map(operation_text, first))}


def unreadable(director: Director, error: str, now: float) -> tuple[Director, tuple[Effect, ...]]:
    """The table cannot be read: nothing is changed blindly, and it is tried again with back-off."""
    failures = director.kernel.failures + 1
    state = replace(director.kernel, unreadable=error, failures=failures, retry_at=now + _backoff(failures))
    told = () if director.kernel.unreadable == error else (Tell(Level.ERROR, "table_unreadable", {"error": error}),)
    return replace(director, kernel=state), told


def answered(
    director: Director, operations: tuple[Operation, ...], refusals: tuple[Refusal, ...], now: float
) -> tuple[Director, tuple[Effect, ...]]:
    """A plan was sent: believe what was accepted, tell and remember what was refused."""
    refused = {refusal.operation for refusal in refusals}
    accepted = tuple(operation for operation in operations if operation not in refused)
    effects: list[Effect] = [*_told(accepted), *(_refusal(refusal) for refusal in refusals)]
    state = replace(director.kernel, table=applied(director.kernel.table, accepted))
    if refusals:
        state = _refused(state, refusals, now)
    elif not director.kernel.refusals:
        state = replace(state, failures=0)
    gone = frozenset(operation.key for operation in accepted if isinstance(operation, DeleteService))
    owned = director.owned - gone if gone else director.owned
    if owned != director.owned:
        effects.append(RememberOwned(owned))
    return replace(director, kernel=state, owned=owned), tuple(effects)


def _refused(state: Kernel, refusals: tuple[Refusal, ...], now: float) -> Kernel:
    """All that is refused before the next try counts as one failure: a plan may come in slices."""
    if state.refusals and state.retry_at is not None and now < state.retry_at:
        known = {refusal.operation: refusal for refusal in (*state.refusals, *refusals)}
        return replace(state, refusals=tuple(known.values()))
    failures = state.failures + 1
    return replace(state, refusals=refusals, failures=failures, retry_at=now + _backoff(failures))


def _told(operations: tuple[Operation, ...]) -> list[Effect]:
    if len(operations) > TOLD_OPERATIONS:
        return [Tell(Level.INFO, "table_changed", {"operations": len(operations)})]
    return [Tell(Level.INFO, "table_changed", {"operation": operation_text(one)}) for one in operations]


def _refusal(refusal: Refusal) -> Effect:
    fields: dict[str, str | int | float] = {
        "operation": operation_text(refusal.operation),
        "errno": refusal.errno,
        "meaning": refusal.meaning,
    }
    return Tell(Level.ERROR, "operation_refused", fields)


def _backoff(failures: int) -> float:
    return BACKOFF_SECONDS[min(failures, len(BACKOFF_SECONDS)) - 1]
