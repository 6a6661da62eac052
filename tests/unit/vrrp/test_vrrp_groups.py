"""Sync groups: together or not at all, on a simulated machine."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.model import TrackedInterface, VrrpInstance
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp import packet
from lvsd.vrrp.groups import common_fault
from lvsd.vrrp.ip import open_packet, packed
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause, Configure, Failover, InstanceStatus, Role, Weight, Weights
from lvsd.vrrp.sight import Interface
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork

PEERS = {"eth0": "192.0.2.13", "eth1": "198.51.100.13"}
TAKES_OVER_AT = 3 + 156 / 256


def member(name: str, interface: str, address: str, **changes: object) -> VrrpInstance:
    made = samples.instance(name=name, interface=interface, addresses=(address,), priority=100)
    return msgspec.structs.replace(made, sync_group="both", **changes)


OUTSIDE = member("outside", "eth0", "192.0.2.100")
INSIDE = member("inside", "eth1", "198.51.100.100")


class Machine:
    def __init__(self, folder: Path, *configs: VrrpInstance) -> None:
        self.network = FakeNetwork()
        self.network.interfaces["eth1"] = Interface(3, bytes.fromhex("020000000112"), up=True)
        self.network.addresses["eth1"] = [("198.51.100.12", 24)]
        self.routers = Routers(self.network, HeldFile(folder / "held"), 0.0, restarted=False)
        self.configs = configs or (OUTSIDE, INSIDE)
        self.routers.configure(Configure(1, self.configs), 0.0)

    def one(self, name: str) -> InstanceStatus:
        return next(one for one in self.routers.status().instances if one.name == name)

    def roles(self) -> set[Role]:
        return {one.role for one in self.routers.status().instances}

    def hear(self, config: VrrpInstance, priority: int, now: float) -> None:
        wire = packet.Wire.of(config, PEERS[config.interface])
        self.routers.heard((config.interface, False), open_packet(packet.encode(wire, priority, 1)), now)

    def activate(self) -> None:
        self.routers.wake(TAKES_OVER_AT)
        assert self.roles() == {Role.ACTIVE}


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_they_take_over_together(machine: Machine) -> None:
    machine.hear(INSIDE, 200, 1.0)
    machine.routers.wake(TAKES_OVER_AT)
    assert machine.roles() == {Role.BACKUP}
    machine.routers.wake(1.0 + TAKES_OVER_AT)
    assert machine.roles() == {Role.ACTIVE}


def test_a_silence_on_one_side_alone_moves_nobody(machine: Machine) -> None:
    for second in range(1, 60):
        machine.hear(INSIDE, 200, float(second))
        machine.routers.wake(float(second))
    assert machine.roles() == {Role.BACKUP}


def test_a_better_router_on_one_side_takes_the_other_too(machine: Machine) -> None:
    machine.activate()
    machine.network.done.clear()
    machine.hear(OUTSIDE, 200, 4.0)
    assert machine.roles() == {Role.BACKUP}
    assert (machine.one("outside").cause, machine.one("inside").cause) == (Cause.HIGHER_PRIORITY, Cause.GROUP)
    sent = [one for kind, one in machine.network.done if kind == "send" and isinstance(one, bytes)]
    assert [one[22] for one in sent] == [0]  # the other side's peer need not wait


def test_a_pulled_cable_on_one_side_is_a_fault_of_all(machine: Machine) -> None:
    machine.activate()
    eth1 = machine.network.interfaces["eth1"]
    machine.network.interfaces["eth1"] = Interface(3, eth1.mac, up=False)
    machine.routers.look(5.0)
    assert machine.roles() == {Role.INITIALIZE}
    assert machine.one("outside").fault == "sync group: inside: interface eth1 is down"
    machine.network.interfaces["eth1"] = eth1
    machine.routers.look(6.0)
    assert machine.roles() == {Role.BACKUP}


def test_a_person_hands_over_all_of_a_group(machine: Machine) -> None:
    machine.activate()
    machine.routers.fail_over(Failover(("outside",)), 5.0)
    assert {(one.role, one.yielded) for one in machine.routers.status().instances} == {(Role.BACKUP, True)}
    machine.routers.fail_over(Failover(("inside",), back=True), 6.0)
    assert {one.yielded for one in machine.routers.status().instances} == {False}


def test_an_instance_without_a_group_is_handed_over_alone(tmp_path: Path) -> None:
    alone = msgspec.structs.replace(INSIDE, sync_group="")
    machine = Machine(tmp_path, msgspec.structs.replace(OUTSIDE, sync_group=""), alone)
    machine.activate()
    machine.routers.fail_over(Failover(("inside",)), 5.0)
    assert (machine.one("outside").role, machine.one("inside").role) == (Role.ACTIVE, Role.BACKUP)
    machine.routers.fail_over(Failover(), 5.0)
    assert machine.roles() == {Role.BACKUP}


def test_what_the_director_tracks_weighs_and_faults(machine: Machine) -> None:
    machine.activate()
    machine.routers.weigh(Weights((Weight("outside", -30),)), 5.0)
    assert (machine.one("outside").priority, machine.one("inside").priority) == (70, 100)
    machine.routers.weigh(Weights((Weight("inside", 0, "script chk fails"),)), 6.0)
    assert machine.roles() == {Role.INITIALIZE}
    assert machine.one("inside").fault == "script chk fails"
    assert machine.one("outside").priority == 100


@pytest.mark.parametrize(
    ("weight", "up", "priority"), [(20, True, 120), (20, False, 100), (-20, True, 100), (-20, False, 80)]
)
def test_a_tracked_interface_weighs(tmp_path: Path, weight: int, up: bool, priority: int) -> None:
    track = TrackedInterface(weight=weight, name="eth2")
    machine = Machine(tmp_path, msgspec.structs.replace(OUTSIDE, sync_group="", tracks=(track,)))
    machine.network.interfaces["eth2"] = Interface(4, b"", up=up)
    machine.routers.look(1.0)
    assert (machine.one("outside").priority, machine.one("outside").role) == (priority, Role.BACKUP)


def test_a_tracked_interface_without_weight_is_a_fault(tmp_path: Path) -> None:
    track = TrackedInterface(name="eth2")
    machine = Machine(tmp_path, msgspec.structs.replace(OUTSIDE, sync_group="", tracks=(track,)))
    assert machine.one("outside").fault == "tracked interface eth2 is down"
    machine.network.interfaces["eth2"] = Interface(4, b"", up=True)
    machine.routers.look(1.0)
    assert machine.one("outside").role is Role.BACKUP


def test_a_member_names_its_own_fault_first() -> None:
    links = {"a": Link("1.1.1.1", "own"), "b": Link("1.1.1.2", "other"), "c": Link("1.1.1.3", "")}
    assert common_fault(links, "a").fault == "own"
    assert common_fault(links, "c") == Link("1.1.1.3", "sync group: a: own")
    assert common_fault({"c": links["c"]}, "c") == links["c"]


def test_who_has_not_been_heard_of_stands_by_no_longer(tmp_path: Path) -> None:
    alone = msgspec.structs.replace(OUTSIDE, sync_group="")
    machine = Machine(tmp_path, alone)
    machine.activate()
    wire = packet.Wire.of(alone, PEERS["eth0"])
    whisper = packet.encode(wire, 90, 1, packed(samples.OWN_SOURCE), packet.Kind.STANDBY)
    machine.routers.heard(("eth0", False), open_packet(whisper), 5.0)
    assert machine.routers.status(6.0).instances[0].standbys == (PEERS["eth0"],)
    assert machine.routers.status(9.0).instances[0].standbys == ()
