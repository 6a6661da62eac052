"""VRRP instances."""

from __future__ import annotations

import msgspec
import pytest

from config.changes import changes
from config.model import (
    GratuitousArp,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
    VirtualAddress,
    VrrpGroup,
    VrrpHooks,
    VrrpInstance,
)
from config.secret import Secret
from lvsd.vrrp.drops import Drop
from lvsd.vrrp.messages import Cause, InstanceStatus, Role, VrrpStatus, configuration, encode
from tests.unit.config.files_in_memory import assert_told_at_the_marks, codes_of, good, instance, load_text, told


def text(keys: str = "", *, addresses: str = "[1.1.1.12/24]", version: str = "version: 2", name: str = "lb0") -> str:
    lines = ("interface: eth0", "virtual_router_id: 1", f"addresses: {addresses}", version, keys)
    return f"vrrp:\n  {name}:\n" + "".join(f"    {line}\n" for line in lines)


def test_what_holds_when_nothing_is_said() -> None:
    assert instance(text()) == VrrpInstance(
        name="lb0",
        interface="eth0",
        virtual_router_id=1,
        priority=100,
        version=2,
        addresses=(VirtualAddress("1.1.1.12", 24, "eth0"),),
        advertisement_interval=1.0,
        password=None,
        preempt=True,
        gratuitous_arp=GratuitousArp(repeat=5, delay=5.0, refresh=0.0),
    )


def test_everything_said() -> None:
    keys = """priority: 200
    advertisement_interval: 3s
    authentication: {type: simple, password: secret}
    preempt: false
    gratuitous_arp: {repeat: 3, delay: 0, refresh: 1m}"""
    found = instance(text(keys, addresses="[1.1.1.12, {address: 10.1.1.12/24, interface: eth1}]"))
    assert found.priority == 200
    assert found.advertisement_interval == 3.0
    assert found.password == Secret("secret")
    assert found.preempt is False
    assert found.gratuitous_arp == GratuitousArp(3, 0.0, 60.0)
    assert found.addresses == (VirtualAddress("1.1.1.12", 32, "eth0"), VirtualAddress("10.1.1.12", 24, "eth1"))


@pytest.mark.parametrize("written", ["{type: none}", "{type: none, }"])
def test_no_authentication(written: str) -> None:
    assert instance(text(f"authentication: {written}")).password is None


def test_the_type_of_authentication_follows_from_a_password() -> None:
    assert instance(text("authentication: {password: secret}")).password == Secret("secret")


def test_a_long_password_is_told_and_taken() -> None:
    loaded = load_text(text("authentication: {password: mySuperSecretPassw0rd}"))
    (problem,) = loaded.problems
    assert (problem.code, problem.severity.value) == ("CFG062", "warning")
    assert "mySuper" not in str(problem)
    assert loaded.config is not None
    assert loaded.config.vrrp[0].password == Secret("mySuperSecretPassw0rd")
    assert instance(text("authentication: {password: '12345678'}")).password == Secret("12345678")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"version": ""}, ""),
        ({"version": "version: 3"}, ""),
        ({"version": "version: →4"}, "CFG015"),
        ({"version": "version: →two"}, "CFG013"),
        ({"addresses": "→[]"}, "CFG018"),
        ({"addresses": "→1.1.1.12"}, "CFG013"),
        ({"addresses": "[→'2001:db8::12/64']"}, "CFG043"),
        ({"addresses": "[1.1.1.12/24, →1.1.1.12]"}, "CFG061"),
        ({"addresses": "[→{interface: eth1}]"}, "CFG012"),
        ({"addresses": "→[" + ", ".join(f"10.0.{n // 100}.{n % 100 + 1}" for n in range(256)) + "]"}, "CFG015"),
        ({"addresses": "[" + ", ".join(f"10.0.{n // 100}.{n % 100 + 1}" for n in range(255)) + "]"}, ""),
        ({"keys": "priority: →0"}, "CFG015"),
        ({"keys": "priority: →256"}, "CFG015"),
        ({"keys": "priority: 254"}, ""),
        ({"keys": "advertisement_interval: →1500ms"}, "CFG015"),
        ({"keys": "advertisement_interval: →100ms"}, "CFG015"),
        ({"keys": "advertisement_interval: →256"}, "CFG015"),
        ({"keys": "authentication: →{type: simple}"}, "CFG012"),
        ({"keys": "authentication: {type: →ah, password: x}"}, "CFG016"),
        ({"keys": "authentication: {type: none, →password: x}"}, "CFG034"),
        ({"keys": "authentication: {password: →12}"}, "CFG014"),
        ({"keys": "authentication: {→pasword: hunter2}"}, "CFG010"),
        ({"keys": "preempt: →no"}, "CFG013"),
        ({"keys": "gratuitous_arp: {repeat: →0}"}, "CFG015"),
        ({"keys": "→state: MASTER"}, "CFG010"),
        ({"addresses": "['2001:db8::12/64', →1.1.1.12]", "version": ""}, "CFG043"),
        ({"addresses": "['2001:db8::12/64', {address: 1.1.1.12, advertised: false}]", "version": ""}, ""),
        ({"addresses": "→[{address: 1.1.1.12, advertised: false}]"}, "CFG018"),
        ({"version": "", "keys": "advertisement_interval: 10ms"}, ""),
        ({"version": "", "keys": "advertisement_interval: 290ms"}, ""),
        ({"version": "", "keys": "advertisement_interval: 40.95s"}, ""),
        ({"version": "", "keys": "advertisement_interval: →40.96s"}, "CFG015"),
        ({"version": "", "keys": "advertisement_interval: →15ms"}, "CFG015"),
        ({"version": "", "keys": "authentication: →{password: secret}"}, "CFG034"),
        ({"keys": "unicast_peers: [→'2001:db8::1']"}, "CFG043"),
        ({"keys": "unicast_peers: [→1.1.1.12]"}, "CFG035"),
        ({"keys": "unicast_peers: [1.1.1.13, →1.1.1.13]"}, "CFG034"),
        ({"keys": "source: 1.1.1.14\n    unicast_peers: [→1.1.1.14]"}, "CFG035"),
        ({"keys": "source: →'2001:db8::1'"}, "CFG043"),
        ({"keys": "preempt: false\n    →preempt_delay: 5s"}, "CFG034"),
        ({"keys": "track: [{interface: eth1}, {script: [/bin/true], weight: -5, interval: 2s}]"}, ""),
        ({"keys": "track: [→{weight: 5}]"}, "CFG067"),
        ({"keys": "track: [→{interface: eth1, file: /run/x}]"}, "CFG067"),
        ({"keys": "track: [{interface: eth1, →rise: 2}]"}, "CFG067"),
        ({"keys": "track: [{process: haproxy, →delay: 2s}]"}, "CFG067"),
        ({"keys": "track: [{process: haproxy, →each: 2}]"}, "CFG067"),
        ({"keys": "track: [{interface: eth1, weight: →254}]"}, "CFG015"),
        ({"keys": "track: [{interface: eth1, →table: 7}]"}, "CFG067"),
        ({"keys": "track: [{route: default, →count: 2}]"}, "CFG067"),
        ({"keys": "track: [{route: →10.0.0.1/8}]"}, "CFG017"),
        ({"keys": "track: [{route: →uplink}]"}, "CFG017"),
        ({"keys": "track: [{route: '2001:db8::/32', →gateway: 1.1.1.1}]"}, "CFG043"),
        ({"keys": "track: [{route: 10.0.0.0/8, gateway: '2001:db8::1'}]"}, ""),
        ({"keys": "track: [{route: default, table: →0}]"}, "CFG015"),
        ({"keys": "→virtual_mac: eth0"}, "CFG061"),
        ({"keys": "virtual_mac: →sixteen_letters_"}, "CFG017"),
        ({"keys": "virtual_mac: →yes"}, "CFG013"),
        ({"keys": "priority: 254\n    accept: false"}, ""),
        ({"keys": "→priority: 255\n    →accept: false"}, "CFG063 CFG034"),
    ],
)
def test_rules(options: dict[str, str], expected: str) -> None:
    assert_told_at_the_marks(text(**options), expected)


def test_version_3_is_what_holds_when_nothing_is_said() -> None:
    assert instance(text(version="")).version == 3


def test_everything_of_version_3_said() -> None:
    keys = """advertisement_interval: 100ms
    unicast_peers: 'fe80::14'
    source: fe80::13
    checksum: rfc
    preempt_delay: 30s
    sync_group: both
    on_active: [/bin/a]
    on_backup: [/bin/b]
    on_fault: [/bin/c]
    on_stop: [/bin/d]
    on_change: [/bin/e, x]"""
    loaded = load_text(text(keys, addresses="[fe80::12/64, {address: 1.1.1.12/24, advertised: false}]", version=""))
    assert [problem.code for problem in loaded.problems] == ["CFG034"]  # a group of one
    assert loaded.config is not None
    found = loaded.config.vrrp[0]
    assert (found.ipv6, found.advertisement_interval, found.unicast_peers) == (True, 0.1, ("fe80::14",))
    assert (found.source, found.rfc_checksum, found.preempt_delay, found.sync_group) == ("fe80::13", True, 30.0, "both")
    assert found.hooks == VrrpHooks(("/bin/a",), ("/bin/b",), ("/bin/c",), ("/bin/d",), ("/bin/e", "x"))
    assert found.addresses[1] == VirtualAddress("1.1.1.12", 24, "eth0", advertised=False)


def test_every_kind_of_track() -> None:
    keys = """track:
      - {interface: eth1, weight: -20}
      - {script: [/usr/bin/chk, now]}
      - {script: [/usr/bin/chk], name: web, interval: 5s, timeout: 2s, rise: 2, fall: 3, user: nobody, weight: 10}
      - {file: /run/weight, weight: 2}
      - {process: haproxy}
      - {process: nginx, count: 2}
      - {service: web, delay: 1s}"""
    web = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.17]}}\n"
    assert instance(text(keys) + web).tracks == (
        TrackedInterface(-20, "eth1"),
        TrackedScript(0, "chk", ("/usr/bin/chk", "now"), 1.0, 1.0, 1, 1, ""),
        TrackedScript(10, "web", ("/usr/bin/chk",), 5.0, 2.0, 2, 3, "nobody"),
        TrackedFile(2, "/run/weight"),
        TrackedProcess(0, "haproxy", 1),
        TrackedProcess(0, "nginx", 2),
        TrackedService(0, "web", 1.0),
    )


def test_tracks_turned_round() -> None:
    keys = "track: [{interface: eth1, inverted: true}, {process: x, inverted: false, weight: 5}]"
    assert instance(text(keys)).tracks == (TrackedInterface(0, "eth1", inverted=True), TrackedProcess(5, "x"))


def test_tracked_routes() -> None:
    keys = """track:
      - {route: default}
      - {route: 10.0.0.0/8, via_interface: eth1, gateway: 10.1.1.1, table: 100, weight: -5}
      - {route: Default, gateway: 'fe80::1', inverted: true}
      - {route: 192.0.2.1}"""
    assert instance(text(keys)).tracks == (
        TrackedRoute(0, "0.0.0.0/0"),
        TrackedRoute(-5, "10.0.0.0/8", "eth1", "10.1.1.1", 100),
        TrackedRoute(0, "::/0", "", "fe80::1", inverted=True),
        TrackedRoute(0, "192.0.2.1/32"),
    )
    six = instance(text("track: [{route: default}]", addresses="['2001:db8::12/64']", version=""))
    assert six.tracks == (TrackedRoute(0, "::/0"),)


def test_virtual_macs() -> None:
    found = [instance(text(f"virtual_mac: {word}")).virtual_mac for word in ("true", "false", "vip0")]
    assert found == ["vrrp.1", "", "vip0"]
    six = text("virtual_mac: true", addresses="['2001:db8::12/64']", version="", name="six").replace("vrrp:\n", "")
    assert [one.virtual_mac for one in good(text("virtual_mac: true") + six).vrrp] == ["vrrp.1", "vrrp6.1"]
    other = "  other: {interface: eth1, virtual_router_id: 1, addresses: [1.1.1.13], virtual_mac: true}\n"
    (line,) = told(text("virtual_mac: true") + other)
    assert line.startswith("8:73: the interface vrrp.1 is of instance `lb0` already (virtual_mac: a name of its own")
    assert codes_of(text("virtual_mac: eth1") + other.replace("true", "vip1")) == ["7:5 CFG061"]


def test_what_the_active_balancer_takes_and_needs() -> None:
    found = instance(text("accept: false\n    track_interface: false"))
    assert (found.accept, found.track_interface) == (False, False)
    assert (instance(text()).accept, instance(text()).track_interface) == (True, True)


def test_one_virtual_router_id_for_each_family() -> None:
    both = text(version="") + text(addresses="['2001:db8::12/64']", version="", name="six").replace("vrrp:\n", "")
    assert codes_of(both) == []
    assert codes_of(text() + text(addresses="[1.1.1.13/24]", name="other").replace("vrrp:\n", "")) == ["10:24 CFG061"]


def test_eight_bytes_of_the_password_count() -> None:
    assert codes_of(text("authentication: {password: '12345678'}")) == []
    assert codes_of(text("authentication: {password: '123456789'}")) == ["7:32 CFG062"]
    assert codes_of(text("authentication: {password: éééé}")) == []
    assert codes_of(text("authentication: {password: ééééx}")) == ["7:32 CFG062"]


def test_what_is_missing() -> None:
    assert [line.partition(" is")[0] for line in told("vrrp: {lb0: {version: 2}}")] == [
        "1:8: `interface`",
        "1:8: `virtual_router_id`",
        "1:8: `addresses`",
    ]


SECOND = "  lb1: {interface: eth0, virtual_router_id: 1, version: 2, addresses: [1.1.1.13]}\n"


def test_one_virtual_router_id_a_network() -> None:
    assert told(text() + SECOND) == [
        "8:45: virtual router id 1 on eth0 is instance `lb0` already (it stands at line 4) [CFG061]",
    ]
    assert len(good(text() + SECOND.replace("eth0", "eth1")).vrrp) == 2
    assert len(good(text() + SECOND.replace("id: 1", "id: 2")).vrrp) == 2


def test_only_addresses_that_are_advertised_count_to_what_an_advertisement_holds() -> None:
    many = [f"10.0.{n // 100}.{n % 100 + 1}" for n in range(255)]
    moved = ", ".join([*many, "{address: 10.1.0.1, advertised: false}"])
    (found,) = good(f"vrrp: {{a: {{interface: eth0, virtual_router_id: 1, addresses: [{moved}]}}}}\n").vrrp
    assert len(found.addresses) == 256


def test_an_address_moves_with_one_instance() -> None:
    assert told(text() + SECOND.replace("id: 1", "id: 2").replace(".13", ".12")) == [
        "8:72: 1.1.1.12 is moved by instance `lb0` already (it stands at line 5) [CFG061]",
    ]


def test_services_of_addresses_that_nobody_moves() -> None:
    service = "services: {web: {virtual: '1.1.1.13:80', real_servers: [1.1.1.15]}}\n"
    assert codes_of(text() + service) == ["8:27 CFG064"]
    assert codes_of(service) == []
    assert codes_of(text(addresses="[1.1.1.12, 1.1.1.13]") + service) == []
    mark = "services: {web: {fwmark: 7, check: {type: none}, real_servers: [1.1.1.15]}}\n"
    assert codes_of(text() + mark) == []


def many(instances: int, addresses: int) -> str:
    """So many instances of the longest kind, with so many addresses each."""
    lines = []
    for number in range(instances):
        moved = ", ".join(f"100.{number}.{last // 250}.{last % 250 + 1}/24" for last in range(addresses))
        lines.append(
            f"  {'n' * 61}{number:03}: {{interface: interface{number:06}, virtual_router_id: {number + 1}, version: 2,"
            f" priority: 100, authentication: {{type: simple, password: secret7}}, addresses: [{moved}]}}\n"
        )
    return "vrrp:\n" + "".join(lines)


def test_what_may_be_configured_fits_the_messages_of_the_vrrp_process() -> None:
    for instances, addresses in ((64, 8), (2, 255)):
        configured = good(many(instances, addresses)).vrrp
        loud = VrrpHooks(*(("/bin/sh", "x" * 8000),) * 5)
        encode(configuration(2**31, (msgspec.structs.replace(one, hooks=loud) for one in configured)))
        worst = {kind.value: 2**40 for kind in Drop}
        held = tuple("100.100.100.100/24" for _ in range(addresses))
        fault = "interface interface000000 has no IPv4 address of its own"
        rows = (
            InstanceStatus(
                one.name, Role.INITIALIZE, 254, "100.100.100.100", 254, 1e9 / 3, Cause.ACTIVE_ROUTER_SILENT, held,
                2**40, 2**40, worst, 2**40, True, ("100.100.100.100",) * 8, fault,
            )
            for one in configured
        )  # fmt: skip
        encode(VrrpStatus(2**31, 2**22, tuple(rows)))
    (refused,) = told(many(65, 1))
    assert "65 VRRP instances with 65 addresses (at most 64 with 512;" in refused
    assert len(told(many(3, 200))) == 1


GROUPS = """\
vrrp:
  a: {interface: eth0, virtual_router_id: 1, addresses: [1.1.1.12], sync_group: both}
  b: {interface: eth1, virtual_router_id: 1, addresses: [2.1.1.12], sync_group: both}
sync_groups:
  both: {on_active: [/bin/a], on_backup: [/bin/b], on_fault: [/bin/f], on_stop: [/bin/s], on_change: [/bin/c, x]}
"""


def test_commands_of_a_sync_group() -> None:
    groups = good(GROUPS).vrrp_groups
    assert groups == (
        VrrpGroup("both", VrrpHooks(("/bin/a",), ("/bin/b",), ("/bin/f",), ("/bin/s",), ("/bin/c", "x"))),
    )


def test_commands_of_a_sync_group_without_members_are_told() -> None:
    assert_told_at_the_marks(GROUPS + "  →other: {on_stop: [/bin/s]}\n", "CFG034")


def test_what_of_sync_groups_changes_is_told() -> None:
    old, new = good(GROUPS), good(GROUPS.replace("/bin/a", "/bin/other"))
    assert changes(old, new) == ("sync groups: both: commands changed",)
    without = good(GROUPS.partition("sync_groups")[0])
    assert changes(old, without) == ("sync groups: both: removed",)
    assert changes(without, old) == ("sync groups: both: added",)


def test_a_service_may_count_for_each_of_its_real_servers() -> None:
    web = 'services: {web: {virtual: "1.1.1.12:80", real_servers: [1.1.1.17]}}\n'
    assert instance(text("track: [{service: web, each: 5}]") + web).tracks == (TrackedService(0, "web", 3.0, 5),)
