"""Names of hosts and services, as ipvsadm without -n looks them up: each asked for once."""

from __future__ import annotations

import functools
import socket
from collections.abc import Callable
from dataclasses import dataclass

PROTOCOL_NAMES = {6: "tcp", 17: "udp", 132: "sctp"}


@dataclass(frozen=True, slots=True)
class Names:
    """How to name an address, and a port of a protocol; None where there is no name."""

    host: Callable[[str], str | None]
    service: Callable[[int, int], str | None]


NUMERIC = Names(host=lambda _: None, service=lambda _port, _protocol: None)


def system_names() -> Names:
    """The system's own: /etc/hosts, DNS, /etc/services, as nsswitch.conf says. A lookup may wait for DNS."""
    return Names(host=functools.cache(_host), service=functools.cache(_service))


def _host(address: str) -> str | None:
    try:
        return socket.gethostbyaddr(address)[0]
    except (OSError, UnicodeError):
        return None


def _service(port: int, protocol: int) -> str | None:
    name = PROTOCOL_NAMES.get(protocol)
    if name is None:
        return None
    try:
        return socket.getservbyport(port, name)
    except OSError:
        return None
