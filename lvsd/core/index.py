"""Where a service of a configuration is found: by the kernel's key, by its name. Made once for each of them. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Generic, TypeVar

from config.model import Config, VirtualService
from lvsd.core.identity import service_key
from netlink.table import ServiceKey

T = TypeVar("T")


class OfLast(Generic[T]):
    """Made once for the configuration that is asked about, by its identity: every event asks about the same one."""

    def __init__(self, make: Callable[[Config], T]) -> None:
        """Of none yet."""
        self._make = make
        self._last: tuple[Config, T] | None = None

    def __call__(self, config: Config) -> T:
        """What is made of it."""
        last = self._last
        if last is None or last[0] is not config:
            self._last = last = config, self._make(config)
        return last[1]

    def know(self, config: Config, made: T) -> None:
        """It was made already."""
        self._last = config, made


def by_key(services: Iterable[VirtualService]) -> dict[ServiceKey, VirtualService]:
    """The services by their keys in the kernel."""
    return {service_key(virtual.virtual): virtual for virtual in services}


def _by_key(config: Config) -> Mapping[ServiceKey, VirtualService]:
    return by_key(config.services)


def _by_name(config: Config) -> Mapping[str, VirtualService]:
    return {virtual.name: virtual for virtual in config.services}


def _mailing(config: Config) -> tuple[VirtualService, ...]:
    return tuple(virtual for virtual in config.services if virtual.mail is not None)


services_of = OfLast(_by_key)
"""All services by their keys in the kernel, in the configuration's order."""

services_named = OfLast(_by_name)
"""All services by their names."""

services_mailing = OfLast(_mailing)
"""Those of which somebody is told by mail."""
