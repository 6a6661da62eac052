"""Where a service of a configuration is found: by the kernel's key, by its name. Made once for each of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import wraps
from typing import TypeVar

from config.model import Config, VirtualService
from lvsd.core.identity import service_key
from netlink.table import ServiceKey

T = TypeVar("T")


def of_last(function: Callable[[Config], T]) -> Callable[[Config], T]:
    """Kept for the configuration that was asked about last, by its identity: every event asks about the same one."""
    last: list[tuple[Config, T]] = []

    @wraps(function)
    def kept(config: Config) -> T:
        found = next(iter(last), None)
        if found is None or found[0] is not config:
            found = config, function(config)
            last[:] = [found]
        return found[1]

    return kept


def by_key(services: Iterable[VirtualService]) -> dict[ServiceKey, VirtualService]:
    """The services by their keys in the kernel."""
    return {service_key(virtual.virtual): virtual for virtual in services}


@of_last
def services_of(config: Config) -> Mapping[ServiceKey, VirtualService]:
    """All of them by their keys in the kernel, in the configuration's order. Nobody changes it."""
    return by_key(config.services)


@of_last
def services_named(config: Config) -> Mapping[str, VirtualService]:
    """All of them by their names. Nobody changes it."""
    return {virtual.name: virtual for virtual in config.services}
