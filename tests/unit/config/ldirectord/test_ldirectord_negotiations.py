"""What each service's check is made of: requests, answers, logins, and what cannot be asked."""

from __future__ import annotations

import pytest

from config.checks import (
    AnyCheck,
    Credentials,
    DnsCheck,
    Expect,
    FtpCheck,
    HttpCheck,
    LdapCheck,
    MysqlCheck,
    PgsqlCheck,
    RadiusCheck,
    SimpleTcpCheck,
    SipCheck,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.load import load
from config.secret import Secret
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.ldirectord.texts import WEB, check, kind, lines, load_cf, told

DNS = "virtual=192.0.2.100:53\n    real=192.0.2.12 gate\n"
LOGIN = ('login="monitor"', 'passwd="secret"')
MONITOR = Credentials("monitor", Secret("secret"))


def dns(*directives: str) -> AnyCheck:
    return check(DNS + "".join(f"    {one}\n" for one in directives)).kind


def test_dns_asks_for_a_names_address_or_an_addresss_name() -> None:
    answer = 'receive="192.0.2.1"'
    expect = Expect(regex="192.0.2.1")
    assert dns('request="www.example.net"', answer) == DnsCheck("www.example.net", "A", expect)
    assert dns('request="/www.example.net."', answer) == DnsCheck("www.example.net", "A", expect)
    assert dns('request="192.0.2.7"', 'receive="mail"') == DnsCheck(
        "7.2.0.192.in-addr.arpa", "PTR", Expect(text="mail")
    )
    assert isinstance(found := dns('request="2001:db8::7"', 'receive="mail"'), DnsCheck)
    assert (found.name[-25:], found.record) == ("0.8.b.d.0.1.0.0.2.ip6.arpa"[-25:], "PTR")


def test_dns_over_the_services_protocol() -> None:
    assert dns('request="a.b"', 'receive="1"', "protocol=tcp") == DnsCheck("a.b", "A", Expect(text="1"), tcp=True)
    mark = 'virtual=5\n    real=192.0.2.12 gate\n    service=dns\n    request="a.b"\n    receive="1"\n'
    assert check(mark).kind == DnsCheck("a.b", "A", Expect(text="1"))
    assert check(mark).port == 53


def test_dns_without_all_that_ldirectord_needs_is_done_and_told() -> None:
    assert dns('request="a.b"') == DnsCheck("a.b", "A")
    assert told(DNS + '    request="a.b"\n') == ["3:13 CFG108"]
    assert dns() == DnsCheck(answer_needed=False)
    assert told(DNS) == ["1:1 CFG108"]
    assert told(DNS + '    request="mail1"\n    receive="1"\n') == ["3:13 CFG108"]


@pytest.mark.parametrize("name", ["a b", "a..b", "-a.b", "http://a.b/", "a" * 64 + ".b", "a.b-", "x." * 130 + "net"])
def test_dns_for_what_is_no_name(name: str) -> None:
    assert told(DNS + f'    request="{name}"\n    receive="1"\n') == ["3:13 CFG017"]


def test_ftp() -> None:
    found = kind("service=ftp", *LOGIN, 'request="welcome.msg"', 'receive="hello"')
    assert found == FtpCheck(MONITOR, "/welcome.msg", Expect(text="hello"))
    only = kind("service=ftp", 'login="monitor"')
    assert only == FtpCheck(Credentials("monitor", Secret("ldirectord@lb1.example.net")))
    assert told(lines("service=ftp", 'receive="x"')) == ["4:13 CFG035"]


def test_a_host_without_a_name() -> None:
    for name in ("a b\n", "", PermissionError(13, "no")):
        files = FilesInMemory({"ldirectord.cf": lines("service=sip"), "/proc/sys/kernel/hostname": name})
        config = load(["ldirectord.cf"], files).config
        assert config is not None
        assert config.services[0].real_servers[0].check.kind == SipCheck("ldirectord", tcp=True)


def test_ldap() -> None:
    whole = kind("service=ldaps", *LOGIN, 'request="dc=example,dc=net"', 'receive="^dc="')
    assert whole == LdapCheck(TlsMode.IMPLICIT, Tls(), MONITOR, "dc=example,dc=net", Expect(regex="^dc="))
    for one in LOGIN:
        assert kind("service=ldap", one, 'request="/ou=x"') == LdapCheck(base="ou=x")


def test_sql() -> None:
    assert kind("service=pgsql", *LOGIN, 'database="mail"', 'request="SELECT 1"') == PgsqlCheck(
        MONITOR, "SELECT 1", "mail"
    )
    assert told(lines("service=pgsql", *LOGIN)) == ["3:13 CFG032"]
    assert told(lines("service=pgsql", *LOGIN, 'request="/"')) == ["3:13 CFG032"]
    assert told(lines("service=pgsql", *LOGIN, 'request="SELECT 1"', 'receive="x"')) == ["7:13 CFG109"]
    own = f'{WEB}    real=192.0.2.12 gate 1 "SELECT 2", "x"\n    service=mysql\n    {LOGIN[0]}\n    {LOGIN[1]}\n'
    assert check(own).kind == MysqlCheck(MONITOR, "SELECT 2")
    assert told(own) == ["2:10 CFG109"]


def test_radius_needs_a_login_and_the_shared_secret() -> None:
    assert kind("service=radius", *LOGIN, 'secret="shared"') == RadiusCheck(MONITOR, Secret("shared"))
    assert told(lines("service=radius", *LOGIN)) == ["3:13 CFG032"]
    assert told(lines("service=radius", 'secret="shared"')) == ["3:13 CFG032"]


def test_what_radius_cannot_carry() -> None:
    for login, password, fits in (("x" * 253, "y" * 128, True), ("x" * 254, "y", False), ("x", "y" * 129, False)):
        text = lines("service=radius", f'login="{login}"', f'passwd="{password}"', 'secret="s"')
        assert told(text) == ([] if fits else ["4:11 CFG002"])


def test_a_shared_secret_everyone_reads() -> None:
    text = lines("service=radius", 'login="monitor"', 'secret="shared"')
    files = FilesInMemory({"ldirectord.cf": text}, readable_by_all=frozenset(("ldirectord.cf",)))
    assert [(one.line, one.code) for one in load(["ldirectord.cf"], files).problems] == [(5, "CFG021")]


def test_sip() -> None:
    assert kind("service=sip", 'login="probe@example.net"') == SipCheck("probe@example.net", tcp=True)
    assert kind("service=sip", "protocol=udp") == SipCheck("ldirectord@lb1.example.net")
    mark = check("virtual=5\n    real=192.0.2.12 gate\n    service=sip\n")
    assert (mark.kind, mark.port) == (SipCheck("ldirectord@lb1.example.net", tcp=True), 5060)
    for login in ("a b", "<a>", "é", "a\\", "a@b@c", "@b"):
        assert told(lines("service=sip", f'login="{login}"')) == ["4:11 CFG017"]


def test_simpletcp_sends_a_newline_for_its_two_characters() -> None:
    assert kind("service=simpletcp", r'request="PING\n"', 'receive="PONG"') == SimpleTcpCheck(
        b"PING\n", Expect(text="PONG"), half_close=True
    )
    assert kind("service=simpletcp", r'request="/a\nb\n"') == SimpleTcpCheck(b"a\nb\n", half_close=True)
    udp = kind("service=simpletcp", "protocol=udp", 'request="x"', 'receive="y"')
    assert udp == UdpCheck(b"x", Expect(text="y"), reply_needed=True)


@pytest.mark.parametrize(
    ("written", "regex"),
    [("^OK", "(?m)^OK"), ("OK$", "(?m)OK$"), ("(?i)^ok", "(?im)^ok"), ("a.c", "a.c"), ("(?i)ok", "(?i)ok")],
)
def test_simpletcp_looks_at_each_line_by_itself(written: str, regex: str) -> None:
    assert kind("service=simpletcp", f'receive="{written}"') == SimpleTcpCheck(
        expect=Expect(regex=regex), half_close=True
    )


def test_a_whole_url_of_one_real_server() -> None:
    text = WEB + '    real=192.0.2.12:80 gate "http://192.0.2.99:8080/a b", "x"\n'
    found = check(text)
    assert found.kind == HttpCheck(path="/a%20b", virtual_host="192.0.2.12", expect=Expect(text="x"))
    assert (found.address, found.port) == ("192.0.2.99", 8080)
    named = check(text.replace("192.0.2.99:8080", "mail1") + "    virtualhost=www.example.net\n")
    assert named.kind == HttpCheck(path="/a%20b", virtual_host="www.example.net", expect=Expect(text="x"))
    assert (named.address, named.port) == ("192.0.2.17", 80)
    for url, path in (("http://192.0.2.99", "/"), ("http://192.0.2.99?x=1", "/?x=1"), ("/http://192.0.2.99/y", "/y")):
        found = check(WEB + f'    real=192.0.2.12:80 gate "{url}", "x"\n')
        assert found.kind == HttpCheck(path=path, virtual_host="192.0.2.12", expect=Expect(text="x"))


def test_a_whole_url_over_tls_and_ipv6() -> None:
    text = (
        'virtual6=[2001:db8::1]:443\n    real6=[2001:db8::2]:443 gate "https://[2001:db8::3]/a", "x"\n'
        '    real6=[2001:db8::4]:443 gate "https://mail1/a", "x"\n'
    )
    found = check(text)
    assert found.kind == HttpCheck(Tls(), "/a", virtual_host="[2001:db8::2]", expect=Expect(text="x"))
    assert (found.address, found.port) == ("2001:db8::3", 443)
    config = load_cf(text).config
    assert config is not None
    assert config.services[0].real_servers[1].check.address == "2001:db8::17"


@pytest.mark.parametrize(
    ("url", "code"),
    [("http://nowhere.example/a", "CFG105"), ("http://:80/a", "CFG017"), ("http://192.0.2.9:0/", "CFG017"),
     ("http://192.0.2.9:65536/", "CFG017"), ("https://192.0.2.9/", "CFG109")],
)  # fmt: skip
def test_a_url_that_cannot_be_asked(url: str, code: str) -> None:
    assert told(WEB + f'    real=192.0.2.12:80 gate "{url}", "b"\n') == [f"2:10 {code}"]


def test_a_sections_url_is_a_path() -> None:
    assert kind('request="http://192.0.2.9/a"') == HttpCheck(path="/http://192.0.2.9/a")
    assert told(lines('request="http://192.0.2.9/a"')) == ["3:13 CFG109"]


def test_http_proxy() -> None:
    found = kind("service=http_proxy", 'request="http://www.example.net/a b"', 'receive="x"')
    assert found == HttpCheck(proxy_url="http://www.example.net/a%20b", expect=Expect(text="x"))
    own = WEB + '    real=192.0.2.12:80 gate "{}", "x"\n    service=http_proxy\n'
    for written, url in (("http://a.example/", "http://a.example/"), ("a/b", "http://192.0.2.12:80/a/b")):
        assert check(own.format(written)).kind == HttpCheck(proxy_url=url, expect=Expect(text="x"))
    assert told(own.format("https://a.example/")) == ["2:10 CFG017"]
    inferred = 'virtual=192.0.2.100:3128\n    real=192.0.2.12 gate "a", "x"\n'
    assert check(inferred).kind == HttpCheck(proxy_url="http://192.0.2.12:3128/a", expect=Expect(text="x"))
    for request in ("www.example.net/", "https://www.example.net/"):
        assert told(lines("service=http_proxy", f'request="{request}"')) == ["4:13 CFG017"]
    assert told(lines("service=http_proxy")) == ["1:1 CFG017"]


@pytest.mark.parametrize(
    ("directives", "unused"),
    [
        (("checktype=connect", 'request="x"', 'receive="y"', "virtualhost=www"), [4, 5, 6]),
        (("service=smtp", 'request="x"'), [4]),
        (("service=imaps", 'database="x"', 'secret="x"'), [4, 5]),
        (("service=http_proxy", 'request="http://a/"', "virtualhost=www"), [5]),
        (("checktype=ping", "checkport=81"), [4]),
        (("checkcommand=/bin/x",), [3]),
        (("service=none", "checkport=81"), [4]),
        (("checktype=connect", "checkport=81"), []),
        (("checktype=on", "checkcount=3"), [4]),
    ],
)
def test_what_the_check_does_not_use_is_told(directives: tuple[str, ...], unused: list[int]) -> None:
    assert [one.partition(":")[0] for one in told(lines(*directives))] == [str(line) for line in unused]
    assert all(one.endswith("CFG109") for one in told(lines(*directives)))


def test_limits_of_time_of_ldap_and_radius_are_those_of_a_connect() -> None:
    for service in ("ldap", "radius"):
        text = "checktimeout=3\nnegotiatetimeout=9\n" + lines(f"service={service}", *LOGIN, 'secret="x"')
        assert check(text).timing.timeout == 3
    assert check(lines("service=ldap")).timing.timeout == 5
    assert check("checktimeout=3\nnegotiatetimeout=9\n" + lines("service=ftp")).timing.timeout == 9
