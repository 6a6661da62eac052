"""Each `service`, as the check that speaks its protocol. Pure.

The rule: never a check that says healthy where ldirectord would say down.
"""

from __future__ import annotations

import ipaddress
import re
from collections.abc import Callable
from typing import Final

from config import codes
from config.checks import (
    AnyCheck,
    Credentials,
    DnsCheck,
    Expect,
    FtpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    NntpCheck,
    NoCheck,
    PgsqlCheck,
    PopCheck,
    RadiusCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.ldirectord import directives as d
from config.ldirectord.context import Asked, Elsewhere
from config.ldirectord.web import http, http_proxy, https
from config.secret import Secret
from config.words import Protocol

HELO: Final = "localhost.localdomain"  # ldirectord's
SMTPS_PORT: Final = 465
USER: Final = "ldirectord"  # of SIP, and of FTP's password for anonymous: at this machine's name
_LABEL: Final = r"[A-Za-z0-9_](?:[A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?"
_DOMAIN: Final = re.compile(rf"{_LABEL}(?:\.{_LABEL})*")
_DOMAIN_LIMIT: Final = 253
_SIP_USER: Final = re.compile(r"[A-Za-z0-9_.!~*'()&=+$,;?/%:-]+(?:@[A-Za-z0-9.:\[\]-]+)?")  # RFC 3261, loosely
_RADIUS_LIMITS_BYTES: Final = (253, 128)  # of login and password: RFC 2865 sections 5 and 5.2
_FLAGS: Final = re.compile(r"\(\?[a-z]+\)")


def _none(asked: Asked) -> AnyCheck:
    context = asked.context
    if context.own.get(d.SERVICE) is None:
        message = "nothing is checked, as in ldirectord: no `service` is said, and the port tells none"
        asked.reading.warning(codes.LD_IGNORED, context.place, message, "checktype=connect, or service=none to say so")
    return NoCheck()


def _dns(asked: Asked) -> AnyCheck:
    tcp = asked.context.speaks(Protocol.TCP)
    name = asked.bare_request
    if not name:
        message = "service=dns without `request`: the root's SOA is asked, and a server that refuses that is down"
        hint = 'request="www.example.net", and receive= its address: ldirectord needs both'
        asked.reading.warning(codes.LD_OTHERWISE, asked.context.place_of(d.SERVICE), message, hint)
        return DnsCheck(answer_needed=False, tcp=tcp)
    if asked.receive is None:
        message = "service=dns without `receive`: any answer will do here; in ldirectord no server would ever be up"
        asked.reading.warning(codes.LD_OTHERWISE, asked.request_place, message, "receive= the address, a regex")
    return DnsCheck(*_question(name, asked), asked.expect, tcp=tcp)


def _question(name: str, asked: Asked) -> tuple[str, str]:
    """Name and type of the record: an address's name, or a name's address."""
    try:
        return ipaddress.ip_address(name).reverse_pointer, "PTR"
    except ValueError:
        bare = name.removesuffix(".")
    if len(bare) > _DOMAIN_LIMIT or not _DOMAIN.fullmatch(bare):
        message = "request: neither a domain name nor an address"
        asked.reading.error(codes.MALFORMED, asked.request_place, message, 'request="www.example.net"')
    elif "." not in name:
        message = "request: the name is asked as it is; ldirectord tries the domains of /etc/resolv.conf first"
        asked.reading.warning(codes.LD_OTHERWISE, asked.request_place, message, "the whole name")
    return bare, "A"


def _ftp(asked: Asked) -> AnyCheck:
    """The path keeps its slash: ldirectord reads /FILE."""
    own = asked.context.own
    password = own.value(d.PASSWORD, "") or asked.context.names.at_this_host(USER)
    login = Credentials(own.value(d.LOGIN, "anonymous"), Secret(password))
    request, expect = asked.bare_request, asked.expect
    if not request and expect != Expect():
        message = "service=ftp with `receive` and without `request`: there is no file to find it in"
        asked.reading.error(codes.CONTRADICTION, asked.context.place_of(d.RECEIVE), message, 'request="welcome.msg"')
    return FtpCheck(login, f"/{request}" if request else None, expect)


def _ldap(asked: Asked, mode: TlsMode) -> AnyCheck:
    """Without both of login and passwd the bind is anonymous."""
    login = asked.login if asked.password.value else None
    return LdapCheck(mode, Tls(), login, asked.bare_request, asked.expect)


def _mysql(asked: Asked) -> AnyCheck:
    login = _sql_login(asked)
    if login is None:
        return NoCheck()
    return MysqlCheck(login, asked.bare_request, asked.context.own.value(d.DATABASE, "") or None)


def _pgsql(asked: Asked) -> AnyCheck:
    login = _sql_login(asked)
    if login is None:
        return NoCheck()
    return PgsqlCheck(login, asked.bare_request, asked.context.own.value(d.DATABASE, "") or None)


def _sql_login(asked: Asked) -> Credentials | None:
    """None after noting that a query or a login is missing; a word about `receive`, which nobody looks at."""
    name, login = asked.context.service, asked.login
    if login is None or not asked.bare_request:
        place = asked.context.place_of(d.SERVICE)
        message = f"service={name} needs `login` and `request`: ldirectord would never add a real server"
        asked.reading.error(codes.CREDENTIALS, place, message, 'login="monitor", passwd="...", request="SELECT 1"')
        return None
    if asked.receive is not None:
        message = f"receive: not looked at with service={name}, as in ldirectord: any row is success"
        asked.reading.warning(codes.LD_IGNORED, asked.receive.place, message, "remove it")
    return login


def _oracle(asked: Asked) -> AnyCheck:
    inferred = "" if asked.context.own.get(d.SERVICE) else ", inferred from the port,"
    message = f"service=oracle{inferred} is not checked by lvsd: there is no free driver for it"
    hint = "checktype=external with a command that asks, or checktype=connect, which tries the port alone"
    asked.reading.error(codes.LD_NOT_YET, asked.context.place_of(d.SERVICE), message, hint)
    return NoCheck()


def _nntp(_asked: Asked) -> AnyCheck:
    return NntpCheck()


def _radius(asked: Asked) -> AnyCheck:
    login, secret = asked.login, asked.context.own.value(d.SECRET, "")
    if login is None or not secret:
        place = asked.context.place_of(d.SERVICE)
        message = "service=radius needs `login` and `secret`"
        hint = 'login="monitor", passwd="...", secret= what the RADIUS server shares with this balancer'
        asked.reading.error(codes.CREDENTIALS, place, message, hint)
        return NoCheck()
    sizes = len(login.login.encode(errors="replace")), len(login.password.value.encode(errors="replace"))
    if any(size > most for size, most in zip(sizes, _RADIUS_LIMITS_BYTES, strict=True)):
        message = "service=radius: a login has 253 bytes at most, a password 128"
        asked.reading.error(codes.TOO_LARGE, asked.context.place_of(d.LOGIN), message)
    return RadiusCheck(login, Secret(secret))


def _sip(asked: Asked) -> AnyCheck:
    login = asked.context.own.get(d.LOGIN)
    if login is not None and not _SIP_USER.fullmatch(login.value):
        message = "login: not a user of SIP"
        asked.reading.error(codes.MALFORMED, login.place, message, "user, or user@example.net")
    user = login.value if login is not None else asked.context.names.at_this_host(USER)
    return SipCheck(user, tcp=not asked.context.speaks(Protocol.UDP))


def _simpletcp(asked: Asked) -> AnyCheck:
    """Our side ends with what is sent. Answers are looked at line by line, so `^` and `$` are a line's."""
    payload = asked.bare_request.replace(r"\n", "\n").encode(errors="replace")
    expect = asked.expect
    if asked.context.speaks(Protocol.UDP):
        return UdpCheck(payload, _by_line(expect), reply_needed=True)
    return SimpleTcpCheck(payload, _by_line(expect), half_close=True)


def _by_line(expect: Expect) -> Expect:
    if expect.regex is None or not re.search(r"[\^$]", expect.regex):
        return expect
    flags = _FLAGS.match(expect.regex)
    inner = expect.regex[flags.end() :] if flags else expect.regex
    return Expect(regex=(flags[0][:-1] if flags else "(?") + f"m){inner}")


def _imap(asked: Asked, mode: TlsMode) -> AnyCheck:
    return ImapCheck(mode, Tls(), asked.login)


def _pop(asked: Asked, mode: TlsMode) -> AnyCheck:
    return PopCheck(mode, Tls(), asked.login)


def _smtp(asked: Asked) -> AnyCheck:
    """Plain, on every port: ldirectord knows neither TLS nor STARTTLS there."""
    port = asked.context.own.value(d.CHECK_PORT, 0) or asked.server.port
    if port == SMTPS_PORT:
        message = "service=smtp speaks plainly, and port 465 usually begins with TLS: such servers are found down"
        hint = "checktype=connect; or the service in a lvsd.yaml, with check: {type: smtps}"
        asked.reading.warning(codes.LD_PLAIN, asked.context.place_of(d.SERVICE), message, hint)
    return SmtpCheck(TlsMode.NONE, Tls(), HELO)


NEGOTIATIONS: Final[dict[str, Callable[[Asked], AnyCheck | Elsewhere]]] = {
    "dns": _dns,
    "ftp": _ftp,
    "http": http,
    "https": https,
    "http_proxy": http_proxy,
    "imap": lambda asked: _imap(asked, TlsMode.NONE),
    "imaps": lambda asked: _imap(asked, TlsMode.IMPLICIT),
    "ldap": lambda asked: _ldap(asked, TlsMode.NONE),
    "ldaps": lambda asked: _ldap(asked, TlsMode.IMPLICIT),
    "mysql": _mysql,
    "nntp": _nntp,
    "none": _none,
    "oracle": _oracle,
    "pgsql": _pgsql,
    "pop": lambda asked: _pop(asked, TlsMode.NONE),
    "pops": lambda asked: _pop(asked, TlsMode.IMPLICIT),
    "radius": _radius,
    "simpletcp": _simpletcp,
    "sip": _sip,
    "smtp": _smtp,
    "submission": _smtp,
}
_WEB: Final[tuple[str, ...]] = ("request", "receive", "httpmethod", "virtualhost")
_SQL: Final[tuple[str, ...]] = ("request", "receive", "login", "passwd", "database")
USED: Final[dict[str, tuple[str, ...]]] = {
    "dns": ("request", "receive"),
    "ftp": ("request", "receive", "login", "passwd"),
    "http": _WEB,
    "https": _WEB,
    "http_proxy": ("request", "receive", "httpmethod"),
    "ldap": ("request", "receive", "login", "passwd"),
    "ldaps": ("request", "receive", "login", "passwd"),
    "radius": ("login", "passwd", "secret"),
    "simpletcp": ("request", "receive"),
    "sip": ("login",),
    **dict.fromkeys(("mysql", "pgsql", "oracle"), _SQL),
    **dict.fromkeys(("imap", "imaps", "pop", "pops"), ("login", "passwd")),
}
"""The directives each negotiation looks at, of those that belong to one service or another; none for the others."""
