"""A VRRP instance's keys to the instance, with every rule inside one instance. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

import msgspec

from config import codes
from config import shape_vrrp as shape
from config.build_tracks import build_tracks
from config.model import GratuitousArp, VirtualAddress, VrrpHooks, VrrpInstance
from config.network import Prefix, is_ipv6
from config.nodes import At, Place
from config.reading import Reading
from config.secret import Secret
from config.sections import Fields

DEFAULT_VERSION: Final = 3
VERSION_2: Final = 2
VERSION_3_LIMIT_SECONDS: Final = 40.95  # RFC 9568 section 5.2.7: twelve bits of hundredths
EXACT: Final = 1e-6  # what a float leaves of a decimal fraction
PASSWORD_BYTES: Final = 8  # RFC 2338 section 5.3.10: the field's size
OWNER_PRIORITY: Final = 255
ADDRESS_LIMIT: Final = 255  # RFC 3768 section 5.3.5: the count is one byte


class BuiltInstance(msgspec.Struct, frozen=True):
    """An instance, the place of its virtual router id, those of its addresses in order, and of its virtual MAC."""

    instance: VrrpInstance
    place: Place
    address_places: tuple[Place, ...]
    mac_place: Place | None = None


def build_instance(name: str, said: Fields, reading: Reading) -> BuiltInstance | None:
    """The instance, every default filled in; None when what identifies it is not known."""
    interface, router_id = said.get(shape.VRRP_INTERFACE), said.get(shape.VIRTUAL_ROUTER_ID)
    version = said.value(shape.VERSION, DEFAULT_VERSION)
    addresses = _addresses(said, version, reading)
    interval, password = _interval(said, version, reading), _password(said, version, reading)
    priority = said.value(shape.PRIORITY, 100)
    if priority == OWNER_PRIORITY:
        message = "priority 255 is for the router that owns the addresses: it takes them whatever `preempt` says"
        reading.warning(codes.VRRP_OWNER, said.place_of(shape.PRIORITY), message, "use 254 or less")
    if interface is None or router_id is None:
        return None
    instance = VrrpInstance(
        name=name,
        interface=interface.value,
        virtual_router_id=router_id.value,
        priority=priority,
        version=version,
        addresses=tuple(address for address, _place in addresses),
        advertisement_interval=interval,
        password=password,
        preempt=said.value(shape.PREEMPT, default=True),
        gratuitous_arp=_gratuitous_arp(said),
        unicast_peers=_peers(said, addresses, reading),
        source=said.value(shape.SOURCE, ""),
        rfc_checksum=said.value(shape.CHECKSUM, default=False),
        preempt_delay=_preempt_delay(said, reading),
        sync_group=said.value(shape.SYNC_GROUP, ""),
        tracks=build_tracks(said, ipv6=_is_ipv6(addresses), reading=reading),
        hooks=build_hooks(said),
        virtual_mac=_virtual_mac(said, router_id.value, ipv6=_is_ipv6(addresses)),
        accept=_accept(said, priority, reading),
        track_interface=said.value(shape.TRACK_INTERFACE_ITSELF, default=True),
    )
    places = tuple(place for _address, place in addresses)
    return BuiltInstance(instance, router_id.place, places, said.key_places.get(shape.VIRTUAL_MAC.name))


def _addresses(said: Fields, version: int, reading: Reading) -> list[tuple[VirtualAddress, Place]]:
    listed = said.get(shape.ADDRESSES)
    if listed is None:
        return []
    advertised = sum(one.value.value(shape.MOVED_ADVERTISED, default=True) for one in listed.value)
    if advertised > ADDRESS_LIMIT:
        message = f"{advertised} addresses: an advertisement holds {ADDRESS_LIMIT}"
        reading.error(codes.OUT_OF_RANGE, listed.place, message, "make two instances of it, or `advertised: false`")
    found: dict[str, VirtualAddress] = {}
    places: dict[str, Place] = {}
    for fields in listed.value:
        prefix: At[Prefix] | None = fields.value.get(shape.MOVED_ADDRESS)
        if prefix is None:
            continue
        address = prefix.value.address
        if address in found:
            hint = f"the first is on line {places[address].line}"
            reading.error(codes.VRRP_DUPLICATE, prefix.place, f"{address} is listed twice", hint)
        advertised = fields.value.value(shape.MOVED_ADVERTISED, default=True)
        _check_family(address, version, advertised, prefix.place, found, reading)
        interface = fields.value.get(shape.MOVED_INTERFACE) or said.get(shape.VRRP_INTERFACE)
        name = interface.value if interface else ""
        found[address] = VirtualAddress(address, prefix.value.length, name, advertised)
        places[address] = prefix.place
    if found and not any(one.advertised for one in found.values()):
        reading.error(codes.NO_VALUE, listed.place, "none of the addresses is advertised", "at least one must be")
    return [(found[address], places[address]) for address in found]


def _check_family(
    address: str, version: int, advertised: bool, place: Place, found: Mapping[str, VirtualAddress], reading: Reading
) -> None:
    """An advertisement holds addresses of one family, and version 2 only IPv4."""
    if not advertised:
        return
    if version == VERSION_2 and is_ipv6(address):
        message = f"VRRP version 2 advertises IPv4 addresses only, not {address}"
        reading.error(codes.FAMILY, place, message, "version: 3, or `advertised: false`")
        return
    other = next(
        (one.address for one in found.values() if one.advertised and is_ipv6(one.address) != is_ipv6(address)), ""
    )
    if other:
        message = f"{address} is not of the family of {other}, and an advertisement holds one family"
        reading.error(codes.FAMILY, place, message, "`advertised: false`, or an instance of its own")


def _peers(said: Fields, addresses: list[tuple[VirtualAddress, Place]], reading: Reading) -> tuple[str, ...]:
    """Unicast peers: each once, none of them a virtual address, of the family that is advertised."""
    ipv6 = _is_ipv6(addresses)
    found: dict[str, Place] = {}
    for peer in said.value(shape.UNICAST_PEERS, ()):
        if addresses and is_ipv6(peer.value) != ipv6:
            reading.error(codes.FAMILY, peer.place, f"the peer {peer.value} is not of the addresses' family")
        if any(one.address == peer.value for one, _ in addresses):
            reading.error(codes.CONTRADICTION, peer.place, f"the peer {peer.value} is a virtual address")
        if peer.value in found:
            reading.warning(codes.NO_EFFECT, peer.place, f"the peer {peer.value} is listed twice")
        found.setdefault(peer.value, peer.place)
    source = said.get(shape.SOURCE)
    if source is not None and source.value in found:
        reading.error(codes.CONTRADICTION, found[source.value], f"the peer {source.value} is our own `source`")
    if source is not None and addresses and is_ipv6(source.value) != ipv6:
        reading.error(codes.FAMILY, source.place, f"the source {source.value} is not of the addresses' family")
    return tuple(found)


def _is_ipv6(addresses: list[tuple[VirtualAddress, Place]]) -> bool:
    return any(is_ipv6(one.address) for one, _ in addresses if one.advertised)


def _virtual_mac(said: Fields, router_id: int, *, ipv6: bool) -> str:
    """The interface with the virtual router's MAC, by keepalived's names unless one is given; empty for none."""
    wish = said.value(shape.VIRTUAL_MAC, default=False)
    if isinstance(wish, bool):
        return usual_mac_interface(router_id, ipv6=ipv6) if wish else ""
    return wish


def usual_mac_interface(router_id: int, *, ipv6: bool) -> str:
    """What the interface with a virtual MAC is called where no name is given."""
    return f"vrrp6.{router_id}" if ipv6 else f"vrrp.{router_id}"


def _accept(said: Fields, priority: int, reading: Reading) -> bool:
    """RFC 9568 section 6.1: whoever owns the addresses takes their packets."""
    accept = said.value(shape.ACCEPT, default=True)
    if not accept and priority == OWNER_PRIORITY:
        message = "`accept: false` has no effect at priority 255, the owner's"
        reading.warning(codes.NO_EFFECT, said.place_of(shape.ACCEPT), message, "priority: 254")
        return True
    return accept


def _preempt_delay(said: Fields, reading: Reading) -> float:
    delay = said.value(shape.PREEMPT_DELAY, 0.0)
    if delay and not said.value(shape.PREEMPT, default=True):
        place = said.place_of(shape.PREEMPT_DELAY)
        reading.warning(codes.NO_EFFECT, place, "`preempt_delay` has no effect with `preempt: false`")
    return delay


def build_hooks(said: Fields) -> VrrpHooks:
    """The commands of an instance or a sync group."""
    return VrrpHooks(
        active=said.value(shape.ON_ACTIVE, ()),
        backup=said.value(shape.ON_BACKUP, ()),
        fault=said.value(shape.ON_FAULT, ()),
        stop=said.value(shape.ON_STOP, ()),
        any=said.value(shape.ON_CHANGE, ()),
    )


def _interval(said: Fields, version: int, reading: Reading) -> float:
    """RFC 3768 section 5.3.7: whole seconds in one byte. RFC 9568 section 5.2.7: hundredths in twelve bits."""
    at = said.get(shape.ADVERTISEMENT_INTERVAL)
    if at is None:
        return 1.0
    if version == VERSION_2 and (at.value < 1 or at.value != int(at.value)):
        message = "VRRP version 2 advertises in whole seconds"
        reading.error(codes.OUT_OF_RANGE, at.place, message, "from 1s to 255s")
    if version != VERSION_2 and (
        at.value > VERSION_3_LIMIT_SECONDS or abs(at.value * 100 - round(at.value * 100)) > EXACT
    ):
        message = "VRRP version 3 advertises in steps of 10ms"
        reading.error(codes.OUT_OF_RANGE, at.place, message, "from 10ms to 40.95s")
    return at.value


def _password(said: Fields, version: int, reading: Reading) -> Secret | None:
    at = said.get(shape.AUTHENTICATION)
    if at is None:
        return None
    fields = at.value
    if version != VERSION_2:
        message = "VRRP version 3 knows no authentication"
        reading.warning(codes.NO_EFFECT, at.place, message, "version: 2, on both balancers, or remove it")
    password = fields.get(shape.AUTHENTICATION_PASSWORD)
    if not fields.value(shape.AUTHENTICATION_TYPE, default=True):
        if fields.said(shape.AUTHENTICATION_PASSWORD):
            place = fields.place_of(shape.AUTHENTICATION_PASSWORD)
            reading.warning(codes.NO_EFFECT, place, "a password has no effect with `type: none`")
        return None
    if not fields.said(shape.AUTHENTICATION_PASSWORD):
        hint = "password: {file: /etc/lvsd/vrrp.secret}"
        reading.error(codes.MISSING_KEY, fields.place, "simple authentication needs `password`", hint)
    if password is None:
        return None
    _check_password(password, reading)
    return Secret(password.value)


def _check_password(password: At[str], reading: Reading) -> None:
    length = len(password.value.encode(errors="surrogatepass"))
    if length == 0:
        reading.error(codes.VRRP_AUTHENTICATION, password.place, "the password is empty", "type: none")
    elif length > PASSWORD_BYTES:
        message = f"only the first {PASSWORD_BYTES} bytes of the password count"
        reading.warning(codes.VRRP_AUTHENTICATION, password.place, message, "keepalived cuts it alike")


def _gratuitous_arp(said: Fields) -> GratuitousArp:
    at = said.get(shape.GRATUITOUS_ARP)
    built_in = GratuitousArp()
    if at is None:
        return built_in
    return GratuitousArp(
        repeat=at.value.value(shape.ARP_REPEAT, built_in.repeat),
        delay=at.value.value(shape.ARP_DELAY, built_in.delay),
        refresh=at.value.value(shape.ARP_REFRESH, built_in.refresh),
    )
