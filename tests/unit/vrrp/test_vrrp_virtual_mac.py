"""The interface with the virtual router's MAC: what is needed, what fits, and what becomes of it in every role."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import msgspec
import pytest

from config.model import VirtualAddress, VrrpInstance
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_macs import AGAIN_SECONDS
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp import frames, packet
from lvsd.vrrp.ip import open_packet
from lvsd.vrrp.messages import Configure, InstanceStatus, Role
from lvsd.vrrp.sight import Interface, Sight
from lvsd.vrrp.virtual_mac import (
    alias_of,
    before_of,
    fault,
    is_ours,
    mac_of,
    noted_below,
    placed,
    unwanted,
    wanted,
)
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork

CONFIG = msgspec.structs.replace(samples.instance(priority=100), virtual_mac="vrrp.51")
MAC = bytes.fromhex("00005e000133")
OURS = Interface(9, MAC, up=False, raised=False, parent=2, alias="lvsd arp_ignore=0 arp_announce=0")
ETH0 = Interface(2, bytes.fromhex("020000000012"), up=True)
TAKES_OVER_AT = 3 + 156 / 256


# what is needed, and what fits


def test_the_mac_is_the_rfcs() -> None:
    assert mac_of(51, ipv6=False) == MAC
    assert mac_of(255, ipv6=True) == bytes.fromhex("00005e0002ff")


def test_addresses_move_to_the_macvlan_unless_they_are_for_another_interface() -> None:
    elsewhere = VirtualAddress("10.0.0.1", 24, "eth1", advertised=False)
    config = placed(msgspec.structs.replace(CONFIG, addresses=(*CONFIG.addresses, elsewhere)))
    assert [one.interface for one in config.addresses] == ["vrrp.51", "vrrp.51", "eth1"]
    plain = samples.instance()
    assert placed(plain) is plain


def test_what_is_needed_is_named_once() -> None:
    other = msgspec.structs.replace(CONFIG, name="other", virtual_router_id=52)
    needed = wanted([placed(CONFIG), placed(other), samples.instance()])
    assert list(needed) == ["vrrp.51"]
    assert (needed["vrrp.51"].mac, needed["vrrp.51"].parent, needed["vrrp.51"].quiet) == (MAC, "eth0", True)


def test_ipv6_addresses_alone_ask_nothing_of_arp() -> None:
    config = samples.instance(version=3, password=None, addresses=("2001:db8::1",))
    needed = wanted([placed(msgspec.structs.replace(config, virtual_mac="x"))])["x"]
    assert (needed.mac, needed.quiet) == (bytes.fromhex("00005e000233"), False)


@pytest.mark.parametrize(
    ("there", "text"),
    [
        (OURS, ""),
        (None, "interface vrrp.51 could not be made"),
        (replace(OURS, parent=0), "interface vrrp.51 exists and is no macvlan"),
        (replace(OURS, parent=3), "interface vrrp.51 exists and is no macvlan"),
        (replace(OURS, mac=ETH0.mac), "with the MAC 00:00:5e:00:01:33: remove it"),
        (replace(OURS, alias=""), "interface vrrp.51 could not be made"),
    ],
)
def test_a_strangers_interface_is_a_fault(there: Interface | None, text: str) -> None:
    sight = Sight({"eth0": ETH0, **({"vrrp.51": there} if there is not None else {})})
    found = fault(CONFIG, sight)
    assert text in found
    assert bool(found) is bool(text)


@pytest.mark.parametrize("before", [None, (0, 0), (2, 1)])
def test_what_was_below_is_noted_in_the_alias(before: tuple[int, int] | None) -> None:
    made = replace(OURS, alias=alias_of(before))
    assert is_ours(made)
    assert before_of(made) == before


@pytest.mark.parametrize("alias", ["", "lvsdx", "uplink", "my lvsd"])
def test_another_alias_is_not_ours(alias: str) -> None:
    assert not is_ours(replace(OURS, alias=alias))


@pytest.mark.parametrize(
    "alias", ["lvsd arp_ignore=x arp_announce=0", "lvsd arp_ignore=1", "lvsd = ==", "lvsd arp_ignore=² arp_announce=1"]
)
def test_a_note_that_cannot_be_read_is_none(alias: str) -> None:
    assert before_of(replace(OURS, alias=alias)) is None


def test_only_ours_that_nobody_needs_are_unwanted() -> None:
    sight = Sight({"eth0": ETH0, "a": OURS, "b": OURS, "c": replace(OURS, alias=""), "d": replace(OURS, parent=0)})
    assert unwanted({"a"}, sight) == ["b"]


def test_the_first_note_below_is_handed_on() -> None:
    other = replace(OURS, alias=alias_of((0, 1)))
    sight = Sight({"eth0": ETH0, "a": OURS, "b": other, "c": replace(OURS, parent=3, alias=alias_of((7, 7)))})
    assert noted_below(2, sight, "a") == (0, 1)
    assert noted_below(2, Sight({"a": OURS}), "a") is None


def test_an_address_on_a_macvlan_that_is_down_is_lost() -> None:
    address = VirtualAddress("192.0.2.100", 24, "vrrp.51")
    here = {"vrrp.51": (("192.0.2.100", 24),)}
    assert not Sight({"vrrp.51": OURS}, here).has(address)
    assert Sight({"vrrp.51": replace(OURS, raised=True)}, here).has(address)
    assert Sight({"vrrp.51": replace(OURS, raised=False, parent=0)}, here).has(address)


# what becomes of it


class Machine:
    """Routers on a fake network."""

    def __init__(self, folder: Path, network: FakeNetwork | None = None, *, restarted: bool = False) -> None:
        self.network = network or FakeNetwork()
        self.routers = Routers(self.network, HeldFile(folder / "held"), 0.0, restarted=restarted)

    def configure(self, *configs: VrrpInstance, now: float = 0.0) -> None:
        self.routers.configure(Configure(1, configs), now)

    def activate(self) -> None:
        self.configure(CONFIG)
        self.routers.wake(TAKES_OVER_AT)
        assert self.status().role is Role.ACTIVE

    def status(self) -> InstanceStatus:
        return self.routers.status().instances[0]


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def test_it_is_made_with_the_instance_and_raised_with_the_role(machine: Machine) -> None:
    machine.configure(CONFIG)
    assert machine.network.words() == ["make", "lower", "delete"]
    assert machine.status().role is Role.BACKUP
    machine.routers.wake(TAKES_OVER_AT)
    assert machine.network.words() == ["announce", "raise", "add", "announce"]
    assert {one.interface for one in machine.routers._routers[("eth0", False, 51)].held} == {"vrrp.51"}


def test_it_advertises_and_announces_with_the_virtual_mac(machine: Machine) -> None:
    machine.activate()
    said = [what for kind, what in machine.network.done if kind == "announce" and isinstance(what, bytes)]
    assert {frame[6:12] for frame in said} == {MAC}
    assert said[0][:6] == bytes.fromhex("01005e000012")
    wire = packet.Wire.of(CONFIG, samples.OWN_SOURCE)
    assert said[0][14:] == packet.encode(wire, 100, 1)
    assert {frame[:6] for frame in said[1:]} == {frames.BROADCAST}


def test_unicast_goes_from_the_interface_below(machine: Machine) -> None:
    machine.configure(msgspec.structs.replace(CONFIG, unicast_peers=(samples.PEER_SOURCE,)))
    machine.routers.wake(TAKES_OVER_AT)
    assert machine.network.words() == ["make", "lower", "delete", "send", "raise", "add", "announce"]


def test_an_ipv6_advertisement_is_framed_whole() -> None:
    config = samples.instance(version=3, password=None, addresses=("fe80::5:1",))
    source = bytes.fromhex("fe800000000000000000000000000012")
    wire = packet.Wire.of(config, "fe80::12")
    message = packet.encode(wire, 150, 1)
    frame = frames.multicast(bytes.fromhex("00005e000233"), source, message)
    assert frame[:22].hex() == "33330000001200005e00023386dd" + "6c000000" + "001870ff"
    assert (frame[22:38], frame[38:54].hex(), frame[54:]) == (source, "ff02" + "0" * 26 + "12", message)


def test_it_is_lowered_before_the_addresses_go(machine: Machine) -> None:
    machine.activate()
    machine.network.words()
    machine.routers.stop(5.0)
    assert machine.network.words() == ["announce", "lower", "delete", "remove"]
    assert "vrrp.51" not in machine.network.interfaces


def test_the_last_one_gives_the_settings_below_back(machine: Machine) -> None:
    other = msgspec.structs.replace(CONFIG, name="b", virtual_router_id=52, virtual_mac="vrrp.52")
    machine.configure(CONFIG, other)
    machine.network.done.clear()
    machine.routers.stop(1.0)
    removed = [what for kind, what in machine.network.done if kind == "remove"]
    assert removed == [("vrrp.51", None), ("vrrp.52", ("eth0", (0, 0)))]


def test_a_successor_finds_it_as_it_was(tmp_path: Path) -> None:
    first = Machine(tmp_path)
    first.activate()
    first.network.words()
    second = Machine(tmp_path, first.network, restarted=True)
    second.configure(CONFIG, now=0.1)
    assert second.status().role is Role.ACTIVE
    assert second.network.words() == ["announce", "raise", "add", "announce"]


def test_a_fresh_start_removes_what_a_predecessor_left(tmp_path: Path) -> None:
    first = Machine(tmp_path)
    first.activate()
    first.network.words()
    Machine(tmp_path, first.network)
    assert first.network.words() == ["delete", "remove"]


def test_one_of_a_stranger_is_not_touched(machine: Machine) -> None:
    stranger = Interface(9, ETH0.mac, up=True)
    machine.network.interfaces["vrrp.51"] = stranger
    machine.configure(CONFIG)
    assert "exists and is no macvlan" in machine.status().fault
    machine.routers.stop(1.0)
    assert machine.network.interfaces["vrrp.51"] is stranger


def test_one_without_our_mark_that_fits_is_taken_over(machine: Machine) -> None:
    machine.network.interfaces["vrrp.51"] = replace(OURS, alias="")
    machine.configure(CONFIG)
    assert is_ours(machine.network.interfaces["vrrp.51"])
    assert machine.status().fault == ""


def test_one_of_ours_for_another_virtual_router_is_made_anew(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.network.words()
    machine.configure(msgspec.structs.replace(CONFIG, virtual_router_id=52), now=1.0)
    assert machine.network.words() == ["remove", "make", "lower", "delete"]
    assert machine.network.interfaces["vrrp.51"].mac == mac_of(52, ipv6=False)
    assert machine.status().fault == ""


def test_what_cannot_be_made_is_told_once_and_tried_again(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.network.refusing = True
    machine.configure(CONFIG)
    assert machine.status().fault == "interface vrrp.51 could not be made"
    machine.network.refusing = False
    machine.routers.look(1.0)  # its coming and going is news, which must not bring it back at once
    assert machine.routers.wake_at == AGAIN_SECONDS
    machine.network.refusing = True
    machine.routers.wake(AGAIN_SECONDS)
    assert machine.routers.wake_at == 2 * AGAIN_SECONDS
    assert capfd.readouterr().err.count("virtual_mac_not_made") == 1
    machine.network.refusing = False
    machine.routers.wake(2 * AGAIN_SECONDS)
    assert (machine.status().fault, machine.status().role) == ("", Role.BACKUP)
    assert machine.routers.wake_at == 2 * AGAIN_SECONDS + TAKES_OVER_AT


def test_one_removed_by_hand_comes_back_with_its_addresses(machine: Machine) -> None:
    machine.activate()
    machine.network.words()
    machine.network.remove_macvlan("vrrp.51", None)
    machine.network.words()
    machine.routers.look(5.0)
    assert machine.network.words() == ["make", "raise", "add", "announce"]
    assert machine.status().role is Role.ACTIVE


def test_one_lowered_by_hand_is_raised(machine: Machine) -> None:
    machine.activate()
    machine.network.words()
    machine.network.raise_macvlan("vrrp.51", up=False)
    machine.network.words()
    machine.routers.look(5.0)
    assert machine.network.words() == ["raise", "add", "announce"]


def test_a_reload_moves_the_addresses_in_place(machine: Machine) -> None:
    machine.activate()
    machine.network.words()
    machine.configure(samples.instance(priority=100), now=5.0)
    assert machine.network.words() == ["add", "send", "announce", "delete", "remove"]
    machine.configure(CONFIG, now=6.0)
    assert machine.network.words() == ["make", "raise", "add", "announce", "delete"]
    assert machine.status().role is Role.ACTIVE


def test_a_beaten_one_is_lowered(machine: Machine) -> None:
    machine.activate()
    machine.network.words()
    better = packet.Wire.of(CONFIG, samples.PEER_SOURCE)
    machine.routers.heard(("eth0", False), open_packet(packet.encode(better, 200, 1)), 5.0)
    assert machine.network.words() == ["lower", "delete"]


# an interface that is not tracked


def test_an_interface_that_is_not_tracked_may_be_down(machine: Machine) -> None:
    machine.network.interfaces["eth0"] = replace(ETH0, up=False)
    machine.configure(samples.instance(priority=100))
    assert machine.status().fault == "interface eth0 is down"
    machine.configure(msgspec.structs.replace(samples.instance(priority=100), track_interface=False), now=1.0)
    assert (machine.status().fault, machine.status().role) == ("", Role.BACKUP)
    del machine.network.interfaces["eth0"]
    machine.routers.look(2.0)
    assert machine.status().fault == "interface eth0 does not exist"


def test_the_interface_of_an_address_elsewhere_is_tracked_all_the_same(machine: Machine) -> None:
    elsewhere = VirtualAddress("10.0.0.1", 24, "eth1", advertised=False)
    config = msgspec.structs.replace(
        samples.instance(priority=100), track_interface=False, addresses=(*CONFIG.addresses, elsewhere)
    )
    machine.network.interfaces["eth1"] = Interface(3, ETH0.mac, up=False)
    machine.configure(config)
    assert machine.status().fault == "interface eth1 is down"
