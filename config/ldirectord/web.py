"""service= http, https and http_proxy. Pure."""

from __future__ import annotations

import re
from typing import Final

from config import codes
from config.checks import AnyCheck, Expect, HttpCheck, NoCheck, Tls
from config.ldirectord import directives as d
from config.ldirectord.context import Asked, Elsewhere
from config.nodes import Place

_URL: Final = re.compile(r"(https?)://(\[[0-9A-Fa-f:.]+\]|[A-Za-z0-9._-]+)(?::(\d{1,5}))?(?=[/?]|$)(.*)", re.DOTALL)
_SCHEME: Final = re.compile(r"/?https?://")
_PORTS: Final = {"http": 80, "https": 443}


def http(asked: Asked) -> AnyCheck | Elsewhere:
    """A page of the real server, or of a whole URL."""
    return _page(asked, "http", None)


def https(asked: Asked) -> AnyCheck | Elsewhere:
    """The virtual host is the server name of the handshake too: servers refuse a request whose two names differ."""
    host = asked.context.own.get(d.VIRTUAL_HOST)
    return _page(asked, "https", Tls(host.value.partition(":")[0] if host else None))


def http_proxy(asked: Asked) -> AnyCheck:
    """A whole URL, asked of the real server; `virtualhost` is not used."""
    request = asked.bare_request
    match = _URL.fullmatch(request)
    if asked.server.request is not None and match is None and not _SCHEME.match(request):
        port = asked.context.own.value(d.CHECK_PORT, 0) or asked.server.port or 3128
        request = f"http://{_bracketed(asked.server.address)}:{port}/{request}"  # as ldirectord completes it
        match = _URL.fullmatch(request)
    if match is None or match[1] != "http":
        message = "service=http_proxy needs a whole URL that begins with http://: no real server would ever be up"
        asked.reading.error(codes.MALFORMED, asked.request_place, message, 'request="http://www.example.net/"')
        return NoCheck()
    _refuse_control(request, asked)
    method, expect = _method(asked)
    return HttpCheck(None, method=method, expect=expect, proxy_url=request.replace(" ", "%20"))


def _page(asked: Asked, scheme: str, tls: Tls | None) -> AnyCheck | Elsewhere:
    request = asked.request.value if asked.request else ""
    elsewhere = _url(request.removeprefix("/"), scheme, asked)
    path = "/" + request.removeprefix("/") if elsewhere is None else elsewhere[2]
    _refuse_control(path, asked)
    host = _host(asked)
    if elsewhere is not None and host is None:
        host = _bracketed(asked.server.address)  # ldirectord's: the real server's, not the URL's
    method, expect = _method(asked)
    kind = HttpCheck(tls, path.replace(" ", "%20"), method, host, expect=expect)
    return kind if elsewhere is None else Elsewhere(kind, elsewhere[0], elsewhere[1])


def _url(request: str, scheme: str, asked: Asked) -> tuple[str, int, str] | None:
    """Address, port and path of a `real` line's own request that is a whole URL; None where it is a path."""
    if not _SCHEME.match(request):
        return None
    match, place = _URL.fullmatch(request), asked.request_place
    if asked.server.request is None or (match and match[1] != scheme):
        message = "request: a whole URL is taken for a path, as ldirectord does"
        hint = f"a whole URL stands in a `real` line, and begins with {scheme}:// there"
        asked.reading.warning(codes.LD_IGNORED, place, message, hint)
        return None
    port = int(match[3] or _PORTS[scheme]) if match else 0
    if match is None or not 1 <= port <= 65535:  # noqa: PLR2004 - the ports
        asked.reading.error(codes.MALFORMED, place, "request: not a URL", f"{scheme}://192.0.2.12/page")
        return None
    address = _address(match[2], place, asked)
    path = match[4] if match[4].startswith("/") else "/" + match[4]
    return (address, port, path) if address is not None else None


def _address(host: str, place: Place, asked: Asked) -> str | None:
    """The address the URL's host stands for; a name's is of the real server's family."""
    bare = host.strip("[]")
    ipv6 = ":" in bare or (":" in asked.server.address and not re.fullmatch(r"[0-9.]+", bare))
    return asked.context.names.address(bare, ipv6=ipv6, place=place)


def _host(asked: Asked) -> str | None:
    host = asked.context.own.get(d.VIRTUAL_HOST)
    if host is not None and not re.fullmatch(r"[A-Za-z0-9_.:\[\]-]+", host.value):
        asked.reading.error(codes.MALFORMED, host.place, "virtualhost is not a host's name", "www.example.net")
    return host.value if host is not None else None


def _method(asked: Asked) -> tuple[str, Expect]:
    method, expect = asked.context.own.value(d.HTTP_METHOD, "GET"), asked.expect
    if method == "HEAD" and expect != Expect():
        message = "the answer to HEAD has no body: no real server would ever be up"
        place = asked.context.place_of(d.HTTP_METHOD)
        asked.reading.error(codes.CONTRADICTION, place, message, "httpmethod=GET")
    return method, expect


def _refuse_control(text: str, asked: Asked) -> None:
    if any(ord(c) < ord("!") and c != " " for c in text):
        asked.reading.error(codes.MALFORMED, asked.request_place, "request: a control character")


def _bracketed(address: str) -> str:
    return f"[{address}]" if ":" in address else address
