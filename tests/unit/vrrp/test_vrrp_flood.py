"""A flood of packets from outside: what is kept and what is written stays small, and the counters are right."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from lvsd.runtime import vrrp_routers
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp import packet
from lvsd.vrrp.drops import Drop
from lvsd.vrrp.ip import Datagram, open_packet
from lvsd.vrrp.messages import Configure, Role
from lvsd.vrrp.packet import Kind, Wire
from lvsd.vrrp.whispers import STANDBYS_LIMIT
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork

CONFIG = samples.instance(priority=100)
PLACE = ("eth0", False)
PACKETS = 5000
SECONDS = 10.0


@pytest.fixture
def lines(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    told: list[str] = []
    monkeypatch.setattr(vrrp_routers, "tell", lambda _level, event, **_fields: told.append(event))
    return told


@pytest.fixture
def network() -> FakeNetwork:
    return FakeNetwork()


@pytest.fixture
def active(tmp_path: Path, lines: list[str], network: FakeNetwork) -> Routers:
    routers = Routers(network, HeldFile(tmp_path / "held"), 0.0, restarted=False)
    routers.configure(Configure(1, (CONFIG,)), 0.0)
    routers.wake(routers.wake_at)
    assert routers.status().instances[0].role is Role.ACTIVE
    lines.clear()
    network.done.clear()
    return routers


def _pour(routers: Routers, raw: list[Datagram]) -> None:
    for number in range(PACKETS):
        now = 100.0 + number * SECONDS / PACKETS
        routers.heard(PLACE, raw[number % len(raw)], now)
        if now >= routers.wake_at:
            routers.wake(now)


def _from(number: int, priority: int, kind: Kind = Kind.ADVERTISEMENT, password: str = "") -> Datagram:
    config = samples.instance(priority=priority, password=password or "s3cret12")
    wire = Wire.of(config, f"198.18.{number // 250}.{1 + number % 250}")
    to = Wire.of(config, samples.OWN_SOURCE).source if kind is not Kind.ADVERTISEMENT else None
    return open_packet(packet.encode(wire, priority, 1, to, kind))


def test_wrong_packets_are_counted_by_kind_and_told_once(active: Routers, lines: list[str]) -> None:
    wrong = [_from(number, 200, password="another") for number in range(500)]
    noise = [Datagram(one.source, one.destination, 255, True, bytes([0x21, 51]) + os.urandom(4)) for one in wrong]
    _pour(active, [*wrong, *noise])
    status = active.status().instances[0]
    assert status.dropped == {Drop.AUTH_FAILURE.value: PACKETS / 2, Drop.TOO_SHORT.value: PACKETS / 2}
    assert (status.role, status.adverts_received, status.transitions) == (Role.ACTIVE, 0, 2)
    assert lines == ["advertisement_dropped"] * 2


def test_lower_priorities_are_answered_at_a_bounded_rate(active: Routers, lines: list[str]) -> None:
    sent = active.status().instances[0].adverts_sent
    _pour(active, [_from(number, 50) for number in range(500)])
    status = active.status().instances[0]
    assert (status.role, status.adverts_received) == (Role.ACTIVE, PACKETS)
    assert status.adverts_sent - sent <= SECONDS * 10 + 1
    assert lines.count("lower_priority_answered") <= 2
    assert len(lines) <= 3


def test_whispers_fill_neither_memory_nor_wire(active: Routers, lines: list[str], network: FakeNetwork) -> None:
    _pour(active, [_from(number, 50, Kind.STANDBY) for number in range(500)])
    assert len(active.status().instances[0].standbys) == STANDBYS_LIMIT
    assert sum(kind == "send" for kind, _ in network.done) <= STANDBYS_LIMIT * SECONDS * 10 + SECONDS + STANDBYS_LIMIT
    assert lines == []
