"""checktype, service and what belongs to them."""

from __future__ import annotations

import pytest

from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    DnsCheck,
    Expect,
    ExternalCheck,
    FtpCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    MysqlCheck,
    NntpCheck,
    NoCheck,
    PgsqlCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from config.ldirectord.directives import SERVICES
from config.ldirectord.names import SERVICE_PORTS
from config.load import load
from config.secret import Secret
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.ldirectord.texts import REAL, WEB, check, kind, lines, load_cf, service, told

LOGIN = ('login="monitor"', 'passwd="secret"')
MONITOR = Credentials("monitor", Secret("secret"))
SMTP = SmtpCheck(helo="localhost.localdomain")
HOST = "ldirectord@lb1.example.net"
KINDS: dict[str, AnyCheck] = {
    "dns": DnsCheck(answer_needed=False, tcp=True),
    "ftp": FtpCheck(Credentials("anonymous", Secret(HOST))),
    "http_proxy": HttpCheck(proxy_url="http://www.example.net/"),
    "ldap": LdapCheck(base=""),
    "ldaps": LdapCheck(TlsMode.IMPLICIT, base=""),
    "nntp": NntpCheck(),
    "pgsql": PgsqlCheck(MONITOR, "SELECT 1"),
    "radius": RadiusCheck(MONITOR, Secret("shared")),
    "simpletcp": SimpleTcpCheck(half_close=True),
    "sip": SipCheck(HOST, tcp=True),
    "http": HttpCheck(),
    "https": HttpCheck(tls=Tls()),
    "imap": ImapCheck(),
    "imaps": ImapCheck(TlsMode.IMPLICIT),
    "mysql": MysqlCheck(MONITOR, "SELECT 1"),
    "none": NoCheck(),
    "pop": PopCheck(),
    "pops": PopCheck(TlsMode.IMPLICIT),
    "smtp": SMTP,
    "submission": SMTP,
}


NEEDED = {
    "mysql": (*LOGIN, 'request="SELECT 1"'),
    "pgsql": (*LOGIN, 'request="SELECT 1"'),
    "radius": (*LOGIN, 'secret="shared"'),
    "http_proxy": ('request="http://www.example.net/"',),
}
"""What a service cannot do without."""


@pytest.mark.parametrize("word", SERVICES)
def test_every_service_is_checked_or_refused(word: str) -> None:
    if word in KINDS:
        assert kind(f"service={word}", *NEEDED.get(word, ())) == KINDS[word]
    else:
        assert word == "oracle"
        assert told(lines(f"service={word}")) == ["3:13 CFG106"]


@pytest.mark.parametrize(("word", "port"), SERVICE_PORTS.items())
def test_the_service_is_inferred_from_the_virtual_port(word: str, port: int) -> None:
    more = "".join(f"    {one}\n" for one in NEEDED.get(word, ()))
    text = f"virtual=192.0.2.100:{port}\n    real=192.0.2.12 gate\n    protocol=tcp\n{more}"
    if word in KINDS:
        assert check(text).kind == KINDS[word]
    else:
        assert told(text) == ["1:1 CFG106"]


def test_a_port_that_tells_no_service_checks_nothing_and_says_so() -> None:
    text = "virtual=192.0.2.100:8080\n    real=192.0.2.12 gate\n"
    assert check(text).kind == NoCheck()
    assert told(text) == ["1:1 CFG109"]
    assert told(text + "    service=none\n") == []


def test_http_whole() -> None:
    found = kind('request="a page?x=1"', 'receive="pong"', "httpmethod=get", 'virtualhost="www.example.net"')
    assert found == HttpCheck(path="/a%20page?x=1", virtual_host="www.example.net", expect=Expect(text="pong"))
    assert kind("httpmethod=HEAD") == HttpCheck(method="HEAD")
    assert told(lines("httpmethod=HEAD", 'receive="x"')) == ["3:16 CFG035"]


def test_https_sends_the_virtual_host_as_server_name() -> None:
    found = kind("service=https", "virtualhost=www.example.net:8443")
    assert found == HttpCheck(tls=Tls("www.example.net"), virtual_host="www.example.net:8443")


def test_a_real_servers_own_request() -> None:
    text = WEB + '    real=192.0.2.12:80 gate "x", "y"\n    real=192.0.2.13:80 gate\n    request="a"\n    receive="b"\n'
    kinds = [one.check.kind for one in service(text).real_servers]
    assert kinds == [HttpCheck(path="/x", expect=Expect(text="y")), HttpCheck(path="/a", expect=Expect(text="b"))]
    text = WEB + '    real=192.0.2.12:80 gate "", ""\n    request="a"\n    receive="b"\n'
    assert check(text).kind == HttpCheck()


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("It works", Expect(text="It works")),
        ("a/b-c:d,e", Expect(text="a/b-c:d,e")),
        ("OK|ok", Expect(regex="OK|ok")),
        (r"v1\.0", Expect(regex=r"v1\.0")),
        (r"end\z", Expect(regex=r"end\Z")),
        (r"end\Z", Expect(regex=r"end(?=\n?\Z)")),
        (r"back\\z", Expect(regex=r"back\\z")),
        ("(?i)ok", Expect(regex="(?i)ok")),
    ],
)
def test_receive(written: str, expected: Expect) -> None:
    found = kind(f'receive="{written}"')
    assert isinstance(found, HttpCheck)
    assert found.expect == expected


@pytest.mark.parametrize(
    "written", ["a(b", "*x", r"\Qa.b\E", r"\h", "[[:alpha:]]", "a(?i)b", r"\p{L}", r"\u0041", "a\\"]
)
def test_an_expression_that_means_something_else_here(written: str) -> None:
    assert told(lines(f'receive="{written}"')) == ["3:13 CFG031"]


def test_mysql() -> None:
    found = kind("service=mysql", *LOGIN, 'database="mail"', 'request="/SELECT 1;"')
    assert found == MysqlCheck(MONITOR, "SELECT 1;", "mail")
    assert told(lines("service=mysql", *LOGIN)) == ["3:13 CFG032"]
    assert told(lines("service=mysql", 'request="SELECT 1"')) == ["3:13 CFG032"]
    assert told(lines("service=mysql", *LOGIN, 'request="SELECT 1"', 'receive="x"')) == ["7:13 CFG109"]


@pytest.mark.parametrize(
    ("word", "expected"),
    [("imaps", ImapCheck(TlsMode.IMPLICIT, credentials=MONITOR)), ("pop", PopCheck(credentials=MONITOR))],
)
def test_mail_with_a_login(word: str, expected: AnyCheck) -> None:
    assert kind(f"service={word}", *LOGIN) == expected
    assert kind(f"service={word}", LOGIN[1]) == KINDS[word]


def test_smtp_on_a_port_of_tls() -> None:
    text = "virtual=192.0.2.100:465\n    real=192.0.2.12:465 gate\n    service=smtp\n"
    assert check(text).kind == SMTP
    assert told(text) == ["3:13 CFG110"]
    assert told(text + "    checkport=25\n") == []


UDP = "virtual=192.0.2.100:53\n    real=192.0.2.12 gate\n"


def test_connect() -> None:
    assert kind("checktype=connect") == TcpCheck()
    assert check(UDP + "    checktype=connect\n") == Check(PingCheck(), Timing(10.0, 5.0, fall=1))


def test_on() -> None:
    assert kind("checktype=on") == NoCheck()


def test_ping_tries_as_often_as_is_said_each_within_the_timeout() -> None:
    assert check("checkcount=2\nchecktimeout=3\n" + lines("checktype=ping")) == Check(
        PingCheck(2), Timing(10.0, 6.0, fall=1)
    )
    assert check("checkcount=2\n" + lines("checktype=ping", "checkcount=4")).kind == PingCheck(4)
    assert check("virtual=5\n    real=192.0.2.12 gate\n    checktype=ping\n").kind == PingCheck()


@pytest.mark.parametrize(("written", "count"), [("3", 3), ("negotiate2", 2), ("0", 0), ("-1", 1)])
def test_so_many_connects_between_negotiations(written: str, count: int) -> None:
    found = check(lines(f"checktype={written}"))
    assert (found.kind, found.timing.connects) == (HttpCheck(), count)
    assert told(lines(f"checktype={written}")) == []


def test_connects_that_would_find_nothing() -> None:
    dns = UDP + '    checktype=3\n    request="a.b"\n    receive="1"\n'
    assert (check(dns).timing.connects, told(dns)) == (0, ["3:15 CFG108"])
    none = "virtual=192.0.2.100:8080\n    real=192.0.2.12 gate\n    checktype=3\n    checkport=81\n"
    assert (check(none).kind, check(none).timing.connects, check(none).port) == (TcpCheck(), 0, 81)
    assert told(none) == ["3:15 CFG108"]
    assert check(none.replace("=3", "=0")).kind == NoCheck()
    assert told(lines("checktype=1000001")) == ["3:15 CFG015"]
    assert told(lines("checktype=1000000")) == []


def test_external() -> None:
    found = kind("checktype=external", "checkcommand=/usr/local/bin/probe")
    assert found == ExternalCheck(("/usr/local/bin/probe", "192.0.2.100", "80", "192.0.2.12", "80"))
    found = kind("checktype=external-perl", 'checkcommand="/etc/ha.d/probe.pl"')
    assert found == ExternalCheck(("/usr/bin/perl", "/etc/ha.d/probe.pl", "192.0.2.100", "80", "192.0.2.12", "80"))
    assert kind("checktype=external") == ExternalCheck(("/bin/true", "192.0.2.100", "80", "192.0.2.12", "80"))
    assert told(lines("checktype=external", "checkcommand=/bin/x")) == ["4:18 CFG108"]
    assert told(lines("checktype=external", "checkcommand=probe")) == ["4:18 CFG101", "4:18 CFG108"]


def test_external_for_a_mark_and_for_ipv6() -> None:
    mark = check("virtual=5\n    real=192.0.2.12 gate\n    checktype=external\n    checkcommand=/p\n")
    assert mark.kind == ExternalCheck(("/p", "5", "0", "192.0.2.12", "0"))
    six = check(
        "virtual6=[2001:db8::1]:80\n    real6=[2001:db8::2] gate\n    checktype=external\n    checkcommand=/p\n"
    )
    assert six.kind == ExternalCheck(("/p", "[2001:db8::1]", "80", "[2001:db8::2]", "0"))


def test_external_for_a_server_whose_port_is_not_the_kernels() -> None:
    text = WEB + "    real=192.0.2.12:8080 gate\n    checktype=external\n    checkcommand=/p\n"
    assert check(text).kind == ExternalCheck(("/p", "192.0.2.100", "80", "192.0.2.12", "8080"))


def test_checkport() -> None:
    assert check(lines("checkport=8080")).port == 8080
    assert check(lines("checkport=80")).port is None
    assert check(WEB + "    real=192.0.2.12:8080 masq\n    checkport=80\n").port == 80
    assert check(WEB + "    real=192.0.2.12 gate\n    service=imap\n").port == 143


@pytest.mark.parametrize(
    ("top", "own", "negotiate", "connect"),
    [
        ("", "", 30, 5),
        ("checktimeout=3", "", 3, 3),
        ("negotiatetimeout=4", "", 4, 4),
        ("checktimeout=3 negotiatetimeout=4", "", 4, 3),
        ("checktimeout=3 negotiatetimeout=4", "checktimeout=7", 7, 7),
        ("checktimeout=3 negotiatetimeout=4", "negotiatetimeout=8", 8, 8),
        ("negotiatetimeout=4", "checktimeout=7 negotiatetimeout=8", 8, 7),
    ],
)
def test_limits_of_time_stand_in_for_each_other(top: str, own: str, negotiate: int, connect: int) -> None:
    def timeout(kind_of_check: str) -> float:
        text = lines(*own.split(), f"checktype={kind_of_check}") + "".join(f"{one}\n" for one in top.split())
        return check(text).timing.timeout

    assert timeout("negotiate") == timeout("2") == negotiate
    assert timeout("connect") == timeout("external") == connect


def test_interval_and_failures() -> None:
    assert (check(lines()).timing.interval, check(lines()).timing.rise, check(lines()).timing.fall) == (10.0, 1, 1)
    text = "checkinterval=2\nfailurecount=3\n" + lines()
    assert (check(text).timing.interval, check(text).timing.fall) == (2.0, 3)
    own = lines("checkinterval=4", "failurecount=5")
    assert (check(own).timing.interval, check(own).timing.fall) == (10.0, 5)
    assert told(own) == ["3:19 CFG109"]
    assert check("fork=yes\n" + own).timing.interval == 4.0


def test_a_password_everyone_reads() -> None:
    text = lines("service=imaps", *LOGIN)
    files = FilesInMemory({"ldirectord.cf": text}, readable_by_all=frozenset(("ldirectord.cf",)))
    assert [(one.line, one.code) for one in load(["ldirectord.cf"], files).problems] == [(5, "CFG021")]
    assert load_cf(text).problems == ()


def test_redirects_are_told_once() -> None:
    text = lines() + "virtual=192.0.2.101:80\n" + REAL
    assert [(one.line, one.code) for one in load_cf(text).problems] == [(1, "CFG108")]
    assert load_cf(lines("checktype=connect")).problems == ()


def test_ports_without_the_systems_help() -> None:
    """The services' ports, and the names of ports known where /etc/services cannot be read."""
    assert SERVICE_PORTS == {
        "ftp": 21, "smtp": 25, "dns": 53, "http": 80, "pop": 110, "nntp": 119, "imap": 143, "ldap": 389, "https": 443,
        "submission": 587, "ldaps": 636, "imaps": 993, "pops": 995, "oracle": 1521, "radius": 1812,
        "http_proxy": 3128, "mysql": 3306, "sip": 5060, "pgsql": 5432,
    }  # fmt: skip
    named = {
        "ftp": 21, "ssh": 22, "smtp": 25, "domain": 53, "http": 80, "www": 80, "pop3": 110, "nntp": 119, "imap2": 143,
        "imap": 143, "ldap": 389, "https": 443, "submission": 587, "ldaps": 636, "imaps": 993, "pop3s": 995,
        "mysql": 3306, "sip": 5060, "postgresql": 5432,
    }  # fmt: skip
    text = "".join(
        f"virtual=192.0.2.100:{name}\n{REAL}    checktype=on\n" for name in named if name not in ("imap2", "www")
    )
    config = load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": text})).config
    assert config is not None
    found = {one.name.rpartition(":")[2] for one in config.services}
    assert found == {str(port) for port in named.values()}
    for name in ("imap2", "www"):
        text = f"virtual=192.0.2.100:{name}\n{REAL}    checktype=on\n"
        config = load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": text})).config
        assert config is not None
        assert config.services[0].name.endswith(f":{named[name]}")


def test_a_mark_infers_no_service() -> None:
    assert check("virtual=80\n    real=192.0.2.12:80 gate\n").kind == NoCheck()
