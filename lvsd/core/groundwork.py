"""What a configuration comes to, beside the one before: worked out while everything else goes on. Pure.

Of thousands of services this takes a second, and none of it depends on what happens meanwhile: a reload has it done in
a thread, and taking it over is one short step. What depends on more than configurations is said with what was assumed:
where that is not so any more, the step works it out anew.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass

from config.model import Config, RealServer, VirtualService
from config.words import Initial
from lvsd.core import following, initial, sharing, workers
from lvsd.core.assignment import Load, configured_checks, load_of, shares_of, workers_wanted
from lvsd.core.identity import fallback_id, real_id, virtual_text
from lvsd.core.index import by_key
from lvsd.core.state import Checked, Director, Following, Services, Shared, Shares
from netlink.table import ServiceKey


@dataclass(frozen=True, slots=True)
class Groundwork:
    """Of `config` beside `before`.

    `unprobed`: checks of which nothing is found out any more. `changed`: services that are added or said otherwise.
    `lost`: services that are no longer there; `gone`: names of services and real servers that are not. `departed`: real
    servers that a service loses which itself stays. `presumed` and `before_shared` are what `shared`, and `shared` is
    what `shares` assumes.
    """

    before: Config
    config: Config
    services: Services
    checks: Mapping[str, Checked]
    following: Following
    unprobed: tuple[str, ...]
    changed: Services
    lost: frozenset[ServiceKey]
    gone: frozenset[str]
    departed: tuple[tuple[VirtualService, RealServer], ...]
    initials: tuple[VirtualService, ...]
    real_servers: int
    load: Load
    presumed: Mapping[str, Initial]
    before_shared: Shared
    shared: Shared
    shares: Shares


def of(director: Director, config: Config) -> Groundwork:
    """Of this configuration, for a director that believes this or something like it."""
    before = director.config
    services, old = by_key(config.services), by_key(before.services)
    checks = configured_checks(config)
    initials = initial.concerned(config)
    presumed = initial.presumed(director, initials, checks)
    shared = sharing.shared(checks, presumed, director.shared)
    load = load_of(checks)
    wanted, _ = workers_wanted(config, checks, director.workers.cores, load)
    changed = {key: one for key, one in services.items() if old.get(key) != one}
    return Groundwork(
        before,
        config,
        services,
        checks,
        following.resolved(config, checks),
        tuple(name for name in director.checks if not _is_still_probed(checks, name)),
        changed,
        frozenset(old.keys() - services.keys()),
        frozenset(_gone(old, services, changed)),
        tuple(_departed(before, config)),
        initials,
        sum(len(virtual.real_servers) for virtual in config.services),
        load,
        presumed,
        director.shared,
        shared,
        shares_of(checks, shared, workers.sharing_of(director.workers, wanted)),
    )


def _is_still_probed(checks: Mapping[str, Checked], identity: str) -> bool:
    """Of one that is not, nothing would ever replace what was said last: its weight would be asked for for ever."""
    checked = checks.get(identity)
    return checked is not None and sharing.is_probed(checked)


def _gone(old: Services, services: Services, changed: Services) -> set[str]:
    gone: set[str] = set()
    stay: set[str] = set()
    for key, before in old.items():
        if key not in services or key in changed:
            gone.update(_names(before))
            stay.update(_names(services[key]) if key in services else ())
    return gone - stay


def _names(virtual: VirtualService) -> Iterable[str]:
    reals = (real_id(virtual, real) for real in virtual.real_servers)
    return virtual_text(virtual.virtual), *reals, *(fallback_id(virtual, real) for real in virtual.fallback)


def _departed(before: Config, config: Config) -> Iterator[tuple[VirtualService, RealServer]]:
    after = {virtual_text(virtual.virtual): virtual for virtual in config.services}
    for virtual in before.services:
        kept = after.get(virtual_text(virtual.virtual))
        if kept is None or kept.real_servers == virtual.real_servers:
            continue
        staying = {(one.address, one.port) for one in kept.real_servers}
        for real in virtual.real_servers:
            if (real.address, real.port) not in staying:
                yield virtual, real
