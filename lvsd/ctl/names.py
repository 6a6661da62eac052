"""Names of hosts and services, as ipvsadm looks them up, both ways; each asked for once."""

from __future__ import annotations

import functools
import re
import socket
from collections.abc import Callable
from dataclasses import dataclass

from netlink.table import Family, ServiceKey

PROTOCOL_NAMES = {6: "tcp", 17: "udp", 132: "sctp"}
NAMES_KEPT = 65536  # of a connection table with a million clients not every one's name is kept
PORT_LIMIT = 65535
MARK_LIMIT = 2**32 - 1

_NUMBER = re.compile(r"[ \t\n\v\f\r]*\+?([0-9]+)")  # as C reads one


@dataclass(frozen=True, slots=True)
class Names:
    """How to name an address, and a port of a protocol; None where there is no name."""

    host: Callable[[str], str | None]
    service: Callable[[int, int], str | None]


NUMERIC = Names(host=lambda _: None, service=lambda _port, _protocol: None)


class UnknownNameError(ValueError):
    """What was to name a service names none; the message says why."""


def system_names() -> Names:
    """The system's own: /etc/hosts, DNS, /etc/services, as nsswitch.conf says. A lookup may wait for DNS."""
    kept = functools.lru_cache(maxsize=NAMES_KEPT)
    return Names(host=kept(_host), service=kept(_service))


def service_key(text: str, protocol: int) -> ServiceKey:
    """The key that HOST, HOST:PORT or [IPV6]:PORT means; a bare IPv6 address has no port, and no port is port 0.

    HOST is an IPv4 address or a name that has one, PORT a number or a name of /etc/services. UnknownNameError if not.
    """
    if _is_ipv6(text):
        return ServiceKey(Family.INET6, protocol, _ipv6(text), 0)
    if text.startswith("["):
        host, _, port = text[1:].partition("]:")
        if not _is_ipv6(host):
            message = f"{text!r} is not [IPV6]:PORT"
            raise UnknownNameError(message)
        return ServiceKey(Family.INET6, protocol, _ipv6(host), _port(port, protocol))
    host, colon, port = text.rpartition(":")
    if not colon:
        if _NUMBER.fullmatch(text):  # an address to C, but who writes 80 means a port
            message = f"{text!r} is a number: the address is missing"
            raise UnknownNameError(message)
        return ServiceKey(Family.INET, protocol, _ipv4(text), 0)
    return ServiceKey(Family.INET, protocol, _ipv4(host), _port(port, protocol))


def mark(text: str) -> int:
    """A firewall mark. UnknownNameError if it is none."""
    found = _NUMBER.fullmatch(text)
    number = int(found[1]) if found and len(text) <= len(str(MARK_LIMIT)) * 2 else 0
    if not 0 < number <= MARK_LIMIT:
        message = f"{text!r} is not a firewall mark (1 to {MARK_LIMIT})"
        raise UnknownNameError(message)
    return number


def _port(text: str, protocol: int) -> int:
    found = _NUMBER.fullmatch(text)
    if found:
        digits = found[1].lstrip("0") or "0"
        if len(digits) <= len(str(PORT_LIMIT)) and int(digits) <= PORT_LIMIT:
            return int(digits)
        message = f"{text!r} is not a port (0 to {PORT_LIMIT})"
        raise UnknownNameError(message)
    name = PROTOCOL_NAMES[protocol]
    try:
        return socket.getservbyname(text, name)
    except (OSError, UnicodeError) as error:
        message = f"{text!r} is not a port, nor the name of a {name} service in /etc/services"
        raise UnknownNameError(message) from error


def _ipv4(text: str) -> str:
    """An address in any form that C takes for one, or a name's first."""
    try:
        return socket.inet_ntoa(socket.inet_aton(text))
    except (OSError, UnicodeError):
        pass
    message = f"{text!r} is not an IPv4 address, nor a host's name that has one (an IPv6 address stands in brackets)"
    if not text:  # which Python would take for 0.0.0.0
        raise UnknownNameError(message)
    try:
        return socket.gethostbyname(text)
    except (OSError, UnicodeError) as error:
        raise UnknownNameError(message) from error


def _is_ipv6(text: str) -> bool:
    try:
        socket.inet_pton(socket.AF_INET6, text)
    except (OSError, UnicodeError):
        return False
    return True


def _ipv6(text: str) -> str:
    return socket.inet_ntop(socket.AF_INET6, socket.inet_pton(socket.AF_INET6, text))


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
