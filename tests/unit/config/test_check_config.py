"""Checks: every type's keys, and inheritance through three levels."""

from __future__ import annotations

from itertools import pairwise

import pytest

from config import codes, rules, shape_checks
from config.checks import (
    AgentCheck,
    AnyCheck,
    Check,
    Credentials,
    Dial,
    DnsCheck,
    Expect,
    ExternalCheck,
    FollowCheck,
    FtpCheck,
    Galera,
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
from config.load import load
from config.reading import Reading
from config.secret import Secret
from tests.unit.config.files_in_memory import (
    FilesInMemory,
    assert_told_at_the_marks,
    codes_of,
    good,
    load_text,
    service,
    told,
)

MONITOR = Credentials("monitor", Secret("hunter2"))
LOGIN = "login: monitor, password: hunter2"


def text(check: str, *, defaults: str = "", real: str = "1.1.1.15") -> str:
    own = f"    check: {{{check}}}\n" if check else ""
    above = f"defaults: {{check: {{{defaults}}}}}\n" if defaults else ""
    return f"{above}services:\n  web:\n    virtual: 1.1.1.12:80\n{own}    real_servers: [{real}]\n"


def check(written: str, *, defaults: str = "", real: str = "1.1.1.15") -> Check:
    return service(text(written, defaults=defaults, real=real)).real_servers[0].check


KINDS: list[tuple[str, AnyCheck]] = [
    ("", TcpCheck()),
    ("interval: 5s", TcpCheck()),
    ("type: tcp", TcpCheck()),
    ("type: none", NoCheck()),
    ("type: http", HttpCheck()),
    (
        "type: http, path: /x, method: head, virtual_host: www.example.net, status: [200, 301-303]",
        HttpCheck(None, "/x", "HEAD", "www.example.net", ((200, 200), (301, 303))),
    ),
    ("type: http, status: 204", HttpCheck(status=((204, 204),))),
    ("type: http, receive: ok", HttpCheck(expect=Expect(text="ok"))),
    ("type: http, receive_regex: 'o[k]'", HttpCheck(expect=Expect(regex="o[k]"))),
    ("type: https", HttpCheck(tls=Tls())),
    ("type: https, sni: a.example.net, verify: true", HttpCheck(tls=Tls("a.example.net", verify=True))),
    (
        "type: https, virtual_host: 'a.example.net:8443'",
        HttpCheck(tls=Tls("a.example.net"), virtual_host="a.example.net:8443"),
    ),
    (
        "type: https, virtual_host: a.example.net, sni: b.example.net",
        HttpCheck(tls=Tls("b.example.net"), virtual_host="a.example.net"),
    ),
    ("type: https, virtual_host: '[::1]:443'", HttpCheck(tls=Tls(), virtual_host="[::1]:443")),
    (f"type: mysql, {LOGIN}", MysqlCheck(MONITOR)),
    (
        f"type: mysql, {LOGIN}, query: SELECT 2, database: mail, receive: x, galera: ready",
        MysqlCheck(MONITOR, "SELECT 2", "mail", Expect(text="x"), Galera.READY),
    ),
    (f"type: mysql, {LOGIN}, galera: true", MysqlCheck(MONITOR, galera=Galera.SYNCED)),
    (f"type: mysql, {LOGIN}, galera: synced", MysqlCheck(MONITOR, galera=Galera.SYNCED)),
    (f"type: mysql, {LOGIN}, galera: false", MysqlCheck(MONITOR)),
    ("type: imap", ImapCheck()),
    ("type: imap, starttls: true, sni: a.example.net", ImapCheck(TlsMode.STARTTLS, Tls("a.example.net"))),
    (f"type: imaps, {LOGIN}", ImapCheck(TlsMode.IMPLICIT, credentials=MONITOR)),
    ("type: pop", PopCheck()),
    ("type: POP3", PopCheck()),
    ("type: pop, starttls: true", PopCheck(TlsMode.STARTTLS)),
    ("type: pop3s", PopCheck(TlsMode.IMPLICIT)),
    (f"type: pops, verify: true, {LOGIN}", PopCheck(TlsMode.IMPLICIT, Tls(verify=True), MONITOR)),
    ("type: smtp", SmtpCheck()),
    ("type: smtp, helo: lb1.example.net", SmtpCheck(helo="lb1.example.net")),
    ("type: smtp, starttls: true", SmtpCheck(TlsMode.STARTTLS)),
    (f"type: smtps, {LOGIN}", SmtpCheck(TlsMode.IMPLICIT, credentials=MONITOR)),
    (f"type: submission, {LOGIN}, helo: x", SmtpCheck(TlsMode.STARTTLS, helo="x", credentials=MONITOR)),
    ("type: external, command: [/bin/check, -p, 25, 'a b']", ExternalCheck(("/bin/check", "-p", "25", "a b"))),
    ("type: external, command: [/bin/check], dynamic_weight: true", ExternalCheck(("/bin/check",), dynamic=True)),
    (f"type: http, digest: {'AB' * 16}", HttpCheck(digest="ab" * 16)),
    ("type: https, virtual_host: a.example.net, sni: false", HttpCheck(tls=Tls(), virtual_host="a.example.net")),
    ("type: http_proxy, url: 'http://x/y', status: 204", HttpCheck(status=((204, 204),), proxy_url="http://x/y")),
    (f"type: pgsql, {LOGIN}", PgsqlCheck(MONITOR)),
    (
        f"type: pgsql, {LOGIN}, query: SELECT 2, database: mail, receive_regex: x",
        PgsqlCheck(MONITOR, "SELECT 2", "mail", Expect(regex="x")),
    ),
    ("type: ldap", LdapCheck()),
    ("type: ldap, starttls: true, sni: x, base: ''", LdapCheck(TlsMode.STARTTLS, Tls("x"), base="")),
    (
        f"type: ldaps, {LOGIN}, base: 'dc=example', receive: example",
        LdapCheck(TlsMode.IMPLICIT, Tls(), MONITOR, "dc=example", Expect(text="example")),
    ),
    ("type: ftp", FtpCheck(Credentials("anonymous", Secret("lvsd@")))),
    (f"type: ftp, {LOGIN}, path: a file, receive: ok", FtpCheck(MONITOR, "a file", Expect(text="ok"))),
    ("type: nntp", NntpCheck()),
    ("type: dns", DnsCheck(".", "SOA")),
    (
        "type: dns, name: example.net, record: aaaa, receive: x, answer_needed: false, transport: tcp",
        DnsCheck("example.net", "AAAA", Expect(text="x"), answer_needed=False, tcp=True),
    ),
    (f"type: radius, {LOGIN}, secret: shared", RadiusCheck(MONITOR, Secret("shared"))),
    ("type: sip", SipCheck()),
    ("type: sip, user: a@example.net, transport: tcp", SipCheck("a@example.net", tcp=True)),
    ("type: simpletcp", SimpleTcpCheck()),
    (
        'type: simpletcp, send: "GET\\r\\n\\0é", receive: x, half_close: true',
        SimpleTcpCheck(b"GET\r\n\0\xc3\xa9", Expect(text="x"), half_close=True),
    ),
    ("type: udp", UdpCheck()),
    ("type: udp, send_hex: '00 ff', reply: true", UdpCheck(b"\0\xff", reply_needed=True)),
    (
        "type: udp, send: x, reply_hex: '00 Xf', reply_length: 10-200, receive: y",
        UdpCheck(b"x", Expect(text="y"), reply_hex="00xf", reply_length=(10, 200)),
    ),
    ("type: udp, reply_length: 12", UdpCheck(reply_length=(12, 12))),
    ("type: ping", PingCheck()),
    ("type: ping, count: 3", PingCheck(3)),
    ("type: redis", RedisCheck()),
    ("type: redis, password: hunter2", RedisCheck(credentials=Credentials("", Secret("hunter2")))),
    (f"type: redis, {LOGIN}, role: Slave", RedisCheck(credentials=MONITOR, role="slave")),
    (
        "type: rediss, sni: a.example.net, role: master",
        RedisCheck(TlsMode.IMPLICIT, Tls("a.example.net"), role="master"),
    ),
    ("type: ntp", NtpCheck()),
    ("type: ntp, stratum: 3", NtpCheck(3)),
    ("type: syn", SynCheck()),
    ("type: follow, service: other", FollowCheck("other")),
]


OTHER = "  other: {virtual: '1.1.1.12:81', real_servers: [1.1.1.15]}\n"


@pytest.mark.parametrize(("written", "kind"), KINDS)
def test_kinds(written: str, kind: AnyCheck) -> None:
    (server,) = good(text(written) + OTHER).services[0].real_servers
    assert server.check.kind == kind


def test_every_type_is_shown_here() -> None:
    shown = {written.partition("type: ")[2].partition(",")[0].lower() for written, _kind in KINDS}
    assert shown | {"agent"} >= set(shape_checks.CHECK_TYPE_WORDS)


AGENT = '{type: agent, port: 9999, send: "x\\n"}'


def test_an_agent() -> None:
    """Its percentages are those of the real server's weight."""
    reals = "real_servers: [{address: 1.1.1.15, weight: 5}, 1.1.1.16]"
    written = f"services: {{web: {{virtual: '1.1.1.12:80', checks: [{{type: tcp}}, {AGENT}], {reals}}}}}\n"
    found = [one.further_checks[0] for one in service(written).real_servers]
    assert found == [Check(AgentCheck("x\n", weight), port=9999) for weight in (5, 1)]


@pytest.mark.parametrize(
    ("keys", "expected"),
    [
        ("check: {→type: agent, port: 9}", "CFG056"),
        ("checks: [{→type: agent, port: 9}, {type: agent, port: 10}]", "CFG056"),
        ("checks: [{type: tcp}, {→type: agent, port: 9}], checks_needed: any", "CFG056"),
        ("checks: [{type: tcp}, {type: agent, port: 9}], checks_needed: 2", ""),
        ("checks: [{type: tcp}, {type: agent, port: 9}]", ""),
        ("checks: [{type: tcp}, {type: ping}, {type: agent, port: 9}], checks_needed: 2", ""),
    ],
)
def test_an_agent_is_not_enough(keys: str, expected: str) -> None:
    reals = "real_servers: [1.1.1.15, 1.1.1.16]"
    assert_told_at_the_marks(f"services: {{web: {{virtual: '1.1.1.12:80', {keys}, {reals}}}}}\n", expected)


def test_timing_and_where_to_dial() -> None:
    found = check("interval: 10s, timeout: 500ms, rise: 2, fall: 5, port: 8080, address: 10.1.1.15")
    assert found == Check(TcpCheck(), Timing(10.0, 0.5, 2, 5), 8080, "10.1.1.15")
    assert check("") == Check(TcpCheck(), Timing(5.0, 3.0, 1, 3), None, None)
    assert check("fast_interval: 1s, connects: 5").timing == Timing(fast_interval=1.0, connects=5)
    assert check("down_interval: 30s").timing == Timing(down_interval=30.0)


def test_how_packets_leave() -> None:
    assert check("").dial == Dial()
    found = check("source: 10.0.0.1, mark: 4294967295, proxy_protocol: 2")
    assert found.dial == Dial("10.0.0.1", 2**32 - 1, 2)
    above = "source: 10.0.0.1, mark: 7, proxy_protocol: 1"
    assert check("source: false, mark: 0, proxy_protocol: 0", defaults=above).dial == Dial()


def test_a_type_leaves_behind_what_means_nothing_to_it() -> None:
    above = "source: 10.0.0.1, mark: 7, proxy_protocol: 1, interval: 1s, port: 81"
    assert check("type: ping", defaults=above) == Check(PingCheck(), Timing(1.0), 81, None, Dial("10.0.0.1", 7))
    assert check("type: external, command: [/x]", defaults=above).dial == Dial()
    assert check("type: http", defaults=above).dial == Dial("10.0.0.1", 7, 1)
    found = good(text("type: follow, service: other, port: 81", defaults=above) + OTHER).services[0]
    assert found.real_servers[0].check == Check(FollowCheck("other"), port=81)
    several = "  web: {virtual: '1.1.1.12:80', checks: [{type: tcp}, {type: ping}], real_servers: [1.1.1.15]}\n"
    (server,) = service(f"defaults: {{check: {{proxy_protocol: 2}}}}\nservices:\n{several}").real_servers
    assert [one.dial.proxy_protocol for one in server.checks] == [2, 0]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("type: ping, →proxy_protocol: 1", "CFG030"),
        ("type: udp, →proxy_protocol: 1", "CFG030"),
        ("type: dns, →proxy_protocol: 1", "CFG035"),
        ("type: sip, →proxy_protocol: 1", "CFG035"),
        ("type: dns, transport: tcp, proxy_protocol: 1", ""),
        ("type: none, →source: 1.1.1.1", "CFG030"),
        ("type: external, command: [/x], →mark: 7", "CFG030"),
        ("proxy_protocol: →3", "CFG015"),
        ("mark: →4294967296", "CFG015"),
        ("→source: '2001:db8::1'", "CFG043"),
        ("→source: 1.1.1.1, address: '2001:db8::1'", "CFG043"),
        ("source: →224.0.0.1", "CFG050"),
        ("@→type: agent", "CFG012 CFG056"),
        ("type: redis, →login: x", "CFG032"),
        ("type: redis, →starttls: true", "CFG030"),
        ("type: ntp, stratum: →16", "CFG015"),
        ("@type: follow", "CFG012"),
        ("type: follow, service: →web", "CFG055"),
        ("type: follow, service: →othr", "CFG055"),
        ("type: follow, service: →other, port: 80", "CFG055"),
        ("type: follow, service: other, port: 81", ""),
        ("type: follow, service: →empty", "CFG055"),
        ("type: follow, service: other, →interval: 1s, →proxy_protocol: 1", "CFG030 CFG030"),
        ("type: tcp, →service: other", "CFG030"),
    ],
)
def test_what_leaves_and_follows_keeps_its_rules(written: str, expected: str) -> None:
    more = OTHER + "  empty: {virtual: '1.1.1.12:82', real_servers: [1.1.1.16]}\n"
    assert_told_at_the_marks(text(written).replace("{@", "→{") + more, expected)


def test_services_do_not_follow_each_other_in_a_circle() -> None:
    own = "{address: 1.1.1.15, check: {type: follow, service: %s}}"
    services = {"a": "b", "b": "c", "c": "b", "d": "a"}
    lines = [
        f"  {name}: {{virtual: '1.1.1.12:{port}', real_servers: [{own % other}]}}\n"
        for port, (name, other) in enumerate(services.items(), 80)
    ]
    assert told("services:\n" + "".join(lines)) == [
        "3:97: services follow each other in a circle: b, c, b (one of them needs a check of its own) [CFG055]"
    ]


class Compared(str):
    """A name that counts how often it is compared."""

    __slots__ = ()
    times = 0

    def __eq__(self, other: object) -> bool:
        Compared.times += 1
        return super().__eq__(other)

    __hash__ = str.__hash__


def test_a_long_chain_is_walked_along_once() -> None:
    names = [Compared(number) for number in range(2000)]
    followed: dict[str, list[str]] = {one: [Compared(other)] for one, other in pairwise(names)}
    reading = Reading(FilesInMemory({}))
    rules._check_circles({}, {**followed, names[-1]: []}, reading)
    assert not reading.failed
    assert Compared.times < 20 * len(names)


def test_seven_services_may_follow_one_another() -> None:
    def chain(links: int) -> str:
        own = "{address: 1.1.1.15, check: {type: follow, service: s%d}}"
        last = "services:\n  s0: {virtual: '1.1.1.12:80', real_servers: [1.1.1.15]}\n"
        numbers = range(1, links + 1)
        return last + "".join(
            f"  s{one}: {{virtual: '1.1.1.12:{80 + one}', real_servers: [{own % (one - 1)}]}}\n" for one in numbers
        )

    assert len(good(chain(7)).services) == 8
    (line,) = told(chain(8))
    assert line.startswith("10:98: service `s8` follows more than 7 others, one by one")


def test_each_level_goes_over_the_one_above_key_by_key() -> None:
    found = check(
        "timeout: 2s, rise: 2",
        defaults="interval: 1s, timeout: 1s, rise: 1, fall: 1",
        real="{address: 1.1.1.15, check: {rise: 3}}",
    )
    assert found.timing == Timing(interval=1.0, timeout=2.0, rise=3, fall=1)


def test_a_real_server_may_be_checked_otherwise() -> None:
    servers = service(
        text("type: http, path: /x", real="1.1.1.15, {address: 1.1.1.16, check: {receive: ok}}, "
             "{address: 1.1.1.17, check: {type: tcp}}, {address: 1.1.1.18, check: {type: http}}"),
    ).real_servers  # fmt: skip
    assert [one.check.kind for one in servers] == [
        HttpCheck(path="/x"), HttpCheck(path="/x", expect=Expect(text="ok")), TcpCheck(), HttpCheck(path="/x"),
    ]  # fmt: skip


def test_another_type_leaves_the_outer_types_keys_behind() -> None:
    above = f"type: mysql, {LOGIN}, receive: x, port: 3306, interval: 1s"
    found = check("type: imaps", defaults=above)
    assert found == Check(ImapCheck(TlsMode.IMPLICIT), Timing(interval=1.0), 3306)
    assert check("type: http", defaults=above).kind == HttpCheck()
    assert check("type: mysql", defaults=above).kind == MysqlCheck(MONITOR, expect=Expect(text="x"))
    assert check("", defaults=above).kind == MysqlCheck(MONITOR, expect=Expect(text="x"))


def test_a_text_to_receive_replaces_an_inherited_expression_and_the_reverse() -> None:
    assert check("receive: x", defaults="type: http, receive_regex: y").kind == HttpCheck(expect=Expect(text="x"))
    assert check("receive_regex: y", defaults="type: http, receive: x").kind == HttpCheck(expect=Expect(regex="y"))


def test_every_key_of_another_type_is_refused() -> None:
    values = {
        "path": "/", "method": "GET", "virtual_host": "x", "status": "200", "receive": "x", "receive_regex": "x",
        "login": "x", "password": "x", "query": "x", "database": "x", "galera": "ready", "starttls": "true",
        "helo": "x", "sni": "x", "verify": "true", "ca_file": "x", "command": "[/x]", "dynamic_weight": "true",
        "url": "'http://x/'", "digest": "0" * 31 + "a", "base": "x", "secret": "x", "name": "x", "record": "A",
        "answer_needed": "true", "transport": "udp", "user": "x", "send": "x", "send_hex": "'00'",
        "half_close": "true", "reply": "true", "reply_hex": "'00'", "reply_length": "1", "count": "1",
        "role": "master", "stratum": "1", "service": "x",
    }  # fmt: skip
    common = {key.name for key in shape_checks.COMMON_CHECK_KEYS}
    assert common | set(values) == {key.name for key in shape_checks.CHECK.keys}
    for kind, keys in shape_checks.TYPE_KEYS.items():
        foreign = set(values) - {key.name for key in keys}
        for name in foreign:
            found = load_text(text(f"type: {kind}, {name}: {values[name]}")).problems
            assert (codes.KEY_OF_OTHER_TYPE, 4) in [(one.code, one.line) for one in found], (kind, name)


def test_a_foreign_key_is_told_where_it_belongs() -> None:
    (line,) = told(text("type: http, query: SELECT 1"))
    assert line == "4:25: `query` is unknown for type http (it belongs to mysql, pgsql) [CFG030]"
    (line,) = told(text("type: tcp", defaults="verify: true"))
    assert line.startswith("1:20: `verify` is unknown for type tcp (it belongs to https, imap")
    assert "no `type` is said here" in line
    (line,) = told(text("service: http"))
    assert line.endswith("(it belongs to follow; no `type` is said here; ldirectord's; here `type`) [CFG030]")


def test_a_foreign_key_in_the_defaults_is_told_once() -> None:
    assert codes_of(
        text("", defaults="query: x") + "  other: {virtual: '1.1.1.12:81', real_servers: [1.1.1.15]}\n"
    ) == ["1:20 CFG030"]


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("@type: mysql, login: x", "CFG012"),
        ("type: mysql, login: x, password: →12", "CFG014"),
        ("@type: external", "CFG012"),
        ("@type: mysql, password: x", "CFG012"),
        ("type: external, command: →/bin/true", "CFG013"),
        ("type: external, command: [→true]", "CFG014"),
        ("type: external, command: →[check]", "CFG017"),
        ("type: external, command: →[]", "CFG017"),
        ('type: external, command: [/bin/true, →"\\0"]', "CFG017"),
        ("type: external, command: [/bin/true, →[x]]", "CFG013"),
        ("type: external, command: →[/bin/true" + f", {'x' * 1000}" * 9 + "]", "CFG002"),
        ("type: imap, →password: x", "CFG032"),
        ("type: imap, →login: x", "CFG032"),
        ("type: http, receive: x, →receive_regex: y", "CFG035"),
        ("type: http, →method: HEAD, receive: x", "CFG035"),
        ("type: http, receive_regex: →5", "CFG014"),
        ("type: http, receive: →" + "x" * 1025, "CFG002"),
        ("type: http, receive: " + "x" * 1024, ""),
        (f"type: mysql, {LOGIN}, query: →{'x' * 4097}", "CFG002"),
        (f"type: mysql, {LOGIN}, query: {'x' * 4096}", ""),
        ("type: http, status: →[]", "CFG018"),
        ("type: http, status: →600", "CFG017"),
        ("type: http, status: →299-200", "CFG017"),
        ("type: http, status: [200, →{}]", "CFG013"),
        ("type: http, path: →x", "CFG017"),
        ("type: http, path: →'/a b'", "CFG017"),
        ("type: http, path: →''", "CFG017"),
        ("type: http, digest: →'12'", "CFG017"),
        (f"type: http, →method: HEAD, digest: {'ab' * 16}", "CFG035"),
        ("@type: http_proxy", "CFG012"),
        ("type: http_proxy, url: →/x", "CFG017"),
        ("@type: pgsql, login: x", "CFG012"),
        ("@type: radius, login: x, password: y", "CFG012"),
        ("type: ldap, →login: x", "CFG032"),
        ("type: ldap, →sni: x", "CFG034"),
        ("type: ldap, →receive: x", "CFG034"),
        ("type: ftp, →receive_regex: x", "CFG034"),
        ("type: ftp, →password: x", "CFG032"),
        ("type: dns, record: →XYZ", "CFG016"),
        ("type: dns, name: →'a b'", "CFG017"),
        ("type: sip, user: →'<x>'", "CFG017"),
        ("type: udp, send: →5", "CFG014"),
        ("type: udp, send: x, →send_hex: '00'", "CFG035"),
        ("type: udp, send_hex: →'0'", "CFG017"),
        ("type: udp, send: →" + "x" * 4097, "CFG002"),
        ("type: udp, send_hex: →'" + "00" * 4097 + "'", "CFG002"),
        ("type: udp, reply_hex: →'0y'", "CFG017"),
        ("type: udp, reply_hex: →'" + "xx" * 4097 + "'", "CFG002"),
        ("type: udp, reply_length: →9-1", "CFG017"),
        ("type: udp, reply_length: →[1]", "CFG013"),
        ("type: udp, reply_length: →65536", "CFG015"),
        ("type: ping, count: →0", "CFG015"),
        ("connects: →-1", "CFG015"),
        ("fast_interval: →50ms", "CFG015"),
        ("type: imap, →verify: true", "CFG034"),
        ("type: pop, →sni: x", "CFG034"),
        ("type: https, →ca_file: ca.pem", "CFG034"),
        ("type: https, ca_file: →ca.pem, verify: true", "CFG001"),
        ("type: https, verify: true, ca_file: →[x]", "CFG013"),
        ("interval: →50ms", "CFG015"),
        ("timeout: →5ms", "CFG015"),
        ("interval: 1s, fast_interval: →2s", "CFG035"),
        ("fast_interval: →5001ms", "CFG035"),
        ("fast_interval: 5s", ""),
        ("rise: →0", "CFG015"),
        ("fall: →0", "CFG015"),
        ("port: →0", "CFG015"),
        ("address: →db1.example.net", "CFG017"),
        ("type: →mysq, login: x, query: y", "CFG016"),
        ("→typ: mysql, login: x, query: y", "CFG010"),
        ("type: http, →query: x, →starttls: true", "CFG030 CFG030"),
    ],
)
def test_rules(written: str, expected: str) -> None:
    assert_told_at_the_marks(text(written).replace("{@", "→{"), expected)


def test_what_a_real_server_completes_is_not_missing() -> None:
    real = f"{{address: 1.1.1.15, check: {{{LOGIN}}}}}"
    assert check("type: mysql", real=real).kind == MysqlCheck(MONITOR)


@pytest.mark.parametrize(("content", "expected"), [("-----BEGIN CERTIFICATE-----\n", []), ("nothing", ["4:49 CFG017"])])
def test_authorities_are_looked_for_at_once(content: str, expected: list[str]) -> None:
    written = text("type: https, verify: true, ca_file: pki/ca.pem")
    found = load(["etc/lvsd.yaml"], FilesInMemory({"etc/lvsd.yaml": written, "etc/pki/ca.pem": content}))
    assert [f"{one.line}:{one.column} {one.code}" for one in found.problems] == expected
    if found.config is not None:
        kind = found.config.services[0].real_servers[0].check.kind
        assert kind == HttpCheck(tls=Tls(verify=True, ca_file="etc/pki/ca.pem"))


def further(written: str, *, defaults: str = "", real: str = "1.1.1.15") -> list[AnyCheck]:
    """The kinds of all checks of the first real server."""
    above = f"defaults: {{{defaults}}}\n" if defaults else ""
    found = service(f"{above}services: {{web: {{virtual: '1.1.1.12:80', {written}real_servers: [{real}]}}}}\n")
    return [one.kind for one in found.real_servers[0].checks]


def test_several_checks_each_over_the_levels_check() -> None:
    found = service(
        "services: {web: {virtual: '1.1.1.12:80', check: {type: http, path: /x, fall: 1}, "
        "checks: [{}, {path: /y}, {type: ping, fall: 2}], real_servers: [1.1.1.15]}}\n"
    ).real_servers[0]
    assert [(one.kind, one.timing.fall) for one in found.checks] == [
        (HttpCheck(path="/x"), 1), (HttpCheck(path="/y"), 1), (PingCheck(), 2),
    ]  # fmt: skip


def test_a_list_replaces_the_outer_list_and_a_type_too() -> None:
    outer = "checks: [{type: http, path: /x}, {type: smtp}]"
    assert further("", defaults=outer) == [HttpCheck(path="/x"), SmtpCheck()]
    assert further("checks: [{type: ping}], ", defaults=outer) == [PingCheck()]
    assert further("check: {type: ping}, ", defaults=outer) == [PingCheck()]
    real = "{address: 1.1.1.15, checks: [{type: nntp}, {}]}"
    assert further("check: {type: ping, count: 2}, ", defaults=outer, real=real) == [NntpCheck(), PingCheck(2)]


def test_keys_without_a_type_go_over_each_check_whose_type_knows_them() -> None:
    outer = "checks: [{type: http, path: /x, fall: 2}, {type: smtp}], "
    real = "{address: 1.1.1.15, check: {path: /y, fall: 5}}"
    found = service(f"services: {{web: {{virtual: '1.1.1.12:80', {outer}real_servers: [{real}]}}}}\n")
    assert [(one.kind, one.timing.fall) for one in found.real_servers[0].checks] == [
        (HttpCheck(path="/y"), 5), (SmtpCheck(), 5),
    ]  # fmt: skip
    assert codes_of(f"services: {{web: {{virtual: '1.1.1.12:80', {outer}real_servers: "
                    "[{address: 1.1.1.15, check: {query: x}}]}}\n") == ["1:142 CFG030"]  # fmt: skip


@pytest.mark.parametrize("written", ["→[]", "→{type: tcp}", "[→tcp]", "[{→path: x}]"])
def test_lists_of_checks_are_checked(written: str) -> None:
    expected = {"→[]": "CFG018", "→{type: tcp}": "CFG013", "[→tcp]": "CFG013", "[{→path: x}]": "CFG030"}[written]
    assert_told_at_the_marks(
        f"services: {{web: {{virtual: '1.1.1.12:80', checks: {written}, real_servers: [1.1.1.15]}}}}\n", expected
    )


def test_what_a_check_says_anew_replaces_its_other_form() -> None:
    assert check("send_hex: '01'", defaults="type: udp, send: x").kind == UdpCheck(b"\1")
    assert check("send: x", defaults="type: udp, send_hex: '01'").kind == UdpCheck(b"x")
