"""Every kind of check against the daemon it is made for, with logins, TLS verified, and no trace in MySQL's counts."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab import service
from tests.lab.balancer import Balancer
from tests.lab.cluster import CLUSTER, VIP
from tests.lab.daemons import certificates, mail, mariadb
from tests.lab.waiting import wait_until
from tests.lab.world import World

MAIL = "[1.1.1.17, 1.1.1.18]"
LOGIN = f"login: {mail.USER[0]}, password: {mail.USER[1]}"
VERIFY = f"verify: true, ca_file: {certificates.CA}"
MONITOR = f"login: {mariadb.MONITOR[0]}, password: {mariadb.MONITOR[1]}"
SELECT = 'query: "SELECT * FROM monitoring.monitoring"'
CHECKS = {
    80: "type: http, path: /ldirectord.txt, receive_regex: '^ldirector[d]'",
    443: f"type: https, path: /ldirectord.txt, receive: ldirectord, sni: lb0.example.net, {VERIFY}",
    143: f"type: imap, starttls: true, {LOGIN}",
    993: f"type: imaps, {LOGIN}, sni: lb0.example.net, {VERIFY}",
    110: f"type: pop, starttls: true, {LOGIN}",
    995: f"type: pops, {LOGIN}",
    25: "type: smtp",
    465: f"type: smtps, {LOGIN}",
    587: f"type: submission, {LOGIN}, sni: lb0.example.net, {VERIFY}",
}
COUNTS = "SHOW GLOBAL STATUS WHERE Variable_name IN ('Aborted_clients', 'Aborted_connects', 'Connections')"


def config(changes: dict[str, str] | None = None) -> str:
    lines = ["defaults: {check: {interval: 2s, timeout: 5s, fall: 2}}", "services:"]
    for port, check in CHECKS.items():
        lines.append(f"  p{port}: {{virtual: '{VIP}:{port}', check: {{{check}}}, real_servers: {MAIL}}}")
    mysql = f"type: mysql, {MONITOR}, {SELECT}, receive: X, galera: synced"
    lines.append(f"  mysql: {{virtual: '{VIP}:3306', check: {{{mysql}}}, real_servers: [1.1.1.15, 1.1.1.16]}}")
    text = "\n".join(lines) + "\n"
    for before, after in (changes or {}).items():
        assert before in text
        text = text.replace(before, after)
    return text


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(CLUSTER) as running:
        service.up(running)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def serves(balancer: Balancer) -> bool:
    """Every one, and by its last probe: one that failed once serves on until it failed twice."""
    real_servers = [real for service in balancer.status().services for real in service.real_servers]
    return len(real_servers) == 2 * (len(CHECKS) + 1) and {(one.standing, one.result) for one in real_servers} == {
        ("serving", "ok")
    }


def test_every_check_passes_on_the_daemon_it_is_made_for(balancer: Balancer) -> None:
    try:
        wait_until(lambda: serves(balancer), 120, "all serve")
    finally:
        print(balancer.results())


def counts(world: World, name: str) -> dict[str, int]:
    command = ["mariadb", f"--defaults-file={mariadb.SETTINGS}", "-BN", "-e", COUNTS]
    return {word: int(number) for word, number in map(str.split, world[name].run(command).stdout.splitlines())}


def test_mysql_counts_no_check_as_an_aborted_connection(world: World, balancer: Balancer) -> None:
    def probes() -> int:
        services = {one.name: one.real_servers for one in balancer.status().services}
        return min(real.probes for real in services["mysql"])

    before, told = counts(world, "db1"), probes()
    wait_until(lambda: probes() > told + 3, 60, "some checks")
    after = counts(world, "db1")
    assert after["Connections"] > before["Connections"] + 3  # ours is one: the checks are in there
    assert (after["Aborted_clients"], after["Aborted_connects"]) == (
        before["Aborted_clients"],
        before["Aborted_connects"],
    )


@pytest.mark.parametrize(
    ("change", "services", "reason"),
    [
        ({mail.USER[1]: "wrong"}, ("p143", "p993", "p110", "p995", "p465", "p587"), "login_refused"),
        ({"sni: lb0.example.net": "sni: another.example.net"}, ("p443", "p993", "p587"), "certificate"),
        ({"receive: X": "receive: Y", "receive: ldirectord": "receive: nothing"}, ("mysql", "p443"), "no_match"),
        ({SELECT: 'query: "SELECT * FROM monitoring.monitoring WHERE 1 = 0"'}, ("mysql",), "no_row"),
        ({"/ldirectord.txt": "/no-such-page"}, ("p80", "p443"), "status"),
        ({"type: smtps": "type: smtp, port: 465"}, ("p465",), "reply_timeout"),
        ({"type: pops": "type: imaps"}, ("p995",), "garbled"),
    ],
)
def test_what_is_wrong_is_named(
    balancer: Balancer, change: dict[str, str], services: tuple[str, ...], reason: str
) -> None:
    balancer.configure(config(change))
    assert balancer.reload().accepted
    try:
        wait_until(lambda: {_result(balancer, name) for name in services} == {reason}, 120, f"{services}: {reason}")
    except AssertionError as error:
        raise AssertionError(f"{error}; {balancer.results()}") from error
    finally:
        balancer.configure(config())
        assert balancer.reload().accepted


def _result(balancer: Balancer, name: str) -> str:
    return next(result for real, result in balancer.results().items() if real.startswith(f"{name} "))
