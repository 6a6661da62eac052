"""Recorded advertisements of keepalived, mutated and poured into the real process: dropped, counted and told once."""

from __future__ import annotations

import socket
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass

import pytest

from config.model import VirtualAddress, VrrpInstance
from config.secret import Secret
from lvsd.vrrp.messages import Cause, Role
from lvsd.vrrp.moves import ADDRESS_LIST
from tests.golden.vrrp import captures
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.vrrp_mutations import Recorded, mutations, other_addresses
from tests.lab.vrrp_scene import LOG, Balancer, becomes
from tests.lab.waiting import wait_until
from tests.lab.world import World

TIMES = 40  # of each: what a socket's buffer holds of all together is more
TOPOLOGY = Topology(
    "mutations",
    (Network("public", "192.0.2.0/24"),),
    tuple(Host(name, (Attachment("public", (f"192.0.2.{last}/24",)),)) for name, last in (("client", 50), ("lb1", 14))),
)


@dataclass(frozen=True)
class Recording:
    """A capture of the samples, and what is configured to believe it."""

    file: str
    version: int
    interval: float
    addresses: tuple[str, ...]
    password: str = ""

    def frame(self) -> Recorded:
        """The first of the router with priority 150."""
        for frame in captures.frames(self.file):
            recorded = Recorded(frame, self.version)
            if frame[12:14] in (b"\x08\0", b"\x86\xdd") and recorded.message[2:3] == b"\x96":
                return recorded
        raise AssertionError(self.file)

    def instance(self) -> VrrpInstance:
        return VrrpInstance(
            name="lb0",
            interface="eth0",
            virtual_router_id=51,
            priority=100,
            version=self.version,
            addresses=tuple(VirtualAddress(one, 64 if ":" in one else 24, "eth0") for one in self.addresses),
            advertisement_interval=self.interval,
            password=Secret(self.password) if self.password else None,
        )


RECORDINGS = (
    Recording("v2_pass.pcap", 2, 1.0, ("192.0.2.100", "192.0.2.101"), "s3cret12"),
    Recording("v3_ipv4.pcap", 3, 0.1, ("192.0.2.100", "192.0.2.101")),
    Recording("v3_ipv6.pcap", 3, 0.5, ("fe80::5:1", "2001:db8::100")),
)


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with World(TOPOLOGY) as made:
        wait_until(lambda: "tentative" not in made["lb1"].run(["ip", "addr"]).stdout, 10, "addresses")
        yield made


@pytest.fixture(params=RECORDINGS, ids=lambda one: one.file)
def recording(request: pytest.FixtureRequest) -> Recording:
    found: Recording = request.param
    return found


@pytest.fixture
def balancer(world: World, recording: Recording) -> Iterator[Balancer]:
    """Active, since nobody else is there."""
    with ExitStack() as stack:
        made = Balancer(world["lb1"], recording.instance())
        stack.callback(made.director.close)
        made.host.run(["rm", "-f", LOG])
        made.start()
        made.wait(Role.ACTIVE)
        yield made
        made.end()


def pour(world: World, frames: list[bytes]) -> None:
    def send() -> None:
        with socket.socket(socket.AF_PACKET, socket.SOCK_RAW) as line:
            for frame in frames:
                line.sendto(frame, ("eth0", 0))

    world["client"].call(send)


def test_every_mutation_is_dropped_and_counted_and_the_recorded_one_believed(
    world: World, balancer: Balancer, recording: Recording
) -> None:
    good = recording.frame()
    expected: Counter[str] = Counter()
    for kind, mutate in mutations(recording.version).values():
        expected[kind.value] += TIMES
        pour(world, [mutate(good)] * TIMES)
        becomes(lambda: balancer.status().dropped == dict(expected), f"{dict(expected)} {balancer.status().dropped}")
    status = balancer.status()
    assert (status.role, status.transitions, status.adverts_received) == (Role.ACTIVE, 2, 0)
    told = [line for line in balancer.log().splitlines() if "advertisement_dropped" in line]
    assert len(told) == len(expected)  # each kind once
    assert "s3cret" not in balancer.log().lower()
    pour(world, [good.frame])
    becomes(lambda: balancer.became(Role.BACKUP, Cause.HIGHER_PRIORITY), "it gives way, until it is alone again")


def test_another_list_of_addresses_is_believed_and_told(world: World, balancer: Balancer, recording: Recording) -> None:
    pour(world, [other_addresses(recording.frame())] * TIMES)
    becomes(lambda: balancer.became(Role.BACKUP, Cause.HIGHER_PRIORITY), "it gives way")
    becomes(lambda: balancer.status().adverts_received == TIMES, "all are heard")
    assert balancer.status().dropped == {ADDRESS_LIST: TIMES}
    roles = balancer.status().transitions - 1  # those from the first on in which it was active
    assert 1 <= balancer.log().count("advertised_addresses_differed") <= roles
