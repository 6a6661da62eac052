"""Redis and NTP checks against Redis 7 and chrony, through lvsd as it runs: each finds what is there, and a real server
leaves with its daemon and comes back with it.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import certificates, clock, store
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import Daemon, World

RS1 = "192.0.2.11"
LOGIN = f"login: {store.LOGIN[0]}, password: {store.LOGIN[1]}"
CHECKS = {
    # name: port, check, result
    "redis": (store.PORT, f"type: redis, password: {store.PASSWORD}", "ok"),
    "redis_account": (store.PORT, f"type: redis, {LOGIN}, role: master", "ok"),
    "rediss": (
        store.TLS_PORT,
        f"type: rediss, password: {store.PASSWORD}, role: master, verify: true, ca_file: {certificates.CA}",
        "ok",
    ),
    "redis_no_login": (store.PORT, "type: redis", "login_refused"),
    "redis_wrong_password": (store.PORT, "type: redis, password: wrong", "login_refused"),
    "redis_wrong_account": (store.PORT, f"type: redis, login: nobody, password: {store.PASSWORD}", "login_refused"),
    "redis_no_right": (store.PORT, f"type: redis, login: mute, password: {store.LOGIN[1]}", "login_refused"),
    "redis_password_nobody_asked_for": (
        store.REPLICA_PORT,
        f"type: redis, password: {store.PASSWORD}",
        "login_refused",
    ),
    "redis_replica": (store.REPLICA_PORT, "type: redis, role: slave", "ok"),
    "redis_no_master": (store.REPLICA_PORT, "type: redis, role: master", "not_ready"),
    "redis_orphan": (store.ORPHAN_PORT, "type: redis", "not_ready"),
    "redis_loading": (store.LOADING_PORT, "type: redis", "not_ready"),
    "redis_without_tls": (store.TLS_PORT, "type: redis", "closed"),
    "rediss_to_plain": (store.PORT, "type: rediss", "reply_timeout"),  # to Redis that is a line without end
    "ntp": (clock.PORT, "type: ntp", "ok"),
    "ntp_near_enough": (clock.PORT, f"type: ntp, stratum: {clock.STRATUM}", "ok"),
    "ntp_too_far": (clock.PORT, f"type: ntp, stratum: {clock.STRATUM - 1}", "not_ready"),
    "ntp_lost": (clock.LOST_PORT, "type: ntp", "not_ready"),
    "ntp_nobody": (124, "type: ntp", "refused"),
}
WORDS = {
    "redis_orphan": "MASTERDOWN ",
    "redis_loading": "LOADING ",
    "redis_no_login": "NOAUTH ",
    "redis_wrong_password": "WRONGPASS ",
    "redis_no_right": "NOPERM ",
    "redis_no_master": "its role is slave",
    "ntp_lost": "not synchronised (leap 3, stratum 0)",
    "ntp_too_far": "stratum 10, more than 9",
    "ntp": "stratum 10",
}
SERVING: dict[Daemon, tuple[str, ...]] = {
    store.Redis(): ("redis", "redis_account", "rediss"),
    clock.Chrony(): ("ntp", "ntp_near_enough"),
}


def config() -> str:
    lines = ["defaults: {check: {interval: 2s, timeout: 4s, fall: 2, fast_interval: 500ms}}", "services:"]
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
        # one port unreachable a second, as Linux has it, is less than three checks of nobody are to hear
        running["rs1"].run(["sysctl", "-qw", "net.ipv4.icmp_ratelimit=0"])
        for kind in store.SETTINGS:
            running["rs1"].start(store.Redis(kind))
        for daemon in (clock.Chrony(), clock.Chrony(lost=True)):
            running["rs1"].start(daemon)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def results(balancer: Balancer) -> dict[str, str]:
    return {name.split()[0]: result for name, result in balancer.results().items()}


def found(balancer: Balancer) -> dict[str, tuple[str, str]]:
    """Service -> result of its one real server's last probe, and its words."""
    return {
        service.name: (real.result, real.detail)
        for service in balancer.status().services
        for real in service.real_servers
    }


def test_every_check_finds_what_is_there(balancer: Balancer) -> None:
    """Not all of them at once: a probe in which the checker was held up finds nothing out."""
    missing = {name: (result, WORDS.get(name, "")) for name, (_, _, result) in CHECKS.items()}

    def all_were() -> bool:
        for name, (result, words) in found(balancer).items():
            if name in missing and result == missing[name][0] and words.startswith(missing[name][1]):
                del missing[name]
        return not missing

    try:
        wait_until(all_were, 40, "every result")
    except AssertionError as error:
        seen = {name: (found(balancer)[name], wanted) for name, wanted in missing.items()}
        raise AssertionError(f"{error}\n(found, expected): {seen}") from error
    bad = {name for name, (_, _, result) in CHECKS.items() if result != "ok"}
    wait_until(lambda: out(balancer) == bad, 40, "who is out")


def out(balancer: Balancer) -> set[str]:
    return {name.split()[0] for name, standing in balancer.standings().items() if standing == "out"}


@pytest.mark.parametrize("daemon", SERVING, ids=lambda daemon: daemon.name)
def test_a_real_server_leaves_with_its_daemon_and_comes_back(world: World, balancer: Balancer, daemon: Daemon) -> None:
    def standings() -> set[str]:
        return {standing for name, standing in balancer.standings().items() if name.split()[0] in SERVING[daemon]}

    wait_until(lambda: standings() == {"serving"}, 30, "serving")
    world["rs1"].stop(daemon)
    wait_until(lambda: standings() == {"out"}, 30, "out")
    wait_until(lambda: {results(balancer)[name] for name in SERVING[daemon]} == {"refused"}, 30, "refused")
    world["rs1"].start(daemon)
    wait_until(lambda: standings() == {"serving"}, 30, "back")


def test_redis_counts_no_check_as_an_error_and_keeps_no_client(world: World) -> None:
    """What it counts are the refusals that were asked for; a check that ends in order leaves no connection."""
    ask = ["redis-cli", "-p", str(store.PORT), "-a", store.PASSWORD, "--no-auth-warning"]
    wait_until(lambda: len(world["rs1"].run([*ask, "client", "list"]).stdout.splitlines()) <= 3, 20, "few clients")
