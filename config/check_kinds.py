"""A check's keys to what is spoken with a real server, type by type. Pure.

A builder always answers: what it could not find it notes, and a configuration with an error is never used.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from config import codes
from config import shape_checks as keys
from config.check_parts import check_type, expect, login, mail_login, needed, payload, tls, upgrade
from config.checks import (
    AgentCheck,
    AnyCheck,
    Credentials,
    DnsCheck,
    Expect,
    ExternalCheck,
    FollowCheck,
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
    SynCheck,
    TcpCheck,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.reading import Reading, shown
from config.secret import Secret
from config.sections import Fields

_ANONYMOUS: Final = Credentials("anonymous", Secret("lvsd@"))  # RFC 1635 section 3: a mail address as password


def build_kind(fields: Fields, reading: Reading) -> AnyCheck:
    """The check of the type the fields say, every default filled in."""
    return _BUILDERS[check_type(fields)](fields, reading)


def _none(_fields: Fields, _reading: Reading) -> AnyCheck:
    return NoCheck()


def _tcp(_fields: Fields, _reading: Reading) -> AnyCheck:
    return TcpCheck()


def _http(fields: Fields, reading: Reading) -> AnyCheck:
    return _web(fields, None, None, reading)


def _https(fields: Fields, reading: Reading) -> AnyCheck:
    """A virtual host is also the server name of the handshake: servers refuse a request whose two names differ."""
    found = tls(fields, reading)
    host = fields.get(keys.VIRTUAL_HOST)
    if not fields.said(keys.SNI) and host is not None and not host.value.startswith("["):
        found = Tls(host.value.partition(":")[0], found.verify, found.ca_file)
    return _web(fields, found, None, reading)


def _http_proxy(fields: Fields, reading: Reading) -> AnyCheck:
    needed(fields, reading, (keys.URL, "url: http://www.example.net/"))
    return _web(fields, None, fields.value(keys.URL, ""), reading)


def _web(fields: Fields, found: Tls | None, proxy_url: str | None, reading: Reading) -> AnyCheck:
    built_in = HttpCheck()
    host, digest = fields.get(keys.VIRTUAL_HOST), fields.get(keys.DIGEST)
    path = fields.get(keys.PATH)
    if path is not None and not re.fullmatch(r"/\S*", path.value):
        hint = "it begins with / and holds no space"
        reading.error(codes.MALFORMED, path.place, f"{shown(path.value)} is not a path", hint)
    check = HttpCheck(
        tls=found,
        path=path.value if path else built_in.path,
        method=fields.value(keys.METHOD, built_in.method),
        virtual_host=host.value if host else None,
        status=fields.value(keys.STATUS, built_in.status),
        expect=expect(fields, reading),
        digest=digest.value.lower() if digest else None,
        proxy_url=proxy_url,
    )
    if check.method == "HEAD" and (check.expect != Expect() or check.digest):
        place = fields.place_of(keys.METHOD)
        reading.error(codes.CONTRADICTION, place, "the answer to HEAD has no body to look into", "use GET")
    return check


def _mysql(fields: Fields, reading: Reading) -> AnyCheck:
    needed(fields, reading, (keys.LOGIN, "login: monitor"), (keys.PASSWORD, "password: {file: /etc/lvsd/mysql.secret}"))
    database = fields.get(keys.DATABASE)
    return MysqlCheck(
        credentials=login(fields),
        query=fields.value(keys.QUERY, "SELECT 1"),
        database=database.value if database else None,
        expect=expect(fields, reading),
        galera=fields.value(keys.GALERA, None),
    )


def _pgsql(fields: Fields, reading: Reading) -> AnyCheck:
    needed(fields, reading, (keys.LOGIN, "login: monitor"), (keys.PASSWORD, "password: {file: /etc/lvsd/pgsql.secret}"))
    database = fields.get(keys.DATABASE)
    return PgsqlCheck(
        credentials=login(fields),
        query=fields.value(keys.QUERY, "SELECT 1"),
        database=database.value if database else None,
        expect=expect(fields, reading),
    )


def _imap(fields: Fields, reading: Reading) -> AnyCheck:
    return ImapCheck(upgrade(fields, reading), tls(fields, reading), mail_login(fields, reading))


def _imaps(fields: Fields, reading: Reading) -> AnyCheck:
    return ImapCheck(TlsMode.IMPLICIT, tls(fields, reading), mail_login(fields, reading))


def _pop(fields: Fields, reading: Reading) -> AnyCheck:
    return PopCheck(upgrade(fields, reading), tls(fields, reading), mail_login(fields, reading))


def _pops(fields: Fields, reading: Reading) -> AnyCheck:
    return PopCheck(TlsMode.IMPLICIT, tls(fields, reading), mail_login(fields, reading))


def _smtp(fields: Fields, reading: Reading) -> AnyCheck:
    return _submit(fields, upgrade(fields, reading), reading)


def _smtps(fields: Fields, reading: Reading) -> AnyCheck:
    return _submit(fields, TlsMode.IMPLICIT, reading)


def _submission(fields: Fields, reading: Reading) -> AnyCheck:
    """RFC 6409 section 3 and RFC 8314 section 3.3: submission on 587 speaks TLS after STARTTLS."""
    return _submit(fields, TlsMode.STARTTLS, reading)


def _submit(fields: Fields, mode: TlsMode, reading: Reading) -> AnyCheck:
    helo = fields.value(keys.HELO, SmtpCheck().helo)
    return SmtpCheck(mode, tls(fields, reading), helo, mail_login(fields, reading))


def _ldap(fields: Fields, reading: Reading) -> AnyCheck:
    return _directory(fields, upgrade(fields, reading), reading)


def _ldaps(fields: Fields, reading: Reading) -> AnyCheck:
    return _directory(fields, TlsMode.IMPLICIT, reading)


def _directory(fields: Fields, mode: TlsMode, reading: Reading) -> AnyCheck:
    base, wanted = fields.get(keys.BASE), expect(fields, reading)
    if wanted != Expect() and not fields.said(keys.BASE):
        place = fields.place_of(keys.RECEIVE if wanted.text is not None else keys.RECEIVE_REGEX)
        reading.warning(codes.NO_EFFECT, place, "nothing is searched without `base`, so nothing can be found in it")
    return LdapCheck(mode, tls(fields, reading), mail_login(fields, reading), base.value if base else None, wanted)


def _ftp(fields: Fields, reading: Reading) -> AnyCheck:
    path, wanted = fields.get(keys.PATH), expect(fields, reading)
    if wanted != Expect() and not fields.said(keys.PATH):
        place = fields.place_of(keys.RECEIVE if wanted.text is not None else keys.RECEIVE_REGEX)
        reading.warning(codes.NO_EFFECT, place, "no file is read without `path`, so nothing can be found in it")
    return FtpCheck(mail_login(fields, reading) or _ANONYMOUS, path.value if path else None, wanted)


def _nntp(_fields: Fields, _reading: Reading) -> AnyCheck:
    return NntpCheck()


def _dns(fields: Fields, reading: Reading) -> AnyCheck:
    built_in = DnsCheck()
    return DnsCheck(
        name=fields.value(keys.DNS_NAME, built_in.name),
        record=fields.value(keys.RECORD, built_in.record),
        expect=expect(fields, reading),
        answer_needed=fields.value(keys.ANSWER_NEEDED, built_in.answer_needed),
        tcp=fields.value(keys.TRANSPORT, built_in.tcp),
    )


def _radius(fields: Fields, reading: Reading) -> AnyCheck:
    password, secret = "password: {file: /etc/lvsd/monitor.secret}", "secret: {file: /etc/lvsd/radius.secret}"
    hints = (keys.LOGIN, "login: monitor"), (keys.PASSWORD, password), (keys.SECRET, secret)
    needed(fields, reading, *hints)
    return RadiusCheck(login(fields), Secret(fields.value(keys.SECRET, "")))


def _sip(fields: Fields, _reading: Reading) -> AnyCheck:
    built_in = SipCheck()
    return SipCheck(fields.value(keys.USER, built_in.user), fields.value(keys.TRANSPORT, built_in.tcp))


def _simpletcp(fields: Fields, reading: Reading) -> AnyCheck:
    half_close = fields.value(keys.HALF_CLOSE, SimpleTcpCheck().half_close)
    return SimpleTcpCheck(payload(fields, reading), expect(fields, reading), half_close)


def _udp(fields: Fields, reading: Reading) -> AnyCheck:
    pattern, length = fields.get(keys.REPLY_HEX), fields.get(keys.REPLY_LENGTH)
    return UdpCheck(
        payload=payload(fields, reading),
        expect=expect(fields, reading),
        reply_needed=fields.value(keys.REPLY, UdpCheck().reply_needed),
        reply_hex=pattern.value if pattern else None,
        reply_length=length.value if length else None,
    )


def _ping(fields: Fields, _reading: Reading) -> AnyCheck:
    return PingCheck(fields.value(keys.COUNT, PingCheck().count))


def _redis(fields: Fields, reading: Reading) -> AnyCheck:
    return RedisCheck(TlsMode.NONE, Tls(), _redis_login(fields, reading), fields.value(keys.ROLE, ""))


def _rediss(fields: Fields, reading: Reading) -> AnyCheck:
    credentials = _redis_login(fields, reading)
    return RedisCheck(TlsMode.IMPLICIT, tls(fields, reading), credentials, fields.value(keys.ROLE, ""))


def _redis_login(fields: Fields, reading: Reading) -> Credentials | None:
    """A password needs no login: Redis before its version 6 knew none."""
    if fields.said(keys.PASSWORD) and not fields.said(keys.LOGIN):
        return login(fields)
    return mail_login(fields, reading)


def _ntp(fields: Fields, _reading: Reading) -> AnyCheck:
    return NtpCheck(fields.value(keys.STRATUM, NtpCheck().stratum))


def _agent(fields: Fields, reading: Reading) -> AnyCheck:
    """Its weight is the real server's, who is not known here; an agent never answers on the service's own port."""
    needed(fields, reading, (keys.CHECK_PORT, "port: 9999, where the agent listens"))
    return AgentCheck(payload(fields, reading).decode())


def _syn(_fields: Fields, _reading: Reading) -> AnyCheck:
    return SynCheck()


def _follow(fields: Fields, reading: Reading) -> AnyCheck:
    needed(fields, reading, (keys.FOLLOWED_SERVICE, "service: the name of another service"))
    return FollowCheck(fields.value(keys.FOLLOWED_SERVICE, ""))


def _external(fields: Fields, reading: Reading) -> AnyCheck:
    needed(fields, reading, (keys.COMMAND, "command: [/path/to/program, argument, ...]"))
    return ExternalCheck(fields.value(keys.COMMAND, ()), fields.value(keys.DYNAMIC_WEIGHT, default=False))


_BUILDERS: Final[dict[str, Callable[[Fields, Reading], AnyCheck]]] = {
    "none": _none,
    "tcp": _tcp,
    "http": _http,
    "https": _https,
    "http_proxy": _http_proxy,
    "mysql": _mysql,
    "pgsql": _pgsql,
    "imap": _imap,
    "imaps": _imaps,
    "pop": _pop,
    "pops": _pops,
    "smtp": _smtp,
    "smtps": _smtps,
    "submission": _submission,
    "ldap": _ldap,
    "ldaps": _ldaps,
    "ftp": _ftp,
    "nntp": _nntp,
    "dns": _dns,
    "radius": _radius,
    "sip": _sip,
    "simpletcp": _simpletcp,
    "udp": _udp,
    "ping": _ping,
    "redis": _redis,
    "rediss": _rediss,
    "ntp": _ntp,
    "agent": _agent,
    "syn": _syn,
    "follow": _follow,
    "external": _external,
}
