"""The books of checks as lvsctl shows them. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from msgspec.structs import replace

from checkers.core.books import STEPS, Counts, Page, edge_of, within
from checkers.core.messages import PAGES_A_PACKET
from config.model import RealServer, VirtualService
from lvsd.control.messages import BooksRow, PhaseRow, RealServerRow, ServiceRow, StatusReply
from lvsd.core.assignment import place
from lvsd.core.crew import name_of
from lvsd.core.health import numbered_checks
from lvsd.core.identity import endpoint_text
from lvsd.core.sharing import is_probed
from lvsd.core.state import Director

Shelf = Mapping[str, BooksRow]
"""The books of checks, by the identity of their probe."""

EDGES = tuple(edge_of(step) for step in range(STEPS - 1))
"""The upper edges of the steps in a phase's counts, in seconds; the last has none."""

Parcels = dict[int, list[tuple[str, ...]]]
"""What each worker is asked for, packet by packet."""

Probes = dict[int, dict[str, None]]
"""Whose books are asked for, by worker."""


def means(asked: str, endpoint: str) -> bool:
    """Whether a person who says `asked` (`ADDRESS` or `ADDRESS:PORT`, all when empty) means this `ADDRESS:PORT`."""
    address = endpoint.rpartition(":")[0]
    return asked in ("", endpoint, address, address.strip("[]"))


def asked_for(director: Director, services: frozenset[str], real: str) -> Parcels:
    """Which books to ask for: of these services (by name), and of the real servers that `real` means."""
    probes: Probes = {}
    for virtual in director.config.services:
        if virtual.name in services:
            add_probes(probes, director, virtual, real)
    return parcels(probes)


def add_probes(probes: Probes, director: Director, virtual: VirtualService, real: str) -> None:
    """Those of one service, of the real servers that `real` means."""
    for one in (*virtual.real_servers, *virtual.fallback):
        if not means(real, endpoint_text(one.address, one.port)):
            continue
        for identity, _ in numbered_checks(virtual, one):
            probe = director.shared.probe.get(identity, identity)
            checked = director.checks.get(probe)
            if checked is not None and is_probed(checked):
                probes.setdefault(place(checked, director.workers.sharing), {})[probe] = None


def parcels(probes: Probes) -> Parcels:
    """What to ask each worker for."""
    return {worker: list(_packets(tuple(names))) for worker, names in probes.items()}


def _packets(names: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    yield from (names[at : at + PAGES_A_PACKET] for at in range(0, len(names), PAGES_A_PACKET))


def books_row(page: Page) -> BooksRow:
    """One check's books."""
    reasons = {reason.value: count for reason, count in page.reasons.items()}
    return BooksRow(reasons, page.inconclusive, {phase.value: phase_row(row) for phase, row in page.phases.items()})


def phase_row(counts: Counts) -> PhaseRow:
    """One row of books: how many, the shares that matter, and all of it."""
    return PhaseRow(
        sum(counts.counts), within(counts, 0.5), within(counts, 0.99), counts.longest, counts.first, counts.counts
    )


def with_books(director: Director, reply: StatusReply, shelf: Shelf, lateness: Mapping[int, Counts]) -> StatusReply:
    """The same reply, made of this belief, with the books that were found, and how late each worker's probes began."""
    services = {virtual.name: virtual for virtual in director.config.services}
    shown = tuple(shelved(director, services[one.name], one, shelf) for one in reply.services)
    return with_lateness(replace(reply, services=shown), lateness)


def with_lateness(reply: StatusReply, lateness: Mapping[int, Counts]) -> StatusReply:
    """The same reply with how late each worker's probes began, and what the books' steps mean."""
    late = {name_of(number): phase_row(counts) for number, counts in lateness.items()}
    processes = tuple(replace(one, late=late.get(one.name)) for one in reply.processes)
    return replace(reply, processes=processes, edges=EDGES)


def shelved(director: Director, virtual: VirtualService, row: ServiceRow, shelf: Shelf) -> ServiceRow:
    """A service's row with the books that were found."""
    reals = (*virtual.real_servers, *virtual.fallback)
    rows = (_of_real(director, virtual, *pair, shelf) for pair in zip(reals, row.real_servers, strict=True))
    return replace(row, real_servers=tuple(rows))


def _of_real(
    director: Director, virtual: VirtualService, real: RealServer, row: RealServerRow, shelf: Shelf
) -> RealServerRow:
    found = [shelf.get(director.shared.probe.get(identity, identity)) for identity, _ in numbered_checks(virtual, real)]
    if not row.checks:
        return replace(row, books=found[0])
    checks = (replace(one, books=books) for one, books in zip(row.checks, found, strict=True))
    return replace(row, checks=tuple(checks))


def of_real(reply: StatusReply, asked: str) -> StatusReply:
    """Of the real servers only those that are meant, and only the services that have them."""
    services = (only(one, asked) for one in reply.services)
    return replace(reply, services=tuple(one for one in services if one.real_servers))


def only(row: ServiceRow, asked: str) -> ServiceRow:
    """A service's row with those of its real servers that are meant."""
    return replace(row, real_servers=tuple(one for one in row.real_servers if means(asked, one.real_server)))
