"""A VRRP instance as the keys of lvsd.yaml that say it. Pure."""

from __future__ import annotations

from config.build_vrrp import DEFAULT_VERSION
from config.convert.values import Keys, duration, said
from config.convert.yamltext import Value
from config.model import GratuitousArp, VirtualAddress, VrrpInstance

_DEFAULT_PRIORITY = 100


def instance_keys(instance: VrrpInstance) -> Keys:
    """The instance's keys."""
    return said(
        interface=instance.interface,
        virtual_router_id=instance.virtual_router_id,
        priority=instance.priority if instance.priority != _DEFAULT_PRIORITY else None,
        version=instance.version if instance.version != DEFAULT_VERSION else None,
        advertisement_interval=duration(instance.advertisement_interval)
        if instance.advertisement_interval != 1
        else None,
        authentication={"type": "simple", "password": instance.password.value} if instance.password else None,
        addresses=[_address(one, instance.interface) for one in instance.addresses],
        preempt=None if instance.preempt else False,
        gratuitous_arp=_gratuitous_arp(instance.gratuitous_arp) or None,
    )


def _address(address: VirtualAddress, interface: str) -> Value:
    written = f"{address.address}/{address.prefix_length}"
    return written if address.interface == interface else {"address": written, "interface": address.interface}


def _gratuitous_arp(bursts: GratuitousArp) -> Keys:
    usual = GratuitousArp()
    return said(
        repeat=bursts.repeat if bursts.repeat != usual.repeat else None,
        delay=_span(bursts.delay) if bursts.delay != usual.delay else None,
        refresh=_span(bursts.refresh) if bursts.refresh != usual.refresh else None,
    )


def _span(seconds: float) -> str:
    return duration(seconds) if seconds else "0s"
