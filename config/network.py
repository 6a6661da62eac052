"""Kinds of values that name something on the network: addresses, endpoints, prefixes, interfaces. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final, NamedTuple

import msgspec

from config import codes
from config.nodes import At, Node, Place, Scalar, Sequence
from config.reading import Reading, shown, wrong_type
from config.scalars import Schema, Text

PORT_LIMIT: Final = 65535
_ADDRESS_CHARACTERS = 64  # longer than any address with port
_LONGEST_PREFIX = 128
_OCTET = r"(?:25[0-5]|2[0-4][0-9]|1[0-9]{2}|[1-9]?[0-9])"
_PLAIN = re.compile(rf"(?:22[0-3]|2[01][0-9]|1[0-9]{{2}}|[1-9][0-9]?)(?:\.{_OCTET}){{3}}")  # IPv4 below multicast
_PORT = re.compile(r"0|[1-9][0-9]{0,9}")
_V6_QUOTES = 'put IPv6 in quotes: "[2001:db8::1]:443"'

INTERFACE = Text(
    "an interface name", r"(?!\.{1,2}$)[^\s/:]{1,15}", "up to 15 characters, as `ip link` shows it; no / : or space"
)  # fmt: skip


class Endpoint(NamedTuple):
    """An address in canonical form and a port, None where none was written."""

    address: str
    port: int | None


class Prefix(NamedTuple):
    """An address in canonical form and a prefix length."""

    address: str
    length: int


def is_ipv6(address: str) -> bool:
    """The family of an address in canonical form."""
    return ":" in address


def is_plain(text: str) -> bool:
    """Whether this is nothing but a unicast IPv4 address in canonical form, as nearly all are, by the thousand."""
    return _PLAIN.fullmatch(text) is not None


def read_address(text: str, place: Place, reading: Reading) -> str | None:
    """A unicast address in canonical form."""
    if is_plain(text):
        return text
    try:
        address = ipaddress.ip_address(text[:_ADDRESS_CHARACTERS])
    except ValueError:
        reading.error(codes.MALFORMED, place, f"{shown(text)} is not an IP address", _address_hint(text))
        return None
    unfit = _unfit(address)
    if unfit:
        reading.error(codes.ADDRESS_UNFIT, place, f"{shown(text)} is {unfit}", "a unicast address is needed")
        return None
    return str(address)


def _unfit(address: ipaddress.IPv4Address | ipaddress.IPv6Address) -> str:
    """Why an address can neither be served nor serve; nothing when it can."""
    if isinstance(address, ipaddress.IPv6Address) and address.scope_id:
        return "an address with a zone, which IPVS does not know"
    if address.is_multicast:
        return "a multicast address"
    if address.is_unspecified:
        return "the unspecified address"
    return "the broadcast address" if str(address) == "255.255.255.255" else ""


def _address_hint(text: str) -> str:
    if re.fullmatch(r"[0-9]{1,3}(\.[0-9]{1,3}){3}", text):
        return "each of the four numbers is 0 to 255, without leading zeros"
    if re.fullmatch(r"(?=.*[A-Za-z])[A-Za-z0-9.-]+", text):
        return "names are not looked up, so that no trouble with DNS can take a service away: write the address"
    return "1.1.1.15 or 2001:db8::15"


def _address_text(node: Node, reading: Reading, wanted: str) -> str | None:
    """The text of a node that holds an address; YAML takes an unquoted `[v6]` for a list."""
    if isinstance(node, Scalar):
        return node.text.strip()
    wrong_type(reading, node, wanted, _V6_QUOTES if isinstance(node, Sequence) else "")
    return None


class Address(msgspec.Struct, frozen=True):
    """An IPv4 or IPv6 address."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The address in canonical form."""
        text = _address_text(node, reading, "an address")
        if text is None:
            return None
        if is_plain(text):
            return At(text, node.place)
        if re.fullmatch(r"\[[^]]*\]", text[:_ADDRESS_CHARACTERS]):
            text = text[1:-1]
        elif re.fullmatch(r"[^:]+:[0-9]+|\[.*\]:.*", text[:_ADDRESS_CHARACTERS]):
            message = f"{shown(text)} is an address with a port"
            reading.error(codes.MALFORMED, node.place, message, "the port has a key of its own: `port:`")
            return None
        address = read_address(text, node.place, reading)
        return None if address is None else At(address, node.place)

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


class NetworkKind(msgspec.Struct, frozen=True):
    """A network as `ADDRESS/PREFIX`, an address alone, or `default` for every address (an empty text)."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The network in canonical form."""
        text = _address_text(node, reading, "a network")
        if text is None:
            return None
        if text.lower() == "default":
            return At("", node.place)
        try:
            return At(str(ipaddress.ip_network(text[:_ADDRESS_CHARACTERS])), node.place)
        except ValueError:
            hint = "10.0.0.0/8 with no bits behind the prefix, or default"
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not a network", hint)
            return None

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


class MulticastAddress(msgspec.Struct, frozen=True):
    """A multicast group, IPv4 or IPv6."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The address in canonical form."""
        text = _address_text(node, reading, "a multicast address")
        if text is None:
            return None
        try:
            address = ipaddress.ip_address(text[:_ADDRESS_CHARACTERS])
        except ValueError:
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not an IP address", "224.0.0.81")
            return None
        if not address.is_multicast or (isinstance(address, ipaddress.IPv6Address) and address.scope_id):
            message = f"{shown(text)} is not a multicast address"
            reading.error(codes.ADDRESS_UNFIT, node.place, message, "224.0.0.81")
            return None
        return At(str(address), node.place)

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


class EndpointKind(msgspec.Struct, frozen=True):
    """`ADDRESS:PORT`, `"[v6]:PORT"`, and where the port may be missing also a bare address."""

    port_needed: bool

    def read(self, node: Node, reading: Reading) -> At[Endpoint] | None:
        """The address in canonical form and the port."""
        wanted = "ADDRESS:PORT" if self.port_needed else "an address"
        text = _address_text(node, reading, wanted)
        if text is None:
            return None
        host, port_text = _split(text[:_ADDRESS_CHARACTERS])
        address = read_address(host, node.place, reading)
        if port_text is None:
            if self.port_needed and address is not None:
                _note_missing_port(address, text, node.place, reading)
                return None
            return None if address is None else At(Endpoint(address, None), node.place)
        port = _read_port(port_text, node.place, reading)
        return None if address is None or port is None else At(Endpoint(address, port), node.place)

    def schema(self) -> Schema:
        """A string."""
        example = "1.1.1.12:443" if self.port_needed else "1.1.1.15"
        return {"type": "string", "examples": [example, "[2001:db8::12]:443"]}


def _split(text: str) -> tuple[str, str | None]:
    """Address and port of `1.1.1.12:443`, `[v6]:443`, `[v6]`, `1.1.1.12`, `v6`."""
    if text.startswith("["):
        host, bracket, rest = text[1:].partition("]")
        if not bracket or (rest and not rest.startswith(":")):
            return text, None
        return host, rest[1:] if rest else None
    if text.count(":") == 1:
        host, _colon, port = text.partition(":")
        return host, port
    return text, None


def _note_missing_port(address: str, text: str, place: Place, reading: Reading) -> None:
    hint = f'"[{address}]:443"' if is_ipv6(address) else f"{address}:443"
    reading.error(codes.MALFORMED, place, f"{shown(text)} has no port", f"write it like {hint}")


def _read_port(text: str, place: Place, reading: Reading) -> int | None:
    if not _PORT.fullmatch(text):
        hint = "a number: names of ports are not looked up" if text[:1].isalpha() else "a number, without leading zeros"
        reading.error(codes.MALFORMED, place, f"{shown(text)} is not a port", hint)
        return None
    if int(text) > PORT_LIMIT:
        reading.error(codes.OUT_OF_RANGE, place, f"port {text} is out of range", f"from 0 to {PORT_LIMIT}")
        return None
    return int(text)


class PrefixKind(msgspec.Struct, frozen=True):
    """`ADDRESS/PREFIX`; a bare address stands for itself alone (/32, /128)."""

    def read(self, node: Node, reading: Reading) -> At[Prefix] | None:
        """The address in canonical form and the prefix length."""
        text = _address_text(node, reading, "ADDRESS/PREFIX")
        if text is None:
            return None
        host, slash, length = text[:_ADDRESS_CHARACTERS].partition("/")
        address = read_address(host, node.place, reading)
        if address is None:
            return None
        longest = _LONGEST_PREFIX if is_ipv6(address) else 32
        if not slash:
            return At(Prefix(address, longest), node.place)
        if not re.fullmatch(r"[1-9][0-9]{0,2}", length) or int(length) > longest:
            reading.error(
                codes.MALFORMED, node.place, f"{shown(length)} is not a prefix length", f"from 1 to {longest}"
            )
            return None
        return At(Prefix(address, int(length)), node.place)

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "examples": ["1.1.1.12/24"]}


class Netmask(msgspec.Struct, frozen=True):
    """A prefix length (`24`, `/24`) or a dotted netmask (`255.255.255.0`)."""

    def read(self, node: Node, reading: Reading) -> At[int] | None:
        """The prefix length, 1 to 128; whether it fits the family is for the service to say."""
        text = _address_text(node, reading, "a netmask")
        if text is None:
            return None
        length = _prefix_length(text[:_ADDRESS_CHARACTERS])
        if length is None or not 1 <= length <= _LONGEST_PREFIX:
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not a netmask", "24 or 255.255.255.0")
            return None
        return At(length, node.place)

    def schema(self) -> Schema:
        """A prefix length or a text."""
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": _LONGEST_PREFIX}, {"type": "string"}]}


def _prefix_length(text: str) -> int | None:
    digits = text.removeprefix("/")
    if re.fullmatch(r"[1-9][0-9]{0,2}", digits):
        return int(digits)
    try:
        mask = int(ipaddress.IPv4Address(text))
    except ValueError:
        return None
    length = mask.bit_count()
    return length if mask == (0xFFFFFFFF << (32 - length)) & 0xFFFFFFFF else None
