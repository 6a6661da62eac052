"""A VRRP instance's keys to the instance, with every rule inside one instance. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from config import codes, shape
from config.model import GratuitousArp, VirtualAddress, VrrpInstance
from config.network import Prefix, is_ipv6
from config.nodes import At, Place
from config.reading import Reading
from config.secret import Secret
from config.sections import Fields

DEFAULT_VERSION: Final = 3
VERSION_2: Final = 2
SUPPORTED_VERSIONS: Final = (VERSION_2,)
PASSWORD_BYTES: Final = 8  # RFC 2338 section 5.3.10: the field's size
OWNER_PRIORITY: Final = 255
ADDRESS_LIMIT: Final = 255  # RFC 3768 section 5.3.5: the count is one byte


@dataclass(frozen=True, slots=True)
class BuiltInstance:
    """An instance, the place of its virtual router id, and those of its addresses in order."""

    instance: VrrpInstance
    place: Place
    address_places: tuple[Place, ...]


def build_instance(name: str, said: Fields, reading: Reading) -> BuiltInstance | None:
    """The instance, every default filled in; None when what identifies it is not known."""
    interface, router_id = said.get(shape.VRRP_INTERFACE), said.get(shape.VIRTUAL_ROUTER_ID)
    version = _version(said, reading)
    addresses = _addresses(said, version, reading)
    interval, password = _interval(said, version, reading), _password(said, reading)
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
    )
    return BuiltInstance(instance, router_id.place, tuple(place for _address, place in addresses))


def _version(said: Fields, reading: Reading) -> int:
    at = said.get(shape.VERSION)
    version = at.value if at else DEFAULT_VERSION
    refused = said.said(shape.VERSION) and at is None
    if version not in SUPPORTED_VERSIONS and not refused:
        place = at.place if at else said.place
        default = "" if at else ", the default,"
        message = f"VRRP version {version}{default} is not supported yet"
        reading.error(codes.VRRP_VERSION, place, message, "version: 2")
    return version


def _addresses(said: Fields, version: int, reading: Reading) -> list[tuple[VirtualAddress, Place]]:
    listed = said.get(shape.ADDRESSES)
    if listed is None:
        return []
    if len(listed.value) > ADDRESS_LIMIT:
        message = f"{len(listed.value)} addresses: an advertisement holds {ADDRESS_LIMIT}"
        reading.error(codes.OUT_OF_RANGE, listed.place, message, "make two instances of it")
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
        if version == VERSION_2 and is_ipv6(address):
            reading.error(codes.FAMILY, prefix.place, f"VRRP version 2 moves IPv4 addresses only, not {address}")
        interface = fields.value.get(shape.MOVED_INTERFACE) or said.get(shape.VRRP_INTERFACE)
        found[address] = VirtualAddress(address, prefix.value.length, interface.value if interface else "")
        places[address] = prefix.place
    return [(found[address], places[address]) for address in found]


def _interval(said: Fields, version: int, reading: Reading) -> float:
    """RFC 3768 section 5.3.7: version 2 counts whole seconds in one byte."""
    at = said.get(shape.ADVERTISEMENT_INTERVAL)
    if at is None:
        return 1.0
    if version == VERSION_2 and (at.value < 1 or at.value != int(at.value)):
        message = "VRRP version 2 advertises in whole seconds"
        reading.error(codes.OUT_OF_RANGE, at.place, message, "from 1s to 255s")
    return at.value


def _password(said: Fields, reading: Reading) -> Secret | None:
    at = said.get(shape.AUTHENTICATION)
    if at is None:
        return None
    fields = at.value
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
