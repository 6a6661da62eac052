"""The hands of the state machines: order, what is held, what survives a crash, what a reload disturbs."""

from __future__ import annotations

from pathlib import Path

import msgspec
import pytest

from config.model import VrrpInstance
from lvsd.runtime.vrrp_held import HeldFile, read
from lvsd.runtime.vrrp_routers import LOOK_AGAIN_SECONDS, RESUME_PATIENCE_SECONDS, Routers
from lvsd.version import VERSION
from lvsd.vrrp import packet
from lvsd.vrrp.active import LOSSES_LIMIT
from lvsd.vrrp.ip import Datagram, open_packet
from lvsd.vrrp.messages import Cause, Configure, InstanceStatus, Role
from lvsd.vrrp.sight import Interface
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import MAC, FakeNetwork

CONFIG = samples.instance(priority=100)
ADDRESSES = CONFIG.addresses
SKEW = 156 / 256
TAKES_OVER_AT = 3 + SKEW
GOOD = open_packet(packet.encode(packet.Wire.of(CONFIG, samples.PEER_SOURCE), 200, 1))


class Machine:
    """Routers on a fake network, with a held file."""

    def __init__(self, folder: Path, *, restarted: bool = False, network: FakeNetwork | None = None) -> None:
        self.network = network or FakeNetwork()
        self.file = folder / "vrrp.held"
        self.routers = Routers(self.network, HeldFile(self.file), 0.0, restarted=restarted)

    def configure(self, *instances: VrrpInstance, now: float = 0.0) -> None:
        self.routers.configure(Configure(1, instances), now)

    def status(self, position: int = 0) -> InstanceStatus:
        return self.routers.status().instances[position]

    def activate(self) -> None:
        """Become active, and forget what was done for it."""
        self.configure(CONFIG)
        self.routers.wake(TAKES_OVER_AT)
        assert self.status().role is Role.ACTIVE
        self.network.words()

    def hear(self, config: VrrpInstance, now: float, source: str = samples.PEER_SOURCE) -> None:
        raw = packet.encode(packet.Wire.of(config, source), config.priority, 1)
        self.routers.heard((config.interface, config.ipv6), open_packet(raw), now)


@pytest.fixture
def machine(tmp_path: Path) -> Machine:
    return Machine(tmp_path)


def _held(machine: Machine) -> list[str]:
    return machine.file.read_text().splitlines() if machine.file.exists() else []


def test_they_say_which_lvsd_they_are_of(machine: Machine) -> None:
    assert machine.routers.status().version == VERSION


def test_leftovers_go_before_a_backup_begins(tmp_path: Path) -> None:
    network = FakeNetwork()
    network.put(*ADDRESSES)
    machine = Machine(tmp_path, network=network)
    machine.configure(CONFIG)
    assert machine.status().role is Role.BACKUP
    assert not any(map(network.holds, ADDRESSES))


def test_taking_over_advertises_then_adds_then_announces(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.network.words()
    assert machine.routers.wake_at == TAKES_OVER_AT
    machine.routers.wake(TAKES_OVER_AT)
    assert machine.network.words() == ["send", "add", "announce"]
    assert machine.status().addresses_held == ("192.0.2.100/24", "192.0.2.101/24")
    assert _held(machine) == ["eth0 192.0.2.100/24", "eth0 192.0.2.101/24"]
    machine.file.unlink()  # somebody cleans up
    machine.routers.remember()
    assert _held(machine) == ["eth0 192.0.2.100/24", "eth0 192.0.2.101/24"]
    assert machine.file.stat().st_mode & 0o777 == 0o600


def test_announcements_go_round_in_turn(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.routers.wake(TAKES_OVER_AT)
    frames = [what for kind, what in machine.network.done if kind == "announce"]
    assert len(frames) == 10
    assert frames[0] != frames[1]
    assert frames[0] == frames[2]
    assert isinstance(frames[0], bytes)
    assert frames[0][6:12] == MAC


def test_packets_are_numbered_from_one_and_round_without_zero(machine: Machine) -> None:
    machine.activate()
    router = next(iter(machine.routers._routers.values()))
    assert router.identification == 1
    router.identification = 65534
    for second in (1, 2):
        machine.routers.wake(TAKES_OVER_AT + second)
    numbers = [what[4:6] for kind, what in machine.network.done if kind == "send" and isinstance(what, bytes)]
    assert numbers == [b"\xff\xff", b"\x00\x01"]


def test_the_file_names_an_address_before_it_is_added(machine: Machine, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[list[str]] = []

    def add(_: object) -> bool:
        seen.append(_held(machine))
        return True

    machine.configure(CONFIG)
    monkeypatch.setattr(machine.network, "add", add)
    machine.routers.wake(TAKES_OVER_AT)
    assert seen[0] == ["eth0 192.0.2.100/24", "eth0 192.0.2.101/24"]


def test_an_equal_configuration_disturbs_nothing(machine: Machine) -> None:
    machine.activate()
    before = machine.status()
    machine.configure(samples.instance(priority=100), now=10.0)
    assert machine.network.words() == []
    assert machine.status() == before


def test_a_reload_changes_addresses_in_place(machine: Machine) -> None:
    machine.activate()
    kept, new = ADDRESSES[1], msgspec.structs.replace(ADDRESSES[0], address="192.0.2.105")
    machine.configure(msgspec.structs.replace(CONFIG, addresses=(kept, new)), now=10.0)
    assert machine.network.words() == ["add", "send", "announce", "delete"]
    assert _held(machine) == ["eth0 192.0.2.101/24", "eth0 192.0.2.105/24"]
    assert machine.status().role is Role.ACTIVE


def test_a_reload_speaks_with_the_new_password_at_once(machine: Machine) -> None:
    machine.activate()
    machine.configure(samples.instance(priority=100, password="other"), now=10.0)
    sent = [what for kind, what in machine.network.done if kind == "send" and isinstance(what, bytes)]
    assert sent[-1].endswith(b"other\0\0\0")


def test_a_renamed_instance_keeps_its_role(machine: Machine) -> None:
    machine.activate()
    machine.configure(samples.instance(priority=100, name="renamed"), now=10.0)
    assert (machine.status().name, machine.status().role) == ("renamed", Role.ACTIVE)
    assert "delete" not in machine.network.words()


def test_a_removed_instance_leaves_in_good_order(machine: Machine) -> None:
    machine.activate()
    machine.configure(now=10.0)
    sent = [what for kind, what in machine.network.done if kind == "send" and isinstance(what, bytes)]
    assert [raw[22] for raw in sent] == [0]
    assert machine.network.words() == ["send", "delete"]
    assert _held(machine) == []
    assert machine.routers.status().instances == ()


def test_what_version_2_cannot_say_resigns_and_stays_as_a_fault(machine: Machine) -> None:
    machine.activate()
    machine.configure(samples.instance(priority=100, version=4), now=10.0)
    assert machine.network.words() == ["send", "delete"]
    assert (machine.status().role, machine.status().fault) == (Role.INITIALIZE, "version 4 is not spoken")
    machine.configure(CONFIG, now=11.0)
    assert (machine.status().role, machine.status().fault) == (Role.BACKUP, "")


def test_the_same_virtual_router_twice_is_run_once(machine: Machine) -> None:
    machine.configure(CONFIG, samples.instance(priority=50, name="again"))
    assert [one.name for one in machine.routers.status().instances] == ["lb0"]


def test_instances_are_reported_in_their_order(machine: Machine) -> None:
    other = samples.instance(name="second", virtual_router_id=52, addresses=("192.0.2.110",))
    machine.configure(CONFIG, other)
    assert [one.name for one in machine.routers.status().instances] == ["lb0", "second"]


def test_each_advertisement_goes_to_its_virtual_router(machine: Machine) -> None:
    other = samples.instance(name="second", virtual_router_id=52, addresses=("192.0.2.110",))
    machine.configure(CONFIG, other)
    machine.hear(samples.instance(priority=200, virtual_router_id=52, addresses=("192.0.2.110",)), 1.0)
    assert [one.adverts_received for one in machine.routers.status().instances] == [0, 1]
    assert machine.status(1).active_router == samples.PEER_SOURCE
    machine.hear(samples.instance(priority=200, virtual_router_id=99), 1.0)
    machine.routers.heard(("eth1", False), GOOD, 1.0)
    machine.routers.heard(("eth0", True), GOOD, 1.0)
    machine.routers.heard(("eth0", False), Datagram(b"\1\2\3\4", b"\5\6\7\x08", 255, True, b"\x21"), 1.0)
    assert [one.adverts_received for one in machine.routers.status().instances] == [0, 1]


def test_a_wrong_password_is_counted_and_not_obeyed(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.hear(samples.instance(priority=200, password="wrong"), 1.0)
    assert machine.status().dropped == {"authentication_failure": 1}
    assert machine.status().adverts_received == 0
    assert machine.routers.wake_at == TAKES_OVER_AT


def test_another_address_list_is_counted_and_obeyed(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.hear(samples.instance(priority=200, addresses=("192.0.2.100",)), 1.0)
    assert machine.status().dropped == {"address_list": 1}
    assert machine.status().active_router == samples.PEER_SOURCE


def test_a_stolen_address_is_put_back(machine: Machine) -> None:
    machine.activate()
    machine.network.steal(ADDRESSES[0])
    machine.routers.look(5.0)
    assert machine.network.words() == ["add", "announce"]
    assert all(map(machine.network.holds, ADDRESSES))
    machine.routers.look(5.1)
    assert machine.network.words() == []


def test_a_stolen_address_of_a_backup_is_no_news(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.network.words()
    machine.routers.look(1.0)
    assert machine.network.words() == []


def test_an_address_that_cannot_be_added_is_tried_again_and_then_given_up(machine: Machine) -> None:
    machine.configure(CONFIG)
    machine.network.refusing = True
    machine.routers.wake(TAKES_OVER_AT)
    assert machine.status().addresses_held == ()
    now = TAKES_OVER_AT
    for _ in range(LOSSES_LIMIT):
        now += LOOK_AGAIN_SECONDS
        machine.routers.wake(now)
        assert machine.status().role is Role.ACTIVE
    machine.routers.wake(now + LOOK_AGAIN_SECONDS)
    assert (machine.status().role, machine.status().cause) == (Role.BACKUP, Cause.ADDRESS_LOST)


def test_a_link_that_goes_is_a_fault_and_one_that_comes_back_is_heard_first(machine: Machine) -> None:
    machine.activate()
    machine.network.interfaces["eth0"] = Interface(2, MAC, up=False)
    machine.routers.look(5.0)
    assert machine.network.words() == ["send", "delete"]
    assert (machine.status().role, machine.status().fault) == (Role.INITIALIZE, "interface eth0 is down")
    machine.network.interfaces["eth0"] = Interface(2, MAC, up=True)
    machine.routers.look(9.0)
    assert (machine.status().role, machine.routers.wake_at) == (Role.BACKUP, 9 + TAKES_OVER_AT)


def test_an_interface_that_appears_later_is_found(machine: Machine) -> None:
    eth0 = machine.network.interfaces.pop("eth0")
    machine.configure(CONFIG)
    assert (machine.status().fault, machine.network.listening) == ("interface eth0 does not exist", frozenset())
    machine.network.interfaces["eth0"] = eth0
    machine.routers.look(5.0)
    assert (machine.status().role, machine.network.listening) == (Role.BACKUP, frozenset({("eth0", False)}))


def test_a_virtual_address_is_no_address_to_speak_from(machine: Machine) -> None:
    machine.network.addresses["eth0"] = [("192.0.2.100", 24)]
    machine.configure(CONFIG)
    assert machine.status().fault == "interface eth0 has no IPv4 address of its own"


def test_the_interface_of_an_address_counts_too(machine: Machine) -> None:
    elsewhere = msgspec.structs.replace(ADDRESSES[0], interface="eth1")
    machine.configure(msgspec.structs.replace(CONFIG, addresses=(elsewhere,)))
    assert machine.status().fault == "interface eth1 does not exist"


def test_a_network_that_takes_nothing_is_told_once_and_survived(
    machine: Machine, capfd: pytest.CaptureFixture[str]
) -> None:
    machine.activate()
    machine.network.broken = True
    for second in range(1, 8):
        machine.routers.wake(TAKES_OVER_AT + second)
    assert machine.status().role is Role.ACTIVE
    assert machine.status().adverts_sent == 1
    assert capfd.readouterr().err.count("advertisement_not_sent") == 1


def test_the_journal_never_shows_the_password(machine: Machine, capfd: pytest.CaptureFixture[str]) -> None:
    machine.activate()
    machine.hear(samples.instance(priority=200, password="wrong"), 5.0)
    machine.routers.stop(6.0)
    told = capfd.readouterr().err
    assert "advertisement_dropped" in told
    assert "s3cret" not in told + repr(machine.routers.__dict__)
    assert "wrong" not in told


def test_stopping_sends_priority_zero_and_releases(machine: Machine) -> None:
    machine.activate()
    machine.routers.stop(5.0)
    assert machine.network.words() == ["send", "delete"]
    assert not any(map(machine.network.holds, ADDRESSES))
    assert _held(machine) == []


# a successor of a process that ended without giving up


def _successor(folder: Path, *, restarted: bool = True) -> Machine:
    first = Machine(folder)
    first.activate()
    return Machine(folder, restarted=restarted, network=first.network)


def test_a_successor_resumes_and_takes_nothing_off(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    assert machine.network.words() == []
    machine.configure(CONFIG, now=0.2)
    assert (machine.status().role, machine.status().cause) == (Role.ACTIVE, Cause.RESUMED)
    assert machine.network.words() == ["send", "add", "announce"]
    assert _held(machine) == ["eth0 192.0.2.100/24", "eth0 192.0.2.101/24"]


def test_a_successor_with_an_address_missing_begins_as_backup(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    machine.network.steal(ADDRESSES[0])
    machine.configure(CONFIG, now=0.2)
    assert machine.status().role is Role.BACKUP
    assert not any(map(machine.network.holds, ADDRESSES))


def test_a_successor_does_not_mistake_a_strangers_addresses_for_its_own(tmp_path: Path) -> None:
    network = FakeNetwork()
    network.put(*ADDRESSES)
    machine = Machine(tmp_path, restarted=True, network=network)
    machine.configure(CONFIG, now=0.2)
    assert machine.status().role is Role.BACKUP


def test_a_fresh_start_removes_what_the_file_names(tmp_path: Path) -> None:
    machine = _successor(tmp_path, restarted=False)
    assert machine.network.words() == ["delete"]
    assert _held(machine) == []


def test_a_successor_without_a_configuration_gives_up_in_time(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    assert machine.routers.wake_at == RESUME_PATIENCE_SECONDS
    machine.routers.wake(RESUME_PATIENCE_SECONDS)
    assert machine.network.words() == ["delete"]
    machine.configure(CONFIG, now=5.0)
    assert machine.status().role is Role.BACKUP


def test_a_successor_removes_what_is_no_longer_configured(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    machine.configure(samples.instance(priority=100, addresses=("192.0.2.101",)), now=0.2)
    assert (machine.status().role, machine.status().cause) == (Role.ACTIVE, Cause.RESUMED)
    assert not machine.network.holds(ADDRESSES[0])
    assert _held(machine) == ["eth0 192.0.2.101/24"]


def test_a_successor_stopped_before_it_is_configured_releases(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    machine.routers.stop(0.1)
    assert machine.network.words() == ["delete"]
    assert _held(machine) == []


def test_only_the_first_configuration_resumes(tmp_path: Path) -> None:
    machine = _successor(tmp_path)
    machine.configure(now=0.2)
    machine.network.put(*ADDRESSES)
    machine.configure(CONFIG, now=0.4)
    assert machine.status().role is Role.BACKUP


@pytest.mark.parametrize(("restarted", "role"), [(True, Role.ACTIVE), (False, Role.BACKUP)])
def test_without_a_file_the_addresses_alone_say_what_was(restarted: bool, role: Role) -> None:
    network = FakeNetwork()
    network.put(*ADDRESSES)
    routers = Routers(network, HeldFile(None), 0.0, restarted=restarted)
    routers.configure(Configure(1, (CONFIG,)), 0.2)
    assert routers.status().instances[0].role is role


# the file


def test_a_damaged_file_is_read_as_far_as_it_goes(tmp_path: Path) -> None:
    path = tmp_path / "held"
    path.write_bytes(b"eth0 192.0.2.100/24\nnonsense\neth0 192.0.2.101\n\xff\xfe /\neth1 10.0.0.1/x\n")
    assert read(path) == {ADDRESSES[0]}


def test_without_a_path_nothing_is_kept() -> None:
    keeper = HeldFile(None)
    keeper.write(frozenset(ADDRESSES))
    assert (keeper.known, keeper.inherited) == (False, frozenset())


def test_a_file_that_cannot_be_written_stops_nothing(tmp_path: Path, capfd: pytest.CaptureFixture[str]) -> None:
    network = FakeNetwork()
    routers = Routers(network, HeldFile(tmp_path / "none" / "held"), 0.0, restarted=False)
    routers.configure(Configure(1, (CONFIG,)), 0.0)
    routers.wake(TAKES_OVER_AT)
    assert routers.status().instances[0].role is Role.ACTIVE
    assert "held_file_not_written" in capfd.readouterr().err
