"""What of the configuration reaches the kernel: tunnels and persistence engines."""

from __future__ import annotations

from msgspec.structs import replace

from checkers.core.messages import State
from config.model import Persistence, Tunnel
from config.words import Forwarding, TunnelChecksum, TunnelType
from lvsd.core.desired import kernel_service
from lvsd.core.identity import service_key
from netlink.table import Destination, DestinationKey
from tests.unit.core.world import Bench, config, real, virtual

A = "1.1.1.17"
GUE = Tunnel(TunnelType.GUE, 6080, TunnelChecksum.REMOTE)


def held(tunnel: Tunnel, forwarding: Forwarding) -> Destination:
    service = virtual(replace(real(A), tunnel=tunnel, forwarding=forwarding))
    bench = Bench(config(service))
    bench.hear({A: State.UP})
    return bench.kernel[service_key(service.virtual)].destinations[DestinationKey(A, 80)]


def test_a_tunnel_has_its_encapsulation_port_and_checksum() -> None:
    one = held(GUE, Forwarding.TUNNEL)
    assert (one.forwarding, one.tunnel_type, one.tunnel_port, one.tunnel_flags) == (2, 1, 6080, 2)
    one = held(Tunnel(TunnelType.GRE, checksum=TunnelChecksum.CHECKSUM), Forwarding.TUNNEL)
    assert (one.forwarding, one.tunnel_type, one.tunnel_port, one.tunnel_flags) == (2, 2, 0, 1)


def test_other_forwarding_methods_have_none() -> None:
    one = held(GUE, Forwarding.DIRECT)
    assert (one.tunnel_type, one.tunnel_port, one.tunnel_flags) == (0, 0, 0)


def test_persistence_has_its_engine() -> None:
    service = replace(virtual(), persistence=Persistence(360, 24, "sip"))
    kept = kernel_service(service)
    assert (kept.flags, kept.timeout, kept.netmask, kept.persistence_engine) == (1, 360, 24, "sip")
    assert kernel_service(virtual()).persistence_engine == ""
