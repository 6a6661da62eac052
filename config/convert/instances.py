"""A VRRP instance as the keys of lvsd.yaml that say it. Pure."""

from __future__ import annotations

from typing import Final

from config.build_vrrp import DEFAULT_VERSION, usual_mac_interface
from config.convert.values import Keys, duration, said
from config.convert.yamltext import Value
from config.model import (
    AnyTrack,
    GratuitousArp,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
    VirtualAddress,
    VrrpHooks,
    VrrpInstance,
)

_DEFAULT_PRIORITY: Final = 100


def instance_keys(instance: VrrpInstance) -> Keys:
    """The instance's keys."""
    interval = instance.advertisement_interval
    return said(
        interface=instance.interface,
        virtual_router_id=instance.virtual_router_id,
        priority=instance.priority if instance.priority != _DEFAULT_PRIORITY else None,
        version=instance.version if instance.version != DEFAULT_VERSION else None,
        checksum="rfc" if instance.rfc_checksum else None,
        advertisement_interval=duration(interval) if interval != 1 else None,
        authentication={"type": "simple", "password": instance.password.value} if instance.password else None,
        addresses=[_address(one, instance.interface) for one in instance.addresses],
        unicast_peers=list(instance.unicast_peers) or None,
        source=instance.source or None,
        preempt=None if instance.preempt else False,
        preempt_delay=duration(instance.preempt_delay) if instance.preempt_delay else None,
        gratuitous_arp=_gratuitous_arp(instance.gratuitous_arp) or None,
        sync_group=instance.sync_group or None,
        track=[_track(one) | _judged(one) for one in instance.tracks] or None,
        virtual_mac=_virtual_mac(instance),
        accept=None if instance.accept else False,
        track_interface=None if instance.track_interface else False,
    ) | hook_keys(instance.hooks)


def _virtual_mac(instance: VrrpInstance) -> Value | None:
    usual = usual_mac_interface(instance.virtual_router_id, ipv6=instance.ipv6)
    return True if instance.virtual_mac == usual else instance.virtual_mac or None


def hook_keys(hooks: VrrpHooks) -> Keys:
    """The commands of an instance or a sync group."""
    return said(
        on_active=list(hooks.active) or None,
        on_backup=list(hooks.backup) or None,
        on_fault=list(hooks.fault) or None,
        on_stop=list(hooks.stop) or None,
        on_change=list(hooks.any) or None,
    )


def _address(address: VirtualAddress, interface: str) -> Value:
    written = f"{address.address}/{address.prefix_length}"
    keys = said(
        interface=address.interface if address.interface != interface else None,
        advertised=None if address.advertised else False,
    )
    return {"address": written} | keys if keys else written


def _judged(track: AnyTrack) -> Keys:
    return said(weight=track.weight or None, inverted=track.inverted or None)


def _track(track: AnyTrack) -> Keys:
    match track:
        case TrackedInterface():
            return {"interface": track.name}
        case TrackedFile():
            return {"file": track.path}
        case TrackedProcess():
            return {"process": track.name} | said(count=track.count if track.count != 1 else None)
        case TrackedService():
            usual = TrackedService().delay
            delay = _span(track.delay) if track.delay != usual else None
            return {"service": track.name} | said(delay=delay, each=track.each or None)
        case TrackedScript():
            return _script(track)
        case TrackedRoute():
            return {"route": track.prefix} | said(
                via_interface=track.interface or None,
                gateway=track.gateway or None,
                table=track.table if track.table != TrackedRoute().table else None,
            )


def _script(track: TrackedScript) -> Keys:
    name = track.name if track.name != track.command[0].rpartition("/")[2] else None
    return {"script": list(track.command)} | said(
        name=name,
        interval=duration(track.interval) if track.interval != 1 else None,
        timeout=duration(track.timeout) if track.timeout != track.interval else None,
        rise=track.rise if track.rise != 1 else None,
        fall=track.fall if track.fall != 1 else None,
        user=track.user or None,
    )


def _gratuitous_arp(bursts: GratuitousArp) -> Keys:
    usual = GratuitousArp()
    return said(
        repeat=bursts.repeat if bursts.repeat != usual.repeat else None,
        delay=_span(bursts.delay) if bursts.delay != usual.delay else None,
        refresh=_span(bursts.refresh) if bursts.refresh != usual.refresh else None,
    )


def _span(seconds: float) -> str:
    return duration(seconds) if seconds else "0s"
