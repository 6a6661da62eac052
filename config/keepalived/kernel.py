"""lvs_timeouts and lvs_sync_daemon: settings of the kernel's IPVS as a whole. Pure."""

from __future__ import annotations

import ipaddress
from collections.abc import Mapping, Sequence
from typing import Final

from msgspec.structs import replace

from config import codes
from config.keepalived.block import Block
from config.keepalived.statements import Statement
from config.keepalived.values import sole_word, whole_word, without_semicolon, word
from config.model import ConnectionSync, Ipvs, Timeouts
from config.network import INTERFACE
from config.nodes import At, Scalar
from config.reading import Reading, shown
from config.words import SyncRole

TIMEOUT_LIMIT: Final = 2_147_483  # INT_MAX / HZ with 1000 (net/netfilter/ipvs/ip_vs_ctl.c, ip_vs_set_timeout)
_TIMEOUTS: Final = {"tcp": "tcp", "tcpfin": "tcp_fin", "udp": "udp"}
_NUMBERS: Final = {"id": ("sync_id", 0, 255), "maxlen": ("max_length", 1, 65507), "port": ("port", 1, 65535),
                   "ttl": ("ttl", 1, 255)}  # fmt: skip
_OLD: Final = "lvs_sync_daemon_interface"


def read_kernel(
    settings: Block | None, instances: Sequence[Block], routers: Mapping[str, int], reading: Reading
) -> At[Ipvs] | None:
    """What global_defs, or an instance in the old way, say. `routers`: virtual router ids by instance name."""
    timeouts = _timeouts(settings.get("lvs_timeouts"), reading) if settings else None
    sync = _sync(settings, instances, routers, reading)
    said = timeouts or sync
    if said is None:
        return None
    return At(Ipvs(timeouts.value if timeouts else None, sync.value if sync else None), said.place)


def _timeouts(statement: Statement | None, reading: Reading) -> At[Timeouts] | None:
    if statement is None:
        return None
    found: dict[str, int] = {}
    words = iter(without_semicolon(at, reading) for at in statement.words[1:])
    for at in words:
        if at.value not in _TIMEOUTS:
            hint = "lvs_timeouts tcp SECONDS tcpfin SECONDS udp SECONDS"
            reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a timeout of the kernel", hint)
            continue
        number = next(words, None)
        if number is None:
            reading.error(codes.NO_VALUE, at.place, f"`{at.value}` has no value")
        elif (taken := whole_word(number, 1, TIMEOUT_LIMIT, "none", reading)) is not None:
            found[_TIMEOUTS[at.value]] = taken.value
    if not found:
        return None
    return At(Timeouts(**found), statement.place)


def _sync(
    settings: Block | None, instances: Sequence[Block], routers: Mapping[str, int], reading: Reading
) -> At[ConnectionSync] | None:
    statement = settings.get("lvs_sync_daemon") if settings else None
    old = [one for block in instances if (one := block.get(_OLD, "lvs_sync_daemon")) is not None]
    for one in old if statement else old[1:]:
        message = f"`{one.keyword}` beside another one: the kernel has one pair of sync daemons"
        reading.warning(codes.LEFT_OUT, one.place, message, "the first counts")
    if statement is not None:
        return _of_globals(statement, routers, reading)
    return _of_instance(old[0], instances, routers, reading) if old else None


def _of_instance(
    statement: Statement, instances: Sequence[Block], routers: Mapping[str, int], reading: Reading
) -> At[ConnectionSync] | None:
    """The old way: an instance names the interface and is followed."""
    at = sole_word(statement, reading)
    names = [block.statement.words[1].value for block in instances if statement in (block.statement.body or ())]
    interface = _interface(at, reading) if at else None
    if interface is None or not names or names[0] not in routers:
        return None
    return At(ConnectionSync(interface, SyncRole.FOLLOW, names[0], routers[names[0]]), statement.place)


def _of_globals(statement: Statement, routers: Mapping[str, int], reading: Reading) -> At[ConnectionSync] | None:
    """`INTERFACE [[inst] INSTANCE] [id N] [maxlen N] [port N] [ttl N] [group ADDRESS]`."""
    at = word(statement, reading)
    interface = _interface(at, reading) if at else None
    if interface is None:
        return None
    words = [without_semicolon(one, reading) for one in statement.words[2:]]
    instance, rest = _followed(words)
    if instance is not None and instance.value not in routers:
        message = f"there is no vrrp_instance {shown(instance.value)} to follow: no sync daemon is run"
        reading.warning(codes.LEFT_OUT, instance.place, message, "name one of this file's instances")
        return None
    sync = ConnectionSync(interface, SyncRole.BOTH)
    if instance is not None:
        sync = ConnectionSync(interface, SyncRole.FOLLOW, instance.value, routers[instance.value])
    numbers, group = _options(rest, reading)
    return At(replace(sync, group=group, **numbers), statement.place)


def _followed(words: list[At[str]]) -> tuple[At[str] | None, list[At[str]]]:
    """The instance to follow, and the words after it."""
    if len(words) > 1 and words[0].value == "inst":
        return words[1], words[2:]
    if words and words[0].value not in (*_NUMBERS, "group"):
        return words[0], words[1:]
    return None, words


def _options(words: list[At[str]], reading: Reading) -> tuple[dict[str, int], str]:
    numbers: dict[str, int] = {}
    group = ""
    rest = iter(words)
    for at in rest:
        value = next(rest, None) if at.value in (*_NUMBERS, "group") else None
        if at.value not in (*_NUMBERS, "group"):
            message = f"{shown(at.value)} is not known in `lvs_sync_daemon`"
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, message, "id, maxlen, port, ttl or group")
        elif value is None:
            reading.error(codes.NO_VALUE, at.place, f"`{at.value}` has no value")
        elif at.value == "group":
            group = _group(value, reading)
        else:
            name, low, high = _NUMBERS[at.value]
            taken = whole_word(value, low, high, "the kernel's", reading)
            numbers.update({name: taken.value} if taken else {})
    return numbers, group


def _interface(at: At[str], reading: Reading) -> str | None:
    found = INTERFACE.read(Scalar(at.value, plain=False, place=at.place), reading)
    return found.value if found else None


def _group(at: At[str], reading: Reading) -> str:
    try:
        found = ipaddress.ip_address(at.value[:64])
    except ValueError:
        found = None
    if found is None or not found.is_multicast or (isinstance(found, ipaddress.IPv6Address) and found.scope_id):
        message = f"{shown(at.value)} is not a multicast group"
        reading.warning(codes.NOT_TAKEN, at.place, message, "keepalived uses 224.0.0.81 instead, and so is it here")
        return ""
    return str(found)
