"""virtual_server, real_server and the checkers."""

from __future__ import annotations

import pytest

from config.checks import (
    AnyCheck,
    Check,
    Dial,
    DnsCheck,
    Expect,
    ExternalCheck,
    HttpCheck,
    NoCheck,
    PingCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    UdpCheck,
)
from config.load import load
from config.model import FirewallMark, Persistence, RealServer, Tunnel, VirtualEndpoint, VirtualService
from config.words import Forwarding, OnFailure, Protocol, TunnelChecksum, TunnelType
from tests.unit.config.files_in_memory import FilesInMemory
from tests.unit.config.keepalived.conf import SERVER, codes_of, good, put, real, service, whole

CHECKER = "        TCP_CHECK {\n            connect_timeout 3\n        }\n"


def with_line(line: str, text: str = SERVER) -> str:
    """The virtual server with a line more, which becomes line 6."""
    return put(text, "    real_server", f"    {line}\n    real_server")


def checked(checker: str) -> str:
    """The virtual server with another checker, which begins on line 7."""
    return put(SERVER, CHECKER, f"        {checker}\n")


def test_the_whole() -> None:
    (found,) = good(SERVER).services
    timing = Timing(interval=10.0, timeout=3.0, rise=1, fall=2, fast_interval=1.0)
    server = RealServer("192.0.2.11", 80, 1, Forwarding.DIRECT, Check(TcpCheck(), timing))
    endpoint = VirtualEndpoint(Protocol.TCP, "192.0.2.100", 80)
    assert found == VirtualService("tcp:192.0.2.100:80", endpoint, "wrr", (server,))


@pytest.mark.parametrize(
    ("old", "new", "problems", "changed"),
    [
        ("    protocol TCP\n", "", ["1:1 CFG209w"], {"virtual": VirtualEndpoint(Protocol.UDP, "192.0.2.100", 80)}),
        ("TCP\n", "SCTP\n", [], {"virtual": VirtualEndpoint(Protocol.SCTP, "192.0.2.100", 80)}),
        ("TCP\n", "sctp\n", [], {"virtual": VirtualEndpoint(Protocol.SCTP, "192.0.2.100", 80)}),
        ("TCP\n", "http\n", ["5:14 CFG204w"], {"virtual": VirtualEndpoint(Protocol.UDP, "192.0.2.100", 80)}),
        ("    lb_algo wrr\n", "", ["1:1 CFG209w"], {"scheduler": "wlc"}),
        ("wrr", "best", ["3:13 CFG204w"], {"scheduler": "wlc"}),
        ("lb_algo wrr", "lvs_sched mh mh-port", [], {"scheduler": "mh", "flags": 0x10}),
        ("wrr", "sh sh-port sh-fallback", [], {"scheduler": "sh", "flags": 0x18}),
        ("wrr", "wrr bogus", ["3:17 CFG201w"], {"scheduler": "wrr", "flags": 0}),
        ("wrr", "wrr\n flag-3", [], {"flags": 0x20}),
        ("TCP\n", "UDP\n ops\n", [], {"flags": 0x4}),
    ],
)
def test_settings(old: str, new: str, problems: list[str], changed: dict[str, object]) -> None:
    text = put(SERVER, old, new)
    assert codes_of(text) == problems
    found = service(text)
    assert {name: getattr(found, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("method", "forwarding", "problems"),
    [
        ("    lb_kind NAT\n", Forwarding.MASQUERADE, []),
        ("    lvs_method TUN\n", Forwarding.TUNNEL, []),
        ("    lb_kind TUN type ipip\n", Forwarding.TUNNEL, []),
        ("    lb_kind dr\n", Forwarding.MASQUERADE, ["4:13 CFG204w"]),
        ("", Forwarding.MASQUERADE, ["1:1 CFG209w"]),
    ],
)
def test_the_forwarding_method(method: str, forwarding: Forwarding, problems: list[str]) -> None:
    text = put(SERVER, "    lb_kind DR\n", method)
    assert real(text).forwarding is forwarding
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("words", "tunnel"),
    [
        ("", Tunnel()),
        ("type ipip", Tunnel()),
        ("type ipip nocsum", Tunnel()),
        ("type gre", Tunnel(TunnelType.GRE)),
        ("type gre csum", Tunnel(TunnelType.GRE, 0, TunnelChecksum.CHECKSUM)),
        ("type gue port 6080", Tunnel(TunnelType.GUE, 6080)),
        ("type gue port 6080 remcsum", Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE)),
    ],
)
def test_tunnels(words: str, tunnel: Tunnel) -> None:
    text = put(SERVER, "lb_kind DR", f"lb_kind TUN {words}")
    assert codes_of(text) == []
    assert real(text).tunnel == tunnel
    own = put(SERVER, CHECKER, f"lvs_method TUN {words}\n{CHECKER}")
    assert (real(own).forwarding, real(own).tunnel) == (Forwarding.TUNNEL, tunnel)


@pytest.mark.parametrize(
    ("words", "problems"),
    [
        ("TUN ipip", ["4:17 CFG017"]),
        ("TUN type", ["4:17 CFG017"]),
        ("TUN type vxlan", ["4:17 CFG017"]),
        ("TUN type gue", ["4:22 CFG017"]),
        ("TUN type gue port", ["4:26 CFG018", "4:22 CFG017"]),
        ("TUN type gue port 70000", ["4:31 CFG204w", "4:22 CFG017"]),
        ("TUN type gre remcsum", ["4:26 CFG017"]),
        ("TUN type gre port 1", ["4:26 CFG017", "4:31 CFG017"]),
        ("DR type ipip", ["4:16 CFG206w"]),
    ],
)
def test_what_is_no_tunnel(words: str, problems: list[str]) -> None:
    assert sorted(codes_of(put(SERVER, "lb_kind DR", f"lb_kind {words}"))) == sorted(problems)


@pytest.mark.parametrize(
    ("line", "persistence", "problems"),
    [
        ("persistence_timeout 50", Persistence(50, 32), []),
        ("persistence_timeout", Persistence(360, 32), []),
        ("persistence_timeout 0", None, []),
        ("persistence_timeout long", None, ["6:25 CFG204w"]),
        ("persistence_timeout 50\n persistence_granularity 255.255.255.0", Persistence(50, 24), []),
        ("persistence_granularity 255.255.255.0", Persistence(360, 24), ["6:29 CFG209w"]),
    ],
)
def test_persistence(line: str, persistence: Persistence | None, problems: list[str]) -> None:
    assert service(with_line(line)).persistence == persistence
    assert codes_of(with_line(line)) == problems


def test_the_persistence_engine() -> None:
    text = put(with_line("persistence_timeout 50\n persistence_engine sip"), "TCP\n", "UDP\n")
    assert service(text).persistence == Persistence(50, 32, "sip")
    assert codes_of(text) == []
    assert codes_of(put(text, "UDP\n", "TCP\n")) == ["7:21 CFG035"]
    assert codes_of(put(text, "engine sip", "engine rtp")) == ["7:21 CFG016"]


def test_a_virtual_server_without_a_port_is_persistent() -> None:
    text = put(put(SERVER, "192.0.2.100 80", "192.0.2.100"), "192.0.2.11 80", "192.0.2.11 0")
    text = put(text, "connect_timeout 3", "connect_port 25")
    assert service(text).persistence == Persistence(360, 32)
    assert real(text).check.port == 25
    assert codes_of(text) == ["1:16 CFG209w"]
    assert codes_of(put(text, "connect_port 25", "")) == ["1:16 CFG209w", "7:9 CFG033"]


def test_a_firewall_mark_is_of_its_real_servers_family() -> None:
    text = put(put(SERVER, "192.0.2.100 80", "fwmark 7"), "192.0.2.11 80", "192.0.2.11")
    text = put(text, "connect_timeout 3", "connect_port 80")
    assert service(text).virtual == FirewallMark(7)
    assert service(text).name == "fwm:7"
    assert codes_of(put(text, "    protocol TCP\n", "")) == []
    assert service(put(text, "192.0.2.11", "2001:db8::11")).virtual == FirewallMark(7, ipv6=True)


def test_only_masquerading_uses_a_port_behind_a_firewall_mark() -> None:
    text = put(SERVER, "192.0.2.100 80", "fwmark 7")
    assert codes_of(text) == ["6:17 CFG210w"]
    assert (real(text).port, real(text).check.port) == (0, 80)
    masked = put(text, "lb_kind DR", "lb_kind NAT")
    assert codes_of(masked) == []
    assert (real(masked).port, real(masked).check.port) == (80, None)


def test_a_group_is_a_service_for_each_of_its_entries() -> None:
    group = "virtual_server_group G {\n 192.0.2.100 80\n 192.0.2.101-103 80\n 192.0.2.104/31 81\n fwmark 9\n}\n"
    text = group + put(SERVER, "192.0.2.100 80", "group G")
    names = [one.name for one in whole(text).services]
    assert names == [
        *(f"tcp:192.0.2.{number}:80" for number in (100, 101, 102, 103)),
        "tcp:192.0.2.104:81",
        "tcp:192.0.2.105:81",
        "fwm:9",
    ]


@pytest.mark.parametrize(
    ("line", "problem"),
    [
        ("192.0.2.9-3 80", "2:2 CFG205w"),
        ("192.0.2.1-300 80", "2:2 CFG205w"),
        ("10.0.0.0/8 80", "2:2 CFG007"),
        ("192.0.2.1 http", "2:12 CFG205w"),
        ("fwmark 0", "2:9 CFG205w"),
        ("2001:db8::1-2 80", ""),
    ],
)
def test_entries_of_a_group(line: str, problem: str) -> None:
    found = codes_of(f"virtual_server_group G {{\n {line}\n}}\n" + SERVER)
    assert found == ([problem] if problem else [])


def test_a_group_that_is_not_there() -> None:
    assert codes_of(put(SERVER, "192.0.2.100 80", "group G") + SERVER) == ["1:22 CFG205w"]


def test_without_real_servers_it_is_left_out() -> None:
    empty = put(SERVER, "192.0.2.100 80", "192.0.2.101 80").split("    real_server")[0] + "}\n"
    assert codes_of(SERVER + empty) == ["12:1 CFG205w"]


def test_a_double() -> None:
    assert codes_of(SERVER + SERVER) == ["12:16 CFG205w"]
    assert codes_of(SERVER + put(SERVER, "wrr", "rr")) == ["12:16 CFG040"]


@pytest.mark.parametrize(
    ("line", "on_failure"),
    [("", OnFailure.REMOVE), ("inhibit_on_failure", OnFailure.QUIESCE), ("inhibit_on_failure off", OnFailure.REMOVE)],
)
def test_what_happens_to_one_that_fails(line: str, on_failure: OnFailure) -> None:
    assert service(with_line(line)).on_failure is on_failure


@pytest.mark.parametrize(
    ("outer", "inner", "of_the_service", "own"),
    [
        ("", "inhibit_on_failure", OnFailure.REMOVE, OnFailure.QUIESCE),
        ("", "inhibit_on_failure off", OnFailure.REMOVE, None),
        ("inhibit_on_failure", "", OnFailure.QUIESCE, None),
        ("inhibit_on_failure", "inhibit_on_failure no", OnFailure.QUIESCE, OnFailure.REMOVE),
    ],
)
def test_each_real_server_may_stay(outer: str, inner: str, of_the_service: OnFailure, own: OnFailure | None) -> None:
    found = service(with_line(outer, put(SERVER, CHECKER, f"{inner}\n{CHECKER}")))
    assert found.on_failure is of_the_service
    assert found.real_servers[0].on_failure is own


@pytest.mark.parametrize(
    ("line", "changed", "problems"),
    [
        ("weight 7", {"weight": 7}, []),
        ("weight 0", {"weight": 0}, []),
        ("weight -1", {"weight": 1}, ["7:8 CFG204w"]),
        ("uthreshold 9\nlthreshold 3", {"upper_threshold": 9, "lower_threshold": 3}, []),
        ("lvs_method NAT", {"forwarding": Forwarding.MASQUERADE}, []),
        ("notify_down /bin/true", {"on_down": ("/bin/true",)}, []),
        ("notify_up \"/bin/echo a  'b c'\"", {"on_up": ("/bin/echo", "a", "b c")}, []),
        ("notify_up /bin/echo nobody", {"on_up": ("/bin/echo",)}, ["7:21 CFG203w"]),
        ("notify_up", {"on_up": ()}, ["7:1 CFG018"]),
        ("notify_up ./up.sh", {"on_up": ()}, ["7:11 CFG205w"]),
        ('notify_up "/bin/echo a > b"', {"on_up": ("/bin/echo", "a", ">", "b")}, ["7:11 CFG204w"]),
    ],
)
def test_a_real_servers_words(line: str, changed: dict[str, object], problems: list[str]) -> None:
    text = put(SERVER, CHECKER, f"{line}\n{CHECKER}")
    assert codes_of(text) == problems
    if not all(one.endswith("w") for one in problems):
        return
    found = real(text)
    assert {name: getattr(found, name) for name in changed} == changed


@pytest.mark.parametrize(
    ("server", "problem"),
    [
        ("192.0.2.100 80", "6:17 CFG045w"),
        ("2001:db8::11 80", "6:17 CFG205w"),
        ("www.example.net 80", "6:17 CFG205w"),
        ("192.0.2.11 http", "6:28 CFG205w"),
        ("192.0.2.11 80 90", "6:31 CFG206w"),
    ],
)
def test_a_real_servers_address(server: str, problem: str) -> None:
    other = SERVER.replace("192.0.2.100 80", "192.0.2.99 80").replace("192.0.2.11 80", "192.0.2.12 80")
    assert codes_of(put(SERVER, "192.0.2.11 80", server) + other)[-1] == problem


def test_a_tunnel_of_its_own_may_lead_to_another_family() -> None:
    text = put(put(SERVER, "192.0.2.11", "2001:db8::11"), CHECKER, f"lvs_method TUN\n{CHECKER}")
    assert codes_of(text) == []
    assert real(text).address == "2001:db8::11"
    tunnelled = put(put(SERVER, "lb_kind DR", "lb_kind TUN"), CHECKER, f"lvs_method DR\n{CHECKER}")
    assert "6:17 CFG205w" in codes_of(put(tunnelled, "192.0.2.11", "2001:db8::11"))


def test_a_weight_for_all() -> None:
    text = with_line("weight 5")
    assert codes_of(text) == []
    assert real(text).weight == 5
    assert real(put(text, CHECKER, f"weight 7\n{CHECKER}")).weight == 7


def test_a_real_server_twice() -> None:
    block = SERVER[SERVER.index("    real_server") : -2]
    assert codes_of(SERVER[:-2] + block + "}\n") == ["11:17 CFG041"]


@pytest.mark.parametrize(
    ("method", "port", "dialled", "problems"),
    [("DR", 80, 8080, ["6:17 CFG210w"]), ("TUN", 80, 8080, ["6:17 CFG210w"]), ("NAT", 8080, None, [])],
)
def test_only_masquerading_rewrites_ports(method: str, port: int, dialled: int | None, problems: list[str]) -> None:
    text = put(put(SERVER, "lb_kind DR", f"lb_kind {method}"), "192.0.2.11 80", "192.0.2.11 8080")
    assert (real(text).port, real(text).check.port) == (port, dialled)
    assert codes_of(text) == problems


def test_the_port_is_the_virtual_servers() -> None:
    assert real(put(SERVER, "192.0.2.11 80", "192.0.2.11")) == real(SERVER)


SORRY = "sorry_server 192.0.2.9 80"


def test_a_sorry_server() -> None:
    found = service(with_line(SORRY)).fallback
    assert found == (RealServer("192.0.2.9", 80, 1, Forwarding.DIRECT, Check(NoCheck())),)
    assert codes_of(with_line(f"{SORRY}\n quorum 1")) == []


@pytest.mark.parametrize(
    ("lines", "problem"),
    [
        (f"quorum 2\n {SORRY}", "6:12 CFG210w"),
        ("quorum 2", "6:12 CFG210w"),
        ("hysteresis 2", "6:16 CFG210w"),
        ("sorry_server_inhibit", "6:5 CFG203w"),
        ("sorry_server 192.0.2.11 80", "6:18 CFG041"),
        ("sorry_server", "6:5 CFG018"),
        ("sorry_server_lvs_method NAT", "6:5 CFG203w"),
        ("ha_suspend", "6:5 CFG203w"),
        ("quorum_up true", "6:15 CFG205w"),
        ("ops", "6:5 CFG048"),
        ("bogus", "6:5 CFG201w"),
    ],
)
def test_what_else_a_virtual_server_may_say(lines: str, problem: str) -> None:
    assert codes_of(with_line(lines)) == [problem]


@pytest.mark.parametrize(
    ("checker", "kind"),
    [
        ("TCP_CHECK {\n}", TcpCheck()),
        ("PING_CHECK {\n}", PingCheck()),
        ("DNS_CHECK {\n}", DnsCheck(".", "SOA", answer_needed=False)),
        ("DNS_CHECK {\n type aaaa\n name www.example.net\n}", DnsCheck("www.example.net", "AAAA", answer_needed=False)),
        ("UDP_CHECK {\n}", UdpCheck()),
        ("UDP_CHECK {\n payload Ab12f 3 456\n}", UdpCheck(b"\xab\x12\x0f\x03\x45\x06")),
        ("UDP_CHECK {\n require_reply\n}", UdpCheck(reply_needed=True, reply_length=(0, 255))),
        (
            "UDP_CHECK {\n payload 00\n require_reply 8Xx 0\n min_reply_length 3\n max_reply_length 900\n}",
            UdpCheck(b"\0", reply_needed=True, reply_hex="8x0x00", reply_length=(3, 900)),
        ),
        (
            "HTTP_GET {\n url {\n path /\n digest 9B3A0C85A887A256D6939DA88AABD8CD\n }\n}",
            HttpCheck(digest="9b3a0c85a887a256d6939da88aabd8cd"),
        ),
        ("MISC_CHECK {\n misc_path /bin/true\n misc_dynamic\n}", ExternalCheck(("/bin/true",), dynamic=True)),
        ("SMTP_CHECK {\n}", SmtpCheck(helo="smtpchecker.keepalived.org")),
        ("SMTP_CHECK {\n helo_name lb1.example.net\n}", SmtpCheck(helo="lb1.example.net")),
        ("HTTP_GET {\n url {\n path /x?y=1\n }\n}", HttpCheck(path="/x?y=1")),
        ("HTTP_GET {\n virtualhost a\n url {\n path /\n virtualhost b\n }\n}", HttpCheck(virtual_host="b")),
        (
            "HTTP_GET {\n url {\n path /\n status_code 200 301-302\n }\n}",
            HttpCheck(status=((200, 200), (301, 302))),
        ),
        ('HTTP_GET {\n url {\n path /\n regex "a{2}\\d"\n }\n}', HttpCheck(expect=Expect(regex="a{2}\\d"))),
        (
            'HTTP_GET {\n url {\n path /\n regex "a"\n regex_options caseless dotall\n }\n}',
            HttpCheck(expect=Expect(regex="(?is)a")),
        ),
        ("SSL_GET {\n virtualhost a.example\n url {\n path /\n }\n}", HttpCheck(Tls(), virtual_host="a.example")),
        (
            "SSL_GET {\n enable_sni\n virtualhost a.example:8443\n url {\n path /\n }\n}",
            HttpCheck(Tls(sni="a.example"), virtual_host="a.example:8443"),
        ),
        ("MISC_CHECK {\n misc_path /bin/true\n}", ExternalCheck(("/bin/true",))),
        ("MISC_CHECK {\n misc_path /bin/check -H x\n}", ExternalCheck(("/bin/check", "-H", "x"))),
        (
            "MISC_CHECK {\n misc_path \"/bin/check 'a b' c\\ d e\"\n}",
            ExternalCheck(("/bin/check", "a b", "c d", "e")),
        ),
    ],
)
def test_checkers(checker: str, kind: AnyCheck) -> None:
    assert codes_of(checked(checker)) == []
    assert real(checked(checker)).check.kind == kind


def test_the_virtual_host_is_inherited() -> None:
    text = with_line("virtualhost outer", checked("HTTP_GET {\n url {\n path /\n }\n}"))
    assert real(text).check.kind == HttpCheck(virtual_host="outer")


@pytest.mark.parametrize(
    ("level", "checker", "timing"),
    [
        ("", "TCP_CHECK {\n}", Timing(10.0, 5.0, 1, 2, 1.0)),
        ("retry 3", "TCP_CHECK {\n}", Timing(10.0, 5.0, 1, 4, 1.0)),
        ("retry 3", "TCP_CHECK {\n retry 0\n}", Timing(10.0, 5.0, 1, 1)),
        ("connect_timeout 7", "TCP_CHECK {\n delay_loop 4\n delay_before_retry 4\n}", Timing(4.0, 7.0, 1, 2)),
        ("", "HTTP_GET {\n nb_get_retry 3\n url {\n path /\n }\n}", Timing(10.0, 5.0, 1, 4, 3.0)),
        ("", "DNS_CHECK {\n}", Timing(10.0, 5.0, 1, 4)),
        ("", "DNS_CHECK {\n delay_before_retry 2\n}", Timing(10.0, 5.0, 1, 4, 2.0)),
        ("connect_timeout 0", "TCP_CHECK {\n delay_loop 0.01\n delay_before_retry 0\n}", Timing(0.1, 0.1, 1, 2)),
        ("warmup 3", "PING_CHECK {\n connect_timeout 1.5\n}", Timing(10.0, 1.5, 1, 2, 1.0)),
        ("", "MISC_CHECK {\n misc_path /bin/true\n}", Timing(10.0, 10.0, 1, 1)),
        ("", "MISC_CHECK {\n misc_path /bin/true\n misc_timeout 4\n}", Timing(10.0, 4.0, 1, 1)),
    ],
)
def test_timing(level: str, checker: str, timing: Timing) -> None:
    text = with_line(level, checked(checker))
    assert {one.split()[1] for one in codes_of(text)} == ({"CFG210w"} if timing.interval < 1 else set())
    assert real(text).check.timing == timing


def test_the_default_delay_loop_is_a_minute() -> None:
    assert real(put(SERVER, "    delay_loop 10\n", "")).check.timing.interval == 60.0


@pytest.mark.parametrize(
    "checker",
    [
        "TCP_CHECK {\n connect_ip 192.0.2.77\n connect_port 81\n}",
        "SMTP_CHECK {\n host {\n connect_ip 192.0.2.77\n connect_port 81\n }\n}",
    ],
)
def test_another_target(checker: str) -> None:
    found = real(checked(checker)).check
    assert (found.address, found.port) == ("192.0.2.77", 81)


def test_several_checkers_must_all_be_good() -> None:
    text = checked("TCP_CHECK {\n}\nSMTP_CHECK {\n}\nTCP_CHECK {\n connect_port 81\n}")
    assert codes_of(text) == []
    kinds = [(one.kind, one.port) for one in real(text).checks]
    assert kinds == [(TcpCheck(), None), (SmtpCheck(helo="smtpchecker.keepalived.org"), None), (TcpCheck(), 81)]


def test_each_page_is_a_check() -> None:
    text = checked("HTTP_GET {\n retry 2\n url {\n path /a\n }\n url {\n path /b\n status_code 204\n }\n}")
    assert codes_of(text) == []
    timing = Timing(10.0, 5.0, 1, 3, 3.0)
    pages = (HttpCheck(path="/a"), HttpCheck(path="/b", status=((204, 204),)))
    assert real(text).checks == tuple(Check(page, timing) for page in pages)


def test_each_host_of_a_mail_server_is_a_check() -> None:
    text = checked("SMTP_CHECK {\n host {\n connect_port 25\n }\n host {\n connect_ip 192.0.2.77\n }\n}")
    assert [(one.address, one.port) for one in real(text).checks] == [(None, 25), ("192.0.2.77", None)]
    outer = put(text, "SMTP_CHECK {", "SMTP_CHECK {\n connect_timeout 3")
    assert [(one.address, one.port) for one in real(outer).checks] == [(None, None), (None, 25), ("192.0.2.77", None)]
    assert [one.timing.timeout for one in real(outer).checks] == [3.0, 3.0, 3.0]
    assert codes_of(put(text, "connect_port 25", "retry 2")) == ["9:2 CFG203w"]


def test_a_program_is_looked_for() -> None:
    text = checked('MISC_CHECK {\n misc_path "killall -0 haproxy"\n}')
    found = load(["keepalived.conf"], FilesInMemory({"keepalived.conf": text, "/usr/bin/killall": ""}))
    assert found.config is not None
    assert found.config.services[0].real_servers[0].check.kind == ExternalCheck(("/usr/bin/killall", "-0", "haproxy"))
    assert codes_of(text) == ["8:12 CFG017"]


def test_quorum() -> None:
    lines = 'quorum 7\n hysteresis 2\n quorum_up "/bin/echo up"\n quorum_down /bin/false\n weight 9'
    found = service(with_line(lines))
    assert (found.quorum, found.hysteresis) == (7, 2)
    assert (found.on_quorum_up, found.on_quorum_down) == (("/bin/echo", "up"), ("/bin/false",))
    assert not found.hooks_on_stop
    assert codes_of(with_line(lines)) == []


@pytest.mark.parametrize(
    ("lines", "quorum", "hysteresis", "problems"),
    [
        ("quorum 9", 4, 0, ["6:12 CFG210w"]),
        ("quorum 4", 4, 0, []),
        ("quorum 0", 1, 0, ["6:12 CFG204w"]),
        ("quorum 3\n hysteresis 3", 3, 2, ["7:13 CFG210w"]),
        ("quorum 3\n hysteresis 2", 3, 2, []),
    ],
)
def test_what_a_quorum_is_reduced_to(lines: str, quorum: int, hysteresis: int, problems: list[str]) -> None:
    text = put(with_line(lines), CHECKER, f"weight 4\n{CHECKER}")
    assert (service(text).quorum, service(text).hysteresis) == (quorum, hysteresis)
    assert codes_of(text) == problems


@pytest.mark.parametrize(
    ("lines", "expected"),
    [("omega\n quorum_down /bin/false", True), ("omega off\n quorum_down /bin/false", False), ("omega", False)],
)
def test_what_runs_at_the_end(lines: str, expected: bool) -> None:
    assert service(with_line(lines)).hooks_on_stop is expected
    assert codes_of(with_line(lines)) == []


def test_what_runs_at_the_end_for_a_real_server() -> None:
    assert service(with_line("omega", put(SERVER, CHECKER, f"notify_down /bin/false\n{CHECKER}"))).hooks_on_stop


def test_a_sorry_server_that_stays() -> None:
    (found,) = service(with_line(f"{SORRY}\n sorry_server_inhibit\n sorry_server_lvs_method TUN type gre")).fallback
    assert found.on_failure is OnFailure.QUIESCE
    assert (found.forwarding, found.tunnel) == (Forwarding.TUNNEL, Tunnel(TunnelType.GRE))


def test_hooks_of_a_group_run_for_each_of_its_addresses() -> None:
    group = "virtual_server_group G {\n 192.0.2.100 80\n%s}\n"
    text = put(with_line("quorum_up /bin/true"), "192.0.2.100 80", "group G")
    assert codes_of(group % "" + text) == []
    assert codes_of(group % " 192.0.2.101 80\n" + text) == ["10:5 CFG215w"]


def test_no_checker() -> None:
    text = put(SERVER, CHECKER, "")
    assert real(text).check == Check(NoCheck())
    assert codes_of(text) == ["6:5 CFG212w"]


@pytest.mark.parametrize(
    ("checker", "dial"),
    [
        ("TCP_CHECK {\n fwmark 4294967295\n bindto 192.0.2.1\n}", Dial("192.0.2.1", 2**32 - 1)),
        ("PING_CHECK {\n fwmark 0\n}", Dial()),
        ("DNS_CHECK {\n connect_ip 2001:db8::5\n bindto 2001:db8::1\n}", Dial("2001:db8::1")),
        ("SMTP_CHECK {\n fwmark 7\n host {\n  bindto 192.0.2.1\n }\n}", Dial("192.0.2.1", 7)),
    ],
)
def test_how_probes_leave(checker: str, dial: Dial) -> None:
    assert good(checked(checker)).services[0].real_servers[0].checks[-1].dial == dial


@pytest.mark.parametrize(
    ("checker", "problems"),
    [
        ("BFD_CHECK {\n}", ["6:5 CFG212w", "7:9 CFG202"]),
        ("TCP_CHECK {\n}\nFILE_CHECK {\n}", ["9:1 CFG202"]),
        ("TCP_CHECK {\n delay_before_retry 0\n}", ["8:21 CFG210w"]),
        ("DNS_CHECK {\n type X\n}", ["8:7 CFG204w"]),
        ("DNS_CHECK {\n type SOA A\n}", ["8:11 CFG206w"]),
        ("UDP_CHECK {\n payload 0g\n}", ["8:10 CFG017"]),
        ("UDP_CHECK {\n payload\n}", ["8:2 CFG018"]),
        ("UDP_CHECK {\n require_reply zz\n}", ["8:16 CFG017"]),
        ("UDP_CHECK {\n min_reply_length 2\n}", ["8:2 CFG034w"]),
        ("UDP_CHECK {\n require_reply\n min_reply_length 300\n}", ["8:2 CFG015"]),
        ("TCP_CHECK {\n fwmark x\n}", ["8:9 CFG204w"]),
        ("TCP_CHECK {\n bindto 2001:db8::1\n}", ["8:9 CFG043"]),
        ("TCP_CHECK {\n bindto here\n}", ["8:9 CFG205w"]),
        ("TCP_CHECK {\n bind_port 1024\n bind_if eth1\n}", ["8:2 CFG203w", "9:2 CFG203w"]),
        ("TCP_CHECK {\n nb_get_retry 3\n}", ["8:2 CFG204w"]),
        ("TCP_CHECK {\n connect_timeout soon\n}", ["8:18 CFG204w"]),
        ("HTTP_GET {\n}", ["7:9 CFG012"]),
        ("HTTP_GET {\n url {\n }\n}", ["8:2 CFG209w"]),
        ("HTTP_GET {\n url {\n path x\n }\n}", ["9:7 CFG017"]),
        ("HTTP_GET {\n url {\n path /\n digest 0123\n }\n}", ["10:9 CFG017"]),
        ("HTTP_GET {\n url {\n path /\n status_code 2xx\n }\n}", ["10:14 CFG017"]),
        ("HTTP_GET {\n url {\n path /\n regex (\n }\n}", ["10:8 CFG031"]),
        ("HTTP_GET {\n url {\n path /\n regex a\n regex_options ucp\n }\n}", ["11:16 CFG202"]),
        ("MISC_CHECK {\n}", ["7:9 CFG012"]),
        ("MISC_CHECK {\n misc_path true\n}", ["8:12 CFG017"]),
        ("MISC_CHECK {\n misc_path /bin/true\n user nobody\n}", ["9:2 CFG203w"]),
        ('MISC_CHECK {\n misc_path "/bin/a | /bin/b"\n}', ["8:12 CFG204w"]),
        ('MISC_CHECK {\n misc_path "/bin/a {port}"\n}', ["8:12 CFG210w"]),
        ("SMTP_CHECK {\n helo_name a b\n}", ["8:14 CFG206w"]),
    ],
)
def test_what_is_told_of_a_checker(checker: str, problems: list[str]) -> None:
    assert codes_of(checked(checker)) == problems
