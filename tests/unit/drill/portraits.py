"""A balancer's portrait that tests change a little."""

from __future__ import annotations

from lvsd.control.portrait import InstancePortrait, Portrait, RealServerPortrait, ServicePortrait

REAL = RealServerPortrait("up", "ok", 1, "direct thresholds 0 0", 1, 1)
SERVICE = ServicePortrait("rr flags 0x0", "", {"192.0.2.11:80": REAL, "192.0.2.12:80": REAL})
INSTANCE = InstancePortrait(
    "lb0", 51, False, 3, 1.0, ("192.0.2.100/24",), 200, True, "active", "192.0.2.1",
    standbys=("192.0.2.2",), interface="eth0",
)  # fmt: skip
OWN = Portrait("lb1", {"tcp 192.0.2.100:80": SERVICE}, (INSTANCE,), sysctls={"net.ipv4.vs.expire_nodest_conn": 0})
