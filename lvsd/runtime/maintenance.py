"""The maintenance directory: the names of its files, as addresses.

A file is named after a real server: `ADDRESS`, `ADDRESS:PORT`, an IPv6 address in brackets or not, or a name of
/etc/hosts, with a port or without. DNS is not asked: no trouble with it may hold the director up.
"""

from __future__ import annotations

import ipaddress
import itertools
import os
from collections.abc import Mapping
from pathlib import Path

from lvsd.runtime.journal import tell

NAMES_LIMIT = 4096
HOSTS = Path("/etc/hosts")
HOSTS_LIMIT_BYTES = 4 * 1024 * 1024
PORT_LIMIT = 65535

Hosts = Mapping[str, tuple[str, ...]]


class Maintenance:
    """Looks at the directory each second. What cannot be read any more stays as it was."""

    def __init__(self, hosts: Path = HOSTS) -> None:
        """`hosts`: the file of names."""
        self._hosts = _HostsFile(hosts)
        self._directory: str | None = None
        self._seen: frozenset[str] = frozenset()
        self._told: frozenset[str] = frozenset()  # troubles there are, each told when it begins

    def look(self, directory: str | None) -> frozenset[str]:
        """The names that count now."""
        if directory != self._directory:
            self._directory, self._seen, self._told = directory, frozenset(), frozenset()
        if directory is None:
            return self._seen
        try:
            with os.scandir(directory) as entries:
                files = [entry.name for entry in itertools.islice(entries, NAMES_LIMIT + 1)]
        except OSError as error:
            self._trouble({"unreadable"}, directory, error.strerror or str(error))
            return self._seen
        if len(files) > NAMES_LIMIT:
            self._trouble({"too_many"}, directory, f"more than {NAMES_LIMIT} files")
            return self._seen
        self._told -= {"unreadable", "too_many"}
        self._seen = self._meant(directory, files)
        return self._seen

    def _meant(self, directory: str, files: list[str]) -> frozenset[str]:
        hosts = self._hosts.read()
        meant: set[str] = set()
        strangers = set()
        for name in files:
            found = meaning(name, hosts)
            meant.update(found)
            if not found and not name.startswith("."):
                strangers.add(name)
        for name in sorted(strangers - self._told):
            tell("warning", "maintenance_file_not_understood", directory=directory, file=name)
        self._told = frozenset(strangers)
        return frozenset(meant)

    def _trouble(self, kind: set[str], directory: str, error: str) -> None:
        if not kind <= self._told:
            self._told |= kind
            known = len(self._seen)
            tell("error", "maintenance_not_readable", directory=directory, error=error, still_in_maintenance=known)


def meaning(name: str, hosts: Hosts) -> frozenset[str]:
    """What a file's name means: `address`, `address:port` or `[address]:port`; nothing where it means nothing."""
    whole = _addresses(name, hosts)
    if whole:
        return frozenset(whole)
    host, _, port = name.rpartition(":")
    if not (port.isascii() and port.isdecimal()) or len(port) > len(str(PORT_LIMIT)) or int(port) > PORT_LIMIT:
        return frozenset()
    return frozenset(
        f"[{address}]:{int(port)}" if ":" in address else f"{address}:{int(port)}"
        for address in _addresses(host, hosts)
    )


def _addresses(host: str, hosts: Hosts) -> tuple[str, ...]:
    bare = host[1:-1] if host.startswith("[") and host.endswith("]") else host
    try:
        return (str(ipaddress.ip_address(bare)),)
    except ValueError:
        return hosts.get(host.lower(), ())


class _HostsFile:
    """The names of /etc/hosts, read again when it changes."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._signature: tuple[int, int, int] | None = None
        self._hosts: Hosts = {}

    def read(self) -> Hosts:
        """Names in small letters to addresses; as before where it cannot be read."""
        try:
            found = self._path.stat()
            signature = (found.st_mtime_ns, found.st_size, found.st_ino)
            if signature != self._signature:
                with self._path.open("rb") as file:
                    text = file.read(HOSTS_LIMIT_BYTES).decode(errors="replace")
                self._hosts, self._signature = hosts_of(text), signature
        except OSError:
            pass  # a name that is not known is told by itself
        return self._hosts


def hosts_of(text: str) -> Hosts:
    """The names of a hosts(5) file: a name may have several addresses."""
    hosts: dict[str, tuple[str, ...]] = {}
    for line in text.splitlines():
        words = line.partition("#")[0].split()
        address = _addresses(words[0], {}) if words else ()
        for name in words[1:] if address else ():
            hosts[name.lower()] = tuple(dict.fromkeys((*hosts.get(name.lower(), ()), *address)))
    return hosts
