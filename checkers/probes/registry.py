"""Which probe answers which check. A kind's libraries are loaded when the first check of it is assigned."""

from __future__ import annotations

import contextlib
from collections.abc import Awaitable, Callable
from importlib import import_module
from typing import Any, cast

from checkers.core.outcome import Outcome
from checkers.probes.session import Session
from config.checks import (
    AgentCheck,
    AnyCheck,
    DnsCheck,
    ExternalCheck,
    FtpCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    NntpCheck,
    NoCheck,
    NtpCheck,
    PgsqlCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    RedisCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    TcpCheck,
    UdpCheck,
)

Probe = Callable[[Session, Any], Awaitable[Outcome]]
"""`await probe(session, check)` with a check of the probe's own class. Raises Failed, Stuck, OSError or EOFError."""

PROBES: dict[type[AnyCheck], str] = {
    NoCheck: "checkers.probes.none",
    TcpCheck: "checkers.probes.tcp",
    HttpCheck: "checkers.probes.http",
    MysqlCheck: "checkers.probes.mysql",
    ImapCheck: "checkers.probes.imap",
    PopCheck: "checkers.probes.pop",
    SmtpCheck: "checkers.probes.smtp",
    ExternalCheck: "checkers.probes.external",
    LdapCheck: "checkers.probes.ldap",
    FtpCheck: "checkers.probes.ftp",
    NntpCheck: "checkers.probes.nntp",
    PgsqlCheck: "checkers.probes.pgsql",
    PingCheck: "checkers.probes.ping",
    UdpCheck: "checkers.probes.udp",
    DnsCheck: "checkers.probes.dns",
    RadiusCheck: "checkers.probes.radius",
    SipCheck: "checkers.probes.sip",
    SimpleTcpCheck: "checkers.probes.simpletcp",
    RedisCheck: "checkers.probes.redis",
    NtpCheck: "checkers.probes.ntp",
    AgentCheck: "checkers.probes.agent",
}


LATE: dict[type[AnyCheck], tuple[str, ...]] = {
    HttpCheck: ("anyio._backends._asyncio",),
    DnsCheck: ("idna.uts46data", "encodings.punycode"),
}
"""What a kind's libraries themselves load only when first used: httpcore its locks, dnspython the names that are not
ASCII."""


def load(kind: type[AnyCheck]) -> None:
    """Load a kind's libraries now rather than during its first probe. Those missing are told by that probe."""
    for name in (PROBES[kind], *LATE.get(kind, ())):
        with contextlib.suppress(ImportError):
            import_module(name)


def probe_of(check: AnyCheck) -> Probe:
    """The `probe` of the module that PROBES names."""
    return cast("Probe", import_module(PROBES[type(check)]).probe)
