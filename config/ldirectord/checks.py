"""checktype and what belongs to it, to the check of one real server: what is probed, where, when. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.checks import AnyCheck, Check, ExternalCheck, NoCheck, PingCheck, TcpCheck, Timing
from config.ldirectord import directives as d
from config.ldirectord.context import Asked, Context, Elsewhere
from config.ldirectord.names import SERVICE_PORTS
from config.ldirectord.negotiations import NEGOTIATIONS, USED
from config.ldirectord.servers import Server
from config.model import FirewallMark
from config.reading import Reading
from config.words import Protocol

PERL: Final = "/usr/bin/perl"
_DEFAULTS: Final = {"checktimeout": 5, "negotiatetimeout": 30}
_SHORT: Final = ("ldap", "ldaps", "radius")  # negotiations that ldirectord limits by checktimeout
_ANY_SERVICES: Final = frozenset(name for names in USED.values() for name in names)


def check_of(context: Context, server: Server, kernel_port: int, reading: Reading) -> Check:
    """The check of one real server."""
    found = _kind(Asked(context, server, reading))
    if isinstance(found, Elsewhere):
        return Check(found.kind, _timing(context, found.kind, reading), found.port, found.address)
    port = context.own.value(d.CHECK_PORT, 0) or server.port or SERVICE_PORTS.get(context.service, 0)
    dials = not isinstance(found, NoCheck | ExternalCheck | PingCheck)
    if dials and not port and not kernel_port:
        message = f"the check does not know which port of {server.address} to probe"
        reading.error(codes.CHECK_WITHOUT_PORT, server.place, message, "checkport=80, or a port in the `real` line")
    differs = dials and port not in (0, kernel_port)
    return Check(found, _timing(context, found, reading), port if differs else None)


def _timing(context: Context, kind: AnyCheck, reading: Reading) -> Timing:
    tries = kind.count if isinstance(kind, PingCheck) else 1  # each within the timeout
    return Timing(
        interval=float(_interval(context, reading)),
        timeout=float(_timeout(context) * tries),
        rise=1,
        fall=context.nearest(d.FAILURE_COUNT, 1),
        connects=_connects(context, reading),
    )


def _interval(context: Context, reading: Reading) -> int:
    """A virtual service's own one counts with fork=yes only."""
    own, shared = context.own.get(d.CHECK_INTERVAL), context.top.value(d.CHECK_INTERVAL, 10)
    if own is None or context.top.value(d.FORK, default=False):
        return own.value if own is not None else shared
    message = f"checkinterval of a virtual service counts with fork=yes only, as in ldirectord: it is {shared} s"
    reading.warning(codes.LD_IGNORED, own.place, message, "fork=yes")
    return shared


def _timeout(context: Context) -> int:
    """ldirectord's order: each of the two limits stands in for the other before a default does."""
    first, second = d.NEGOTIATE_TIMEOUT, d.CHECK_TIMEOUT
    if not context.negotiates or context.service in _SHORT:
        first, second = second, first
    for said in (context.own, context.top):
        for known in (first, second):
            found = said.get(known)
            if found is not None:
                return found.value
    return _DEFAULTS[first.name]


def _connects(context: Context, reading: Reading) -> int:
    """How many mere connects stand between two negotiations, with a number as check type."""
    count = int(context.check_type) if context.check_type.isdigit() else 0
    if not count or context.service == "none":
        return 0
    place = context.place_of(d.CHECK_TYPE)
    if context.speaks(Protocol.UDP):
        message = "with UDP every probe negotiates: ldirectord pings in between, which tells less"
        reading.warning(codes.LD_OTHERWISE, place, message, "checktype=negotiate says so")
        return 0
    if count > d.CONNECTS_LIMIT:
        message = f"checktype: {d.CONNECTS_LIMIT} connects between negotiations are the most"
        reading.error(codes.OUT_OF_RANGE, place, message, "checktype=connect never negotiates")
    return count


def _kind(asked: Asked) -> AnyCheck | Elsewhere:
    context = asked.context
    match context.check_type:
        case "on" | "off":
            return NoCheck()
        case "connect":
            return _connect(context)
        case "ping":
            return _ping(context)
        case "external" | "external-perl":
            return _external(asked)
        case digits if digits.strip("0").isdigit() and context.service == "none":
            message = "with no service to negotiate, every probe connects: ldirectord takes every other for a success"
            asked.reading.warning(
                codes.LD_OTHERWISE, context.place_of(d.CHECK_TYPE), message, "checktype=connect says so"
            )
            return _connect(context)
        case _:
            return NEGOTIATIONS[context.service](asked)


def _connect(context: Context) -> AnyCheck:
    """With UDP there is nothing to connect to: ldirectord pings."""
    return _ping(context) if context.speaks(Protocol.UDP) else TcpCheck()


def _ping(context: Context) -> PingCheck:
    return PingCheck(context.nearest(d.CHECK_COUNT, 1))


def pings(context: Context) -> bool:
    """Whether the real servers are pinged."""
    return context.check_type == "ping" or (context.check_type == "connect" and context.speaks(Protocol.UDP))


def _external(asked: Asked) -> AnyCheck:
    """ldirectord's four arguments; IPv6 addresses in brackets, as it has them."""
    context, reading = asked.context, asked.reading
    at = context.own.get(d.CHECK_COMMAND)
    path, place = (at.value, at.place) if at else ("/bin/true", context.place)
    if not path.startswith("/"):
        hint = "a program's absolute path, without arguments: ldirectord looks all of it up as a file"
        reading.error(codes.LD_VALUE, place, "checkcommand is not an absolute path", hint)
    message = "the command runs as the checker's user, without privileges, not as root"
    reading.warning(codes.LD_OTHERWISE, place, message, "in a lvsd.yaml beside it: daemon: {checker_user: NAME}")
    if isinstance(context.virtual, FirewallMark):
        virtual = [str(context.virtual.mark), "0"]
    else:
        virtual = [_bracketed(context.virtual.address), str(context.virtual.port)]
    program = [PERL, path] if context.check_type == "external-perl" else [path]
    return ExternalCheck((*program, *virtual, _bracketed(asked.server.address), str(asked.server.port)))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def note_unused(context: Context, reading: Reading) -> None:
    """Tell what is said about a check and belongs to another kind of check; ldirectord says nothing."""
    used = USED.get(context.service, ()) if context.negotiates else ()
    kind = f"service={context.service}" if context.negotiates else f"checktype={context.check_type}"
    for name in sorted(_ANY_SERVICES.difference(used) & set(context.own.values)):
        _note_unused(name, kind, context, reading)
    if d.CHECK_COMMAND.name in context.own.values and not context.check_type.startswith("external"):
        _note_unused(d.CHECK_COMMAND.name, kind, context, reading)
    unprobed = context.check_type in ("on", "off", "ping", "external", "external-perl")
    unprobed = unprobed or (context.check_type.strip("0") in ("", "negotiate") and context.service == "none")
    if d.CHECK_PORT.name in context.own.values and unprobed:
        _note_unused(d.CHECK_PORT.name, kind, context, reading)


def _note_unused(name: str, kind: str, context: Context, reading: Reading) -> None:
    place = context.own.values[name].place
    reading.warning(codes.LD_IGNORED, place, f"{name}: not used with {kind}, as in ldirectord", "remove it")
