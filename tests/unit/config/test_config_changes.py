"""What a reload would change, in words."""

from __future__ import annotations

import pytest

from config.changes import changes
from tests.unit.config.files_in_memory import good, load_text

OLD = """
vrrp:
  lb0: {interface: eth0, virtual_router_id: 1, version: 2, addresses: [1.1.1.12/24, 1.1.1.13],
        authentication: {password: hunter2}}
services:
  db: {virtual: "1.1.1.12:3306", check: {type: mysql, login: monitor, password: hunter2}, real_servers: [1.1.1.15]}
  web: {virtual: "1.1.1.12:80", scheduler: wlc, real_servers: [1.1.1.17, {address: 1.1.1.18, weight: 5}]}
  mark: {fwmark: 7, check: {port: 80}, real_servers: [1.1.1.17]}
"""


def between(old: str, new: str) -> list[str]:
    before, after = load_text(old).config, load_text(new).config
    assert before is not None
    assert after is not None
    return list(changes(before, after))


def test_a_fallback_server_is_told_like_a_real_one() -> None:
    web = "services: {{web: {{virtual: '1.1.1.12:80', real_servers: [1.1.1.17], fallback: {}}}}}\n"
    was = web.format("[{address: 1.1.1.19, check: {type: tcp}}, 1.1.1.20]")
    assert list(changes(good(was), good(web.format("[{address: 1.1.1.19, check: {type: http}}, 1.1.1.20]")))) == [
        "service web: fallback server 1.1.1.19:80: check: type tcp -> http"
    ]
    assert list(changes(good(was), good(web.format("[1.1.1.20, {address: 1.1.1.19, check: {type: tcp}}]")))) == [
        "service web: fallback 1.1.1.19:80, 1.1.1.20:80 -> 1.1.1.20:80, 1.1.1.19:80"
    ]


def test_an_agents_weight_is_told_once() -> None:
    check = "checks: [{type: tcp}, {type: agent, port: 9}]"
    web = "services: {web: {virtual: '1.1.1.12:80', weight: %s, " + check + ", real_servers: [1.1.1.17]}}\n"
    assert list(changes(good(web % 1), good(web % 5))) == ["service web: real server 1.1.1.17:80: weight 1 -> 5"]


@pytest.mark.parametrize(
    ("track", "words"),
    [
        ("{interface: eth1, weight: -5}", "interface eth1 (weight -5)"),
        ("{script: [/bin/x, y], interval: 2s}", "script x (/bin/x y) (interval 2s, timeout 2s)"),
        ("{file: /run/x}", "file /run/x"),
        ("{process: nginx, count: 2}", "process nginx (count 2)"),
        ("{service: web, each: 2}", "service web (each 2)"),
        ("{route: default, inverted: true, table: 7}", "route 0.0.0.0/0 (table 7, inverted true)"),
    ],
)
def test_tracks_are_told_with_what_is_said_of_them(track: str, words: str) -> None:
    web = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}}\n"
    lb0 = "vrrp: {{lb0: {{interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], track: [{}]}}}}\n"
    without, with_it = good(web + lb0.format("")), good(web + lb0.format(track))
    assert list(changes(without, with_it)) == [f"vrrp lb0: track {words} added"]
    assert list(changes(with_it, without)) == [f"vrrp lb0: track {words} removed"]


@pytest.mark.parametrize(
    ("was", "becomes", "expected"),
    [
        ("", "", []),
        ("wlc", "sh", ["service web: scheduler wlc -> sh", "service web: flags none -> flag-1"]),
        (
            "scheduler: wlc",
            "flags: [flag-1, flag-3]",
            ["service web: scheduler wlc -> wrr", "service web: flags none -> flag-1+flag-3"],
        ),
        ("1.1.1.12:80", "1.1.1.13:80", ["service web: virtual tcp 1.1.1.12:80 -> tcp 1.1.1.13:80"]),
        ("fwmark: 7", "fwmark: 8", ["service mark: virtual fwmark 7 -> fwmark 8"]),
        ("fwmark: 7", "fwmark: 7, one_packet: true", ["service mark: flags none -> one-packet"]),
        ("wlc,", "wlc, persistence: 5m,", ["service web: persistence none -> 5m/32"]),
        ("wlc,", "wlc, on_failure: quiesce,", ["service web: on failure remove -> quiesce"]),
        ("wlc,", "wlc, fallback: 1.1.1.19,", ["service web: fallback none -> 1.1.1.19:80"]),
        ("weight: 5", "weight: 0", ["service web: real server 1.1.1.18:80: weight 5 -> 0"]),
        (
            "1.1.1.18,",
            "1.1.1.18, forwarding: tunnel,",
            ["service web: real server 1.1.1.18:80: forwarding direct -> tunnel"],
        ),
        (
            "1.1.1.18,",
            "1.1.1.18, upper_threshold: 9,",
            ["service web: real server 1.1.1.18:80: upper threshold 0 -> 9"],
        ),
        ("[1.1.1.17, {", "[{", ["service web: real server 1.1.1.17:80 removed"]),
        ("[1.1.1.17, {", "[1.1.1.17, 1.1.1.19, {", ["service web: real server 1.1.1.19:80 added (direct, weight 1)"]),
        (
            "wlc,",
            "wlc, checks: [{type: http}, {type: ping}],",
            ["service web: checks tcp -> http, ping"],
        ),
        (
            "1.1.1.18,",
            "1.1.1.18, checks: [{type: http}, {type: ping}],",
            ["service web: real server 1.1.1.18:80: checks tcp -> http, ping"],
        ),
        (
            "wlc,",
            "wlc, quorum: 2, on_up: [/bin/a, b c],",
            [
                "service web: quorum 1 -> 2",
                "service web: real server 1.1.1.17:80: on up none -> /bin/a, 'b c'",
                "service web: real server 1.1.1.18:80: on up none -> /bin/a, 'b c'",
            ],
        ),
        ("wlc,", "wlc, mail: root,", ["service web: mail none -> given"]),
        (
            "5}]",
            "5, forwarding: tunnel, tunnel: gre}]",
            [
                "service web: real server 1.1.1.18:80: forwarding direct -> tunnel",
                "service web: real server 1.1.1.18:80: tunnel type ipip -> gre",
            ],
        ),
        ("wlc,", "wlc, check: {fast_interval: 1s},", ["service web: check: fast interval none -> 1s"]),
        ("services:", "ipvs: {timeouts: {udp: 1h}}\nservices:", ["ipvs: timeouts none -> given"]),
        ("services:", "daemon: {on_config_change: [/bin/x]}\nservices:", ["daemon: on config change none -> /bin/x"]),
        ("services:", "daemon: {workers: 2}\nservices:", ["daemon: workers auto -> 2"]),
        ("services:", "ipvs: {sloppy_tcp: false}\nservices:", ["ipvs: sloppy tcp none -> false"]),
        (
            "wlc,",
            "wlc, check: {down_interval: 1m, source: 1.1.1.2, mark: 7, proxy_protocol: 1},",
            [
                "service web: check: down interval none -> 1m",
                "service web: check: source none -> 1.1.1.2",
                "service web: check: mark 0 -> 7",
                "service web: check: proxy protocol 0 -> 1",
            ],
        ),
        ("wlc,", "wlc, check: {type: rediss, role: master},", ["service web: check: type tcp -> rediss"]),
        (
            "wlc,",
            "wlc, checks_needed: any, initial: up,",
            [
                "service web: real server 1.1.1.17:80: checks needed all -> any",
                "service web: real server 1.1.1.17:80: initial adopt -> up",
                "service web: real server 1.1.1.18:80: checks needed all -> any",
                "service web: real server 1.1.1.18:80: initial adopt -> up",
            ],
        ),
        ("weight: 5", "weight: 5, group: 2", ["service web: real server 1.1.1.18:80: priority group 1 -> 2"]),
        (
            "wlc,",
            "wlc, group_minimum: 50%, passive: true, latency_weights: {minimum: 10%},",
            [
                "service web: group minimum 1 -> 50%",
                "service web: passive none -> connections 10, window 5s, action probe",
                "service web: latency weights none -> minimum 10%, slack 150%",
            ],
        ),
        (
            "wlc,",
            "wlc, floor: {minimum: 50%, action: fail-open, restored: 2}, hold_down: 10s, resume: manual,",
            [
                "service web: floor none -> minimum 50%, action fail-open, restored 2",
                "service web: hold down none -> first 10s, longest 10m, forget 30m",
                "service web: resume automatic -> manual",
            ],
        ),
        ("wlc,", "wlc, floor: 1,", ["service web: floor none -> minimum 1, action keep"]),
        ("version: 2", "version: 2, virtual_mac: true", ["vrrp lb0: virtual mac none -> vrrp.1"]),
        (
            "version: 2",
            "version: 2, accept: false, track_interface: false",
            ["vrrp lb0: accept true -> false", "vrrp lb0: track interface true -> false"],
        ),
        (
            "version: 2",
            "version: 2, track: [{interface: eth1, inverted: true}, {route: 10.0.0.0/8, gateway: 1.1.1.1}]",
            [
                "vrrp lb0: track interface eth1 (inverted true) added",
                "vrrp lb0: track route 10.0.0.0/8 (gateway 1.1.1.1) added",
            ],
        ),
        ("wlc,", "wlc, check: {interval: 2s},", ["service web: check: interval 5s -> 2s"]),
        ("wlc,", "wlc, check: {port: 8080},", ["service web: check: port none -> 8080"]),
        ("wlc,", "wlc, check: {type: https},", ["service web: check: type tcp -> https"]),
        ("wlc,", "wlc, check: {type: imap},", ["service web: check: type tcp -> imap"]),
        ("wlc,", "wlc, check: {type: pops},", ["service web: check: type tcp -> pops"]),
        ("wlc,", "wlc, check: {type: submission},", ["service web: check: type tcp -> smtp with STARTTLS"]),
        (
            "weight: 5",
            "weight: 5, check: {type: none}",
            ["service web: real server 1.1.1.18:80: check: type tcp -> none"],
        ),
        (
            "login: monitor, password: hunter2",
            "login: monitor, password: hunter3",
            ["service db: check: password changed"],
        ),
        ("login: monitor", "login: other", ["service db: check: login monitor -> other"]),
        ("type: mysql", "type: mysql, galera: synced", ["service db: check: galera none -> synced"]),
        ("type: mysql", "type: mysql, query: SELECT 2", ["service db: check: query 'SELECT 1' -> 'SELECT 2'"]),
        ("type: mysql", "type: mysql, receive: ok", ["service db: check: text none -> ok"]),
        ("version: 2", "version: 2, priority: 200", ["vrrp lb0: priority 100 -> 200"]),
        ("version: 2", "version: 2, preempt: false", ["vrrp lb0: preempt true -> false"]),
        ("version: 2", "version: 2, advertisement_interval: 2s", ["vrrp lb0: advertisement interval 1s -> 2s"]),
        ("version: 2", "version: 2, gratuitous_arp: {delay: 1m}", ["vrrp lb0: delay 5s -> 1m"]),
        ("{password: hunter2}}", "{password: hunter3}}", ["vrrp lb0: password changed"]),
        ("{password: hunter2}}", "{type: none}}", ["vrrp lb0: password given -> none"]),
        (
            "1.1.1.13]",
            "1.1.1.14]",
            ["vrrp lb0: address 1.1.1.13/32 on eth0 removed", "vrrp lb0: address 1.1.1.14/32 on eth0 added"],
        ),
        ("12/24", "12/32", ["vrrp lb0: address 1.1.1.12/24 on eth0 -> 1.1.1.12/32 on eth0"]),
        ("vrrp:", "daemon: {clear_table_on_stop: true}\nvrrp:", ["daemon: clear table on stop false -> true"]),
        (
            "vrrp:",
            "daemon: {checker_user: mail}\nvrrp:",
            ["daemon: checker user nobody -> mail (when lvsd is started again)"],
        ),
        ("  web:", "  www:", ["service web: renamed www"]),
        ("  lb0:", "  vip:", ["vrrp lb0: renamed vip"]),
        ("id: 1,", "id: 2,", ["vrrp lb0: virtual router id 1 -> 2"]),
    ],
)
def test_changes(was: str, becomes: str, expected: list[str]) -> None:
    assert was in OLD
    assert between(OLD, OLD.replace(was, becomes, 1)) == expected


def test_what_keeps_its_name_is_not_renamed() -> None:
    """Its address under another name is another's now, and an instance is known by its id too."""
    old = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}}\n"
    new = old.replace(":80'", ":81'").replace("}}", "}, www: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}}")
    assert between(old, new) == [
        "service web: virtual tcp 1.1.1.12:80 -> tcp 1.1.1.12:81",
        "service web: real server 1.1.1.17:80 removed",
        "service web: real server 1.1.1.17:81 added (direct, weight 1)",
        "service www: added (tcp 1.1.1.12:80, wrr, 1 real server)",
    ]
    one = "vrrp: {a: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12]}}\n"
    assert between(one, one.replace("{a:", "{b:").replace("id: 1", "id: 2")) == [
        "vrrp a: removed (id 1 on eth0, priority 100, 1.1.1.12/32)",
        "vrrp b: added (id 2 on eth0, priority 100, 1.1.1.12/32)",
    ]


def test_added_and_removed_services_are_summed_up() -> None:
    web = next(line for line in OLD.splitlines() if line.startswith("  web:"))
    without = OLD.replace(web, "")
    assert between(OLD, without) == ["service web: removed (tcp 1.1.1.12:80, wlc, 2 real servers)"]
    assert between(without, OLD) == ["service web: added (tcp 1.1.1.12:80, wlc, 2 real servers)"]


def test_added_and_removed_instances_are_summed_up() -> None:
    services = OLD[OLD.index("services:") :]
    assert between(services, OLD) == ["vrrp lb0: added (id 1 on eth0, priority 100, 1.1.1.12/24, 1.1.1.13/32)"]
    assert between(OLD, services) == ["vrrp lb0: removed (id 1 on eth0, priority 100, 1.1.1.12/24, 1.1.1.13/32)"]


def test_ipv6_and_one_real_server() -> None:
    six = 'services: {web: {virtual: "[2001:db8::12]:80", real_servers: ["2001:db8::15"]}}'
    mark = "services: {mark: {fwmark: 7, family: ipv6, check: {type: none}, real_servers: ['2001:db8::15']}}"
    assert between(six, mark) == [
        "service web: removed (tcp [2001:db8::12]:80, wrr, 1 real server)",
        "service mark: added (fwmark 7 IPv6, wrr, 1 real server)",
    ]


def test_no_secret_is_told() -> None:
    told = " ".join(between(OLD, OLD.replace("hunter2", "hunter3")))
    assert "changed" in told
    assert "hunter" not in told


def test_what_changes_inside_a_list_of_checks_a_mail_and_the_kernels_settings() -> None:
    old = """
ipvs: {timeouts: {udp: 1h}, sync: {interface: eth1, role: both}}
services:
  web:
    virtual: "1.1.1.12:80"
    protocol: udp
    mail: {to: [a, b], phases: [running, starting]}
    persistence: 1h
    checks: [{type: udp, send: a, reply_length: 1-2}, {type: http}]
    real_servers: [1.1.1.17]
"""
    new = (
        old.replace("1h}", "2h}").replace("role: both", "role: master").replace("[a, b]", "c").replace(", starting", "")
    )
    new = new.replace("send: a", "send: b").replace("1-2", "1-3").replace("http}", "http, status: [200, 301-302]}")
    new = new.replace("persistence: 1h", "persistence: {timeout: 1h, engine: sip}")
    assert between(old, new) == [
        "service web: persistence 1h/32 -> 1h/32 by sip",
        "service web: mail to a, b -> c",
        "service web: mail phases running, starting -> running",
        "service web: check 1: payload b'a' -> b'b'",
        "service web: check 1: reply length 1-2 -> 1-3",
        "service web: check 2: status 200-299 -> 200, 301-302",
        "ipvs: timeouts udp 1h -> 2h",
        "ipvs: sync role both -> master",
    ]
