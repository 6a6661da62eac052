"""Interfaces and routes: what they add to a priority, and when an instance cannot run without them."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from config.model import AnyTrack, TrackedFile, TrackedInterface, TrackedRoute, VrrpInstance
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_routers import Routers
from lvsd.vrrp.messages import Configure, Role, configuration, decode_order, encode
from lvsd.vrrp.sight import Interface, Sight
from lvsd.vrrp.tracks import near_weight
from netlink.routes import Destination, Hop, Route
from tests.unit.vrrp import samples
from tests.unit.vrrp.fake_network import FakeNetwork

UP, DOWN = Interface(3, b"\2\0\0\0\0\1", up=True), Interface(3, b"\2\0\0\0\0\1", up=False)
PREFIX, GATEWAY = "198.51.100.0/24", "192.0.2.9"
TO = Destination(PREFIX)
VIA = Hop(3, GATEWAY, usable=True)
ROUTE = TrackedRoute(prefix=PREFIX)
INTERFACE = TrackedInterface(name="eth1")


def tracking(*tracks: AnyTrack) -> VrrpInstance:
    return replace(samples.instance(), tracks=tracks)


def weighed(track: AnyTrack, *hops: Hop, interface: Interface = UP) -> tuple[int, str]:
    sight = Sight({"eth1": interface}, routes=(Route(TO, hops),) if hops else ())
    return near_weight(tracking(track), sight)


@pytest.mark.parametrize(
    ("weight", "inverted", "up", "down"),
    [
        (0, False, (0, ""), (0, "tracked interface eth1 is down")),
        (20, False, (20, ""), (0, "")),
        (-20, False, (0, ""), (-20, "")),
        (0, True, (0, "tracked interface eth1 is up"), (0, "")),
        (20, True, (0, ""), (20, "")),
        (-20, True, (-20, ""), (0, "")),
    ],
)
def test_an_interface(weight: int, inverted: bool, up: tuple[int, str], down: tuple[int, str]) -> None:
    track = TrackedInterface(weight, "eth1", inverted=inverted)
    assert (weighed(track), weighed(track, interface=DOWN)) == (up, down)


@pytest.mark.parametrize(
    ("weight", "inverted", "there", "missing"),
    [
        (0, False, (0, ""), (0, f"tracked route {PREFIX} is missing")),
        (20, False, (20, ""), (0, "")),
        (-20, False, (0, ""), (-20, "")),
        (0, True, (0, f"tracked route {PREFIX} is there"), (0, "")),
        (-20, True, (-20, ""), (0, "")),
    ],
)
def test_a_route(weight: int, inverted: bool, there: tuple[int, str], missing: tuple[int, str]) -> None:
    track = TrackedRoute(weight, PREFIX, inverted=inverted)
    assert (weighed(track, VIA), weighed(track)) == (there, missing)


@pytest.mark.parametrize(
    ("track", "hops", "counts"),
    [
        (ROUTE, (VIA,), True),
        (ROUTE, (Hop(3, "", usable=True),), True),
        (ROUTE, (Hop(3, GATEWAY, usable=False),), False),
        (ROUTE, (Hop(3, GATEWAY, usable=False), VIA), True),
        (ROUTE, (Hop(4, GATEWAY, usable=True),), False),  # an interface that is not there any more
        (replace(ROUTE, interface="eth1"), (VIA,), True),
        (replace(ROUTE, interface="eth2"), (VIA,), False),
        (replace(ROUTE, gateway=GATEWAY), (VIA,), True),
        (replace(ROUTE, gateway="192.0.2.10"), (VIA,), False),
        (replace(ROUTE, table=100), (VIA,), False),
        (replace(ROUTE, prefix="0.0.0.0/0"), (VIA,), False),
    ],
)
def test_which_ways_count(track: TrackedRoute, hops: tuple[Hop, ...], counts: bool) -> None:
    assert (weighed(track, *hops)[1] == "") is counts
    assert weighed(track, *hops, interface=DOWN)[1] != ""


def test_the_vrrp_process_is_told_of_interfaces_and_routes_alone() -> None:
    config = tracking(INTERFACE, ROUTE, TrackedFile(1, "/x"))
    told = decode_order(encode(configuration(1, (config,))))
    assert isinstance(told, Configure)
    assert told.instances[0].tracks == (INTERFACE, ROUTE)


def test_a_route_that_goes_lowers_the_priority_at_once() -> None:
    network = FakeNetwork()
    network.interfaces["eth1"] = UP
    network.routes = (Route(TO, (VIA,)),)
    config = tracking(TrackedRoute(-20, PREFIX))
    routers = Routers(network, HeldFile(None), 0.0, restarted=False)
    routers.configure(Configure(1, (config,)), 0.0)
    routers.wake(10.0)
    assert network.followed == {TO}
    before = routers.status().instances[0]
    network.routes = ()
    network.words()
    routers.look(10.1)
    after = routers.status().instances[0]
    assert (before.role, before.priority - after.priority) == (Role.ACTIVE, 20)
    assert network.words() == ["send"]
    routers.configure(Configure(2, ()), 11.0)
    assert network.followed == frozenset()
