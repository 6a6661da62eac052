"""Whether the other balancer could take over: two portraits, and what would go wrong. Pure."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Final

import msgspec

from lvsd.control.messages import PeerPortrait
from lvsd.control.portrait import InstancePortrait, Portrait, RealServerPortrait, ServicePortrait

CONNECTIONS_WORTH_COUNTING: Final = 10
_OWN_AFFAIRS: Final = frozenset(
    f"net.ipv4.vs.{name}"
    for name in (
        "am_droprate", "amemthresh", "debug_level", "drop_entry", "drop_packet", "est_cpulist", "est_nice",
        "lblc_expiration", "run_estimation", "secure_tcp", "sync_qlen_max", "sync_sock_size",
    )
)  # fmt: skip
"""Sysctls that follow from a machine's memory, or that the kernel changes by itself."""

_INTERFACES: Final = "net.ipv4.conf."
_INTERFACE_NAMES: Final = ("accept_local", "arp_announce", "arp_filter", "arp_ignore", "rp_filter")
_LOOPBACK: Final = "lo"
CLOCK_SECONDS: Final = 2.0


class Finding(msgspec.Struct, frozen=True):
    """Something that differs or is missing; `blocks`: a failover would make it felt."""

    code: str
    text: str
    blocks: bool = True


def compared(own: Portrait, peers: Sequence[PeerPortrait], names: Sequence[str]) -> tuple[Finding, ...]:
    """What is wrong with a failover of the instances `names` to the peers. Nothing: all is well."""
    found = [Finding("own_trouble", f"here on {own.node}: {one}", blocks=False) for one in own.troubles]
    if not peers:
        text = "nothing is known of the other balancer: `daemon: {peer: {...}}` on both lets them be compared"
        found.append(Finding("peer_not_configured", text))
    for one in peers:
        if one.portrait is None:
            found.append(Finding("peer_unreachable", f"{one.peer} cannot be looked at: {one.error}"))
        else:
            found.extend(differences(own, one.portrait, names))
            found.extend(_clock(one.portrait.node, one.ahead))
    ready = [portrait for one in peers if (portrait := one.portrait) is not None]
    found.extend(_unattended(own, ready, names))
    return tuple(sorted(found, key=lambda one: not one.blocks))


def differences(own: Portrait, peer: Portrait, names: Sequence[str]) -> Iterator[Finding]:
    """What one peer lacks."""
    yield from (Finding("peer_trouble", f"{peer.node}: {one}") for one in peer.troubles)
    for instance in own.instances:
        if instance.name in names:
            yield from _instance(instance, peer)
            yield from _interface_sysctls(instance, own, peer)
    yield from _services(own, peer)
    yield from _sync(own, peer)
    yield from _sysctls(own, peer)


def _unattended(own: Portrait, peers: Sequence[Portrait], names: Sequence[str]) -> Iterator[Finding]:
    """Instances that nobody is known to stand by for."""
    for instance in own.instances:
        backups = (twin for peer in peers if (twin := _twin(instance, peer)) is not None and twin.role == "backup")
        if instance.name in names and not instance.standbys and next(backups, None) is None:
            text = f"{instance.name}: no other router is known to stand by (a keepalived does not tell)"
            yield Finding("no_standby", text)


def _twin(instance: InstancePortrait, peer: Portrait) -> InstancePortrait | None:
    wanted = (instance.virtual_router_id, instance.ipv6)
    return next((one for one in peer.instances if (one.virtual_router_id, one.ipv6) == wanted), None)


def _instance(own: InstancePortrait, peer: Portrait) -> Iterator[Finding]:
    twin = _twin(own, peer)
    if twin is None:
        others = ", ".join(f"{one.virtual_router_id} ({one.name})" for one in peer.instances if one.ipv6 is own.ipv6)
        has = f"it has {others}" if others else "it has none of this family"
        text = f"{own.name}: {peer.node} has no virtual router {own.virtual_router_id}: {has}"
        yield Finding("instance_missing", text)
        return
    if twin.role != "backup":
        why = f": {twin.fault}" if twin.fault else ""
        yield Finding("instance_not_backup", f"{own.name}: it is {twin.role} on {peer.node}, not backup{why}")
    if own.password != twin.password:
        text = f"{own.name}: the password on {peer.node} is another one: each drops what the other advertises"
        yield Finding("password_differs", text)
    if twin.role == "backup":
        yield from _present(own, peer)
    said = (
        ("version", own.version, twin.version),
        ("advertisement_interval", own.interval, twin.interval),
        ("addresses", " ".join(own.addresses), " ".join(twin.addresses)),
        ("accept", own.accept, twin.accept),
        ("virtual_mac", own.virtual_mac, twin.virtual_mac),
    )
    for what, here, there in said:
        if here != there:
            yield Finding("instance_differs", f"{own.name}: {what} is {here} here, {there} on {peer.node}")


def _present(own: InstancePortrait, peer: Portrait) -> Iterator[Finding]:
    """Addresses that a backup has already; on the loopback interface, where direct routing may put them, a note."""
    addresses = {address.partition("/")[0] for address in own.addresses}
    for one in peer.present:
        address, _, interface = one.partition(" on ")
        if address in addresses:
            text = f"{own.name}: {address} is on {interface} of {peer.node} already, which is backup"
            yield Finding("address_present", text, blocks=interface != _LOOPBACK)


def _clock(node: str, ahead: float) -> Iterator[Finding]:
    if abs(ahead) > CLOCK_SECONDS:
        way = "ahead of" if ahead > 0 else "behind"
        text = f"the clock of {node} is {abs(ahead):.0f} s {way} ours: logs and certificates are judged by it"
        yield Finding("clock_differs", text, blocks=False)


def _interface_sysctls(own: InstancePortrait, here: Portrait, peer: Portrait) -> Iterator[Finding]:
    """How the interface of an instance answers for addresses: the greater of its own setting and that of all counts."""
    twin = _twin(own, peer)
    if twin is None:
        return
    for name in _INTERFACE_NAMES:
        ours, theirs = _effective(here, own.interface, name), _effective(peer, twin.interface, name)
        if None not in (ours, theirs) and ours != theirs:
            text = f"{name} is {ours} for {own.interface} here, {theirs} for {twin.interface} on {peer.node}"
            yield Finding("sysctl_differs", text)


def _effective(portrait: Portrait, interface: str, name: str) -> int | None:
    found = (portrait.sysctls.get(f"{_INTERFACES}{where}.{name}") for where in ("all", interface))
    return max((value for value in found if value is not None), default=None)


def _services(own: Portrait, peer: Portrait) -> Iterator[Finding]:
    for name, service in own.services.items():
        twin = peer.services.get(name)
        if twin is None:
            yield Finding("service_missing", f"{name} is not configured on {peer.node}")
        else:
            told = tuple(_service(name, service, twin, peer.node))
            yield from told
            if service.mark != twin.mark and not told:
                text = f"{name}: something else of it is configured otherwise on {peer.node}: checks, rules, hooks"
                yield Finding("service_differs", text, blocks=False)
    for name in peer.services:
        if name not in own.services:
            yield Finding("service_only_there", f"{name} is configured on {peer.node} alone", blocks=False)


def _service(name: str, own: ServicePortrait, twin: ServicePortrait, node: str) -> Iterator[Finding]:
    if own.settings != twin.settings:
        yield Finding("service_differs", f"{name}: {own.settings} here, {twin.settings} on {node}")
    if twin.held_settings:
        yield Finding("table_differs", f"{name}: the kernel of {node} has it otherwise: {twin.held_settings}")
    for stranger in twin.strangers:
        yield Finding("table_differs", f"{name}: the kernel of {node} has {stranger}, which nobody configured")
    for real in {**own.real_servers, **twin.real_servers}:
        yield from _real_server(f"{name}: {real}", own.real_servers.get(real), twin.real_servers.get(real), node)
    behind = own.connections >= CONNECTIONS_WORTH_COUNTING and twin.connections < own.connections // 2
    if behind:
        text = (
            f"{name}: {own.connections} connections here, {node} knows of {twin.connections}: the others would be lost"
        )
        yield Finding("connections_unknown", text, blocks=False)


def _real_server(
    what: str, own: RealServerPortrait | None, twin: RealServerPortrait | None, node: str
) -> Iterator[Finding]:
    if own is None or twin is None:
        where = "here" if twin is None else f"on {node}"
        yield Finding("real_server_missing", f"{what} is configured {where} alone")
        return
    if (own.weight, own.settings) != (twin.weight, twin.settings):
        here, there = f"weight {own.weight} {own.settings}", f"weight {twin.weight} {twin.settings}"
        yield Finding("real_server_differs", f"{what}: {here} here, {there} on {node}")
    if own.state == "up" and twin.state != "up":
        why = f": {twin.reason}" if twin.reason else ""
        yield Finding("real_server_down", f"{what} is up here, {twin.state} on {node}{why}")
    if twin.wanted != twin.held:
        said = f"should have {_weight(twin.wanted)}, has {_weight(twin.held)}"
        yield Finding("table_differs", f"{what}: the kernel of {node} {said}")


def _weight(weight: int | None) -> str:
    match weight:
        case None:
            return "none"
        case -1:
            return "other settings"
        case _:
            return f"weight {weight}"


def _sync(own: Portrait, peer: Portrait) -> Iterator[Finding]:
    if own.sync_wanted and not peer.sync_wanted:
        yield Finding("sync_missing", f"connections are told here, {peer.node} is not configured to listen")
        return
    for daemon in own.sync_running:
        role, _, rest = daemon.partition(" ")
        if own.sync_wanted and role == "master" and f"backup {rest}" not in peer.sync_running:
            running = ", ".join(peer.sync_running) or "none"
            yield Finding("sync_not_running", f"{daemon} runs here, no backup of it on {peer.node}: {running}")
    if own.sync_wanted and not any(one.startswith("master") for one in own.sync_running):
        yield Finding("sync_not_running", "connections should be told, but no master sync daemon runs here")


def _sysctls(own: Portrait, peer: Portrait) -> Iterator[Finding]:
    """Whatever steers the kernel: what differs makes the other balancer serve otherwise."""
    for name in sorted(own.sysctls.keys() & peer.sysctls.keys() - _OWN_AFFAIRS):
        here, there = own.sysctls[name], peer.sysctls[name]
        if here != there and not name.startswith(_INTERFACES):
            yield Finding("sysctl_differs", f"{name} is {here} here, {there} on {peer.node}")
