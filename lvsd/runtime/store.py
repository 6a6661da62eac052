"""The state directory: which services are ours, what people said, and the last configuration that was right."""

from __future__ import annotations

import os
import time
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import msgspec

from config.files import Files
from lvsd.core.pool_state import Override
from lvsd.runtime import override_store
from netlink.settings import StartDaemon
from netlink.table import Family, ServiceKey

OWNED = "owned.json"
DAEMONS = "daemons.json"
ROLES = "roles.json"
LAST_GOOD = "last-good.json"
OVERRIDES = "overrides.json"
FILE_LIMIT_BYTES = 256 * 1024 * 1024


class _Owned(msgspec.Struct, frozen=True):
    family: Family
    protocol: int
    address: str
    port: int
    fwmark: int


class Snapshot(msgspec.Struct, frozen=True):
    """Everything a configuration was read from: it can be read again when the files have become wrong."""

    paths: tuple[str, ...]
    reads: dict[str, str]
    globs: dict[str, list[str]]
    environment: dict[str, str | None]
    raw: dict[str, bytes] = {}  # files that are not UTF-8


class Store:
    """Small files, written whole or not at all, for root alone (they hold secrets)."""

    def __init__(self, directory: Path) -> None:
        """Make the directory if it is missing. Raises OSError."""
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        self.directory = directory

    def owned(self) -> frozenset[ServiceKey]:
        """The services earlier configurations made. Raises OSError, ValueError."""
        text = self._read(OWNED)
        if text is None:
            return frozenset()
        rows = msgspec.json.decode(text, type=list[_Owned])
        return frozenset(ServiceKey(r.family, r.protocol, r.address, r.port, r.fwmark) for r in rows)

    def remember_owned(self, keys: Iterable[ServiceKey]) -> None:
        """Write them down. Raises OSError."""
        rows = [_Owned(k.family, k.protocol, k.address, k.port, k.fwmark) for k in sorted(keys)]
        self._write(OWNED, msgspec.json.encode(rows))

    def daemons(self) -> frozenset[StartDaemon]:
        """The sync daemons earlier configurations started. Raises OSError, ValueError."""
        text = self._read(DAEMONS)
        return frozenset() if text is None else msgspec.json.decode(text, type=frozenset[StartDaemon])

    def remember_daemons(self, daemons: Iterable[StartDaemon]) -> None:
        """Write them down. Raises OSError."""
        self._write(DAEMONS, msgspec.json.encode(sorted(daemons, key=lambda one: one.role)))

    def roles(self) -> dict[str, str]:
        """The roles of VRRP that were told last. Raises OSError, ValueError."""
        text = self._read(ROLES)
        return {} if text is None else msgspec.json.decode(text, type=dict[str, str])

    def remember_roles(self, roles: Mapping[str, str]) -> None:
        """Write them down. Raises OSError."""
        self._write(ROLES, msgspec.json.encode(dict(roles)))

    def overrides(self) -> dict[str, Override]:
        """What people said of real servers, by `real_id`. Raises OSError, ValueError."""
        text = self._read(OVERRIDES)
        return {} if text is None else override_store.decoded(text, time.time() - time.monotonic())

    def remember_overrides(self, overrides: Mapping[str, Override]) -> None:
        """Write them down. Raises OSError."""
        self._write(OVERRIDES, override_store.encoded(overrides, time.time() - time.monotonic()))

    def last_good(self) -> Snapshot | None:
        """The last configuration that was right. Raises OSError, ValueError."""
        text = self._read(LAST_GOOD)
        return None if text is None else msgspec.json.decode(text, type=Snapshot)

    def remember_good(self, snapshot: Snapshot) -> None:
        """Keep what the running configuration was read from. Raises OSError."""
        self._write(LAST_GOOD, msgspec.json.encode(snapshot))

    def _read(self, name: str) -> bytes | None:
        path = self.directory / name
        try:
            if path.stat().st_size > FILE_LIMIT_BYTES:
                text = f"{path} is larger than {FILE_LIMIT_BYTES} bytes"
                raise ValueError(text)
            return path.read_bytes()
        except FileNotFoundError:
            return None

    def _write(self, name: str, content: bytes) -> None:
        staged = self.directory / f".{name}.new"
        descriptor = os.open(staged, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_NOFOLLOW, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        staged.replace(self.directory / name)


def _glob_key(pattern: str, relative_to: str) -> str:
    return f"{relative_to}\n{pattern}"


class Recorder:
    """Reads through another reader and keeps all it gave, to be written down as a snapshot."""

    def __init__(self, files: Files) -> None:
        """Record what `files` answers."""
        self._files = files
        self._reads: dict[str, str] = {}
        self._globs: dict[str, list[str]] = {}
        self._environment: dict[str, str | None] = {}
        self._raw: dict[str, bytes] = {}
        self.missed: set[str] = set()  # asked for, and not got

    def read(self, path: str) -> str:
        """The text of a file. Raises what the reader raises."""
        self.missed.add(path)
        try:
            self._reads[path] = text = self._files.read(path)
        except UnicodeDecodeError as error:
            self._raw[path] = bytes(error.object)
            self.missed.discard(path)
            raise
        self.missed.discard(path)
        return text

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        """The files a pattern names."""
        names = self._files.glob(pattern, relative_to)
        self._globs[_glob_key(pattern, relative_to)] = list(names)
        return names

    def environ(self, name: str) -> str | None:
        """An environment variable."""
        self._environment[name] = value = self._files.environ(name)
        return value

    def exposed(self, path: str) -> bool:
        """Whether every user may read the file."""
        return self._files.exposed(path)

    def snapshot(self, paths: tuple[str, ...]) -> Snapshot:
        """All that was read, for `paths`."""
        return Snapshot(paths, self._reads, self._globs, self._environment, self._raw)


class Replay:
    """Reads a snapshot as if it were the disk."""

    def __init__(self, snapshot: Snapshot) -> None:
        """Answer from `snapshot` alone."""
        self._snapshot = snapshot

    def read(self, path: str) -> str:
        """The text as it was. Raises FileNotFoundError for what was not read then, and UnicodeDecodeError as then."""
        if path in self._snapshot.raw:
            return self._snapshot.raw[path].decode()
        try:
            return self._snapshot.reads[path]
        except KeyError:
            raise FileNotFoundError(2, "not in the last good configuration", path) from None

    def glob(self, pattern: str, relative_to: str) -> Sequence[str]:
        """The names as they were."""
        return self._snapshot.globs.get(_glob_key(pattern, relative_to), [])

    def environ(self, name: str) -> str | None:
        """The value as it was."""
        return self._snapshot.environment.get(name)

    def exposed(self, path: str) -> bool:  # noqa: ARG002  the protocol's signature
        """The snapshot is root's alone."""
        return False
