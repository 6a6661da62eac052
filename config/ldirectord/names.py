"""Names of hosts and ports in an ldirectord.cf: /etc/hosts and /etc/services are asked, DNS is not. Pure."""

from __future__ import annotations

import ipaddress
import re
from functools import cached_property
from typing import Final

from config import codes
from config.files import FileTooLarge
from config.network import PORT_LIMIT, is_ipv6, is_plain, read_address
from config.nodes import Place
from config.reading import Reading, shown
from config.words import Protocol

HOSTS: Final = "/etc/hosts"
OWN_NAME: Final = ("/proc/sys/kernel/hostname", "/etc/hostname")
"""Where this host's name stands: the kernel's, and the one it is given at boot."""
SERVICES: Final = "/etc/services"
SERVICE_PORTS: Final = {
    "ftp": 21, "smtp": 25, "dns": 53, "http": 80, "pop": 110, "nntp": 119, "imap": 143, "ldap": 389, "https": 443,
    "submission": 587, "ldaps": 636, "imaps": 993, "pops": 995, "oracle": 1521, "radius": 1812, "http_proxy": 3128,
    "mysql": 3306, "sip": 5060, "pgsql": 5432,
}  # fmt: skip
"""The port each `service` is inferred from and checked on when no other is said."""

_WELL_KNOWN: Final = {
    "ftp": 21, "ssh": 22, "smtp": 25, "domain": 53, "http": 80, "www": 80, "pop3": 110, "nntp": 119, "imap2": 143,
    "imap": 143, "ldap": 389, "https": 443, "submission": 587, "ldaps": 636, "imaps": 993, "pop3s": 995,
    "mysql": 3306, "sip": 5060, "postgresql": 5432,
}  # fmt: skip
_HOST_LIMIT = 253


class Names:
    """The names one file uses; each source is read when the first name asks for it."""

    def __init__(self, reading: Reading) -> None:
        """Ask through `reading.files`, note problems in `reading`."""
        self._reading = reading

    def address(self, host: str, *, ipv6: bool, place: Place) -> str | None:
        """The address a host stands for, in canonical form, of the family wanted."""
        if is_plain(host) and not ipv6:
            return host
        try:
            literal = ipaddress.ip_address(host[:_HOST_LIMIT])
        except ValueError:
            return self._named_address(host, ipv6, place)
        if (literal.version == 6) is not ipv6:  # noqa: PLR2004 - IPv6
            message = f"{shown(host)} is not an IPv{'6' if ipv6 else '4'} address"
            hint = "IPv6 has directives of its own: virtual6, real6, fallback6"
            self._reading.error(codes.FAMILY, place, message, hint)
            return None
        return read_address(host, place, self._reading)

    def _named_address(self, host: str, ipv6: bool, place: Place) -> str | None:
        if host.lower() == "localhost":
            return "::1" if ipv6 else "127.0.0.1"
        found = None
        if re.search(r"[A-Za-z]", host):
            found = next((one for one in self._hosts.get(host.lower(), ()) if is_ipv6(one) is ipv6), None)
        if found is not None:
            return read_address(found, place, self._reading)
        hint = f"DNS is not asked, so that no trouble with it can take a service away: write the address, or {HOSTS}"
        self._reading.error(codes.LD_NAME, place, f"{shown(host)} is no address and no host of {HOSTS}", hint)
        return None

    def at_this_host(self, user: str) -> str:
        """`user@NAME`, the user alone where this host's name cannot be told."""
        return f"{user}@{self._own_name}" if self._own_name else user

    @cached_property
    def _own_name(self) -> str:
        found = (self._try(path).strip() for path in OWN_NAME)
        return next((name for name in found if re.fullmatch(r"[A-Za-z0-9._-]{1,253}", name)), "")

    def port(self, text: str, protocol: Protocol, place: Place) -> int | None:
        """The number of a port, or of a service's name."""
        if re.fullmatch(r"[0-9]{1,9}", text):
            found: int | None = int(text)
        else:
            found = _WELL_KNOWN.get(text) or self._services.get((text, protocol.name.lower()))
        if found is None or found > PORT_LIMIT:
            self._reading.error(
                codes.LD_NAME, place, f"{shown(text)} is no port", f"0 to 65535, or a name in {SERVICES}"
            )
            return None
        return found

    @cached_property
    def _hosts(self) -> dict[str, list[str]]:
        """Addresses by name, as hosts(5) lists them."""
        found: dict[str, list[str]] = {}
        for words in self._table(HOSTS):
            for name in words[1:]:
                found.setdefault(name.lower(), []).append(words[0])
        return found

    @cached_property
    def _services(self) -> dict[tuple[str, str], int]:
        """Ports by name and protocol, as services(5) lists them."""
        found: dict[tuple[str, str], int] = {}
        for words in self._table(SERVICES):
            number, _slash, protocol = words[1].partition("/")
            if re.fullmatch(r"[0-9]{1,5}", number):
                for name in (words[0], *words[2:]):
                    found.setdefault((name, protocol), int(number))
        return found

    def _table(self, path: str) -> list[list[str]]:
        rows = (line.partition("#")[0].split() for line in self._try(path).splitlines())
        return [words for words in rows if len(words) > 1]

    def _try(self, path: str) -> str:
        """The text; nothing where it cannot be read: the name that was looked for is told."""
        try:
            return self._reading.files.read(path)
        except (OSError, UnicodeDecodeError, FileTooLarge):
            return ""
