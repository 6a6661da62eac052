"""lvsd beside lvsd: hand-overs that wait for no timer, routers that were frozen or crashed, delays, announcements."""

from __future__ import annotations

import signal
from collections.abc import Iterator
from contextlib import ExitStack

import msgspec
import pytest

from config.model import GratuitousArp, VirtualAddress, VrrpInstance
from lvsd.vrrp.frames import announcement
from lvsd.vrrp.messages import Cause, Role
from tests.lab.vrrp_pairings import HIGH, LOW, PEERS, TOPOLOGY
from tests.lab.vrrp_scene import TAKE_OVER_SECONDS, Balancer, addresses_of, becomes, capture
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

EXTRA = "1.1.1.190"
CALM_SECONDS = 0.9  # less than a second, and yet a machine that stands still for one is taken for dead by nobody
FAST_SECONDS = 0.2  # of one that is alone
DELAY_SECONDS = 5.0  # longer than a router waits that does not delay
LONG_SECONDS = 5.0  # whoever waits for a skew time of this is seen to
SKEW_OF_THE_LOWEST = 255 / 256  # of an interval


class Pair:
    """Two balancers of one world."""

    def __init__(self, world: World, stack: ExitStack) -> None:
        self.world, self.stack = world, stack

    def balancer(self, name: str, *configs: VrrpInstance) -> Balancer:
        made = Balancer(self.world[name], *configs)
        self.stack.callback(made.director.close)
        self.stack.callback(self._end, made)
        made.start()
        return made

    @staticmethod
    def _end(balancer: Balancer) -> None:
        if balancer.process is not None:
            balancer.send(signal.SIGCONT)
            balancer.end()


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(TOPOLOGY) as made:
        for name in ("lb1", "lb2"):
            host = made[name]
            _await_addresses(host)
        yield made


def _await_addresses(host: LiveHost) -> None:
    wait_until(lambda: "tentative" not in host.run(["ip", "addr"]).stdout, TAKE_OVER_SECONDS, "addresses")


@pytest.fixture
def pair(world: World) -> Iterator[Pair]:
    with ExitStack() as stack:
        yield Pair(world, stack)


def router(
    name: str, number: int, priority: int, *, version: int = 3, ipv6: bool = False, interval: float = CALM_SECONDS
) -> VrrpInstance:
    address = f"2001:db8:1::{0x200 + number:x}" if ipv6 else f"1.1.1.{200 + number}"
    return VrrpInstance(
        name=name,
        interface="eth0",
        virtual_router_id=number,
        priority=priority,
        version=version,
        addresses=(VirtualAddress(address, 64 if ipv6 else 24, "eth0"),),
        advertisement_interval=1.0 if version == 2 else interval,
    )


def every_kind(side: int) -> tuple[VrrpInstance, ...]:
    """Side 0 leads. The lowest priority of all waits longest where nobody tells it."""
    priority = (HIGH, 1)[side]
    change = msgspec.structs.replace
    unicast = {"unicast_peers": (PEERS["eth0", True][1 - side],), "source": PEERS["eth0", True][side]}
    grown = router("grown", 5, priority)
    more = (*grown.addresses, VirtualAddress(EXTRA, 24, "eth0"))
    return (
        router("seconds", 1, priority, version=2),
        router("fast", 2, priority),
        router("ipv6", 3, priority, ipv6=True),
        change(router("unicast6", 4, priority, ipv6=True), **unicast),
        change(grown, addresses=more if side == 0 else grown.addresses),
        change(router("rfc", 6, priority), rfc_checksum=side == 0),
        router("owner", 7, (255, 1)[side], interval=LONG_SECONDS),
        change(router("public", 8, priority), sync_group="both"),
        change(
            router("private", 9, priority),
            sync_group="both",
            interface="eth1",
            addresses=(VirtualAddress("10.9.9.209", 24, "eth1"),),
        ),
    )


NAMES = tuple(one.name for one in every_kind(0))


def all_are(balancer: Balancer, role: Role) -> None:
    for name in NAMES:
        balancer.wait(role, name=name)


def test_the_leaver_tells_its_successor_whatever_they_speak(pair: Pair) -> None:
    lb1, lb2 = pair.balancer("lb1", *every_kind(0)), pair.balancer("lb2", *every_kind(1))
    all_are(lb1, Role.ACTIVE)
    all_are(lb2, Role.BACKUP)
    becomes(lambda: all(lb1.status(name).standbys for name in NAMES), "lb1 knows who stands by")
    lb1.end()
    all_are(lb2, Role.ACTIVE)
    for name in NAMES:
        left, came = lb1.status(name), lb2.status(name)
        grouped = name in {"public", "private"}
        assert came.cause in ({Cause.HANDED_OVER, Cause.ACTIVE_ROUTER_LEFT} if grouped else {Cause.HANDED_OVER}), name
        if name == "owner":
            assert came.since - left.since < SKEW_OF_THE_LOWEST * LONG_SECONDS
    lb1.start()
    all_are(lb1, Role.ACTIVE)
    all_are(lb2, Role.BACKUP)
    becomes(lambda: not addresses_of(lb1.host) & addresses_of(lb2.host) - {"127.0.0.1", "::1"}, "one holds each")
    for balancer in (lb1, lb2):
        for name in NAMES:
            assert set(balancer.status(name).dropped) <= ({"address_list"} if name == "grown" else set()), name


def test_an_address_that_one_side_has_first_does_not_make_two_active(pair: Pair) -> None:
    grown = router("grown", 5, HIGH)
    lb1, lb2 = pair.balancer("lb1", grown), pair.balancer("lb2", msgspec.structs.replace(grown, priority=LOW))
    lb1.wait(Role.ACTIVE, name="grown")
    lb2.wait(Role.BACKUP, name="grown")
    before = lb2.status("grown").transitions
    more = msgspec.structs.replace(grown, addresses=(*grown.addresses, VirtualAddress(EXTRA, 24, "eth0")))
    lb1.director.configure(more)
    becomes(lambda: lb2.status("grown").dropped.get("address_list", 0) > 4, "lb2 hears nothing else for long enough")
    lb2.configure(msgspec.structs.replace(more, priority=LOW))
    assert (lb2.status("grown").role, lb2.status("grown").transitions) == (Role.BACKUP, before)
    assert lb1.status("grown").role is Role.ACTIVE
    assert EXTRA in addresses_of(lb1.host)
    assert EXTRA not in addresses_of(lb2.host)


def patient(priority: int) -> tuple[VrrpInstance, ...]:
    """Who serves, serves."""
    kinds = (router("ipv4", 2, priority), router("ipv6", 3, priority, ipv6=True))
    return tuple(msgspec.structs.replace(one, preempt=False) for one in kinds)


def _serving(pair: Pair) -> tuple[Balancer, Balancer]:
    lb1 = pair.balancer("lb1", *patient(HIGH))
    for name in ("ipv4", "ipv6"):
        lb1.wait(Role.ACTIVE, name=name)
    lb2 = pair.balancer("lb2", *patient(LOW))
    for name in ("ipv4", "ipv6"):
        lb2.wait(Role.BACKUP, name=name)
    return lb1, lb2


def _comes_back_quietly(lb1: Balancer, lb2: Balancer, turns: list[int]) -> None:
    virtual = {one.addresses[0].address for one in patient(HIGH)}
    for name in ("ipv4", "ipv6"):
        lb1.wait(Role.BACKUP, Cause.OVERSLEPT, name=name)
    becomes(lambda: not virtual & addresses_of(lb1.host), "lb1 has let go")
    heard = lb1.status("ipv4").adverts_received
    becomes(lambda: lb1.status("ipv4").adverts_received > heard + 4, "longer than anybody waits")
    assert [lb2.status(name).transitions for name in ("ipv4", "ipv6")] == turns
    assert virtual <= addresses_of(lb2.host)


def test_a_frozen_router_that_wakes_disturbs_nobody(pair: Pair) -> None:
    lb1, lb2 = _serving(pair)
    lb1.send(signal.SIGSTOP)
    for name in ("ipv4", "ipv6"):
        lb2.wait(Role.ACTIVE, Cause.ACTIVE_ROUTER_SILENT, name=name)
    turns = [lb2.status(name).transitions for name in ("ipv4", "ipv6")]
    sent = lb2.status("ipv4").adverts_sent
    becomes(lambda: lb2.status("ipv4").adverts_sent > sent + 2, "lb2 serves for a while")
    lb1.send(signal.SIGCONT)
    _comes_back_quietly(lb1, lb2, turns)
    assert lb1.director.reports()[-1].lateness.maximum > CALM_SECONDS


def test_a_crashed_router_that_resumes_too_late_disturbs_nobody(pair: Pair) -> None:
    lb1, lb2 = _serving(pair)
    lb1.end(signal.SIGKILL)
    for name in ("ipv4", "ipv6"):
        lb2.wait(Role.ACTIVE, name=name)
    turns = [lb2.status(name).transitions for name in ("ipv4", "ipv6")]
    lb1.start("--restarted")
    _comes_back_quietly(lb1, lb2, turns)


def test_preemption_waits_for_its_delay(pair: Pair) -> None:
    calm = router("ipv4", 2, LOW)
    lb2 = pair.balancer("lb2", calm)
    lb2.wait(Role.ACTIVE, name="ipv4")
    lb1 = pair.balancer("lb1", msgspec.structs.replace(calm, priority=HIGH, preempt_delay=DELAY_SECONDS))
    lb1.wait(Role.BACKUP, name="ipv4")
    began = lb1.status("ipv4").since
    lb1.wait(Role.ACTIVE, name="ipv4")
    assert lb1.status("ipv4").since - began > DELAY_SECONDS
    lb2.wait(Role.BACKUP, Cause.HIGHER_PRIORITY, name="ipv4")


def test_announcements_are_repeated_and_refreshed_in_both_families(pair: Pair) -> None:
    loud = GratuitousArp(repeat=3, delay=0.5, refresh=2 * FAST_SECONDS)
    routers = [
        msgspec.structs.replace(one, gratuitous_arp=loud)
        for one in (
            router("ipv4", 2, HIGH, interval=FAST_SECONDS),
            router("ipv6", 3, HIGH, ipv6=True, interval=FAST_SECONDS),
        )
    ]
    frames = capture(pair.world["client"], "ether src 02:00:00:00:00:02 and (arp or icmp6)")
    lb1 = pair.balancer("lb1", *routers)
    names = [one.name for one in routers]
    for name in names:
        lb1.wait(Role.ACTIVE, name=name)
    begun = {name: lb1.status(name) for name in names}
    becomes(lambda: all(lb1.status(name).adverts_sent > begun[name].adverts_sent + 7 for name in names), "a while")
    lb1.end()
    mac = bytes.fromhex("020000000002")
    seen = frames()
    for one in routers:
        wanted = announcement(mac, one.addresses[0].address, router=False)
        times = sum(frame[: len(wanted)] == wanted for frame in seen)
        served = lb1.status(one.name).since - begun[one.name].since  # until it resigned
        assert 3 + 3 + 2 <= times <= 3 + 3 + served / loud.refresh, one.name
