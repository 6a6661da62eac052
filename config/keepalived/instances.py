"""vrrp_instance to VRRP instances. Pure.

Rules of keepalived 2.2.7, measured: priority 255 for `state MASTER` without a priority, else 100; `nopreempt` does
not go with `state MASTER`; strict mode does without a password; addresses are /32 (/128) without a length.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final, TypedDict

import msgspec

from config import codes
from config.build_vrrp import EXACT, OWNER_PRIORITY, VERSION_2, VERSION_3_LIMIT_SECONDS, BuiltInstance
from config.keepalived.addresses import virtual_addresses
from config.keepalived.authentication import read_password
from config.keepalived.block import PASSED_OVER, Block, Told, note
from config.keepalived.commands import role_hooks
from config.keepalived.globals import Globals, gratuitous_arp, note_down_timer
from config.keepalived.interface import read_living
from config.keepalived.statements import Statement, no_more
from config.keepalived.sync_groups import SyncGroup
from config.keepalived.tracking import Tracker, without_weights
from config.keepalived.unicast import note_group, read_peers, read_source
from config.keepalived.values import seconds, sole_word, switch, whole, word
from config.keepalived.vrrp_words import INSTANCE
from config.model import AnyTrack, GratuitousArp, VirtualAddress, VrrpHooks, VrrpInstance
from config.network import INTERFACE, is_ipv6
from config.nodes import At, Scalar
from config.reading import Reading, shown
from config.secret import Secret
from config.sections import NAME_PATTERN

VERSION_3: Final = 3
DEFAULT_PRIORITY: Final = 100
ROUTER_ID_LIMIT: Final = 255
LONGEST_INTERVAL: Final = 255.0
SHORTEST_INTERVAL: Final = 0.01
LONGEST_DELAY: Final = 1000.0


def instance_blocks(found: list[Statement], reading: Reading) -> dict[str, Block]:
    """The instances' blocks by name, each once."""
    blocks: dict[str, Block] = {}
    for statement in found:
        name = _name(statement, reading)
        if name is not None and name in blocks:
            message = f"vrrp_instance {shown(name)} is here for the second time"
            hint = "keepalived leaves this one out, and so is it here"
            reading.warning(codes.LEFT_OUT, statement.place, message, hint)
        elif name is not None:
            blocks[name] = Block(statement, INSTANCE, reading)
    return blocks


class Around(msgspec.Struct, frozen=True):
    """What an instance is read with: global_defs, what is tracked, and the sync group of each that has one."""

    settings: Globals
    tracker: Tracker
    groups: Mapping[str, SyncGroup]


def read_instances(blocks: Mapping[str, Block], around: Around, reading: Reading) -> list[BuiltInstance]:
    """The instances that move an address."""
    built = (_instance(name, block, around, reading) for name, block in blocks.items())
    return [one for one in built if one is not None]


def _name(statement: Statement, reading: Reading) -> str | None:
    no_more(statement, 2, reading)
    at = word(statement, reading)
    if at is not None and not re.fullmatch(NAME_PATTERN, at.value):
        hint = "up to 64 letters, digits, and _ . : @ + - inside"
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a name", hint)
        return None
    return at.value if at else None


def _instance(name: str, block: Block, around: Around, reading: Reading) -> BuiltInstance | None:
    interface, router_id = _interface(block, reading), _router_id(block, reading)
    own = interface.value if interface else ""
    addresses = virtual_addresses(block, own, reading)
    tracks = _tracks(name, block, own, around, reading)
    wire = _wire(block, addresses, around.settings, reading)
    behaviour = _behaviour(block, around.settings, reading)
    group = around.groups.get(name)
    if router_id is None or not own or not addresses:
        return None
    ipv6 = is_ipv6(addresses[0].value.address)
    living = read_living(block, router_id.value, behaviour["priority"], ipv6=ipv6, reading=reading)
    instance = VrrpInstance(
        name=name,
        interface=own,
        virtual_router_id=router_id.value,
        addresses=tuple(at.value for at in addresses),
        tracks=tuple(at.value for at in tracks),
        sync_group=group.name.value if group else "",
        **wire,
        **behaviour,
        **living,
    )
    macs = block.get("use_vmac")
    places = tuple(at.place for at in addresses)
    return BuiltInstance(instance, router_id.place, places, macs.place if macs else None)


def _tracks(name: str, block: Block, interface: str, around: Around, reading: Reading) -> tuple[At[AnyTrack], ...]:
    own = "" if switch(block.get("dont_track_primary"), reading) else interface  # which is tracked anyway
    tracks, group = around.tracker.tracks(block, own), around.groups.get(name)
    if group is None:
        return tracks
    return (*(tracks if group.weighs else without_weights(tracks, reading)), *group.tracks)


class _Wire(TypedDict):
    """What the packets say, and to whom."""

    version: int
    advertisement_interval: float
    password: Secret | None
    source: str
    unicast_peers: tuple[str, ...]
    rfc_checksum: bool


def _wire(block: Block, addresses: Sequence[At[VirtualAddress]], settings: Globals, reading: Reading) -> _Wire:
    ipv6 = bool(addresses) and is_ipv6(addresses[0].value.address)
    version = _version(block, ipv6, settings, reading)
    source = read_source(block, ipv6, reading)
    note_group(block.get("mcast_dst_ip"), reading)
    note_down_timer(block.get("down_timer_adverts"), reading)
    return _Wire(
        version=version,
        advertisement_interval=_interval(block, version, reading),
        password=read_password(block, version, _strict(block, settings, reading), reading),
        source=source,
        unicast_peers=read_peers(block, source, {at.value.address for at in addresses}, ipv6, reading),
        rfc_checksum=_plain_checksum(block, version, reading),
    )


def _plain_checksum(block: Block, version: int, reading: Reading) -> bool:
    statement = block.get("v3_checksum_as_v2")
    asked = switch(statement, reading)
    if statement is not None and asked and version == VERSION_2:
        note(statement, Told(PASSED_OVER, "it concerns version 3 (and keepalived 2.2 does not know it)"), reading)
        return False
    return asked


class _Behaviour(TypedDict):
    """What the router does."""

    priority: int
    preempt: bool
    preempt_delay: float
    gratuitous_arp: GratuitousArp
    hooks: VrrpHooks


def _behaviour(block: Block, settings: Globals, reading: Reading) -> _Behaviour:
    master = _is_master(block, reading)
    preempts = _preempts(block, master, reading)
    return _Behaviour(
        priority=_priority(block, master, reading),
        preempt=preempts,
        preempt_delay=_preempt_delay(block, preempts, master or _strict(block, settings, reading), reading),
        gratuitous_arp=gratuitous_arp(block, "garp_master", settings.gratuitous_arp, reading),
        hooks=role_hooks(block, reading),
    )


def _interface(block: Block, reading: Reading) -> At[str] | None:
    statement = block.get("interface")
    if statement is None:
        hint = "keepalived does not start without one"
        reading.error(codes.MISSING_KEY, block.statement.place, "`interface` is missing in vrrp_instance", hint)
        return None
    at = sole_word(statement, reading)
    found = None if at is None else INTERFACE.read(Scalar(at.value, plain=False, place=at.place), reading)
    if found is not None and found.value == "lo":
        reading.error(codes.MALFORMED, found.place, "VRRP does not work on the loopback interface")
    return found


def _router_id(block: Block, reading: Reading) -> At[int] | None:
    statement = block.get("virtual_router_id")
    if statement is None:
        hint = "keepalived does not start without one"
        reading.error(codes.MISSING_KEY, block.statement.place, "`virtual_router_id` is missing in vrrp_instance", hint)
        return None
    at = sole_word(statement, reading)
    if at is None:
        return None
    if re.fullmatch(r"[0-9]{1,4}", at.value) and 1 <= int(at.value) <= ROUTER_ID_LIMIT:
        return At(int(at.value), at.place)
    message = f"{shown(at.value)} is not a virtual router id"
    reading.error(codes.OUT_OF_RANGE, at.place, message, "from 1 to 255; keepalived does not start with that")
    return None


def _is_master(block: Block, reading: Reading) -> bool:
    """What `state` says. It decides about defaults only: every router begins as a backup."""
    statement = block.get("state")
    at = sole_word(statement, reading) if statement else None
    if at is not None and at.value not in ("MASTER", "BACKUP"):
        hint = "keepalived takes it for BACKUP, and so is it here"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is neither MASTER nor BACKUP", hint)
    return at is not None and at.value == "MASTER"


def _priority(block: Block, master: bool, reading: Reading) -> int:
    statement = block.get("priority")
    if statement is not None:
        at = whole(statement, 1, OWNER_PRIORITY, str(DEFAULT_PRIORITY), reading)
        number, place = (at.value, at.place) if at else (DEFAULT_PRIORITY, statement.place)
    else:
        number, place = (OWNER_PRIORITY if master else DEFAULT_PRIORITY), block.statement.place
    if number == OWNER_PRIORITY:
        default = "" if statement else " (keepalived's default for `state MASTER`)"
        message = f"priority 255{default} is for the router that owns the addresses: it always takes them"
        reading.warning(codes.VRRP_OWNER, place, message, "use 254 or less")
    return number


def _preempts(block: Block, master: bool, reading: Reading) -> bool:
    never = block.get("nopreempt")
    stays = switch(never, reading) if never else not switch(block.get("preempt"), reading, default=True)
    if stays and master and never is not None:
        message = "`nopreempt` does not go with `state MASTER` and is not in force"
        reading.warning(codes.NOT_TAKEN, never.place, message, "keepalived clears it too; write `state BACKUP`")
        return True
    return not stays


def _preempt_delay(block: Block, preempts: bool, cleared: bool, reading: Reading) -> float:
    """Seconds; `cleared`: keepalived does without it, with `state MASTER` and in strict mode."""
    statement = block.get("preempt_delay")
    at = seconds(statement, 0, LONGEST_DELAY, "0", reading) if statement else None
    if statement is None or at is None or not at.value:
        return 0.0
    if not preempts:
        note(statement, Told(PASSED_OVER, "it has no effect with `nopreempt`, in keepalived either"), reading)
    elif cleared:
        why = "keepalived clears it too, with `state MASTER` and in strict mode"
        note(statement, Told(PASSED_OVER, why), reading)
    else:
        return at.value
    return 0.0


def _strict(block: Block, settings: Globals, reading: Reading) -> bool:
    return switch(block.get("strict_mode"), reading, default=settings.strict)


def _version(block: Block, ipv6: bool, settings: Globals, reading: Reading) -> int:
    """The instance's own; else 3 for IPv6, whatever global_defs say, and what they say for IPv4."""
    statement = block.get("version")
    at = whole(statement, 2, 3, "its default", reading) if statement else None
    if at is None:
        return VERSION_3 if ipv6 else settings.version or VERSION_2
    if at.value == VERSION_2 and ipv6:
        message = "VRRP version 2 moves IPv4 addresses only"
        reading.error(codes.FAMILY, at.place, message, "version 3, on both balancers")
    return at.value


def _interval(block: Block, version: int, reading: Reading) -> float:
    """What keepalived makes of it: whole seconds in version 2, hundredths up to 40.95 s in version 3."""
    statement = block.get("advert_int")
    at = seconds(statement, SHORTEST_INTERVAL, LONGEST_INTERVAL, "1", reading) if statement else None
    if at is None:
        return 1.0
    if version == VERSION_2:
        taken, steps = max(1.0, float(int(at.value + 0.5))), "whole seconds"
    else:
        hundredths = (round(at.value * 1_000_000) + 5_000) // 10_000
        taken, steps = min(hundredths / 100, VERSION_3_LIMIT_SECONDS), "hundredths of a second, up to 40.95"
    if abs(taken - at.value) > EXACT:
        message = f"VRRP version {version} advertises in {steps}: {at.value:g} becomes {taken:g}"
        reading.warning(codes.NOT_TAKEN, at.place, message, "keepalived rounds too; the peer must have the same")
    return taken
