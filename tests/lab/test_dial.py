"""How checks dial: servers that stand behind the PROXY protocol are healthy with its header and not without, in both
versions, with TLS after it; packets come from the source asked for and bear the mark asked for.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import behind, certificates, clock
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import World

NETWORK = "lan"
LB, SOURCE, RS1, VIP = "192.0.2.1", "192.0.2.9", "192.0.2.11", "192.0.2.100"
LB6, SOURCE6, RS1_6 = "2001:db8::1", "2001:db8::9", "2001:db8::11"
MARKED, MARKED6 = "192.0.2.77", "2001:db8::77"
UNANSWERED, UNANSWERED6 = "192.0.2.8", "2001:db8::8"
MARK, NOWHERE = 7, 9
LAN = Topology(
    "dial",
    (Network(NETWORK, "192.0.2.0/24"),),
    (
        Host(
            "lb1",
            (
                Attachment(
                    NETWORK,
                    tuple(f"{four}/24" for four in (LB, SOURCE, MARKED, UNANSWERED))
                    + tuple(f"{six}/64" for six in (LB6, SOURCE6, MARKED6, UNANSWERED6)),
                ),
            ),
        ),
        Host("rs1", (Attachment(NETWORK, (f"{RS1}/24", f"{RS1_6}/64")),)),
    ),
)
VERIFY = f"verify: true, ca_file: {certificates.CA}"
STRICT = {
    # name: port, check, results without the header
    "nginx": (behind.HTTP, "type: http", {"garbled", "closed", "status"}),
    "nginx_six": (behind.HTTP, f"type: http, source: '{LB6}'", {"garbled", "closed", "status"}),
    "nginx_tls": (behind.HTTPS, f"type: https, {VERIFY}", {"tls", "closed"}),
    "haproxy": (behind.FRONTEND, "type: http", {"closed"}),
    "dovecot_imap": (behind.IMAP, "type: imap", {"closed", "reply_timeout"}),
    "dovecot_imaps": (behind.IMAPS, f"type: imaps, {VERIFY}", {"closed", "tls", "reply_timeout"}),
    "dovecot_starttls": (behind.IMAP, f"type: imap, starttls: true, {VERIFY}", {"closed", "reply_timeout"}),
    "dovecot_pop": (behind.POP, "type: pop", {"closed", "reply_timeout"}),
    "postfix": (behind.SMTP, "type: smtp", {"closed", "reply_timeout", "error_reply"}),
    "postfix_tls": (behind.SMTPS, f"type: smtps, {VERIFY}", {"closed", "tls", "reply_timeout"}),
    "postfix_starttls": (behind.SUBMISSION, f"type: submission, {VERIFY}", {"closed", "reply_timeout", "error_reply"}),
    "postscreen": (behind.POSTSCREEN, "type: smtp", {"closed", "reply_timeout", "error_reply"}),
}


def config() -> str:
    lines = ["defaults: {check: {interval: 10s, timeout: 8s, fall: 1}}", "services:"]  # a slow machine keeps up
    for number, (name, (port, check, _)) in enumerate(STRICT.items()):
        for version in range(3):
            said = f", proxy_protocol: {version}" if version else ""
            virtual, real = ("[2001:db8::100]", RS1_6) if name.endswith("_six") else (VIP, RS1)
            lines.append(
                f"  {name}_{version}: {{virtual: '{virtual}:{1000 * (1 + version) + number}',"
                f" check: {{{check}, port: {port}{said}}}, real_servers: ['{real}']}}"
            )
    return "\n".join(lines) + "\n"


PLAIN = f"port: {behind.PLAIN}"
NTP = f"type: ntp, port: {clock.PORT}"
DIALS = {
    # name: real server, check, result, who nginx saw
    "page": (RS1, f"type: http, {PLAIN}", "ok", LB),
    "source": (RS1, f"type: http, {PLAIN}, source: {SOURCE}", "ok", SOURCE),
    "source_six": (RS1_6, f"type: http, {PLAIN}, source: '{SOURCE6}'", "ok", SOURCE6),
    "source_nobody": (RS1, f"type: http, {PLAIN}, source: 192.0.2.99", "inconclusive", ""),
    "mark": (RS1, f"type: http, {PLAIN}, mark: {MARK}", "ok", MARKED),
    "mark_six": (RS1_6, f"type: http, {PLAIN}, mark: {MARK}", "ok", MARKED6),
    "mark_nowhere": (RS1, f"type: http, {PLAIN}, mark: {NOWHERE}", "inconclusive", ""),
    "time": (RS1, f"{NTP}, source: {SOURCE}", "ok", ""),
    "time_unanswered": (RS1, f"{NTP}, source: {UNANSWERED}", "reply_timeout", ""),
    "time_nowhere": (RS1, f"{NTP}, mark: {NOWHERE}", "inconclusive", ""),
    "ping": (RS1, f"type: ping, source: {SOURCE}, mark: {MARK}", "ok", ""),
    "ping_unanswered": (RS1, f"type: ping, source: {UNANSWERED}", "reply_timeout", ""),
    "ping_nowhere": (RS1, f"type: ping, mark: {NOWHERE}", "inconclusive", ""),
    "ping_nobody": (RS1, "type: ping, source: 192.0.2.99", "inconclusive", ""),
    "ping_six": (RS1_6, f"type: ping, source: '{SOURCE6}', mark: {MARK}", "ok", ""),
    "ping_six_unanswered": (RS1_6, f"type: ping, source: '{UNANSWERED6}'", "reply_timeout", ""),
    "ping_six_nowhere": (RS1_6, f"type: ping, mark: {NOWHERE}", "inconclusive", ""),
}
ROUTES = {
    "lb1": (
        f"rule add fwmark {MARK} lookup 100",
        f"rule add fwmark {NOWHERE} lookup 101",
        f"route add {RS1}/32 dev eth0 src {MARKED} table 100",
        "route add unreachable default table 101",
        f"-6 rule add fwmark {MARK} lookup 100",
        f"-6 rule add fwmark {NOWHERE} lookup 101",
        f"-6 route add {RS1_6}/128 dev eth0 src {MARKED6} table 100",
        "-6 route add unreachable default table 101",
    ),
    "rs1": (f"route add blackhole {UNANSWERED}/32", f"-6 route add blackhole {UNANSWERED6}/128"),
}
"""Marked packets leave with another address, or nowhere; and to one address nobody answers."""


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(LAN) as running:
        certificates.lay_authority(running)
        certificates.lay_certificate(running["rs1"])
        for daemon in (behind.Nginx(), behind.Dovecot(), behind.Postfix(), behind.Haproxy(), clock.Chrony()):
            running["rs1"].start(daemon)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def results(balancer: Balancer) -> dict[str, str]:
    return {name.split()[0]: result for name, result in balancer.results().items()}


def words(balancer: Balancer) -> dict[str, str]:
    return {service.name: real.detail for service in balancer.status().services for real in service.real_servers}


def test_who_stands_behind_a_proxy_is_healthy_with_the_header_and_not_without(world: World, balancer: Balancer) -> None:
    """Each is seen so once, and no other way round ever; that all are in time at one moment is no claim of this."""
    missing = {
        f"{name}_{version}": {"ok"} if version else bad for name, (*_, bad) in STRICT.items() for version in range(3)
    }

    def seen() -> bool:
        found = results(balancer)
        assert {name for name in STRICT if found[f"{name}_0"] == "ok"} == set()
        for name in [name for name, expected in missing.items() if found[name] in expected]:
            del missing[name]
        return not missing

    try:
        wait_until(seen, 40, "every result")
    except AssertionError as error:
        found, told = results(balancer), words(balancer)
        log = world["rs1"].read("/var/log/mail.log")[-3000:]
        raise AssertionError(f"{error}\n{ {name: (found[name], told[name]) for name in missing} }\n{log}") from error


def test_the_servers_see_the_balancer_and_no_client(world: World, balancer: Balancer) -> None:
    """Version 1 says that the balancer comes for itself; version 2 names nobody."""
    wait_until(
        lambda: (
            {"nginx_1", "nginx_2", "nginx_six_1", "nginx_six_2"}
            <= {name for name, found in results(balancer).items() if found == "ok"}
        ),
        40,
        "ok",
    )

    def seen() -> set[str]:
        return {line for line in world["rs1"].read(behind.ACCESS).splitlines() if line.endswith(f"{behind.HTTP} /")}

    expected = {
        f'{LB} "{LB}" {behind.HTTP} /',
        f'{LB} "-" {behind.HTTP} /',
        f'{LB6} "{LB6}" {behind.HTTP} /',
        f'{LB6} "-" {behind.HTTP} /',
    }
    wait_until(lambda: seen() >= expected, 10, f"nginx writes that down once it has answered: {expected}")


def test_no_check_is_a_fault_to_the_mail_server(world: World, balancer: Balancer) -> None:
    wait_until(lambda: results(balancer)["postscreen_2"] == "ok", 40, "probed")
    log = world["rs1"].read("/var/log/mail.log")
    assert "fatal" not in log
    assert "panic" not in log


def dials() -> str:
    lines = ["defaults: {check: {interval: 1s, timeout: 800ms, fall: 1}}", "services:"]
    for number, (name, (real, check, *_)) in enumerate(DIALS.items(), 1):
        virtual = f"[2001:db8::100]:{number}" if ":" in real else f"{VIP}:{number}"
        said = check.replace("type: http", f"type: http, path: /{name}")
        lines.append(f"  {name}: {{virtual: '{virtual}', check: {{{said}}}, real_servers: ['{real}']}}")
    return "\n".join(lines) + "\n"


def test_packets_come_from_where_and_with_the_mark_that_is_asked_for(world: World, balancer: Balancer) -> None:
    for name, lines in ROUTES.items():
        for line in lines:
            world[name].run(["ip", *line.split()])
    balancer.configure(dials())
    balancer.reload()
    expected = {name: result for name, (_, _, result, _) in DIALS.items()}
    try:
        wait_until(lambda: results(balancer) == expected, 30, "every result")
    except AssertionError as error:
        found = {name: (result, expected[name]) for name, result in results(balancer).items()}
        raise AssertionError(f"{error}\n{found}\n{words(balancer)}") from error

    def seen() -> set[tuple[str, str]]:
        return set(re.findall(r'(?m)^(\S+) "-" [0-9]+ /([a-z_]+)$', world["rs1"].read(behind.ACCESS)))

    known = {(who, name) for name, (*_, who) in DIALS.items() if who}
    wait_until(lambda: seen() >= known, 10, f"nginx writes that down once it has answered: {known}")
    assert seen() == known
    assert words(balancer)["source_nobody"] == "cannot leave from 192.0.2.99: Cannot assign requested address"
