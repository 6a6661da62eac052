"""Virtual services and real servers of an ldirectord.cf in the configuration's terms."""

from __future__ import annotations

import pytest

from config.checks import Check, NoCheck
from config.model import FirewallMark, Persistence, VirtualEndpoint
from config.words import Forwarding, OnFailure, Protocol
from tests.unit.config.ldirectord.texts import REAL, WEB, lines, load_cf, service, services, told

V6 = "virtual6=[2001:DB8:0::1]:80\n    real6=[2001:db8::2]:80 gate\n"


@pytest.mark.parametrize(
    ("head", "virtual", "name"),
    [
        ("virtual=192.0.2.100:80", VirtualEndpoint(Protocol.TCP, "192.0.2.100", 80), "tcp:192.0.2.100:80"),
        ("virtual=192.0.2.100:http", VirtualEndpoint(Protocol.TCP, "192.0.2.100", 80), "tcp:192.0.2.100:80"),
        ("virtual=192.0.2.100:subversion", VirtualEndpoint(Protocol.TCP, "192.0.2.100", 3690), "tcp:192.0.2.100:3690"),
        ("virtual=mail1.example.net:80", VirtualEndpoint(Protocol.TCP, "192.0.2.17", 80), "tcp:192.0.2.17:80"),
        ("virtual=Mail1:80", VirtualEndpoint(Protocol.TCP, "192.0.2.17", 80), "tcp:192.0.2.17:80"),
        ("virtual=5", FirewallMark(5), "fwm:5"),
        ("virtual=192.0.2.100", FirewallMark(192), "fwm:192"),
    ],
)
def test_what_clients_reach(head: str, virtual: VirtualEndpoint | FirewallMark, name: str) -> None:
    found = service(f"{head}\n{REAL}    checktype=on\n")
    assert (found.virtual, found.name) == (virtual, name)


def test_udp_by_protocol_or_by_the_port_of_dns() -> None:
    on = "    real=192.0.2.12 gate\n    checktype=on\n"
    assert service(f"virtual=192.0.2.100:69\n{on}    protocol=udp\n").virtual == VirtualEndpoint(
        Protocol.UDP, "192.0.2.100", 69
    )
    for port in ("53", "domain"):
        assert service(f"virtual=192.0.2.100:{port}\n{on}").virtual == VirtualEndpoint(Protocol.UDP, "192.0.2.100", 53)
        tcp = service(f"virtual=192.0.2.100:{port}\n{on}    protocol=tcp\n").virtual
        assert tcp == VirtualEndpoint(Protocol.TCP, "192.0.2.100", 53)
    assert service(f"virtual=192.0.2.100:tftp\n{on}    protocol=udp\n").name == "udp:192.0.2.100:69"


def test_ipv6() -> None:
    found = service(V6 + "    real6=mail1:80 masq 3\n    netmask=64\n    persistent=600\n")
    assert found.virtual == VirtualEndpoint(Protocol.TCP, "2001:db8::1", 80)
    assert [one.address for one in found.real_servers] == ["2001:db8::2", "2001:db8::17"]
    assert found.persistence == Persistence(600, 64)
    assert service("virtual6=5\n    real6=[2001:db8::2]:80 gate\n").virtual == FirewallMark(5, ipv6=True)
    assert told(WEB + "    real6=[::1]:80 gate\n") == ["2:5 CFG104"]
    assert told(WEB + "    real=[::1]:80 gate\n") == ["2:10 CFG043"]


def test_a_real_server_whole() -> None:
    found = service(WEB + '    real=192.0.2.12:8080 masq 5 "/a", "b" l:50 u:100\n').real_servers[0]
    assert (found.address, found.port, found.weight, found.forwarding) == ("192.0.2.12", 8080, 5, Forwarding.MASQUERADE)
    assert (found.lower_threshold, found.upper_threshold) == (50, 100)


@pytest.mark.parametrize(
    ("written", "weight", "said"),
    [
        ("gate -w 7", 7, "`-w`"),
        ("gate weight 7 l:50 u:100", 7, "`weight`"),
        ('gate 7, "a", "b" l:50, u:100', 7, "`,,`"),
        ('"gate" 7', 7, '`"`'),
        ("-gate 7", 7, "`-`"),
        ('gate "a", "b" 7', 7, '`"a", "b"`'),
    ],
)
def test_what_ldirectord_skips_in_a_real_line(written: str, weight: int, said: str) -> None:
    text = f"{WEB}    real=192.0.2.12:80 {written}\n"
    assert service(text).real_servers[0].weight == weight
    skipped = [one for one in load_cf(text).problems if "is skipped" in one.message]
    assert [one.code for one in skipped][:1] == ["CFG109"]
    assert skipped[0].message.startswith(said)


def test_thresholds_in_either_order() -> None:
    found = service(WEB + "    real=192.0.2.12:80 gate 1 u:100 l:50\n").real_servers[0]
    assert (found.lower_threshold, found.upper_threshold) == (50, 100)
    assert told(WEB + "    real=192.0.2.12:80 gate l:5\n") == ["2:10 CFG049"]
    assert told(WEB + '    real=192.0.2.12:80 gate "l:5" "u:10"\n') == ["2:10 CFG109"]


def test_defaults_of_a_real_server() -> None:
    found = service(WEB + "    real=192.0.2.12 ipip\n").real_servers[0]
    assert (found.port, found.weight, found.forwarding) == (80, 1, Forwarding.TUNNEL)
    assert service(WEB + "    real=192.0.2.12 masq\n").real_servers[0].port == 80


def test_a_range() -> None:
    found = service(WEB + "    real=192.0.2.254->192.0.3.1:80 gate 7\n").real_servers
    assert [one.address for one in found] == ["192.0.2.254", "192.0.2.255", "192.0.3.0", "192.0.3.1"]
    assert {one.weight for one in found} == {7}
    assert len(service(WEB + "    real=10.0.0.0->10.0.15.255:80 gate\n").real_servers) == 4096
    assert told(WEB + "    real=10.0.0.0->10.0.16.0:80 gate\n") == ["2:10 CFG104"]


def test_twice_the_same_real_server() -> None:
    text = WEB + REAL + "    real=192.0.2.12:80 gate 5\n"
    assert [one.weight for one in service(text).real_servers] == [1]
    assert told(text) == ["3:10 CFG041"]


def test_a_port_that_direct_routing_cannot_rewrite_is_probed_only() -> None:
    text = WEB + "    real=192.0.2.12:8080 gate\n"
    found = service(text).real_servers[0]
    assert (found.port, found.check.port) == (80, 8080)
    assert told(text) == ["2:10 CFG044"]


def test_a_firewall_marks_real_server_keeps_its_port() -> None:
    found = service("virtual=5\n    real=192.0.2.12:80 gate\n    service=http\n").real_servers[0]
    assert (found.port, found.check.port) == (80, None)
    found = service("virtual=5\n    real=192.0.2.12 gate\n    service=http\n").real_servers[0]
    assert (found.port, found.check.port) == (0, 80)
    assert told("virtual=5\n    real=192.0.2.12 gate\n    checktype=connect\n") == ["2:10 CFG033"]


def test_every_port() -> None:
    text = (
        "virtual=192.0.2.100:0\n    real=192.0.2.12 gate\n    persistent=60\n    checktype=connect\n    checkport=22\n"
    )
    found = service(text)
    assert (found.real_servers[0].port, found.real_servers[0].check.port) == (0, 22)
    assert told(text.replace("    persistent=60\n", "")) == ["1:9 CFG042"]


@pytest.mark.parametrize(
    ("top", "own", "expected"),
    [
        ("", "", OnFailure.REMOVE),
        ("yes", "", OnFailure.QUIESCE),
        ("yes", "no", OnFailure.REMOVE),
        ("no", "yes", OnFailure.QUIESCE),
    ],
)
def test_quiescent(top: str, own: str, expected: OnFailure) -> None:
    text = lines(*([f"quiescent={own}"] if own else [])) + (f"quiescent={top}\n" if top else "")
    assert service(text).on_failure is expected


def test_schedulers_and_their_flags() -> None:
    assert (service(lines()).scheduler, service(lines()).flags) == ("wrr", 0)
    assert (service(lines("scheduler=sh")).scheduler, service(lines("scheduler=sh")).flags) == ("sh", 0x8)
    assert service(lines("scheduler=sh", "schedflags=sh-port")).flags == 0x10
    assert service(lines("scheduler=mh", "schedflags=mh-fallback,mh-port")).flags == 0x18
    assert told(lines("scheduler=zz")) == ["3:15 CFG016"]
    assert told(lines("schedflags=sh-port")) == ["3:16 CFG047"]


def test_one_packet() -> None:
    text = "virtual=192.0.2.100:53\n    real=192.0.2.12 gate\n    checktype=on\n    ops=yes\n"
    assert service(text).flags == 0x4
    assert service(lines("ops=yes")).flags == 0
    assert told(lines("ops=yes")) == ["3:9 CFG109"]


def test_persistence() -> None:
    assert service(lines("persistent=600")).persistence == Persistence(600, 32)
    assert service(lines("persistent=600", "netmask=255.255.255.0")).persistence == Persistence(600, 24)
    assert service(lines("netmask=255.255.255.0")).persistence is None
    assert told(lines("netmask=255.255.255.0")) == ["3:13 CFG109"]
    assert told(lines("persistent=600", "netmask=255.0.255.0")) == ["4:13 CFG101"]
    assert told(lines("persistent=600", "netmask=0.0.0.0")) == ["4:13 CFG101"]


def test_fallback_servers() -> None:
    other = "virtual=192.0.2.101:81\n    real=192.0.2.12 gate\n    fallback=127.0.0.1:8080 masq\n"
    mark = "virtual=5\n    real=192.0.2.12:80 gate\n"
    text = "fallback=127.0.0.1:82\nfallback6=[::1]\n" + lines() + other + mark + V6
    found = [
        (one.address, one.port, one.weight, one.forwarding, one.check)
        for service_ in services(text)
        for one in service_.fallback
    ]
    unchecked = Check(NoCheck())
    assert found == [
        ("127.0.0.1", 80, 1, Forwarding.DIRECT, unchecked),
        ("127.0.0.1", 8080, 1, Forwarding.MASQUERADE, unchecked),
        ("127.0.0.1", 82, 1, Forwarding.DIRECT, unchecked),
        ("::1", 80, 1, Forwarding.DIRECT, unchecked),
    ]


def test_a_fallback_server_that_cannot_step_in() -> None:
    assert service(lines("fallback=192.0.2.12:80 gate")).fallback == ()
    assert told(lines("fallback=192.0.2.12:80 gate")) == ["3:14 CFG108"]
    assert told(lines("fallback6=[::1]:80")) == ["3:5 CFG104"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (lines(), True),
        ("cleanstop=no\n" + lines(), False),
        (lines("cleanstop=no"), False),
        ("cleanstop=no\n" + lines("cleanstop=yes"), True),
    ],
)
def test_whether_the_table_is_cleared_at_stop(text: str, expected: bool) -> None:
    config = load_cf(text).config
    assert config is not None
    assert config.daemon.clear_table_on_stop is expected


def test_services_that_differ_in_what_they_want_at_stop() -> None:
    text = lines("cleanstop=no") + "virtual=192.0.2.101:80\n" + REAL
    config = load_cf(text).config
    assert config is not None
    assert not config.daemon.clear_table_on_stop
    assert told(text) == ["1:1 CFG108"]


def test_a_yaml_beside_it_decides_about_the_stop_and_lends_no_defaults() -> None:
    yaml = (
        "daemon: {clear_table_on_stop: false}\ndefaults: {scheduler: rr, check: {interval: 1s}, on_failure: quiesce}\n"
    )
    config = load_cf(lines(), lvsd_yaml=yaml).config
    assert config is not None
    assert not config.daemon.clear_table_on_stop
    assert config.services == services(lines())


def test_the_same_service_in_two_files() -> None:
    yaml = "services: {web: {virtual: '192.0.2.100:80', real_servers: [192.0.2.12]}}\n"
    assert [one.code for one in load_cf(lines(), lvsd_yaml=yaml).problems] == ["CFG108", "CFG040"]
    same = "services: {'tcp:192.0.2.100:80': {virtual: '192.0.2.101:80', real_servers: [192.0.2.12]}}\n"
    assert "CFG019" in [one.code for one in load_cf(lines(), lvsd_yaml=same).problems]


def test_an_included_file() -> None:
    loaded = load_cf("", lvsd_yaml="include: web.cf\n", web_cf=lines())
    assert loaded.config is not None
    assert [one.name for one in loaded.config.services] == ["tcp:192.0.2.100:80"]


def test_checktype_off_serves_nobody() -> None:
    assert service(lines("checktype=off")).real_servers == ()
    kept = service(lines("checktype=off", "quiescent=yes")).real_servers
    assert [(one.address, one.weight) for one in kept] == [("192.0.2.12", 0)]
    assert told(lines("checktype=off")) == ["3:15 CFG109"]
