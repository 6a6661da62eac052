"""The checks that speak in datagrams, against nsd, FreeRADIUS, Kamailio and hosts that answer, or do not answer, ICMP.
Every real server leaves with its daemon and comes back with it; all through lvsd as it runs.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from tests.lab.balancer import Balancer
from tests.lab.daemons import access, names, telephony
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import Daemon, World

NETWORK = "lan"
LB, SERVER, PINGED = "192.0.2.1", "192.0.2.11", "192.0.2.12"
SERVER6, PINGED6 = "2001:db8::11", "2001:db8::12"
NOBODY, NOBODY6 = "192.0.2.99", "2001:db8::99"
VIP, VIP6 = "192.0.2.100", "2001:db8::100"
UNLIMITED = (("net.ipv4.icmp_ratelimit", "0"), ("net.ipv6.icmp.ratelimit", "0"))
LAN = Topology(
    "datagrams",
    (Network(NETWORK, "192.0.2.0/24"),),
    tuple(
        Host(
            name,
            (Attachment(NETWORK, (f"{address}/24", f"2001:db8::{address.rpartition('.')[2]}/64")),),
            sysctls=UNLIMITED,  # a dozen checks of one dead daemon are more than Linux answers by itself
        )
        for name, address in (("lb1", LB), ("rs1", SERVER), ("rs2", PINGED))
    ),
)
ACCOUNT = f"type: radius, login: {access.LOGIN[0]}, password: {access.LOGIN[1]}, secret: {access.SECRET}"
CHECKS = {
    # name: real server, port, check, result
    "dns": (SERVER, 53, f"type: dns, name: {names.ZONE}", "ok"),
    "dns_tcp": (SERVER, 53, f"type: dns, name: {names.ZONE}, transport: tcp", "ok"),
    "dns_alias": (
        SERVER,
        53,
        f"type: dns, name: www.{names.ZONE}, record: A, receive_regex: '^{names.ADDRESS}$'",
        "ok",
    ),
    "dns_six": (SERVER6, 53, f"type: dns, name: {names.ZONE}", "ok"),
    "dns_many_tcp": (SERVER, 53, f"type: dns, name: many.{names.ZONE}, record: TXT, receive: x9, transport: tcp", "ok"),
    "dns_many": (SERVER, 53, f"type: dns, name: many.{names.ZONE}, record: TXT, receive: x9", "no_match"),
    "dns_no_name": (SERVER, 53, f"type: dns, name: none.{names.ZONE}, record: A", "status"),
    "dns_no_record": (SERVER, 53, f"type: dns, name: {names.ZONE}, record: MX", "no_match"),
    "dns_other_zone": (SERVER, 53, "type: dns", "status"),
    "radius": (SERVER, access.PORT, ACCOUNT, "ok"),
    "radius_rejected": (SERVER, access.PORT, ACCOUNT.replace(access.LOGIN[1], "wrong"), "login_refused"),
    "radius_other_secret": (SERVER, access.PORT, ACCOUNT.replace(access.SECRET, "another"), "reply_timeout"),
    "sip": (SERVER, telephony.PORT, "type: sip", "ok"),
    "sip_tcp": (SERVER, telephony.PORT, "type: sip, user: lvsd@example.net, transport: tcp", "ok"),
    "sip_nobody": (SERVER, telephony.PORT, "type: sip, user: nobody", "status"),
    "udp_closed": (SERVER, 9, "type: udp, send: hello", "refused"),
    "udp_closed_six": (SERVER6, 9, "type: udp, send: hello", "refused"),
    "udp_silent": (SERVER, telephony.PORT, "type: udp, send: hello", "ok"),
    "udp_reply": (
        SERVER,
        53,
        "type: udp, send_hex: '1234000000010000000000000000060001', reply_hex: 12 34 8x, reply_length: '12-512'",
        "ok",
    ),
    "udp_no_host": (NOBODY, 9, "type: udp, send: hello, timeout: 6s", "unreachable"),
    "ping": (PINGED, 0, "type: ping", "ok"),
    "ping_six": (PINGED6, 0, "type: ping, count: 2", "ok"),
    "ping_nobody": (NOBODY, 0, "type: ping", "reply_timeout"),
    "ping_nobody_six": (NOBODY6, 0, "type: ping, count: 3", "reply_timeout"),
    "simpletcp": (SERVER, telephony.PORT, 'type: simpletcp, send: "hello\\r\\n\\r\\n"', "closed"),
}
DAEMONS: dict[Daemon, tuple[str, ...]] = {
    names.Nsd(): ("dns", "dns_tcp", "dns_alias", "dns_six", "udp_reply"),
    access.Freeradius(): ("radius",),
    telephony.Kamailio(): ("sip", "sip_tcp", "udp_silent"),
}


def config() -> str:
    lines = ["defaults: {check: {interval: 2s, timeout: 1500ms, fall: 2, fast_interval: 500ms}}", "services:"]
    for number, (name, (real, port, check, _)) in enumerate(CHECKS.items(), 1000):
        virtual = f"[{VIP6}]:{number}" if ":" in real else f"{VIP}:{number}"
        dialled = f"{check}, port: {port}" if port else check
        lines.append(f"  {name}: {{virtual: '{virtual}', check: {{{dialled}}}, real_servers: ['{real}']}}")
    return "\n".join(lines) + "\n"


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(LAN) as running:
        for daemon in DAEMONS:
            running["rs1"].start(daemon)
        yield running


@pytest.fixture(scope="module")
def balancer(world: World) -> Iterator[Balancer]:
    running = Balancer(world["lb1"], config()).start()
    yield running
    assert running.stop() == 0


def results(balancer: Balancer) -> dict[str, str]:
    """Service -> result of its one real server's last probe."""
    return {real.partition(" ")[0]: result for real, result in balancer.results().items()}


def until(balancer: Balancer, what: str, wanted: dict[str, str], seconds: float = 40) -> None:
    def differing() -> dict[str, str]:
        found = results(balancer)
        return {name: found[name] for name, result in wanted.items() if found[name] != result}

    try:
        wait_until(lambda: not differing(), seconds, what)
    except AssertionError as error:
        raise AssertionError(f"{error}: {differing()}\n{balancer.log()[-2000:]}") from error


def test_each_check_finds_what_is_there(balancer: Balancer) -> None:
    """Not all of them at once: those that look for nobody hear of it together, now in time and now too late."""
    missing = {name: result for name, (_, _, _, result) in CHECKS.items()}

    def all_were() -> bool:
        for name, result in results(balancer).items():
            if missing.get(name) == result:
                del missing[name]
        return not missing

    try:
        wait_until(all_were, 40, "every result")
    except AssertionError as error:
        found = {name: (results(balancer)[name], result) for name, result in missing.items()}
        raise AssertionError(f"{error}\n(found, expected): {found}\n{balancer.log()[-2000:]}") from error
    bad = {name for name, (*_, result) in CHECKS.items() if result != "ok"}
    wait_until(lambda: out(balancer) == bad, 40, "who is out")


def out(balancer: Balancer) -> set[str]:
    return {real.partition(" ")[0] for real, standing in balancer.standings().items() if standing == "out"}


@pytest.mark.parametrize("daemon", DAEMONS, ids=lambda daemon: daemon.name)
def test_real_servers_leave_with_their_daemon_and_come_back(world: World, balancer: Balancer, daemon: Daemon) -> None:
    ours = DAEMONS[daemon]
    until(balancer, "they serve", dict.fromkeys(ours, "ok"))
    world["rs1"].stop(daemon)
    until(balancer, "they are refused", dict.fromkeys(ours, "refused"))
    wait_until(lambda: {standing(balancer, name) for name in ours} == {"out"}, 20, "they are out")
    world["rs1"].start(daemon)
    until(balancer, "they are back", dict.fromkeys(ours, "ok"))
    wait_until(lambda: {standing(balancer, name) for name in ours} == {"serving"}, 20, "they serve again")


def test_a_host_that_falls_silent_leaves_and_comes_back(world: World, balancer: Balancer) -> None:
    ours = ("ping", "ping_six")
    until(balancer, "it answers", dict.fromkeys(ours, "ok"))
    world["rs2"].link_down(NETWORK)
    wait_until(lambda: {standing(balancer, name) for name in ours} == {"out"}, 30, "it is out")
    reasons = {"reply_timeout", "unreachable"}
    wait_until(lambda: {results(balancer)[name] for name in ours} <= reasons, 30, "why")  # of each probe, also later
    world["rs2"].link_up(NETWORK)
    wait_until(lambda: {standing(balancer, name) for name in ours} == {"serving"}, 30, "it serves again")


def standing(balancer: Balancer, name: str) -> str:
    [found] = [standing for real, standing in balancer.standings().items() if real.startswith(f"{name} ")]
    return found


def test_the_worker_pings_without_a_capability_and_leaves_the_kernels_setting(world: World, balancer: Balancer) -> None:
    pid = balancer.pid("checker")
    status = world["lb1"].read(f"/proc/{pid}/status")
    fields = dict(line.split(":\t", 1) for line in status.splitlines() if ":\t" in line)
    assert {fields[name] for name in ("CapPrm", "CapEff", "CapBnd", "CapAmb")} == {"0000000000000000"}
    assert "0" not in fields["Uid"].split()
    assert world["lb1"].read("/proc/sys/net/ipv4/ping_group_range").split() == ["1", "0"]
    assert set(_socket_types(world, pid)) >= {"ICMP", "ICMPv6"}


def _socket_types(world: World, pid: int) -> list[str]:
    """What /proc/net lists of the sockets that the process holds."""

    def look() -> list[str]:
        held = set()
        for entry in Path(f"/proc/{pid}/fd").iterdir():
            with suppress(FileNotFoundError):  # of a probe that ended meanwhile
                held.add(os.fspath(entry.readlink()))
        tables = {"ICMP": "/proc/1/net/icmp", "ICMPv6": "/proc/1/net/icmp6", "raw": "/proc/1/net/raw"}
        return [
            name
            for name, table in tables.items()
            for line in Path(table).read_text().splitlines()[1:]
            if f"socket:[{line.split()[9]}]" in held
        ]

    return world["lb1"].call(look)
