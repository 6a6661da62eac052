"""The syn engine against the kernel: what is open, closed, silent, forged, in a network namespace of its own."""

from __future__ import annotations

import asyncio
import contextlib
import select
import socket
from collections.abc import AsyncIterator, Callable, Iterator
from itertools import pairwise
from pathlib import Path

import msgspec
import pytest
from scapy.layers.inet import IP, TCP

from checkers.core.messages import AssignedCheck, State, Target, Verdict
from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from checkers.syn import channel as channel_module
from checkers.syn import engine as engine_module
from checkers.syn.asker import ANSWERED
from checkers.syn.watch import HURRY_SECONDS, SynWatch
from config.checks import Dial, SynCheck, Timing
from tests.unit.checkers.servers import NEVER
from tests.unit.syn.network import CAP_NET_RAW, NEEDS_ROOT, apart, do, filtered

pytestmark = NEEDS_ROOT

FAST = Timing(interval=0.1, timeout=0.1, rise=1, fall=2)
HOST, HOST6, SILENT = "10.77.0.1", "fd77::1", "10.78.0.9"
PORT = 80
PLAIN = Dial()


class World:
    """A watch and the news it gave."""

    def __init__(self, stalled: Callable[[], float] = lambda: 0.0) -> None:
        self.news: list[tuple[str, bool]] = []
        self.crashes: list[str] = []
        self.watch = SynWatch(
            lambda name, at_once: self.news.append((name, at_once)), lambda name, _: self.crashes.append(name), stalled
        )

    def verdict(self, name: str = "a") -> Verdict:
        verdict = self.watch.verdict(name)
        assert verdict is not None
        return verdict

    def assign(self, *checks: AssignedCheck) -> None:
        self.watch.assign(checks)

    async def outcome(self, name: str = "a", probes: int = 2) -> Healthy | Unhealthy | Inconclusive:
        """What is found, after some probes more."""
        before = self.verdict(name).probes
        await until(lambda: self.verdict(name).probes >= before + probes)
        return self.verdict(name).outcome


@contextlib.asynccontextmanager
async def a_world(stalled: Callable[[], float] = lambda: 0.0) -> AsyncIterator[World]:
    world = World(stalled)
    try:
        yield world
    finally:
        await world.watch.stop(1.0)
        assert world.crashes == []


async def until(condition: Callable[[], bool], seconds: float = 20) -> None:
    async with asyncio.timeout(seconds):
        while not condition():
            await asyncio.sleep(0.005)


def check(
    address: str = HOST,
    port: int = PORT,
    name: str = "a",
    timing: Timing = FAST,
    known: State = State.UNKNOWN,
    dial: Dial = PLAIN,
) -> AssignedCheck:
    return AssignedCheck(name, Target(address, port), SynCheck(), timing, known, dial=dial)


@contextlib.contextmanager
def listening(address: str, port: int = PORT) -> Iterator[socket.socket]:
    family = socket.AF_INET6 if ":" in address else socket.AF_INET
    with socket.create_server((address, port), family=family) as server:
        server.setblocking(False)
        yield server


def half_opened() -> int:
    """Connections in SYN_RECV."""
    tables = (Path(f"/proc/thread-self/net/{name}").read_text().splitlines()[1:] for name in ("tcp", "tcp6"))
    return sum(line.split()[3] == "03" for table in tables for line in table)


def resets() -> int:
    """How many this machine has sent."""
    rows = [line.split() for line in Path("/proc/thread-self/net/snmp").read_text().splitlines() if "Tcp:" in line]
    return int(rows[1][rows[0].index("OutRsts")])


def raw_sockets() -> int:
    """Of this network namespace, for IPv4."""
    return len(Path("/proc/thread-self/net/raw").read_text().splitlines()) - 1


def descriptors() -> set[tuple[str, str]]:
    """Those of this process, and what each is of: a number may be used again, a socket has a name of its own."""
    found = set()
    for one in list(Path("/proc/self/fd").iterdir()):
        with contextlib.suppress(FileNotFoundError):  # the directory's own
            found.add((one.name, str(one.readlink())))
    return found


@pytest.mark.parametrize("address", [HOST, HOST6, "127.0.0.1", "::1", "127.3.2.1"])
def test_an_open_port_is_up_and_no_connection_is_made(address: str) -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening(address) as server:
                world.assign(check(address))
                assert await world.outcome(probes=20) == ANSWERED
                assert world.verdict().state is State.UP
                assert world.verdict().failures == 0
                assert 0 < world.verdict().latency <= FAST.timeout  # later it is no answer
                assert resets() >= 20  # the kernel's, which knows of no such connection
                assert half_opened() == 0
                with pytest.raises(BlockingIOError):
                    server.accept()

    apart(work)


@pytest.mark.parametrize("address", [HOST, HOST6])
def test_a_closed_port_is_refused_and_an_opened_one_is_back(address: str) -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(address))
            outcome = await world.outcome()
            assert isinstance(outcome, Unhealthy)
            assert outcome.reason is Reason.REFUSED
            assert world.verdict().state is State.DOWN
            with listening(address):
                await until(lambda: world.verdict().state is State.UP)
            await until(lambda: world.verdict().state is State.DOWN)
            assert [told for _, told in world.news].count(True) >= 3

    apart(work)


def test_who_takes_over_goes_on_from_since_when_it_is_known() -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(msgspec.structs.replace(check(known=State.DOWN), since=12.5))
            await world.outcome()
            assert (world.verdict().state, world.verdict().since) == (State.DOWN, 12.5)

    apart(work)


@pytest.mark.parametrize("address", [SILENT, "10.77.0.1"])
def test_silence_is_a_timeout(address: str) -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(address))
            assert await world.outcome() == engine_module.SILENT
            assert world.verdict().latency > 0.9 * FAST.timeout  # it ends with the interval

    apart(work, *filtered(f"tcp dport {PORT} drop"))


@pytest.mark.parametrize(
    ("address", "kind", "words"),
    [
        (HOST, "icmp type admin-prohibited", "communication prohibited, says 10.77.0.1"),
        (HOST, "icmp type host-unreachable", "host unreachable, says 10.77.0.1"),
        (HOST6, "icmpv6 type admin-prohibited", "communication prohibited, says fd77::1"),
        (HOST6, "icmpv6 type no-route", "no route, says fd77::1"),
    ],
)
def test_what_icmp_says_is_told_with_who_says_it(address: str, kind: str, words: str) -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(address))
            assert await world.outcome(probes=5) == Unhealthy(Reason.UNREACHABLE, words)

    family = "ipv6" if ":" in address else "ipv4"
    apart(work, *filtered(f"meta nfproto {family} tcp dport {PORT} reject with {kind}"))


def test_a_stateful_filter_takes_nothing_amiss() -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening(HOST):
                world.assign(check())
                assert await world.outcome(probes=20) == ANSWERED
                assert (world.verdict().failures, half_opened()) == (0, 0)
        assert "counter packets 0 " in do("nft list ruleset")

    apart(work, *filtered("ct state invalid counter drop", "ct state established,related accept"))


@pytest.mark.parametrize(
    ("address", "dial", "words"),
    [
        ("192.0.2.1", Dial(), "cannot send: Network is unreachable"),
        (HOST, Dial(source="192.0.2.7"), "cannot leave from 192.0.2.7"),
        (HOST, Dial(source="fd77::1"), "the source is no IPv4 address"),
        ("rs1.example.net", Dial(), "not an address"),
    ],
)
def test_what_is_our_own_fault_concludes_nothing(address: str, dial: Dial, words: str) -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(address, known=State.UP, dial=dial))
            outcome = await world.outcome()
            assert isinstance(outcome, Inconclusive)
            assert words in outcome.detail
            assert world.verdict().state is State.UP

    apart(work)


def test_our_own_filter_concludes_nothing() -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(known=State.UP))
            outcome = await world.outcome()
            assert outcome == Inconclusive("cannot send: Operation not permitted")

    chain = "nft add chain inet t out { type filter hook output priority 0 ; }"
    apart(work, "nft add table inet t", chain, f"nft add rule inet t out tcp dport {PORT} drop")


def test_without_the_capability_nothing_is_concluded() -> None:
    async def work() -> None:
        async with a_world() as world:
            world.assign(check(known=State.UP))
            assert await world.outcome() == Inconclusive("cannot send SYNs: CAP_NET_RAW is missing")

    apart(work, without=CAP_NET_RAW)


def test_packets_leave_from_the_address_and_with_the_mark_that_are_asked_for() -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening(HOST):
                world.assign(check(dial=Dial(source="10.77.0.1", mark=7)), check(name="b"))
                assert await world.outcome() == ANSWERED
                assert await world.outcome("b") == ANSWERED
        assert "counter packets 0 " not in do("nft list ruleset")

    chain = "nft add chain inet t out { type filter hook output priority 0 ; }"
    rule = f"nft add rule inet t out ip saddr 10.77.0.1 meta mark 7 tcp dport {PORT} counter"
    apart(work, "nft add table inet t", chain, rule)


def test_a_thousand_addresses_of_this_machine_need_one_channel() -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening("0.0.0.0"):
                checks = [check(f"10.80.{at // 250}.{1 + at % 250}", name=str(at)) for at in range(1000)]
                world.watch.assign(checks)
                await until(lambda: all(world.verdict(one.id).probes >= 3 for one in checks))
                assert {world.verdict(one.id).state for one in checks} == {State.UP}
                assert raw_sockets() == 2  # one to send and one to hear

    apart(work, "ip route add local 10.80.0.0/16 dev lo")


class Forger:
    """Sees every SYN on the device whose neighbours are silent, and can answer it."""

    def __init__(self) -> None:
        do("ip neighbour add 10.78.0.2 lladdr 02:00:00:00:00:02 dev silent0")
        self._tap = socket.socket(socket.AF_PACKET, socket.SOCK_DGRAM, socket.htons(3))
        self._tap.bind(("silent0", 0))
        self._tap.setblocking(False)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def close(self) -> None:
        self._tap.close()
        self._sender.close()

    async def syn(self) -> IP:
        """The next one."""
        async with asyncio.timeout(10):
            while True:
                if select.select([self._tap], [], [], 0)[0]:
                    packet = IP(self._tap.recv(2048))
                    if TCP in packet and packet[TCP].flags == "S":  # not the reset of one that was answered
                        return packet
                await asyncio.sleep(0.001)

    def answer(self, syn: IP, source: str, port: int, beyond: int = 1, flags: str = "SA") -> None:
        number = (syn[TCP].seq + beyond) % 2**32
        segment = TCP(sport=port, dport=syn[TCP].sport, ack=number, flags=flags)
        self._sender.sendto(bytes(IP(src=source, dst=syn.src) / segment), (syn.src, 0))


@pytest.mark.parametrize(
    ("source", "port", "beyond", "flags", "counts"),
    [
        ("10.79.0.1", PORT, 1, "SA", True),  # the true one: what follows differs from it in one thing
        ("10.79.0.2", PORT, 1, "SA", False),
        ("10.79.0.1", PORT + 1, 1, "SA", False),
        ("10.79.0.1", PORT, 2, "SA", False),
        ("10.79.0.1", PORT, 0, "SA", False),
        ("10.79.0.1", PORT, 1, "FSA", True),
        ("10.79.0.1", PORT, 1, "A", False),
        ("10.79.0.1", PORT, 2, "RA", False),
        ("10.79.0.1", PORT, 1, "R", False),
    ],
)
def test_only_the_true_answer_counts(source: str, port: int, beyond: int, flags: str, counts: bool) -> None:
    timing = Timing(interval=0.5, timeout=0.4, fall=1)

    async def judged() -> None:
        forger = Forger()
        async with a_world() as world:
            with contextlib.closing(forger):
                world.assign(check("10.79.0.1", timing=timing, known=State.DOWN))
                for _ in range(20 if counts else 3):  # the true one may come too late, now and then
                    forger.answer(await forger.syn(), source, port, beyond, flags)
                    if await world.outcome(probes=1) == ANSWERED and counts:
                        break
                assert world.verdict().state is (State.UP if counts else State.DOWN)
                assert (world.verdict().outcome == ANSWERED) == counts

    apart(judged, "sysctl -qw net.ipv4.conf.all.rp_filter=0", "sysctl -qw net.ipv4.conf.lo.rp_filter=0")


def test_numbers_and_ports_of_probes_cannot_be_guessed_from_those_before() -> None:
    async def work() -> None:
        forger = Forger()
        async with a_world() as world:
            with contextlib.closing(forger):
                world.assign(check("10.79.0.1"))
                seen = [await forger.syn() for _ in range(20)]
        numbers = [syn[TCP].seq for syn in seen]
        assert len({after - before for before, after in pairwise(numbers)}) == 19
        assert len({syn[TCP].sport for syn in seen[:16]}) == 16

    apart(work)


async def answering(forger: Forger) -> None:
    """A real server that answers every SYN, until cancelled."""
    while True:
        syn = await forger.syn()
        forger.answer(syn, syn.dst, syn[TCP].dport)


def test_an_address_of_ours_that_goes_away_is_no_failure() -> None:
    async def work() -> None:
        forger = Forger()
        async with a_world() as world:
            with contextlib.closing(forger):
                task = asyncio.create_task(answering(forger))
                world.assign(check("10.79.0.1", timing=Timing(interval=0.1, timeout=2.0, fall=1)))
                await world.outcome(probes=5)
                failures = world.verdict().failures
                do("ip address del 10.78.0.1/16 dev silent0")
                await until(lambda: world.verdict().outcome != ANSWERED)
                assert isinstance(world.verdict().outcome, Inconclusive)
                await until(lambda: world.verdict().outcome == ANSWERED)
                assert (world.verdict().failures, world.verdict().state) == (failures, State.UP)
                task.cancel()

    apart(
        work,
        "sysctl -qw net.ipv4.conf.all.promote_secondaries=1 net.ipv4.conf.silent0.promote_secondaries=1",
        "ip address add 10.78.0.5/16 dev silent0",
    )


def test_an_ipv6_address_of_ours_that_goes_away_is_no_failure() -> None:
    """IPv6 would let packets leave from an address that is gone: the silence after them proves nothing."""

    async def work() -> None:
        async with a_world() as world:
            world.assign(check("fd79::1", known=State.UP, timing=Timing(interval=0.3, timeout=0.3, fall=1)))
            await until(lambda: world.verdict().probes >= 1)
            failures = world.verdict().failures
            do("ip address del fd78::1/64 dev silent0")
            await until(lambda: isinstance(world.verdict().outcome, Inconclusive))
            assert world.verdict().failures <= failures + 1

    apart(
        work,
        "ip address add fd78::1/64 dev silent0 nodad",
        "ip address add fd78::5/64 dev silent0 nodad",
        "ip route add fd79::/64 dev silent0 src fd78::1",
        "ip neighbour add fd79::1 lladdr 02:00:00:00:00:02 dev silent0",
    )


def test_those_who_wait_for_dead_neighbours_hold_nobody_up() -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening(HOST):
                dead = [check(f"10.78.1.{1 + at}", name=str(at)) for at in range(100)]
                world.watch.assign([*dead, check()])
                await until(lambda: world.verdict().probes >= 60)
                assert (world.verdict().outcome, world.verdict().failures) == (ANSWERED, 0)
                outcomes = {world.verdict(one.id).outcome for one in dead}
                assert all(isinstance(outcome, Unhealthy) for outcome in outcomes)
                assert {world.verdict(one.id).state for one in dead} == {State.DOWN}

    # no open port through the loopback's own route: all leave by one channel
    apart(work, "ip address add 10.78.0.1/32 dev lo", "sysctl -qw net.ipv4.neigh.silent0.mcast_solicit=6")


def test_answers_that_found_no_room_are_no_failures(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(channel_module, "RECEIVE_BYTES", 1)

    async def work() -> None:
        async with a_world() as world:
            with listening("0.0.0.0"):
                checks = [
                    check(f"10.80.0.{1 + at}", name=str(at), timing=Timing(interval=0.2, timeout=0.1, fall=1))
                    for at in range(200)
                ]
                world.watch.assign(checks)
                await until(lambda: all(world.verdict(one.id).probes >= 5 for one in checks))
                outcomes = {world.verdict(one.id).outcome for one in checks}
                assert engine_module.LOST in outcomes
                assert sum(world.verdict(one.id).failures for one in checks) == 0

    apart(work, "ip route add local 10.80.0.0/16 dev lo")


def test_silence_while_the_loop_did_not_turn_proves_nothing() -> None:
    stalled = [0.0]

    def total() -> float:
        stalled[0] += 0.05
        return stalled[0]

    async def work() -> None:
        async with a_world(total) as world:
            world.assign(check(SILENT, known=State.UP))
            outcome = await world.outcome()
            assert isinstance(outcome, Inconclusive)
            assert "held up" in outcome.detail

    apart(work)


def test_equal_assignments_keep_others_end_and_replaced_ones_keep_their_health() -> None:
    async def work() -> None:
        async with a_world() as world:
            with listening(HOST):
                world.assign(check(), check(name="b"))
                await until(lambda: world.verdict().probes > 3)
                probes = world.verdict().probes
                change = world.watch.assign([check(known=State.DOWN)])
                assert (len(change.kept), change.ended) == (1, ("b",))
                assert world.verdict().probes >= probes
                assert world.watch.verdict("b") is None
                world.assign(check(port=PORT + 1, timing=Timing(interval=0.1, timeout=0.1, fall=3)))
                assert world.verdict().state is State.UP
                await until(lambda: world.verdict().state is State.DOWN)
                world.assign(check(port=PORT + 1, timing=Timing(interval=NEVER)))
                probes = world.verdict().probes
                world.watch.hurry(["a", "nobody"])
                await asyncio.sleep(0.2)
                assert world.verdict().probes == probes  # probed a moment ago
                await asyncio.sleep(HURRY_SECONDS)
                world.watch.hurry(["a"])
                await until(lambda: world.verdict().probes == probes + 1)

    apart(work)


def test_nothing_is_left_open() -> None:
    async def work() -> None:
        before = descriptors()  # what tests before this one left may be closed at any time
        async with a_world() as world:
            world.assign(check(), check(HOST6, name="b"))
            await world.outcome()
            assert len(descriptors() - before) > 30
            world.assign(check(HOST6, name="b"))
            assert len(descriptors() - before) < 30
        assert descriptors() - before == set()

    apart(work)
