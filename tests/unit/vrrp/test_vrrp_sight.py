"""What interfaces and addresses mean for an instance."""

from __future__ import annotations

import msgspec
import pytest

from lvsd.vrrp.link import Link
from lvsd.vrrp.sight import Interface, Sight, link_of, lost_addresses
from tests.unit.vrrp import samples

CONFIG = samples.instance()
UP = Interface(2, b"\2\0\0\0\0\1", up=True)
DOWN = Interface(2, b"\2\0\0\0\0\1", up=False)
OWN = ("192.0.2.12", 24)
VIRTUAL = ("192.0.2.100", "192.0.2.101")


@pytest.mark.parametrize(
    ("sight", "link"),
    [
        (Sight({"eth0": UP}, {"eth0": (OWN,)}), Link("192.0.2.12", "")),
        (Sight({"eth0": UP}, {"eth0": (("192.0.2.100", 24), OWN)}), Link("192.0.2.12", "")),
        (Sight({"eth0": UP}, {"eth0": (OWN, ("198.51.100.1", 24))}), Link("192.0.2.12", "")),
        (Sight({"eth0": UP}), Link("", "interface eth0 has no IPv4 address of its own")),
        (Sight({"eth0": DOWN}, {"eth0": (OWN,)}), Link("", "interface eth0 is down")),
        (Sight({"eth1": UP}, {"eth1": (OWN,)}), Link("", "interface eth0 does not exist")),
    ],
)
def test_what_an_instance_stands_on(sight: Sight, link: Link) -> None:
    assert link_of(CONFIG, sight, VIRTUAL) == link


def test_a_configuration_that_cannot_be_spoken_is_the_first_fault() -> None:
    assert link_of(samples.instance(version=4), Sight(), ()) == Link("", "version 4 is not spoken")


def test_an_address_is_lost_unless_it_is_there_with_its_prefix() -> None:
    first, second = CONFIG.addresses
    there = Sight({"eth0": UP}, {"eth0": (("192.0.2.100", 24), ("192.0.2.101", 32))})
    assert lost_addresses(CONFIG, there) == (second,)
    moved = msgspec.structs.replace(CONFIG, addresses=(msgspec.structs.replace(first, interface="eth1"),))
    assert lost_addresses(moved, there) == moved.addresses
