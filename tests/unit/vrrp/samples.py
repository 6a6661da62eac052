"""What several tests of the protocol start from."""

from __future__ import annotations

from config.model import VirtualAddress, VrrpInstance
from config.secret import Secret

OWN_SOURCE = "192.0.2.12"
PEER_SOURCE = "192.0.2.13"


def instance(
    *,
    priority: int = 150,
    password: str | None = "s3cret12",  # noqa: S107 (of the recorded samples)
    addresses: tuple[str, ...] = ("192.0.2.100", "192.0.2.101"),
    interval: float = 1.0,
    version: int = 2,
    virtual_router_id: int = 51,
    preempt: bool = True,
    name: str = "lb0",
    interface: str = "eth0",
) -> VrrpInstance:
    return VrrpInstance(
        name=name,
        interface=interface,
        virtual_router_id=virtual_router_id,
        priority=priority,
        version=version,
        addresses=tuple(VirtualAddress(address, 24, interface) for address in addresses),
        advertisement_interval=interval,
        password=None if password is None else Secret(password),
        preempt=preempt,
    )
