"""The lines of an ldirectord.cf that name servers: `virtual`, `real`, `fallback`. Pure."""

from __future__ import annotations

import ipaddress
import re
from typing import Final

import msgspec

from config import codes
from config.ldirectord.lines import Line
from config.ldirectord.names import Names
from config.model import FirewallMark, VirtualEndpoint
from config.nodes import At, Place
from config.reading import Reading, shown
from config.words import FORWARDING_WORDS, Forwarding, Protocol

RANGE_LIMIT: Final = 4096  # real servers a range may stand for
MARK_LIMIT: Final = 2**32 - 1
WEIGHT_LIMIT: Final = 2**31 - 1  # the kernel holds it in an int
THRESHOLD_LIMIT: Final = 2**32 - 1
METHODS: Final = ("gate", "masq", "ipip")
DNS_PORT: Final = 53
_VIRTUAL = re.compile(r"(\[[0-9A-Fa-f:]+\]|[0-9A-Za-z._+-]+):([0-9A-Za-z_-]+)")
_MARK = re.compile(r"\d{1,10}(?!\d)", re.ASCII)
_SERVER = re.compile(r"(\[[^\]]*\]|[A-Za-z0-9.-]+?)(?:->(\[[^\]]*\]|[A-Za-z0-9.-]+))?(?::([A-Za-z0-9_-]+))?(?=\s|$)")
_WEIGHT = re.compile(r"\s(\d{1,12})(?!\d)", re.ASCII)
_TEXTS = re.compile(r'\s"([^"]*)"[, ]\s*"([^"]*)"')
_THRESHOLDS = re.compile(r"\s[lu]:\d{1,12}(?!\d)", re.ASCII)
_THRESHOLD = re.compile(r"([lu]):(\d+)", re.ASCII)

Virtual = VirtualEndpoint | FirewallMark


class Server(msgspec.Struct, frozen=True):
    """What a `real` line says of one server. `port` 0: none said. Request and receive: None where not said."""

    address: str
    port: int
    forwarding: Forwarding
    weight: int
    request: str | None
    receive: str | None
    lower: int
    upper: int
    place: Place


def read_virtual(line: Line, protocol: At[str] | None, names: Names, reading: Reading) -> Virtual | None:
    """What clients reach. A number alone is a firewall mark; what follows the port is not looked at."""
    text, ipv6 = (line.value or "").strip(), line.name == "virtual6"
    match = _VIRTUAL.match(text)
    mark = _MARK.match(text) if match is None else None
    if match is None and mark is None:
        hint = "[2001:db8::1]:80" if ipv6 else "192.0.2.1:80, a name and a port, or a firewall mark"
        reading.error(codes.LD_VALUE, line.value_place, f"{shown(text)} is no virtual service's address", hint)
        return None
    end = match.end() if match is not None else len(mark[0]) if mark else 0
    if end != len(text) and not text[end:].lstrip().startswith("#"):  # a comment asks for nothing
        taken = f"firewall mark {text[:end]}" if mark else text[:end]
        message = f"{shown(text)} is taken for {taken}, as ldirectord does"
        hint = "an address needs a port: 192.0.2.1:80" if mark else "remove what follows the port"
        reading.warning(codes.LD_IGNORED, line.value_place, message, hint)
    if mark is not None:
        return _mark(int(mark[0]), ipv6, protocol, line, reading)
    return _endpoint(match[1], match[2], protocol, line, names, reading) if match is not None else None


def _mark(mark: int, ipv6: bool, protocol: At[str] | None, line: Line, reading: Reading) -> FirewallMark | None:
    if protocol is not None and protocol.value != "fwm":
        message = f"protocol={protocol.value} does not go with a firewall mark, which covers every protocol"
        reading.error(codes.LD_VALUE, protocol.place, message, "remove the protocol, or write an address and a port")
    if not 1 <= mark <= MARK_LIMIT:
        reading.error(codes.OUT_OF_RANGE, line.value_place, f"{mark} is no firewall mark", f"from 1 to {MARK_LIMIT}")
        return None
    return FirewallMark(mark, ipv6)


def _endpoint(
    host: str, port: str, protocol: At[str] | None, line: Line, names: Names, reading: Reading
) -> VirtualEndpoint | None:
    if protocol is not None and protocol.value == "fwm":
        message = "protocol=fwm does not go with an address and a port"
        reading.error(codes.LD_VALUE, protocol.place, message, "tcp, udp, or a number as the virtual service")
    inferred = "udp" if port in ("domain", str(DNS_PORT)) else "tcp"
    word = protocol.value if protocol is not None else inferred
    chosen = Protocol.UDP if word == "udp" else Protocol.TCP
    address = names.address(_bare(host), ipv6=line.name == "virtual6", place=line.value_place)
    number = names.port(port, chosen, line.value_place)
    return None if address is None or number is None else VirtualEndpoint(chosen, address, number)


def read_real(line: Line, protocol: Protocol, names: Names, reading: Reading) -> tuple[Server, ...]:
    """The servers of a `real` line: one, or a whole range of addresses."""
    text, place = (line.value or "").rstrip(), line.value_place
    match = _SERVER.match(text)
    if match is None:
        message = f"{shown(text.partition(' ')[0])} is no real server"
        reading.error(codes.LD_REAL, place, message, "real=192.0.2.12:80 gate")
        return ()
    forwarding, rest = _forwarding(text[match.end() :], line, reading)
    settings = _settings(rest, line, reading)
    if settings is None:
        message = "what follows the forwarding method is not a weight, a request and what to receive, or thresholds"
        reading.error(codes.LD_REAL, place, message, 'real=192.0.2.12:80 gate 5 "request", "receive" l:50 u:100')
    port = names.port(match[3], protocol, place) if match[3] else 0
    addresses = _addresses(match[1], match[2], line, names, reading)
    if forwarding is None or settings is None or port is None:
        return ()
    weight, request, receive, thresholds = settings
    lower, upper = _thresholds(thresholds, line, reading)
    if weight > WEIGHT_LIMIT:
        reading.error(codes.OUT_OF_RANGE, place, f"the weight {weight} is out of range", f"from 0 to {WEIGHT_LIMIT}")
    if request and _THRESHOLD.fullmatch(request):
        message = f'"{request}" in quotes is taken for a request, as ldirectord does'
        reading.warning(codes.LD_IGNORED, place, message, f"thresholds stand without quotes: {request}")
    return tuple(
        Server(address, port, forwarding, weight, request, receive, lower, upper, place) for address in addresses
    )


def _settings(text: str, line: Line, reading: Reading) -> tuple[int, str | None, str | None, str] | None:
    """Weight, request, receive, and what is left for thresholds; None for what ldirectord takes for none of them.

    ldirectord looks for each behind the one before and skips what stands between: `gate -w 5` is weight 5.
    """
    skipped = ""
    weight = _WEIGHT.search(text)
    if weight is not None:
        skipped, text = text[: weight.start()], text[weight.end() :]
    texts = _TEXTS.search(text)
    if texts is not None:
        skipped, text = skipped + text[: texts.start()], text[texts.end() :]
    found = list(_THRESHOLDS.finditer(text))
    if text[found[-1].end() if found else 0 :].strip():
        return None
    skipped += _THRESHOLDS.sub("", text)
    if skipped.strip():
        message = f"{shown(skipped.strip())} is skipped, as ldirectord does"
        reading.warning(codes.LD_IGNORED, line.value_place, message, "gate 5: a weight stands by itself")
    request, receive = (texts[1], texts[2]) if texts is not None else (None, None)
    return int(weight[1]) if weight is not None else 1, request, receive, text


def _forwarding(text: str, line: Line, reading: Reading) -> tuple[Forwarding | None, str]:
    """The forwarding method, and what follows it."""
    match = re.match(r"\s+([^\w\s]*)(\w+)", text, re.ASCII)
    if match is None:
        reading.error(codes.LD_REAL, line.value_place, "the forwarding method is missing", "gate, masq or ipip")
        return None, ""
    if match[2] not in METHODS:
        message = f"{shown(match[2])} is no forwarding method"
        reading.error(codes.LD_REAL, line.value_place, message, "gate, masq or ipip")
        return None, ""
    if match[1]:
        message = f"{shown(match[1])} is skipped, as ldirectord does"
        reading.warning(codes.LD_IGNORED, line.value_place, message, match[2])
    return FORWARDING_WORDS[match[2]], text[match.end() :]


def _thresholds(text: str, line: Line, reading: Reading) -> tuple[int, int]:
    """The lower and the upper one, in either order (ldirectord loses an upper one that comes first)."""
    found = {name: int(value) for name, value in _THRESHOLD.findall(text)}
    lower, upper = found.get("l", 0), found.get("u", 0)
    if max(lower, upper) > THRESHOLD_LIMIT:
        message = f"a threshold of {max(lower, upper)} is out of range"
        reading.error(codes.OUT_OF_RANGE, line.value_place, message, f"from 0 to {THRESHOLD_LIMIT}")
    elif lower > upper:  # the kernel's ERANGE (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_add_dest)
        message = f"the lower threshold {lower} is above the upper threshold {upper}"
        reading.error(codes.THRESHOLDS, line.value_place, message, "the kernel would refuse the real server")
    return lower, upper


def _addresses(first: str, last: str | None, line: Line, names: Names, reading: Reading) -> tuple[str, ...]:
    ipv6 = line.name.endswith("6")
    start = names.address(_bare(first), ipv6=ipv6, place=line.value_place)
    if last is None:
        return () if start is None else (start,)
    end = names.address(_bare(last), ipv6=ipv6, place=line.value_place)
    if start is None or end is None:
        return ()
    if ipv6:
        reading.error(codes.LD_REAL, line.value_place, "a range of IPv6 addresses", "ldirectord knows none: list them")
        return ()
    low, high = int(ipaddress.IPv4Address(start)), int(ipaddress.IPv4Address(end))
    if not low <= high < low + RANGE_LIMIT:
        message = f"{shown(f'{start}->{end}')} is no range of addresses"
        reading.error(codes.LD_REAL, line.value_place, message, f"the lower first, {RANGE_LIMIT} at most")
        return ()
    return tuple(str(ipaddress.IPv4Address(number)) for number in range(low, high + 1))


def read_fallback(line: Line, names: Names, reading: Reading) -> Server | None:
    """The server of a `fallback` line: direct routing unless said, weight 1 always, a port perhaps."""
    text = (line.value or "").strip()
    match = _SERVER.match(text)
    method = text[match.end() :].strip() if match is not None else ""
    if match is None or match[2] or method not in ("", *METHODS):
        message = f"{shown(text)} is no fallback server"
        reading.error(codes.LD_REAL, line.value_place, message, "fallback=127.0.0.1:80 gate, without a weight")
        return None
    address = names.address(_bare(match[1]), ipv6=line.name == "fallback6", place=line.value_place)
    port = names.port(match[3], Protocol.TCP, line.value_place) if match[3] else 0
    if address is None or port is None:
        return None
    forwarding = FORWARDING_WORDS[method or METHODS[0]]
    return Server(address, port, forwarding, 1, None, None, 0, 0, line.value_place)


def _bare(host: str) -> str:
    return host.removeprefix("[").removesuffix("]")
