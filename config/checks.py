"""One frozen class per kind of check: what a probe has to know besides where to dial. Pure.

These classes are both the configuration's model and what travels to a checker worker, so every field is
plain data. Timing (interval, timeout, rise, fall) is apart: two checks that differ in timing alone find the
same thing.
"""

from __future__ import annotations

from enum import Enum
from typing import Final

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


class NoCheck(msgspec.Struct, frozen=True, gc=False, tag="none"):
    """Never probed, always taken for healthy."""


class TcpCheck(msgspec.Struct, frozen=True, gc=False, tag="tcp"):
    """Healthy when the port accepts a connection."""


class HttpCheck(msgspec.Struct, frozen=True, gc=False, tag="http"):
    """Healthy when the answer's status is in `status` (inclusive ranges) and its body holds `expect`."""

    tls: Tls | None = None
    path: str = "/"
    method: str = "GET"
    virtual_host: str | None = None
    status: tuple[tuple[int, int], ...] = ((200, 299),)
    expect: Expect = Expect()
    digest: str | None = None  # MD5 of the body, hexadecimal, as keepalived's genhash prints it
    proxy_url: str | None = None  # the real server is a proxy: this URL is asked of it, `path` is not used


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
    """Healthy when the command exits 0. No shell; the target is in the environment and in placeholders.

    `dynamic`: an exit status from 2 to 255 is healthy too and asks for the weight `status - 2` (0: the configured
    one), as keepalived's misc_dynamic.
    """

    command: tuple[str, ...]
    dynamic: bool = False


class PingCheck(msgspec.Struct, frozen=True, tag="ping"):
    """Healthy when the host answers one of `count` ICMP echo requests, spread over the probe's timeout."""

    count: int = 1


class UdpCheck(msgspec.Struct, frozen=True, tag="udp"):
    """A datagram is sent. Unhealthy when ICMP says that nobody takes it.

    With `reply_needed`, `expect`, `reply_hex` or `reply_length` an answer must come that fits all that is said;
    without any of them silence until the timeout is healthy, as nothing more can be known.
    """

    payload: bytes = b""
    expect: Expect = Expect()
    reply_needed: bool = False
    reply_hex: str | None = None  # the reply's beginning in hexadecimal digits, `x` for any digit
    reply_length: tuple[int, int] | None = None  # bytes, inclusive


class DnsCheck(msgspec.Struct, frozen=True, tag="dns"):
    """Healthy when the query is answered with NOERROR and, with `answer_needed`, a record of the asked type.

    With `expect` it must be found in the text of such a record. `name` is absolute; `.` is the root.
    """

    name: str = "."
    record: str = "SOA"
    expect: Expect = Expect()
    answer_needed: bool = True
    tcp: bool = False


class LdapCheck(msgspec.Struct, frozen=True, tag="ldap"):
    """Healthy when the bind (anonymous without credentials) succeeds and, with `base`, that entry is found.

    `base`: a distinguished name, searched with scope base; `""` is the root DSE, None asks for no search. `expect`
    must be found in the entry's distinguished name.
    """

    mode: TlsMode = TlsMode.NONE
    tls: Tls = Tls()
    credentials: Credentials | None = None
    base: str | None = None
    expect: Expect = Expect()


class FtpCheck(msgspec.Struct, frozen=True, tag="ftp"):
    """Healthy when the login succeeds and, with `path`, that file can be read (and holds `expect`); ends with QUIT."""

    credentials: Credentials
    path: str | None = None
    expect: Expect = Expect()


class NntpCheck(msgspec.Struct, frozen=True, tag="nntp"):
    """Healthy when the server greets with 200 or 201; ends with QUIT."""


class PgsqlCheck(msgspec.Struct, frozen=True, tag="pgsql"):
    """Healthy when login and query succeed and at least one row comes back (that holds `expect`)."""

    credentials: Credentials
    query: str = "SELECT 1"
    database: str | None = None
    expect: Expect = Expect()


class RadiusCheck(msgspec.Struct, frozen=True, tag="radius"):
    """Healthy when an Access-Request (PAP) is answered by an authentic Access-Accept (RFC 2865)."""

    credentials: Credentials
    secret: Secret


class SipCheck(msgspec.Struct, frozen=True, tag="sip"):
    """Healthy when OPTIONS is answered with 200 (RFC 3261 section 11). `user` is the local part or user@host."""

    user: str = "lvsd"
    tcp: bool = False


class RedisCheck(msgspec.Struct, frozen=True, tag="redis"):
    """Healthy when PING (after AUTH, with credentials or a password alone) is answered by PONG.

    `role`: what ROLE must say, `master` or `slave`; empty: it is not asked.
    """

    mode: TlsMode = TlsMode.NONE
    tls: Tls = Tls()
    credentials: Credentials | None = None  # an empty login: the password alone
    role: str = ""


class NtpCheck(msgspec.Struct, frozen=True, tag="ntp"):
    """Healthy when a client's question (RFC 5905 mode 3) is answered by a synchronised server within `stratum`."""

    stratum: int = 15


class AgentCheck(msgspec.Struct, frozen=True, tag="agent"):
    """An agent on the real server tells its weight and state in one line, in HAProxy's words (agent-check).

    `send` goes out first. `weight` is what per cent are of: the real server's configured one. An agent that cannot be
    asked is no failure of the real server.
    """

    send: str = ""
    weight: int = 1


class SynCheck(msgspec.Struct, frozen=True, tag="syn"):
    """Healthy when a SYN is answered by SYN and ACK; no connection is made (needs CAP_NET_RAW)."""


FOLLOWED_LIMIT: Final = 7
"""Services that follow one another, each the next: a verdict is believed over no more of them."""


class FollowCheck(msgspec.Struct, frozen=True, tag="follow"):
    """As healthy as the real server of the same address in `service`; nothing is probed.

    Of several there, the one with the followed port (`Check.port`), else the first.
    """

    service: str


class SimpleTcpCheck(msgspec.Struct, frozen=True, tag="simpletcp"):
    """Healthy when, after `send` went out, `expect` (without: anything) comes back."""

    send: bytes = b""
    expect: Expect = Expect()
    half_close: bool = False  # whether we end our side after sending, as ldirectord does


AnyCheck = (
    NoCheck
    | TcpCheck
    | HttpCheck
    | MysqlCheck
    | ImapCheck
    | PopCheck
    | SmtpCheck
    | ExternalCheck
    | PingCheck
    | UdpCheck
    | DnsCheck
    | LdapCheck
    | FtpCheck
    | NntpCheck
    | PgsqlCheck
    | RadiusCheck
    | SipCheck
    | SimpleTcpCheck
    | RedisCheck
    | NtpCheck
    | AgentCheck
    | SynCheck
    | FollowCheck
)


class Timing(msgspec.Struct, frozen=True, gc=False):
    """When a check runs and how many outcomes in a row change its verdict. Times in seconds.

    `fast_interval` replaces `interval` while outcomes contradict what is believed (HAProxy's fastinter, keepalived's
    delay_before_retry), `down_interval` while it is believed down (HAProxy's downinter). `connects`: after a healthy
    whole probe so many times only the connection is tried (ldirectord's checktype=N); a failure is followed by a whole
    probe.
    """

    interval: float = 5.0
    timeout: float = 3.0
    rise: int = 1
    fall: int = 3
    fast_interval: float | None = None
    connects: int = 0
    down_interval: float | None = None


class Dial(msgspec.Struct, frozen=True, gc=False):
    """How a check's packets leave: from which address, with which mark (SO_MARK, needs CAP_NET_RAW), behind which
    version of the PROXY protocol's header (0: none; 1 names the connection's own ends, 2 says LOCAL: a check has no
    client).
    """

    source: str = ""
    mark: int = 0
    proxy_protocol: int = 0


class Check(msgspec.Struct, frozen=True, gc=False):
    """A configured check of one real server. `port` and `address` replace the real server's own."""

    kind: AnyCheck
    timing: Timing = Timing()
    port: int | None = None
    address: str | None = None
    dial: Dial = Dial()
