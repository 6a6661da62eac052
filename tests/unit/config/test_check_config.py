"""Checks: every type's keys, and inheritance through three levels."""

from __future__ import annotations

import pytest

from config import codes, shape
from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    Expect,
    ExternalCheck,
    Galera,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    NoCheck,
    PopCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from config.load import load
from config.secret import Secret
from tests.unit.config.files_in_memory import (
    FilesInMemory,
    assert_told_at_the_marks,
    codes_of,
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
]


@pytest.mark.parametrize(("written", "kind"), KINDS)
def test_kinds(written: str, kind: AnyCheck) -> None:
    assert check(written).kind == kind


def test_every_type_is_shown_above() -> None:
    shown = {written.partition("type: ")[2].partition(",")[0].lower() for written, _kind in KINDS}
    assert shown >= set(shape.CHECK_TYPE_WORDS)


def test_timing_and_where_to_dial() -> None:
    found = check("interval: 10s, timeout: 500ms, rise: 2, fall: 5, port: 8080, address: 10.1.1.15")
    assert found == Check(TcpCheck(), Timing(10.0, 0.5, 2, 5), 8080, "10.1.1.15")
    assert check("") == Check(TcpCheck(), Timing(5.0, 3.0, 1, 3), None, None)


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
        "helo": "x", "sni": "x", "verify": "true", "ca_file": "x", "command": "[/x]",
    }  # fmt: skip
    common = {key.name for key in shape.COMMON_CHECK_KEYS}
    assert common | set(values) == {key.name for key in shape.CHECK.keys}
    for kind, keys in shape.TYPE_KEYS.items():
        foreign = set(values) - {key.name for key in keys}
        for name in foreign:
            found = load_text(text(f"type: {kind}, {name}: {values[name]}")).problems
            assert (codes.KEY_OF_OTHER_TYPE, 4) in [(one.code, one.line) for one in found], (kind, name)


def test_a_foreign_key_is_told_where_it_belongs() -> None:
    (line,) = told(text("type: http, query: SELECT 1"))
    assert line == "4:25: `query` is unknown for type http (it belongs to mysql) [CFG030]"
    (line,) = told(text("type: tcp", defaults="verify: true"))
    assert line.startswith("1:20: `verify` is unknown for type tcp (it belongs to https, imap")
    assert "no `type` is said here" in line


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
        ("type: imap, →verify: true", "CFG034"),
        ("type: pop, →sni: x", "CFG034"),
        ("type: https, →ca_file: ca.pem", "CFG034"),
        ("type: https, ca_file: →ca.pem, verify: true", "CFG001"),
        ("type: https, verify: true, ca_file: →[x]", "CFG013"),
        ("interval: →50ms", "CFG015"),
        ("timeout: →5ms", "CFG015"),
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
