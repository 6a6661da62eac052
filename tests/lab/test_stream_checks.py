"""The checks that speak over streams against the daemons they are made for: slapd, PostgreSQL, vsftpd, leafnode,
tinyproxy before nginx. Every real server leaves with its daemon and comes back with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import certificates, directory, files, news, postgresql, proxy, web
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import Daemon, World

RS1 = "192.0.2.11"
DEAD = "192.0.2.11:9"
VERIFY = f"verify: true, ca_file: {certificates.CA}"
LDAP_LOGIN = f"login: '{directory.LOGIN[0]}', password: {directory.LOGIN[1]}"
BASE = f"base: '{directory.BASE}'"
DIGEST = "59ef6fa3b6840a14eb240ddd9d2614a1"
OVER_TLS = "SELECT CASE WHEN ssl THEN 'secured' ELSE 'clear' END FROM pg_stat_ssl WHERE pid = pg_backend_pid()"


def pgsql(user: str, query: str = "SELECT words FROM health", password: str = postgresql.PASSWORD) -> str:
    return f'type: pgsql, login: {user}, password: {password}, database: {postgresql.DATABASE}, query: "{query}"'


CHECKS = {
    # name: port, check, result
    "ldap": (389, "type: ldap", "ok"),
    "ldap_entry": (389, f"type: ldap, {LDAP_LOGIN}, {BASE}, receive_regex: ^dc=example", "ok"),
    "ldap_root": (389, "type: ldap, base: ''", "ok"),
    "ldap_starttls": (389, f"type: ldap, starttls: true, {VERIFY}, {LDAP_LOGIN}", "ok"),
    "ldaps": (636, f"type: ldaps, {VERIFY}, {BASE}", "ok"),
    "ldap_wrong_password": (389, f"type: ldap, login: '{directory.LOGIN[0]}', password: wrong", "login_refused"),
    "ldap_no_entry": (389, "type: ldap, base: 'ou=nobody,dc=example,dc=net'", "no_row"),
    "ldap_other_entry": (389, f"type: ldap, {BASE}, receive: another", "no_match"),
    "ldaps_certificate": (636, f"type: ldaps, {VERIFY}, sni: another.example.net", "certificate"),
    "pgsql_scram": (5432, f"{pgsql(postgresql.SCRAM)}, receive: all is well", "ok"),
    "pgsql_md5": (5432, pgsql(postgresql.MD5), "ok"),
    "pgsql_clear": (5432, pgsql(postgresql.CLEAR), "ok"),
    "pgsql_in_clear": (5432, f"{pgsql(postgresql.SCRAM, OVER_TLS)}, receive: clear", "ok"),
    "pgsql_wrong_password": (5432, pgsql(postgresql.SCRAM, password="wrong"), "login_refused"),
    "pgsql_wrong_md5": (5432, pgsql(postgresql.MD5, password="wrong"), "login_refused"),
    "pgsql_no_database": (5432, pgsql(postgresql.SCRAM).replace("monitoring", "nowhere"), "login_refused"),
    "pgsql_no_table": (5432, pgsql(postgresql.SCRAM, "SELECT * FROM nowhere"), "query_failed"),
    "pgsql_no_row": (5432, pgsql(postgresql.SCRAM, "SELECT * FROM nothing"), "no_row"),
    "pgsql_many_rows": (
        5432,
        pgsql(postgresql.SCRAM, "SELECT repeat('x', 1000) FROM generate_series(1, 100000)"),
        "ok",
    ),
    "pgsql_slow": (5432, f"{pgsql(postgresql.SCRAM, 'SELECT pg_sleep(60)')}, timeout: 6s", "reply_timeout"),
    "ftp": (21, "type: ftp", "ok"),
    "ftp_file": (21, f"type: ftp, path: {files.FILE}, receive: ldirectord", "ok"),
    "ftp_no_file": (21, "type: ftp, path: nothing.txt", "status"),
    "ftp_other_file": (21, f"type: ftp, path: {files.FILE}, receive: another", "no_match"),
    "ftp_no_login": (21, "type: ftp, login: monitor, password: wrong", "login_refused"),
    "nntp": (119, "type: nntp", "ok"),
    "nntp_of_ftp": (21, "type: nntp", "garbled"),
    "proxy": (8888, f"type: http_proxy, url: 'http://{RS1}/ldirectord.txt', receive: ldirectord", "ok"),
    "proxy_to_nobody": (8888, f"type: http_proxy, url: 'http://{DEAD}/'", "status"),
    "digest": (80, f"type: http, path: /ldirectord.txt, digest: {DIGEST}", "ok"),
    "digest_of_another": (80, f"type: http, path: /index.html, digest: {DIGEST}", "no_match"),
    "dynamic": (80, "type: external, dynamic_weight: true, command: [/bin/sh, -c, 'exit 9']", "ok"),
}
DAEMONS: dict[int, Daemon] = {
    389: directory.Slapd(),
    5432: postgresql.Postgresql(tls=True),
    21: files.Vsftpd(),
    119: news.Leafnode(),
    8888: proxy.Tinyproxy(),
}


def config() -> str:
    lines = ["defaults: {check: {interval: 3s, timeout: 20s, fall: 2, fast_interval: 1s, connects: 0}}", "services:"]
    for number, (name, (port, check, _)) in enumerate(CHECKS.items(), 1000):
        lines.append(
            f"  {name}: {{virtual: '{VIP}:{number}', check: {{{check}, port: {port}}}, real_servers: [{RS1}]}}"
        )
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(PAIR) as running:
        certificates.lay_authority(running)
        certificates.lay_certificate(running["rs1"])
        for daemon in (web.Nginx(), *DAEMONS.values()):
            running["rs1"].start(postgresql.Postgresql() if daemon.name == "postgresql" else daemon)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def results(balancer: Balancer) -> dict[str, str]:
    return {name.split()[0]: result for name, result in balancer.results().items()}


def standings(balancer: Balancer, port: int) -> set[str]:
    """Of all real servers that a good check at this port looks at."""
    good = {name for name, (probed, _, result) in CHECKS.items() if probed == port and result == "ok"}
    return {standing for name, standing in balancer.standings().items() if name.split()[0] in good}


def test_every_check_finds_what_is_there(balancer: Balancer) -> None:
    """Not all of them at once: for all these processes together a slow machine is too slow."""
    missing = {name: result for name, (_, _, result) in CHECKS.items()}

    def all_were() -> bool:
        for name, result in results(balancer).items():
            if missing.get(name) == result:
                del missing[name]
        return not missing

    def out() -> set[str]:
        return {name.split()[0] for name, standing in balancer.standings().items() if standing == "out"}

    try:
        wait_until(all_were, 40, "every result")
    except AssertionError as error:
        found = {name: (results(balancer)[name], result) for name, result in missing.items()}
        raise AssertionError(f"{error}\n(found, expected): {found}\n{balancer.log()}") from error
    wait_until(lambda: out() == {name for name, (*_, result) in CHECKS.items() if result != "ok"}, 40, "who is out")


def test_a_command_sets_the_weight(balancer: Balancer) -> None:
    number = 1000 + list(CHECKS).index("dynamic")
    balancer.until("the weight asked for", {RS1: 7}, number)


def probes(balancer: Balancer, name: str) -> int:
    """How often that service's one real server was probed."""
    [real] = next(one for one in balancer.status().services if one.name == name).real_servers
    return real.probes


def test_no_check_leaves_a_query_running(world: World, balancer: Balancer) -> None:
    """A query that was left would sleep for a minute, and the others beside it."""
    wait_until(lambda: probes(balancer, "pgsql_slow") >= 3, 60, "the slow query, some times")
    sleeping = "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'"
    # one runs, and one may be left by a checker that stood still; if all were left there were six or seven
    wait_until(lambda: int(postgresql.query(world["rs1"], sleeping)) <= 2, 20, "no more than two sleep")


@pytest.mark.parametrize("port", DAEMONS)
def test_a_real_server_leaves_with_its_daemon_and_comes_back(world: World, balancer: Balancer, port: int) -> None:
    wait_until(lambda: standings(balancer, port) == {"serving"}, 30, "serving")
    daemon = DAEMONS[port]
    world["rs1"].stop(daemon)
    wait_until(lambda: standings(balancer, port) == {"out"}, 30, "out")
    world["rs1"].start(daemon)
    if daemon.name == "postgresql":  # it offers TLS now, which is taken, and so one check finds another answer
        wait_until(lambda: results(balancer)["pgsql_in_clear"] == "no_match", 30, "TLS")
        wait_until(lambda: results(balancer)["pgsql_scram"] == "ok", 30, "back")
    else:
        wait_until(lambda: standings(balancer, port) == {"serving"}, 30, "back")
