"""Services: keys, defaults, inheritance and the rules of the kernel."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config import codes
from config.checks import Check, HttpCheck, NoCheck, PingCheck, TcpCheck, Timing
from config.model import FirewallMark, Mail, Persistence, Tunnel, VirtualEndpoint
from config.words import (
    FORWARDING_WORDS,
    SCHEDULERS,
    Forwarding,
    Initial,
    OnFailure,
    Protocol,
    TunnelChecksum,
    TunnelType,
)
from tests.unit.config.files_in_memory import assert_told_at_the_marks, codes_of, good, service, told


def text(
    keys: str = "",
    *,
    virtual: str = "virtual: '1.1.1.12:80'",
    defaults: str = "",
    reals: str = "[1.1.1.15]",
    name: str = "web",
) -> str:
    above = f"defaults: {{{defaults}}}\n"
    return f"{above}services:\n  {name}: {{{virtual}, {keys}{', ' if keys else ''}real_servers: {reals}}}\n"


def test_what_holds_when_nothing_is_said() -> None:
    found = service(text())
    assert (found.name, found.virtual) == ("web", VirtualEndpoint(Protocol.TCP, "1.1.1.12", 80))
    assert (found.scheduler, found.flags, found.persistence, found.on_failure) == ("wrr", 0, None, OnFailure.REMOVE)
    (real,) = found.real_servers
    assert (real.address, real.port, real.weight, real.forwarding) == ("1.1.1.15", 80, 1, Forwarding.DIRECT)
    assert (real.upper_threshold, real.lower_threshold) == (0, 0)


def test_defaults_then_service_then_real_server() -> None:
    above = "scheduler: wlc, on_failure: quiesce, weight: 2, forwarding: tunnel, upper_threshold: 9, lower_threshold: 8"
    reals = "[1.1.1.15, {address: 1.1.1.16, weight: 4, forwarding: NAT, lower_threshold: 7}]"
    found = service(text("weight: 3, lower_threshold: 6", defaults=above, reals=reals))
    assert (found.scheduler, found.on_failure) == ("wlc", OnFailure.QUIESCE)
    first, second = found.real_servers
    assert (first.weight, first.forwarding, first.upper_threshold, first.lower_threshold) == (
        3,
        Forwarding.TUNNEL,
        9,
        6,
    )
    assert (second.weight, second.forwarding, second.upper_threshold, second.lower_threshold) == (
        4,
        Forwarding.MASQUERADE,
        9,
        7,
    )


@pytest.mark.parametrize(("word", "protocol"), [("tcp", Protocol.TCP), ("udp", Protocol.UDP), ("SCTP", Protocol.SCTP)])
def test_protocols(word: str, protocol: Protocol) -> None:
    found = service(text(f"protocol: {word}, check: {{type: ping}}"))
    assert found.virtual == VirtualEndpoint(protocol, "1.1.1.12", 80)


@pytest.mark.parametrize("scheduler", SCHEDULERS)
def test_schedulers(scheduler: str) -> None:
    assert service(text(f"scheduler: {scheduler}")).scheduler == scheduler


@pytest.mark.parametrize(("word", "method"), FORWARDING_WORDS.items())
def test_forwarding_methods(word: str, method: Forwarding) -> None:
    assert service(text(f"forwarding: {word}")).real_servers[0].forwarding is method
    assert service(text(f"forwarding: {word.upper()}")).real_servers[0].forwarding is method


def test_ipv6() -> None:
    found = service(
        text(virtual="virtual: '[2001:DB8::12]:80'", reals="['2001:db8::15', '[2001:db8::16]', '[2001:db8::17]:80']")
    )
    assert found.virtual == VirtualEndpoint(Protocol.TCP, "2001:db8::12", 80)
    assert [(one.address, one.port) for one in found.real_servers] == [
        ("2001:db8::15", 80),
        ("2001:db8::16", 80),
        ("2001:db8::17", 80),
    ]


def test_firewall_marks() -> None:
    check = "check: {port: 80}"
    assert service(text(check, virtual="fwmark: 7")).virtual == FirewallMark(7)
    found = service(text(f"family: ipv6, {check}", virtual="fwmark: 4294967295", reals="['2001:db8::15']"))
    assert found.virtual == FirewallMark(4294967295, ipv6=True)
    assert found.real_servers[0].port == 0


def test_masquerading_rewrites_ports() -> None:
    reals = "[{address: 1.1.1.15, port: 8080, forwarding: masq}, 1.1.1.16]"
    assert [one.port for one in service(text(reals=reals)).real_servers] == [8080, 80]
    assert service(text("forwarding: masq", reals="[1.1.1.15:8080]")).real_servers[0].port == 8080
    found = service(text("forwarding: masq, check: {port: 80}", virtual="fwmark: 7", reals="[1.1.1.15:8080]"))
    assert found.real_servers[0].port == 8080


def test_what_to_do_about_a_port_that_cannot_be_rewritten() -> None:
    (line,) = told(text(reals="[1.1.1.15:81]"))
    assert "direct does not rewrite ports" in line
    (line,) = told(text("check: tcp"))
    assert "write {type: ...}" in line
    (line,) = told(
        text("persistence: {timeout: 1h}, check: {port: 1}", defaults="check: {}").replace("{check: {}}", "x")
    )
    assert "`key: value` pairs" in line


def test_a_tunnel_crosses_families() -> None:
    assert service(text("forwarding: tunnel", reals="['2001:db8::15']")).real_servers[0].address == "2001:db8::15"


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("10m", Persistence(600, 32)),
        ("300", Persistence(300, 32)),
        ("{timeout: 1h}", Persistence(3600, 32)),
        ("{timeout: 1h, netmask: 24}", Persistence(3600, 24)),
        ("{timeout: 31d, netmask: 255.255.0.0}", Persistence(2678400, 16)),
        ("{timeout: 1s, netmask: 32}", Persistence(1, 32)),
        ("false", None),
    ],
)
def test_persistence(written: str, expected: Persistence | None) -> None:
    assert service(text(f"persistence: {written}", defaults="persistence: 1h")).persistence == expected


def test_persistence_of_ipv6() -> None:
    found = service(text("persistence: 1h", virtual="virtual: '[2001:db8::12]:80'", reals="['2001:db8::15']"))
    assert found.persistence == Persistence(3600, 128)


def test_every_port() -> None:
    found = service(text("persistence: 1h, check: {port: 80}", virtual="virtual: '1.1.1.12:0'"))
    assert found.virtual == VirtualEndpoint(Protocol.TCP, "1.1.1.12", 0)
    assert found.real_servers[0].port == 0


@pytest.mark.parametrize(
    ("keys", "defaults", "flags"),
    [
        ("scheduler: sh", "", 0x8),
        ("scheduler: mh", "", 0x8),
        ("scheduler: wlc", "", 0),
        ("scheduler: sh, flags: []", "", 0),
        ("scheduler: sh, flags: [sh-port]", "", 0x10),
        ("scheduler: sh, flags: [sh-port, sh-fallback]", "", 0x18),
        ("scheduler: mh, flags: [MH-port]", "", 0x10),
        ("scheduler: wlc, flags: [flag-1, flag-3]", "", 0x28),
        ("scheduler: sh", "flags: [sh-port]", 0x10),
        ("scheduler: sh", "flags: []", 0),
        ("scheduler: mh", "flags: [sh-port]", 0x8),
        ("scheduler: wlc", "flags: [sh-port]", 0),
        ("", "scheduler: sh", 0x8),
        ("protocol: udp, check: {type: dns}, one_packet: true", "", 0x4),
        ("protocol: udp, check: {type: dns}, one_packet: false", "", 0),
        ("protocol: udp, check: {type: dns}, one_packet: true, scheduler: sh", "", 0xC),
    ],
)
def test_flags(keys: str, defaults: str, flags: int) -> None:
    assert service(text(keys, defaults=defaults)).flags == flags


def test_one_packet_of_a_firewall_mark() -> None:
    assert service(text("one_packet: true, check: {port: 53}", virtual="fwmark: 7")).flags == 0x4


def test_real_servers_keep_their_order() -> None:
    found = service(text(reals="[1.1.1.17, 1.1.1.15, 1.1.1.16]"))
    assert [one.address for one in found.real_servers] == ["1.1.1.17", "1.1.1.15", "1.1.1.16"]


def test_aliases_share_a_list() -> None:
    found = good("services:\n  a: {virtual: '1.1.1.12:80', real_servers: &all [1.1.1.15]}\n"
                 "  b: {virtual: '1.1.1.12:81', real_servers: *all}\n")  # fmt: skip
    assert [one.real_servers[0].port for one in found.services] == [80, 81]


@pytest.mark.parametrize(
    ("keys", "options", "expected"),
    [
        ("protocol: →tpc", {}, "CFG016"),
        ("→family: ipv6", {}, "CFG035"),
        ("→protocol: udp, check: {port: 1}", {"virtual": "fwmark: 7"}, "CFG035"),
        ("", {"virtual": "weight: 1", "name": "→web"}, "CFG012"),
        ("", {"virtual": "→virtuel: '1.1.1.12:80'"}, "CFG010"),
        ("", {"virtual": "fwmark: →0"}, "CFG015"),
        ("weight: →2147483648", {}, "CFG015"),
        ("upper_threshold: →4294967296", {}, "CFG015"),
        ("→lower_threshold: 1", {}, "CFG049"),
        ("", {"defaults": "upper_threshold: 1, →lower_threshold: 2"}, "CFG049"),
        ("persistence: →32d", {}, "CFG015"),
        ("persistence: →500ms", {}, "CFG015"),
        ("persistence: →1500ms", {}, "CFG015"),
        ("persistence: →{netmask: 24}", {}, "CFG012"),
        ("persistence: {timeout: 1h, netmask: →64}", {}, "CFG015"),
        ("persistence: →true", {}, "CFG013"),
        ("persistence: →soon", {"virtual": "virtual: '1.1.1.12:0', check: {type: none}"}, "CFG017"),
        ("", {"virtual": "virtual: '1.1.1.12:0', check: {type: none}", "defaults": "persistence: →soon"}, "CFG017"),
        ("→one_packet: true, protocol: sctp, check: {type: ping}", {}, "CFG048"),
        ("flags: →sh-port", {}, "CFG013"),
        ("flags: [→sh-prt]", {}, "CFG016"),
        ("scheduler: →shh, flags: [mh-port]", {}, "CFG016"),
        ("scheduler: →[sh]", {}, "CFG013"),
        ("", {"reals": "→1.1.1.15"}, "CFG013"),
        ("", {"reals": "[1.1.1.15, ]"}, ""),
        ("", {"reals": "[1.1.1.15, →~]"}, "CFG018"),
        ("", {"reals": "[→{port: 80}]"}, "CFG012"),
        ("", {"reals": "[{address: 1.1.1.15, →port: 81}]"}, "CFG044"),
        ("forwarding: tunnel", {"reals": "[→1.1.1.15:81]"}, "CFG044"),
        ("forwarding: masq", {"reals": "[→1.1.1.15:0]"}, "CFG042"),
        ("", {"virtual": "fwmark: 7", "reals": "[1.1.1.15:80]"}, ""),
        ("", {"virtual": "fwmark: 7", "reals": "[1.1.1.15:80, 1.1.1.15:81]"}, ""),
        ("check: {type: ping}", {"virtual": "fwmark: 7"}, ""),
        ("forwarding: tunnel", {"reals": "[{address: 1.1.1.15, tunnel: →gri}]"}, "CFG016"),
        ("forwarding: tunnel", {"reals": "[{address: 1.1.1.15, tunnel: →gue}]"}, "CFG012"),
        ("forwarding: tunnel, tunnel: {type: gue, port: →0}", {}, "CFG015"),
        ("forwarding: tunnel, tunnel: {type: gre, →port: 5}", {}, "CFG035"),
        ("forwarding: tunnel, tunnel: {→checksum: checksum}", {}, "CFG035"),
        ("forwarding: tunnel, tunnel: {type: gre, →checksum: remote}", {}, "CFG035"),
        ("", {"reals": "[{address: 1.1.1.15, →tunnel: gre}]"}, "CFG034"),
        ("", {"defaults": "tunnel: gre"}, ""),
        ("quorum: 2, →hysteresis: 2", {"reals": "[{address: 1.1.1.15, weight: 9}]"}, "CFG052"),
        ("→quorum: 2", {}, "CFG052"),
        ("→quorum: 2, hysteresis: 1", {"reals": "[1.1.1.15, 1.1.1.16]"}, "CFG052"),
        ("quorum: 2", {"reals": "[1.1.1.15, 1.1.1.16]"}, ""),
        ("quorum: →0", {}, "CFG015"),
        ("on_up: →[]", {}, "CFG017"),
        ("on_up: →true", {}, "CFG013"),
        ("on_quorum_up: →/bin/x", {}, "CFG013"),
        ("mail: →a b", {}, "CFG017"),
        ("mail: [→'a,b']", {}, "CFG017"),
        ("mail: →{from: a}", {}, "CFG012"),
        ("mail: {to: a, smtp: →'a b'}", {}, "CFG017"),
        ("mail: {to: a, phases: [→sleeping]}", {}, "CFG016"),
        ("mail: →true", {}, "CFG014"),
        ("persistence: {timeout: 5m, engine: →sip}", {}, "CFG051"),
        ("persistence: {timeout: 5m, engine: →pip}", {}, "CFG016"),
        ("protocol: udp, check: {type: sip}, persistence: {timeout: 5m, engine: sip}", {}, ""),
        ("→protocol: udp", {}, "CFG057"),
        ("→protocol: sctp, check: {interval: 1s}", {}, "CFG057"),
        ("protocol: udp, check: {type: tcp}", {}, ""),
        ("protocol: udp", {"defaults": "check: {type: dns}"}, ""),
        ("protocol: udp, checks: [{type: dns}, {type: ping}]", {}, ""),
        ("protocol: udp", {"reals": "[{address: 1.1.1.15, check: {type: dns}}]"}, ""),
        ("persistence: {timeout: 5m, engine: sip}", {"virtual": "fwmark: 7", "reals": "[1.1.1.15:80]"}, ""),
        (
            "forwarding: masq, persistence: 1h",
            {"virtual": "virtual: '1.1.1.12:0'", "reals": "[→1.1.1.15:80]"},
            "CFG042",
        ),
        ("persistence: 1h", {"virtual": "virtual: '1.1.1.12:0'", "reals": "[→1.1.1.15]"}, "CFG033"),
        ("check: {type: external, command: [/x]}", {"virtual": "fwmark: 7"}, ""),
        ("", {"reals": "[→1.1.1.12, →'2001:db8::1']"}, "CFG045 CFG043"),
        ("", {"virtual": "fwmark: 7, family: ipv6, check: {port: 1}", "reals": "[→1.1.1.15]"}, "CFG043"),
        ("", {"reals": "[→&a 1.1.1.15, *a]"}, "CFG041"),
        ("", {"virtual": "→<<: {weight: 1}, virtual: '1.1.1.12:80'"}, "CFG010"),
        ("", {"virtual": "→{{ vip }}: 1", "name": "→web"}, "CFG012 CFG013"),
    ],
)
def test_rules(keys: str, options: dict[str, str], expected: str) -> None:
    assert_told_at_the_marks(text(keys, **options), expected)


@pytest.mark.parametrize("name", ["a b", "", "-x", "a/b", "x" * 65, "a\\nb"])
def test_names(name: str) -> None:
    written = text().replace("  web:", f'  "{name}":')
    assert codes_of(written) == ["3:3 CFG017"]


@pytest.mark.parametrize("name", ["web", "web-1.example.net", "587", "no", "Köln", "x" * 64])
def test_names_that_are_taken(name: str) -> None:
    assert service(text().replace("  web:", f"  {name}:")).name == name


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("services: [web]", ["1:11 CFG013"]),
        ("services: {web: }", ["1:12 CFG018"]),
        ("services: {web: []}", ["1:17 CFG013"]),
        ("services: {}", ["1:1 CFG070"]),
        ("[services]", ["1:1 CFG013"]),
        ("services", ["1:1 CFG013"]),
        ("", ["0:0 CFG070"]),
        ("services:\n", ["1:1 CFG018"]),
    ],
)
def test_shapes(written: str, expected: list[str]) -> None:
    assert codes_of(written) == expected


def test_the_same_port_of_another_protocol_is_another_service() -> None:
    written = text() + "  dns: {virtual: '1.1.1.12:80', protocol: udp, check: {type: dns}, real_servers: [1.1.1.15]}\n"
    assert [one.name for one in good(written).services] == ["web", "dns"]


def test_marks_of_two_families_are_two_services() -> None:
    both = text("check: {port: 80}", virtual="fwmark: 7")
    both += "  six: {fwmark: 7, family: ipv6, check: {port: 80}, real_servers: ['2001:db8::15']}\n"
    assert len(good(both).services) == 2
    (line,) = told(both.replace("family: ipv6, ", "").replace("2001:db8::15", "1.1.1.15"))
    assert line.startswith("4:17: firewall mark 7 (IPv4) is service `web` already (it stands at line 3)")


def test_other_programs_words_are_translated() -> None:
    (line,) = told(text("quiescent: true"))
    assert line == "3:33: unknown key `quiescent` in service (ldirectord's; here `on_failure: quiesce`) [CFG010]"
    (line,) = told(text("<<: {weight: 1}"))
    assert "merge keys are not read" in line
    (line,) = told(text("checkinterval: 5"))
    assert "here `interval`, inside `check:`" in line
    (line,) = told(text("interval: 5s"))
    assert "inside `check: {interval: ...}`" in line


def test_fallback_servers() -> None:
    (one,) = service(text("fallback: 1.1.1.19, weight: 3")).fallback
    assert (one.address, one.port, one.weight, one.forwarding, one.check.kind) == (
        "1.1.1.19",
        80,
        3,
        Forwarding.DIRECT,
        NoCheck(),
    )
    several = "fallback: [{address: 1.1.1.19, weight: 2, port: 8080, forwarding: masquerade}, 1.1.1.20]"
    first, second = service(text(several, reals="[1.1.1.15]")).fallback
    assert (first.port, first.weight, first.forwarding) == (8080, 2, Forwarding.MASQUERADE)
    assert (second.address, second.weight) == ("1.1.1.20", 1)
    assert service(text()).fallback == ()


def test_fallback_servers_with_checks_of_their_own() -> None:
    listed = (
        "fallback: [{address: 1.1.1.19, check: {fall: 1}}, {address: 1.1.1.20, checks: [{type: tcp}, {type: ping}], "
        "checks_needed: any}, 1.1.1.21]"
    )
    above = "check: {type: http}, on_up: [/bin/x], checks_needed: any, initial: up"
    first, second, third = service(text(listed, defaults=above)).fallback
    assert (first.checks, first.needed) == ((Check(TcpCheck(), Timing(fall=1)),), 0)
    assert (second.checks, second.needed) == ((Check(TcpCheck()), Check(PingCheck())), 1)
    assert (third.checks, third.on_up, third.initial) == ((Check(NoCheck()),), (), Initial.ADOPT)


def test_fallback_servers_inherit_the_timing_of_the_defaults_alone() -> None:
    above = "check: {type: http, path: /x, interval: 2s, timeout: 1s, fall: 1, fast_interval: 1s, connects: 3}"
    listed = "check: {rise: 7}, fallback: [{address: 1.1.1.19, check: {type: ping, fall: 2}}, 1.1.1.20, "
    listed += "{address: 1.1.1.21, checks: [{type: tcp}, {type: http}]}]"
    first, second, third = service(text(listed, defaults=above)).fallback
    timing = Timing(interval=2.0, timeout=1.0, fall=1, fast_interval=1.0, connects=3)
    assert first.checks == (Check(PingCheck(), replace(timing, fall=2)),)
    assert second.checks == (Check(NoCheck()),)
    assert third.checks == (Check(TcpCheck(), timing), Check(HttpCheck(), timing))


def test_how_many_checks_are_needed() -> None:
    two = "checks: [{type: tcp}, {type: ping}], "
    for written, needed in (("all", 0), ("any", 1), ("2", 2), ("ANY", 1)):
        (server,) = service(text(f"{two}checks_needed: {written}", reals="[1.1.1.15]")).real_servers
        assert server.needed == needed
    inherited = "[1.1.1.15, {address: 1.1.1.16, checks_needed: all}]"
    servers = service(text(two + "weight: 1", defaults="checks_needed: any", reals=inherited)).real_servers
    assert [one.needed for one in servers] == [1, 0]
    assert_told_at_the_marks(text(f"{two}→checks_needed: 3"), codes.OUT_OF_RANGE)
    assert_told_at_the_marks(text("→checks_needed: 2"), codes.OUT_OF_RANGE)
    assert_told_at_the_marks(text("checks_needed: →some"), codes.WRONG_TYPE)
    assert_told_at_the_marks(text("checks_needed: →0"), codes.OUT_OF_RANGE)


def test_what_is_believed_at_first() -> None:
    reals = "[1.1.1.15, {address: 1.1.1.16, initial: down}]"
    for word in Initial:
        servers = service(text(f"initial: {word.value}", reals=reals)).real_servers
        assert [one.initial for one in servers] == [word, Initial.DOWN]
    assert service(text()).real_servers[0].initial is Initial.ADOPT


@pytest.mark.parametrize(
    ("keys", "code"),
    [
        ("fallback: →1.1.1.15", codes.DUPLICATE_REAL_SERVER),
        ("fallback: [1.1.1.19, →1.1.1.19]", codes.DUPLICATE_REAL_SERVER),
        ("fallback: →1.1.1.12", codes.REAL_IS_VIRTUAL),
        ("fallback: →'1.1.1.19:8080'", codes.PORT_REWRITE),
        ("fallback: {address: 1.1.1.19, →on_up: [/bin/x]}", codes.UNKNOWN_KEY),
        ("fallback: {address: 1.1.1.19, →group: 2}", codes.UNKNOWN_KEY),
        ("fallback: {address: 1.1.1.19, →checks_needed: 2}", codes.OUT_OF_RANGE),
    ],
)
def test_fallback_servers_keep_the_rules_of_real_servers(keys: str, code: str) -> None:
    assert_told_at_the_marks(text(keys), code)


def test_tunnels() -> None:
    reals = (
        "[1.1.1.15, {address: 1.1.1.16, tunnel: ipip}, {address: 1.1.1.17, forwarding: direct}, "
        "{address: 1.1.1.18, tunnel: {type: gue, port: 6080, checksum: remote}}]"
    )
    found = service(text("tunnel: {type: gre, checksum: checksum}, fallback: 1.1.1.19", defaults="forwarding: tunnel",
                         reals=reals))  # fmt: skip
    gre = Tunnel(TunnelType.GRE, 0, TunnelChecksum.CHECKSUM)
    assert [one.tunnel for one in found.real_servers] == [
        gre, Tunnel(), Tunnel(), Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE),
    ]  # fmt: skip
    assert found.fallback[0].tunnel == gre


def test_quorum_hooks_and_monitor_file() -> None:
    above = "on_up: [/bin/up], on_down: [/bin/down], quorum: 2, hooks_on_stop: true"
    reals = "[1.1.1.15, {address: 1.1.1.16, on_up: false, on_down: [/bin/d, 1], on_failure: quiesce}]"
    found = service(text("hysteresis: 0, on_quorum_up: [/bin/qu], on_quorum_down: [/bin/qd], monitor_file: m.log, "
                         "fallback: 1.1.1.19", defaults=above, reals=reals))  # fmt: skip
    assert [(one.on_up, one.on_down, one.on_failure) for one in (*found.real_servers, *found.fallback)] == [
        (("/bin/up",), ("/bin/down",), None), ((), ("/bin/d", "1"), OnFailure.QUIESCE), ((), (), None),
    ]  # fmt: skip
    assert (found.quorum, found.hysteresis, found.hooks_on_stop) == (2, 0, True)
    assert (found.on_quorum_up, found.on_quorum_down) == (("/bin/qu",), ("/bin/qd",))
    assert (found.monitor_file, found.on_failure) == ("m.log", OnFailure.REMOVE)


@pytest.mark.parametrize(
    ("written", "mail"),
    [
        ("root@example.net", Mail(("root@example.net",))),
        ("[a, b@c]", Mail(("a", "b@c"))),
        (
            "{to: a, from: b, smtp: 'mx.example.net:25', repeat: 1h, label: l, comment: c d, phases: [running]}",
            Mail(("a",), "b", "mx.example.net:25", 3600.0, "l", "c d", frozenset(("running",))),
        ),
        ("{to: a, phases: []}", Mail(("a",), phases=frozenset())),
        ("false", None),
    ],
)
def test_mail(written: str, mail: Mail | None) -> None:
    assert service(text(f"mail: {written}", defaults="mail: other")).mail == mail


def test_the_sip_engine() -> None:
    found = service(text("protocol: udp, check: {type: sip}, persistence: {timeout: 1h, engine: sip}"))
    assert found.persistence == Persistence(3600, 32, "sip")
