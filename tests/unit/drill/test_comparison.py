"""Everything that makes a failover felt is named, and what does not is left alone."""

from __future__ import annotations

from typing import Any

import pytest
from msgspec.structs import replace

from lvsd.control.messages import PeerPortrait
from lvsd.control.portrait import Portrait
from lvsd.drill.comparison import Finding, compared
from tests.unit.drill.portraits import INSTANCE, OWN, REAL, SERVICE

NAME = "tcp 192.0.2.100:80"
TWIN = replace(INSTANCE, name="other", priority=100, role="backup", standbys=())
PEER = replace(OWN, node="lb2", instances=(TWIN,))


def found(own: Portrait, peer: Portrait) -> list[tuple[str, bool]]:
    return [(one.code, one.blocks) for one in compared(own, (PeerPortrait("lb2:1", peer),), ("lb0",))]


def texts(own: Portrait, peer: Portrait) -> list[str]:
    return [one.text for one in compared(own, (PeerPortrait("lb2:1", peer),), ("lb0",))]


def service(**changes: Any) -> Portrait:  # noqa: ANN401 (whatever the portrait has)
    return replace(PEER, services={NAME: replace(SERVICE, **changes)})


def real(**changes: Any) -> Portrait:  # noqa: ANN401 (whatever the portrait has)
    return service(real_servers={**SERVICE.real_servers, "192.0.2.12:80": replace(REAL, **changes)})


def test_a_peer_that_is_ready_leaves_nothing_to_say() -> None:
    assert found(OWN, PEER) == []


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        (replace(PEER, troubles=("the checker process is gone",)), "peer_trouble"),
        (replace(PEER, instances=()), "instance_missing"),
        (replace(PEER, instances=(replace(TWIN, ipv6=True),)), "instance_missing"),
        (replace(PEER, instances=(replace(TWIN, role="initialize", fault="link"),)), "instance_not_backup"),
        (replace(PEER, instances=(replace(TWIN, role="active"),)), "instance_not_backup"),
        (replace(PEER, instances=(replace(TWIN, version=2),)), "instance_differs"),
        (replace(PEER, instances=(replace(TWIN, interval=2.0),)), "instance_differs"),
        (replace(PEER, instances=(replace(TWIN, addresses=()),)), "instance_differs"),
        (replace(PEER, instances=(replace(TWIN, accept=False),)), "instance_differs"),
        (replace(PEER, instances=(replace(TWIN, virtual_mac=True),)), "instance_differs"),
        (replace(PEER, instances=(replace(TWIN, password="x"),)), "password_differs"),
        (replace(PEER, services={}), "service_missing"),
        (service(settings="sh flags 0x0"), "service_differs"),
        (service(held_settings="not in the kernel"), "table_differs"),
        (service(strangers=("192.0.2.13:80",)), "table_differs"),
        (service(real_servers={"192.0.2.11:80": REAL}), "real_server_missing"),
        (service(real_servers={**SERVICE.real_servers, "192.0.2.13:80": REAL}), "real_server_missing"),
        (real(state="down", reason="refused"), "real_server_down"),
        (real(state="unknown"), "real_server_down"),
        (real(weight=2), "real_server_differs"),
        (real(settings="masquerade thresholds 0 0"), "real_server_differs"),
        (real(held=None), "table_differs"),
        (real(held=0), "table_differs"),
        (real(held=-1), "table_differs"),
    ],
)
def test_what_makes_a_failover_felt_blocks_it(peer: Portrait, code: str) -> None:
    assert found(OWN, peer) == [(code, True)]


@pytest.mark.parametrize(
    ("peer", "code"),
    [
        (replace(PEER, services={**PEER.services, "tcp 192.0.2.100:81": SERVICE}), "service_only_there"),
    ],
)
def test_what_may_well_be_so_is_a_note(peer: Portrait, code: str) -> None:
    assert found(OWN, peer) == [(code, False)]


def test_a_real_server_that_is_down_on_both_or_here_alone_is_no_reason() -> None:
    down = replace(REAL, state="down")
    own = replace(OWN, services={NAME: replace(SERVICE, real_servers={"192.0.2.11:80": REAL, "192.0.2.12:80": down})})
    assert found(own, real(state="down")) == []
    assert found(own, PEER) == []


@pytest.mark.parametrize(
    ("wanted", "running", "wanted_there", "running_there", "codes"),
    [
        ("follow", ("master sync id 1 x",), "follow", ("backup sync id 1 x",), []),
        ("follow", ("master sync id 1 x",), "", (), ["sync_missing"]),
        ("follow", ("master sync id 1 x",), "follow", (), ["sync_not_running"]),
        ("follow", ("master sync id 1 x",), "follow", ("backup sync id 2 x",), ["sync_not_running"]),
        ("follow", ("backup sync id 1 x",), "follow", ("backup sync id 1 x",), ["sync_not_running"]),
        ("", ("master sync id 1 x",), "", (), []),
    ],
)
def test_connections_have_to_be_told_and_heard(
    wanted: str, running: tuple[str, ...], wanted_there: str, running_there: tuple[str, ...], codes: list[str]
) -> None:
    own = replace(OWN, sync_wanted=wanted, sync_running=running)
    peer = replace(PEER, sync_wanted=wanted_there, sync_running=running_there)
    assert [code for code, blocks in found(own, peer) if blocks] == codes


def test_sysctls_block_but_a_machines_own_do_not_count() -> None:
    values = {"net.ipv4.ip_forward": 1, "net.ipv4.vs.expire_nodest_conn": 1, "net.ipv4.vs.sync_qlen_max": 9}
    others = {"net.ipv4.ip_forward": 0, "net.ipv4.vs.expire_nodest_conn": 0, "net.ipv4.vs.sync_qlen_max": 8}
    own, peer = replace(OWN, sysctls=values), replace(PEER, sysctls=others)
    assert found(own, peer) == [("sysctl_differs", True)] * 2
    assert texts(own, peer)[1] == "net.ipv4.vs.expire_nodest_conn is 1 here, 0 on lb2"


def test_the_greater_of_an_interfaces_sysctl_and_that_of_all_is_compared() -> None:
    def setting(portrait: Portrait, **values: int) -> Portrait:
        return replace(portrait, sysctls={f"net.ipv4.conf.{name}.arp_ignore": value for name, value in values.items()})

    own = setting(OWN, all=0, eth0=1)
    twin = replace(PEER, instances=(replace(TWIN, interface="ens3"),))
    assert found(own, setting(twin, all=1, ens3=0)) == []
    assert texts(own, setting(twin, all=0, ens3=8)) == ["arp_ignore is 1 for eth0 here, 8 for ens3 on lb2"]
    assert found(own, setting(twin, all=0, ens3=8)) == [("sysctl_differs", True)]
    assert found(own, replace(twin, sysctls={})) == []
    others = {"net.ipv4.conf.eth9.arp_ignore": 8, "net.ipv4.conf.all.arp_ignore": 1}  # no instance is there
    assert found(replace(own, sysctls={**own.sysctls}), replace(PEER, sysctls={**others})) == []


def test_an_address_that_the_standby_has_already() -> None:
    there = replace(PEER, present=("192.0.2.100 on eth1", "192.0.2.9 on eth1"))
    assert found(OWN, there) == [("address_present", True)]
    assert texts(OWN, there) == ["lb0: 192.0.2.100 is on eth1 of lb2 already, which is backup"]
    assert found(OWN, replace(PEER, present=("192.0.2.100 on lo",))) == [("address_present", False)]
    assert [code for code, _ in found(OWN, replace(there, instances=(replace(TWIN, role="active"),)))] == [
        "instance_not_backup"
    ]


def test_another_virtual_router_id_is_named() -> None:
    other = replace(PEER, instances=(replace(TWIN, virtual_router_id=52),))
    assert texts(OWN, other) == ["lb0: lb2 has no virtual router 51: it has 52 (other)"]


@pytest.mark.parametrize(("ahead", "words"), [(2.5, "2 s ahead of"), (-3600.2, "3600 s behind")])
def test_a_clock_that_goes_wrong_is_a_note(ahead: float, words: str) -> None:
    (finding,) = compared(OWN, (PeerPortrait("lb2:1", PEER, ahead=ahead),), ("lb0",))
    assert (finding.code, finding.blocks) == ("clock_differs", False)
    assert f"the clock of lb2 is {words} ours" in finding.text
    assert compared(OWN, (PeerPortrait("lb2:1", PEER, ahead=1.9),), ("lb0",)) == ()


def test_what_cannot_be_named_of_a_service_is_noted_unless_something_can() -> None:
    assert found(OWN, service(mark="x")) == [("service_differs", False)]
    assert found(OWN, service(mark="x", settings="sh flags 0x0")) == [("service_differs", True)]


def test_connections_that_the_peer_does_not_know_are_counted() -> None:
    def with_connections(portrait: Portrait, number: int) -> Portrait:
        return replace(portrait, services={NAME: replace(SERVICE, connections=number)})

    assert found(with_connections(OWN, 200), with_connections(PEER, 99)) == [("connections_unknown", False)]
    assert found(with_connections(OWN, 200), with_connections(PEER, 100)) == []
    assert found(with_connections(OWN, 9), PEER) == []


def test_without_a_peer_to_ask_nothing_is_known_but_a_standby() -> None:
    assert [one.code for one in compared(OWN, (), ("lb0",))] == ["peer_not_configured"]
    alone = replace(OWN, instances=(replace(INSTANCE, standbys=()),))
    assert [one.code for one in compared(alone, (), ("lb0",))] == ["peer_not_configured", "no_standby"]
    silent = (PeerPortrait("192.0.2.2:1", error="connection refused"),)
    text = "192.0.2.2:1 cannot be looked at: connection refused"
    assert compared(OWN, silent, ("lb0",)) == (Finding("peer_unreachable", text),)
    assert found(alone, PEER) == []  # a keepalived's neighbour: no whisper, but the peer says that it is backup


def test_what_blocks_comes_first_and_instances_that_stay_do_not_count() -> None:
    own = replace(OWN, troubles=("x",))
    peer = replace(PEER, instances=())
    assert found(own, peer) == [("instance_missing", True), ("own_trouble", False)]
    assert compared(OWN, (PeerPortrait("lb2:1", peer),), ()) == ()
