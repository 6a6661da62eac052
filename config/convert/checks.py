"""A check as the keys of lvsd.yaml that say it. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Final, cast

from config.checks import (
    AgentCheck,
    AnyCheck,
    Check,
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
    Timing,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.convert.values import Keys, duration, ranges, said
from config.convert.yamltext import Value
from config.shape_checks import common_keys, known_keys

NEUTRAL: Final[Mapping[str, Value]] = {
    "interval": "5s", "timeout": "3s", "rise": 1, "fall": 3, "connects": 0, "method": "GET", "status": "200-299",
    "sni": False, "verify": False, "starttls": False, "helo": "lvsd.invalid", "query": "SELECT 1", "galera": False,
    "name": ".", "record": "SOA", "answer_needed": True, "transport": "udp", "user": "lvsd", "send": "",
    "half_close": False, "reply": False, "count": 1, "dynamic_weight": False, "source": False, "mark": 0,
    "proxy_protocol": 0, "stratum": 15,
}  # fmt: skip
"""How a key says that it is as if it were not said. The keys that are not here cannot say it."""


def check_keys(check: Check) -> Keys:
    """All that the check says otherwise than by default, its type always."""
    timing, usual = check.timing, Timing()
    fast = None if timing.fast_interval is None else duration(timing.fast_interval)
    down = None if timing.down_interval is None else duration(timing.down_interval)
    return _kind_keys(check.kind) | said(
        port=check.port,
        address=check.address,
        interval=duration(timing.interval) if timing.interval != usual.interval else None,
        fast_interval=fast,
        down_interval=down,
        timeout=duration(timing.timeout) if timing.timeout != usual.timeout else None,
        rise=timing.rise if timing.rise != usual.rise else None,
        fall=timing.fall if timing.fall != usual.fall else None,
        connects=timing.connects or None,
        source=check.dial.source or None,
        mark=check.dial.mark or None,
        proxy_protocol=check.dial.proxy_protocol or None,
    )


def shared_timing(checks: Iterable[Check]) -> Keys:
    """The words of timing, other than the default ones, that all these checks have: all but those that follow."""
    written = [check_keys(check) for check in dict.fromkeys(checks) if not isinstance(check.kind, FollowCheck)]
    found: Keys = {}
    for name in TIMING if written else ():
        first = written[0].get(name)
        if first is not None and all(keys.get(name) == first for keys in written):
            found[name] = first
    return found


TIMING: Final = ("interval", "fast_interval", "down_interval", "timeout", "rise", "fall", "connects")


def over(keys: Keys, outer: Mapping[str, Value]) -> Keys | None:
    """What remains to be said below an outer check; None when the outer one says what cannot be unsaid."""
    type_ = str(keys["type"])
    known = {key.name for key in (known_keys(type_) if type_ == outer.get("type") else common_keys(type_))}
    inherited = {name: value for name, value in outer.items() if name in known}
    found: Keys = {"type": keys["type"]} if keys["type"] != outer.get("type") else {}
    for name in inherited:
        if name not in keys and _OTHER_FORM.get(name) not in keys:
            neutral = _neutral(name, keys["type"])
            if neutral is None:
                return None
            found[name] = neutral
    return found | {name: value for name, value in keys.items() if inherited.get(name) != value}


def _neutral(name: str, type_: Value) -> Value | None:
    if name == "path":
        return "/" if type_ in ("http", "https") else None
    if name == "sni" and type_ == "https":
        return None  # without it the virtual host is sent
    return NEUTRAL.get(name)


_OTHER_FORM: Final = {
    "receive": "receive_regex", "receive_regex": "receive", "send": "send_hex", "send_hex": "send",
}  # fmt: skip
"""Keys that leave one another behind."""


def _kind_keys(kind: AnyCheck) -> Keys:
    return _WRITERS[type(kind)](kind)


def _none(_kind: NoCheck) -> Keys:
    return {"type": "none"}


def _tcp(_kind: TcpCheck) -> Keys:
    return {"type": "tcp"}


def _nntp(_kind: NntpCheck) -> Keys:
    return {"type": "nntp"}


def _http(kind: HttpCheck) -> Keys:
    usual = HttpCheck()
    type_ = "http_proxy" if kind.proxy_url is not None else "http" if kind.tls is None else "https"
    found: Keys = {"type": type_} | said(
        path=kind.path if kind.path != usual.path else None,
        url=kind.proxy_url,
        method=kind.method if kind.method != usual.method else None,
        virtual_host=kind.virtual_host,
        status=ranges(kind.status) if kind.status != usual.status else None,
        digest=kind.digest,
    )
    return found | _expect(kind.expect) | (_web_tls(kind.tls, kind.virtual_host) if kind.tls else {})


def _web_tls(tls: Tls, virtual_host: str | None) -> Keys:
    """A virtual host is the server name too, unless another, or none, is said."""
    found = _tls(tls)
    implied = None
    if virtual_host is not None and not virtual_host.startswith("["):
        implied = virtual_host.partition(":")[0]
    if tls.sni == implied:
        found.pop("sni", None)
    elif tls.sni is None:
        found["sni"] = False
    return found


def _mysql(kind: MysqlCheck) -> Keys:
    galera = kind.galera.value if kind.galera else None
    return {"type": "mysql"} | _login(kind.credentials) | _query(kind) | said(galera=galera)


def _pgsql(kind: PgsqlCheck) -> Keys:
    return {"type": "pgsql"} | _login(kind.credentials) | _query(kind)


def _query(kind: MysqlCheck | PgsqlCheck) -> Keys:
    query = kind.query if kind.query != "SELECT 1" else None
    return said(query=query, database=kind.database) | _expect(kind.expect)


def _imap(kind: ImapCheck) -> Keys:
    return _mode("imap", kind.mode) | _login(kind.credentials) | _tls(kind.tls)


def _pop(kind: PopCheck) -> Keys:
    return _mode("pop", kind.mode) | _login(kind.credentials) | _tls(kind.tls)


def _smtp(kind: SmtpCheck) -> Keys:
    type_: Keys = {"type": "submission"} if kind.mode is TlsMode.STARTTLS else _mode("smtp", kind.mode)
    helo = kind.helo if kind.helo != SmtpCheck().helo else None
    return type_ | said(helo=helo) | _login(kind.credentials) | _tls(kind.tls)


def _ldap(kind: LdapCheck) -> Keys:
    rest = said(base=kind.base) | _expect(kind.expect)
    return _mode("ldap", kind.mode) | _login(kind.credentials) | rest | _tls(kind.tls)


def _ftp(kind: FtpCheck) -> Keys:
    anonymous = kind.credentials.login == "anonymous" and kind.credentials.password.value == "lvsd@"
    login = {} if anonymous else _login(kind.credentials)
    return {"type": "ftp"} | login | said(path=kind.path) | _expect(kind.expect)


def _dns(kind: DnsCheck) -> Keys:
    usual = DnsCheck()
    return {"type": "dns"} | said(
        name=kind.name if kind.name != usual.name else None,
        record=kind.record if kind.record != usual.record else None,
        answer_needed=None if kind.answer_needed else False,
        transport="tcp" if kind.tcp else None,
    ) | _expect(kind.expect)  # fmt: skip


def _radius(kind: RadiusCheck) -> Keys:
    return {"type": "radius"} | _login(kind.credentials) | {"secret": kind.secret.value}


def _sip(kind: SipCheck) -> Keys:
    user = kind.user if kind.user != SipCheck().user else None
    return {"type": "sip"} | said(user=user, transport="tcp" if kind.tcp else None)


def _simpletcp(kind: SimpleTcpCheck) -> Keys:
    return {"type": "simpletcp"} | _payload(kind.send) | _expect(kind.expect) | said(half_close=kind.half_close or None)


def _udp(kind: UdpCheck) -> Keys:
    length = ranges((kind.reply_length,)) if kind.reply_length else None
    return {"type": "udp"} | _payload(kind.payload) | _expect(kind.expect) | said(
        reply=kind.reply_needed or None, reply_hex=kind.reply_hex, reply_length=length
    )  # fmt: skip


def _ping(kind: PingCheck) -> Keys:
    return {"type": "ping"} | said(count=kind.count if kind.count != 1 else None)


def _redis(kind: RedisCheck) -> Keys:
    credentials = kind.credentials
    login = _login(credentials)
    if credentials is not None and not credentials.login:
        login = {"password": credentials.password.value}
    return _mode("redis", kind.mode) | login | said(role=kind.role or None) | _tls(kind.tls)


def _ntp(kind: NtpCheck) -> Keys:
    return {"type": "ntp"} | said(stratum=kind.stratum if kind.stratum != NtpCheck().stratum else None)


def _agent(kind: AgentCheck) -> Keys:
    return {"type": "agent"} | said(send=kind.send or None)


def _syn(_kind: SynCheck) -> Keys:
    return {"type": "syn"}


def _follow(kind: FollowCheck) -> Keys:
    return {"type": "follow", "service": kind.service}


def _external(kind: ExternalCheck) -> Keys:
    return {"type": "external", "command": list(kind.command)} | said(dynamic_weight=kind.dynamic or None)


def _mode(type_: str, mode: TlsMode) -> Keys:
    if mode is TlsMode.IMPLICIT:
        return {"type": f"{type_}s"}
    return {"type": type_} | said(starttls=True if mode is TlsMode.STARTTLS else None)


def _tls(tls: Tls) -> Keys:
    return said(sni=tls.sni, verify=tls.verify or None, ca_file=tls.ca_file)


def _login(credentials: Credentials | None) -> Keys:
    return {} if credentials is None else {"login": credentials.login, "password": credentials.password.value}


def _expect(expect: Expect) -> Keys:
    return said(receive=expect.text, receive_regex=expect.regex)


def _payload(content: bytes) -> Keys:
    if not content:
        return {}
    try:
        return {"send": content.decode()}
    except UnicodeDecodeError:
        return {"send_hex": content.hex()}


_WRITERS: Final = cast(
    "Mapping[type[AnyCheck], Callable[[AnyCheck], Keys]]",  # each stands beside the class it takes
    {
        NoCheck: _none, TcpCheck: _tcp, HttpCheck: _http, MysqlCheck: _mysql, PgsqlCheck: _pgsql, ImapCheck: _imap,
        PopCheck: _pop, SmtpCheck: _smtp, LdapCheck: _ldap, FtpCheck: _ftp, NntpCheck: _nntp, DnsCheck: _dns,
        RadiusCheck: _radius, SipCheck: _sip, SimpleTcpCheck: _simpletcp, UdpCheck: _udp, PingCheck: _ping,
        ExternalCheck: _external, RedisCheck: _redis, NtpCheck: _ntp, AgentCheck: _agent, SynCheck: _syn,
        FollowCheck: _follow,
    },
)  # fmt: skip
