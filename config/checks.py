"""One frozen class per kind of check: what a probe has to know besides where to dial. Pure.

These classes are both the configuration's model and what travels to a checker worker, so every field is
plain data. Timing (interval, timeout, rise, fall) is apart: two checks that differ in timing alone find the
same thing.
"""

from __future__ import annotations

from enum import Enum

import msgspec

from config.secret import Secret


class TlsMode(Enum):
    """How a conversation is encrypted."""

    NONE = "none"
    IMPLICIT = "implicit"
    STARTTLS = "starttls"


class Tls(msgspec.Struct, frozen=True):
    """TLS of a check. Nothing is verified unless `verify` says so: real servers rarely own the VIP's name."""

    sni: str | None = None
    verify: bool = False
    ca_file: str | None = None


class Credentials(msgspec.Struct, frozen=True):
    """A login the check performs."""

    login: str
    password: Secret


class Expect(msgspec.Struct, frozen=True):
    """What must be found in the answer: a text, a regular expression (searched), or nothing in particular."""

    text: str | None = None
    regex: str | None = None


class NoCheck(msgspec.Struct, frozen=True, tag="none"):
    """Never probed, always taken for healthy."""


class TcpCheck(msgspec.Struct, frozen=True, tag="tcp"):
    """Healthy when the port accepts a connection."""


class HttpCheck(msgspec.Struct, frozen=True, tag="http"):
    """Healthy when the answer's status is in `status` (inclusive ranges) and its body holds `expect`."""

    tls: Tls | None = None
    path: str = "/"
    method: str = "GET"
    virtual_host: str | None = None
    status: tuple[tuple[int, int], ...] = ((200, 299),)
    expect: Expect = Expect()


class Galera(Enum):
    """What a Galera node must be, beside answering the query."""

    READY = "ready"  # wsrep_ready=ON and a primary component (a donor passes)
    SYNCED = "synced"  # READY and wsrep_local_state 4


class MysqlCheck(msgspec.Struct, frozen=True, tag="mysql"):
    """Healthy when login and query succeed and at least one row comes back (that holds `expect`)."""

    credentials: Credentials
    query: str = "SELECT 1"
    database: str | None = None
    expect: Expect = Expect()
    galera: Galera | None = None


class ImapCheck(msgspec.Struct, frozen=True, tag="imap"):
    """Healthy when the server greets (and the login, where given, succeeds); ends with LOGOUT."""

    mode: TlsMode = TlsMode.NONE
    tls: Tls = Tls()
    credentials: Credentials | None = None


class PopCheck(msgspec.Struct, frozen=True, tag="pop"):
    """Healthy when the server greets with +OK (and the login, where given, succeeds); ends with QUIT."""

    mode: TlsMode = TlsMode.NONE
    tls: Tls = Tls()
    credentials: Credentials | None = None


class SmtpCheck(msgspec.Struct, frozen=True, tag="smtp"):
    """Healthy when the server greets with 220 and takes EHLO (STARTTLS, login where asked); ends with QUIT."""

    mode: TlsMode = TlsMode.NONE
    tls: Tls = Tls()
    helo: str = "lvsd.invalid"
    credentials: Credentials | None = None


class ExternalCheck(msgspec.Struct, frozen=True, tag="external"):
    """Healthy when the command exits 0. No shell; the target is in the environment and in placeholders."""

    command: tuple[str, ...]


AnyCheck = NoCheck | TcpCheck | HttpCheck | MysqlCheck | ImapCheck | PopCheck | SmtpCheck | ExternalCheck


class Timing(msgspec.Struct, frozen=True):
    """When a check runs and how many outcomes in a row change its verdict. Times in seconds."""

    interval: float = 5.0
    timeout: float = 3.0
    rise: int = 1
    fall: int = 3


class Check(msgspec.Struct, frozen=True):
    """A configured check of one real server. `port` and `address` replace the real server's own."""

    kind: AnyCheck
    timing: Timing = Timing()
    port: int | None = None
    address: str | None = None
