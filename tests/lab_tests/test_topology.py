"""Topologies as data: what is refused, and the text the lab builds from them."""

from __future__ import annotations

import pytest

from tests.lab.pair import PAIR
from tests.lab.topology import (
    Attachment,
    Host,
    Network,
    Topology,
    TopologyError,
    address_batch,
    cable_batch,
    hosts_file,
    switch_batch,
)

NET = Network("net", "10.0.0.0/24", domain="example.net")


def test_what_cannot_be_built_is_refused() -> None:
    with pytest.raises(TopologyError, match="not declared"):
        Topology("t", (NET,), (Host("a", (Attachment("other", ("10.0.0.1/24",)),)),))
    with pytest.raises(TopologyError, match="too long"):
        Topology("t", (NET,), (Host("a-very-long-name", (Attachment("net", ("10.0.0.1/24",)),)),))
    with pytest.raises(ValueError, match="host bits"):
        Topology("t", (Network("net", "10.0.0.1/24"),), ())


def test_an_unknown_host_or_network_is_named() -> None:
    with pytest.raises(TopologyError, match="no host nobody"):
        PAIR.host("nobody")
    with pytest.raises(TopologyError, match="lb1 is not on private"):
        PAIR.host("lb1").address("private")


def test_the_batches_are_what_ip_understands() -> None:
    host = Host(
        "a", (Attachment("net", ("10.0.0.1/24", "2001:db8::1/64")),), ("10.0.0.9/32",), routes=("default via 10.0.0.2",)
    )
    topology = Topology("t", (NET,), (host,), names=(("10.0.0.9", "vip.example.net vip"),))
    assert switch_batch(topology).splitlines() == [
        "link add net type bridge mcast_snooping 0 forward_delay 0",
        "link set net up",
    ]
    assert cable_batch(topology, host, 7).splitlines() == [
        "link add a.net type veth peer name eth0 address 02:00:00:00:00:01 netns 7",
        "link set a.net master net up",
    ]
    assert address_batch(host).splitlines() == [
        "addr add 10.0.0.9/32 dev lo",
        "addr add 10.0.0.1/24 brd + dev eth0",
        "addr add 2001:db8::1/64 nodad dev eth0",
        "link set eth0 up",
        "route add default via 10.0.0.2",
    ]
    assert hosts_file(topology, "a").splitlines()[3:] == [
        "10.0.0.1 a.example.net a",
        "2001:db8::1 a.example.net a",
        "10.0.0.9 vip.example.net vip",
    ]
