"""lvsd beside Debian's keepalived: every version, way and family at once, either leading, each dying in every way.

One story is lived through once, with all virtual routers on the same two machines; what each of them did is
judged pairing by pairing.
"""

from __future__ import annotations

import signal
import subprocess
from collections.abc import Callable, Iterator, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field

import pytest

from lvsd.vrrp.messages import Cause, InstanceStatus, Role
from lvsd.vrrp.whispers import UNHEARD_LIMIT
from tests.lab.vrrp_pairings import HIGH, PAIRINGS, TOPOLOGY, Pairing, keepalived_conf
from tests.lab.vrrp_scene import (
    END_SECONDS,
    KEEPALIVED_LOG,
    Balancer,
    addresses_of,
    capture,
    kill_keepalived,
    start_keepalived,
)
from tests.lab.waiting import WaitError, wait_until
from tests.lab.world import LiveHost, World

PATIENCE_SECONDS = 25.0  # 4.1 where nothing else runs
LVSD_STARTS = 3

VLAN = """\
link add link eth0 name eth0.100 type vlan id 100
addr add 10.100.0.{last}/24 dev eth0.100
link set eth0.100 up
"""


@dataclass
class Moment:
    """How it was after a step: the reports of lvsd, and which addresses either holds."""

    reports: Mapping[str, InstanceStatus]
    ours: frozenset[str]
    theirs: frozenset[str]

    def holders(self, pairing: Pairing) -> tuple[str, ...]:
        sides = (("lvsd", self.ours), ("keepalived", self.theirs))
        return tuple(name for name, held in sides if pairing.address in held)

    def agrees(self, pairing: Pairing) -> bool:
        """Whether lvsd's last report tells of what is held; one that is gone says nothing."""
        status = self.reports.get(pairing.name)
        return status is None or (status.role is Role.ACTIVE) == (pairing.address in self.ours)


@dataclass
class Story:
    """The two machines, and all moments by the name of their step."""

    ours: Balancer
    their_host: LiveHost
    theirs: subprocess.Popen[str] | None = None
    moments: dict[str, Moment] = field(default_factory=dict)

    def start_theirs(self) -> None:
        self.theirs = start_keepalived(self.their_host, keepalived_conf(PAIRINGS))

    def stop_theirs(self) -> None:
        assert self.theirs is not None
        self.theirs.terminate()
        self.theirs.wait(END_SECONDS)

    def kill_theirs(self) -> None:
        assert self.theirs is not None
        kill_keepalived(self.their_host, self.theirs)

    def now(self) -> Moment:
        reports = self.ours.director.reports()
        known = {one.name: one for one in reports[-1].instances} if reports and self.ours.process else {}
        return Moment(known, addresses_of(self.ours.host), addresses_of(self.their_host))

    def step(self, name: str, expected: Callable[[Pairing], tuple[str, ...]]) -> None:
        """Wait until every address is where it is expected, and remember how it was in any case."""

        def settled() -> bool:
            self.moments[name] = moment = self.now()
            return all(moment.holders(one) == expected(one) and moment.agrees(one) for one in PAIRINGS)

        try:
            wait_until(settled, PATIENCE_SECONDS, name)
        except WaitError:
            return


def leader_of(pairing: Pairing) -> tuple[str, ...]:
    return (pairing.leader,)


def _live(story: Story) -> None:
    story.start_theirs()
    story.ours.start()
    story.step("began", leader_of)
    story.stop_theirs()
    story.step("keepalived stopped", lambda _: ("lvsd",))
    story.start_theirs()
    story.step("keepalived returned", leader_of)
    story.kill_theirs()
    story.step("keepalived was killed", lambda one: ("lvsd",) if one.leader == "lvsd" else ("lvsd", "keepalived"))
    story.start_theirs()
    story.step("keepalived returned from death", leader_of)
    story.ours.end()
    story.step("lvsd stopped", lambda _: ("keepalived",))
    story.ours.start()
    story.step("lvsd returned", leader_of)
    story.ours.end(signal.SIGKILL)
    story.step("lvsd was killed", lambda one: ("keepalived",) if one.leader != "lvsd" else ("lvsd", "keepalived"))
    story.ours.start()
    story.step("lvsd returned from death", leader_of)
    story.ours.host.link_down("private")
    story.step("a cable was pulled", _without_private)
    story.ours.host.link_up("private")
    story.step("the cable was plugged", leader_of)


def _without_private(pairing: Pairing) -> tuple[str, ...]:
    """On lvsd's machine."""
    return ("keepalived",) if pairing.interface == "eth1" or pairing.group else leader_of(pairing)


def _await_addresses(host: LiveHost) -> None:
    """Until the link-local ones may be spoken from."""
    wait_until(lambda: "tentative" not in host.run(["ip", "addr"]).stdout, PATIENCE_SECONDS, "addresses")


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(TOPOLOGY) as made:
        for name, last in (("lb1", 13), ("lb2", 14)):
            made[name].run(["ip", "-batch", "-"], input=VLAN.format(last=last))
            _await_addresses(made[name])
        yield made


@pytest.fixture(scope="module")
def story(world: World) -> Iterator[Story]:
    with ExitStack() as stack:
        ours = Balancer(world["lb1"], *(pairing.instance() for pairing in PAIRINGS))
        stack.callback(ours.director.close)
        told = Story(ours, world["lb2"])
        _live(told)
        yield told
        ours.end()
        told.stop_theirs()


STEPS = {
    "began": leader_of,
    "keepalived stopped": lambda _: ("lvsd",),
    "keepalived returned": leader_of,
    "keepalived returned from death": leader_of,
    "lvsd stopped": lambda _: ("keepalived",),
    "lvsd returned": leader_of,
    "lvsd returned from death": leader_of,
    "a cable was pulled": _without_private,
    "the cable was plugged": leader_of,
}


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda one: one.name)
def test_one_holds_the_address_after_every_step(story: Story, pairing: Pairing) -> None:
    seen = {step: story.moments[step].holders(pairing) for step in STEPS}
    assert seen == {step: expected(pairing) for step, expected in STEPS.items()}


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda one: one.name)
def test_the_dead_are_succeeded_and_the_causes_told(story: Story, pairing: Pairing) -> None:
    """The addresses of the killed stay where they were; who hears nothing takes them too."""
    assert "lvsd" in story.moments["keepalived was killed"].holders(pairing)
    assert "keepalived" in story.moments["lvsd was killed"].holders(pairing)
    if pairing.leader == "keepalived":
        causes = {step: one.reports[pairing.name].cause for step, one in story.moments.items() if one.reports}
        assert causes["keepalived stopped"] is Cause.ACTIVE_ROUTER_LEFT
        assert causes["keepalived was killed"] is Cause.ACTIVE_ROUTER_SILENT
        assert causes["keepalived returned"] in {Cause.HIGHER_PRIORITY, Cause.GROUP}


@pytest.mark.parametrize("pairing", PAIRINGS, ids=lambda one: one.name)
def test_nothing_that_was_said_was_dropped(story: Story, pairing: Pairing) -> None:
    for step, moment in story.moments.items():
        assert pairing.name not in moment.reports or moment.reports[pairing.name].dropped == {}, step


def test_keepalived_found_nothing_wrong_either(story: Story) -> None:
    log = story.their_host.read(KEEPALIVED_LOG)
    wrong = [line for line in log.splitlines() if "invalid" in line.lower() or "wrong" in line.lower()]
    whispers = [line for line in wrong if "Invalid packet type. 2 and expect 1" in line]
    assert wrong == whispers
    unicast = [pairing for pairing in PAIRINGS if pairing.unicast]
    assert len(whispers) <= UNHEARD_LIMIT * LVSD_STARTS * len(unicast)


def test_a_learned_interval_is_waited_for(story: Story) -> None:
    """Three of the 1.2 s of keepalived, not of our own 0.8 s: lvsd, back from death, took nothing over by mistake."""
    status = story.moments["the cable was plugged"].reports["learned-keepalived"]
    assert (status.role, status.cause, status.transitions) == (Role.BACKUP, Cause.START, 1)


@dataclass(frozen=True)
class Said:
    """What a router sent, made comparable: its advertisements by virtual router, its announcements."""

    advertisements: Mapping[int, frozenset[bytes]]
    announcements: frozenset[bytes]


def _advertisement(frame: bytes) -> tuple[int, bytes] | None:
    """Virtual router and frame, without what counts (IP identification) or differs on purpose (unicast hop limit)."""
    at = 18 if frame[12:14] == b"\x81\x00" else 14
    ethertype = frame[at - 2 : at]
    if ethertype == b"\x08\x00" and frame[at + 9] == 112:
        end = at + int.from_bytes(frame[at + 2 : at + 4], "big")
        bare = frame[: at + 4] + bytes(2) + frame[at + 6 : at + 10] + bytes(2) + frame[at + 12 : end]
        return frame[at + 21], bare
    if ethertype == b"\x86\xdd" and frame[at + 6] == 112:
        return frame[at + 41], frame[: at + 1] + bytes(3) + frame[at + 4 : at + 7] + bytes(1) + frame[at + 8 :]
    return None


def _announces(frame: bytes) -> bool:
    """A gratuitous ARP, or a neighbour advertisement to all."""
    if frame[12:14] == b"\x08\x06":
        return frame[28:32] == frame[38:42]
    return frame[12:14] == b"\x86\xdd" and frame[20] == 58 and frame[54] == 136 and frame[:6] == b"33\0\0\0\1"


def _heard(frames: list[bytes]) -> Said:
    found: dict[int, set[bytes]] = {}
    for frame in frames:
        read = _advertisement(frame)
        if read is not None:
            found.setdefault(read[0], set()).add(read[1])
    announcements = frozenset(
        frame[:42] if frame[12:14] == b"\x08\x06" else frame for frame in frames if _announces(frame)
    )
    return Said({number: frozenset(seen) for number, seen in found.items()}, announcements)


ALONE = tuple(
    pairing for pairing in PAIRINGS if pairing.interface == "eth0" and not pairing.group and not pairing.their_interval
)
_SPOKEN = "(ip proto 112 or arp or ip6 proto 112 or icmp6) and ether src 02:00:00:00:00:02"


@pytest.fixture(scope="module")
def said() -> Iterator[tuple[Said, Said]]:
    """All that lb1 says on its way up and down, once as keepalived and once as lvsd."""
    every = {pairing.address for pairing in ALONE}
    with World(TOPOLOGY) as world, ExitStack() as stack:
        lb1 = world["lb1"]
        _await_addresses(lb1)
        frames = capture(lb1, _SPOKEN)
        keepalived = start_keepalived(lb1, keepalived_conf(ALONE, HIGH, peer=1))
        wait_until(lambda: every <= addresses_of(lb1), PATIENCE_SECONDS, "keepalived is active")
        keepalived.terminate()
        keepalived.wait(END_SECONDS)
        theirs = _heard(frames())
        frames = capture(lb1, _SPOKEN)
        lvsd = Balancer(lb1, *(pairing.instance(HIGH, peer=1) for pairing in ALONE))
        stack.callback(lvsd.director.close)
        lvsd.start()
        wait_until(lambda: lvsd.director.reports() and every <= addresses_of(lb1), PATIENCE_SECONDS, "lvsd is active")
        lvsd.end()
        assert "not_sent" not in lvsd.log()
        yield _heard(frames()), theirs


@pytest.mark.parametrize("pairing", ALONE, ids=lambda one: one.name)
def test_our_advertisements_are_keepaliveds(said: tuple[Said, Said], pairing: Pairing) -> None:
    ours, theirs = (side.advertisements[pairing.number] for side in said)
    assert ours == theirs
    assert len(ours) == 2  # the priority, and 0


def test_our_announcements_are_keepaliveds(said: tuple[Said, Said]) -> None:
    ours, theirs = said
    assert sorted(one.hex() for one in ours.announcements) == sorted(one.hex() for one in theirs.announcements)
    assert len(ours.announcements) == len(ALONE)
