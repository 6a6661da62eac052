"""checktype, service and what belongs to them, to the check of one real server. Pure.

The rule: never a check that says healthy where ldirectord would say down. What cannot be checked as it says is an
error, with what to write instead.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config import codes
from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    Expect,
    ExternalCheck,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    NoCheck,
    PopCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from config.ldirectord import directives as d
from config.ldirectord.names import SERVICE_PORTS
from config.ldirectord.patterns import expected
from config.ldirectord.servers import Server
from config.ldirectord.values import Known, Said
from config.model import FirewallMark, VirtualEndpoint
from config.nodes import At, Place
from config.reading import Reading
from config.secret import Secret
from config.words import Protocol

HELO: Final = "localhost.localdomain"  # ldirectord's
PERL: Final = "/usr/bin/perl"
SMTPS_PORT: Final = 465
_CONNECT_HINT = "checktype=connect probes the port alone; checktype=external runs a command"
_DEFAULTS: Final = {"checktimeout": 5, "negotiatetimeout": 30}


@dataclass(frozen=True, slots=True)
class Context:
    """A virtual service's settings, the file's, and where it stands."""

    own: Said
    top: Said
    virtual: VirtualEndpoint | FirewallMark
    place: Place

    @property
    def service(self) -> str:
        """The `service`; unless said, the one whose port is the virtual service's."""
        said = self.own.get(d.SERVICE)
        if said is not None:
            return said.value
        port = self.virtual.port if isinstance(self.virtual, VirtualEndpoint) else 0
        return next((name for name, number in SERVICE_PORTS.items() if number == port), "none")

    @property
    def check_type(self) -> str:
        """The `checktype`: a word, or digits."""
        return self.own.value(d.CHECK_TYPE, "negotiate")

    def place_of(self, *known: Known[object]) -> Place:
        """Where the first of these that is said stands; the virtual service's own place if none is."""
        found = (self.own.get(one) for one in known)
        return next((at.place for at in found if at is not None), self.place)

    @property
    def negotiates(self) -> bool:
        """Whether probes speak the service's protocol; numbers (so many connects between) do so every time."""
        return self.check_type == "negotiate" or self.check_type.isdigit()


def check_of(context: Context, server: Server, kernel_port: int, reading: Reading) -> Check:
    """The check of one real server."""
    kind = _kind(context, server, reading)
    timing = Timing(
        interval=float(_interval(context, reading)),
        timeout=float(_timeout(context)),
        rise=1,
        fall=_nearest_value(context, d.FAILURE_COUNT, 1),
    )
    port = context.own.value(d.CHECK_PORT, 0) or server.port or SERVICE_PORTS.get(context.service, 0)
    dials = not isinstance(kind, NoCheck | ExternalCheck)
    if dials and not port and not kernel_port:
        message = f"the check does not know which port of {server.address} to probe"
        reading.error(codes.CHECK_WITHOUT_PORT, server.place, message, "checkport=80, or a port in the `real` line")
    differs = dials and port not in (0, kernel_port)
    return Check(kind, timing, port if differs else None)


def _nearest_value(context: Context, known: Known[int], default: int) -> int:
    return context.own.value(known, context.top.value(known, default))


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
    if not context.negotiates:
        first, second = second, first
    for said in (context.own, context.top):
        for known in (first, second):
            found = said.get(known)
            if found is not None:
                return found.value
    return _DEFAULTS[first.name]


def _kind(context: Context, server: Server, reading: Reading) -> AnyCheck:
    match context.check_type:
        case "on" | "off":
            return NoCheck()
        case "connect":
            return _connect(context, reading)
        case "ping":
            return _not_yet(context, d.CHECK_TYPE, "checktype=ping", "checktype=external with a command", reading)
        case "external" | "external-perl":
            return _external(context, server, reading)
        case _:
            _note_combined(context, reading)
            return _NEGOTIATIONS.get(context.service, _unknown)(context, server, reading)


def _note_combined(context: Context, reading: Reading) -> None:
    if context.check_type.isdigit() and context.check_type.strip("0"):
        message = (
            "every probe negotiates, with no mere connects between: no real server is up for longer than it should"
        )
        reading.warning(codes.LD_OTHERWISE, context.place_of(d.CHECK_TYPE), message, "checktype=negotiate says so")


def _not_yet(context: Context, known: Known[object], what: str, hint: str, reading: Reading) -> AnyCheck:
    reading.error(codes.LD_NOT_YET, context.place_of(known), f"{what} is not checked by lvsd yet", hint)
    return NoCheck()


def _unknown(context: Context, _server: Server, reading: Reading) -> AnyCheck:
    inferred = "" if context.own.get(d.SERVICE) else ", inferred from the port,"
    hint = _CONNECT_HINT
    if isinstance(context.virtual, VirtualEndpoint) and context.virtual.protocol is Protocol.UDP:
        hint = "checktype=external runs a command; checktype=on takes them for healthy, unchecked"
    return _not_yet(context, d.SERVICE, f"service={context.service}{inferred}", hint, reading)


def _connect(context: Context, reading: Reading) -> AnyCheck:
    if isinstance(context.virtual, VirtualEndpoint) and context.virtual.protocol is Protocol.UDP:
        hint = "checktype=external with a command, or checktype=on"
        return _not_yet(context, d.CHECK_TYPE, "checktype=connect with UDP, which is a ping,", hint, reading)
    return TcpCheck()


def _external(context: Context, server: Server, reading: Reading) -> AnyCheck:
    """ldirectord's four arguments; IPv6 addresses in brackets, as it has them."""
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
    return ExternalCheck((*program, *virtual, _bracketed(server.address), str(server.port)))


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address


def _none(context: Context, _server: Server, reading: Reading) -> AnyCheck:
    if context.own.get(d.SERVICE) is None:
        message = "nothing is checked, as in ldirectord: no `service` is said, and the port tells none"
        reading.warning(codes.LD_IGNORED, context.place, message, "checktype=connect, or service=none to say so")
    return NoCheck()


def _http(context: Context, server: Server, reading: Reading) -> AnyCheck:
    return _web(context, server, None, reading)


def _https(context: Context, server: Server, reading: Reading) -> AnyCheck:
    """The virtual host is the server name of the handshake too: servers refuse a request whose two names differ."""
    host = context.own.get(d.VIRTUAL_HOST)
    return _web(context, server, Tls(host.value.partition(":")[0] if host else None), reading)


def _web(context: Context, server: Server, tls: Tls | None, reading: Reading) -> AnyCheck:
    request, place = _request(context, server)
    if server.request and re.match(r"https?://", server.request):
        reading.error(codes.LD_NOT_YET, server.place, "a whole URL as a request", "the path alone, and virtualhost=")
    path = "/" + request.removeprefix("/")
    if any(ord(c) < ord("!") and c != " " for c in path):
        reading.error(codes.MALFORMED, place, "request: a control character")
    host, method = context.own.get(d.VIRTUAL_HOST), context.own.value(d.HTTP_METHOD, "GET")
    if host is not None and not re.fullmatch(r"[A-Za-z0-9_.:\[\]-]+", host.value):
        reading.error(codes.MALFORMED, host.place, "virtualhost is not a host's name", "www.example.net")
    expect = _expect(context, server, reading)
    if method == "HEAD" and expect != Expect():
        message = "the answer to HEAD has no body: no real server would ever be up"
        reading.error(codes.CONTRADICTION, context.place_of(d.HTTP_METHOD), message, "httpmethod=GET")
    return HttpCheck(tls, path.replace(" ", "%20"), method, host.value if host else None, expect=expect)


def _request(context: Context, server: Server) -> tuple[str, Place]:
    if server.request:
        return server.request, server.place
    return context.own.value(d.REQUEST, ""), context.place_of(d.REQUEST)


def _expect(context: Context, server: Server, reading: Reading) -> Expect:
    own = At(server.receive, server.place) if server.receive else context.own.get(d.RECEIVE)
    return Expect() if own is None else expected(own, reading)


def _mysql(context: Context, server: Server, reading: Reading) -> AnyCheck:
    request, _place = _request(context, server)
    login = _login(context)
    if login is None or not request.removeprefix("/"):
        place = context.place_of(d.SERVICE)
        message = "service=mysql needs `login` and `request`: ldirectord would never add a real server"
        reading.error(codes.CREDENTIALS, place, message, 'login="monitor", passwd="...", request="SELECT 1"')
        return NoCheck()
    if context.own.get(d.RECEIVE) or server.receive:
        place = server.place if server.receive else context.place_of(d.RECEIVE)
        message = "receive: not looked at with service=mysql, as in ldirectord: any row is success"
        reading.warning(codes.LD_IGNORED, place, message, "remove it")
    return MysqlCheck(login, request.removeprefix("/"), context.own.value(d.DATABASE, "") or None)


def _login(context: Context) -> Credentials | None:
    login = context.own.get(d.LOGIN)
    return Credentials(login.value, Secret(context.own.value(d.PASSWORD, ""))) if login else None


def _imap(context: Context, _server: Server, _reading: Reading) -> AnyCheck:
    return ImapCheck(TlsMode.NONE, Tls(), _login(context))


def _imaps(context: Context, _server: Server, _reading: Reading) -> AnyCheck:
    return ImapCheck(TlsMode.IMPLICIT, Tls(), _login(context))


def _pop(context: Context, _server: Server, _reading: Reading) -> AnyCheck:
    return PopCheck(TlsMode.NONE, Tls(), _login(context))


def _pops(context: Context, _server: Server, _reading: Reading) -> AnyCheck:
    return PopCheck(TlsMode.IMPLICIT, Tls(), _login(context))


def _smtp(context: Context, server: Server, reading: Reading) -> AnyCheck:
    """Plain, on every port: ldirectord knows neither TLS nor STARTTLS there."""
    port = context.own.value(d.CHECK_PORT, 0) or server.port
    if port == SMTPS_PORT:
        message = "service=smtp speaks plainly, and port 465 usually begins with TLS: such servers are found down"
        hint = "checktype=connect; or the service in a lvsd.yaml, with check: {type: smtps}"
        reading.warning(codes.LD_PLAIN, context.place_of(d.SERVICE), message, hint)
    return SmtpCheck(TlsMode.NONE, Tls(), HELO)


_NEGOTIATIONS: Final[dict[str, Callable[[Context, Server, Reading], AnyCheck]]] = {
    "none": _none,
    "http": _http,
    "https": _https,
    "mysql": _mysql,
    "imap": _imap,
    "imaps": _imaps,
    "pop": _pop,
    "pops": _pops,
    "smtp": _smtp,
    "submission": _smtp,
}
