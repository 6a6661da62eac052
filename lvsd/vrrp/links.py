"""What each virtual router stands on, all things considered: its interfaces, what is tracked, its sync group. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from config.model import VrrpInstance
from lvsd.vrrp.groups import common_fault
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Weight
from lvsd.vrrp.sight import Sight, link_of
from lvsd.vrrp.tracks import near_weight
from lvsd.vrrp.virtual_mac import fault as virtual_mac_fault


def links(configs: Sequence[VrrpInstance], sight: Sight, weights: Mapping[str, Weight]) -> dict[str, Link]:
    """The link of each instance, by its name."""
    virtual = frozenset(address.address for config in configs for address in config.addresses)
    own = {config.name: _link(config, sight, virtual, weights.get(config.name)) for config in configs}
    groups: dict[str, dict[str, Link]] = {}
    for config in configs:
        groups.setdefault(config.sync_group, {})[config.name] = own[config.name]
    grouped = {config.name: config.sync_group for config in configs if config.sync_group}
    return {name: common_fault(groups[grouped[name]], name) if name in grouped else link for name, link in own.items()}


def _link(config: VrrpInstance, sight: Sight, virtual: frozenset[str], tracked: Weight | None) -> Link:
    link = link_of(config, sight, virtual)
    fault = (
        virtual_mac_fault(config, sight)
        or near_weight(config, sight)[1]
        or (tracked.fault if tracked is not None else "")
    )
    return Link(link.source, fault) if link.fit and fault else link


def weight(config: VrrpInstance, sight: Sight, weights: Mapping[str, Weight]) -> int:
    """What tracking adds to an instance's priority."""
    tracked = weights.get(config.name)
    return near_weight(config, sight)[0] + (tracked.delta if tracked is not None else 0)
