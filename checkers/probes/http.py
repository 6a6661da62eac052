"""HTTP and HTTPS: one request, its status, and what its body holds."""

from __future__ import annotations

from functools import cache
from http.cookiejar import CookieJar, DefaultCookiePolicy

import httpcore
import httpx

from checkers.core.outcome import Outcome, Reason, Unhealthy, escaped
from checkers.probes.expect import Search
from checkers.probes.failures import Failed, Stuck
from checkers.probes.http_body import Body
from checkers.probes.http_transport import SESSION, TARGET, TLS, SessionTransport
from checkers.probes.session import Session
from config.checks import HttpCheck

PROXIED_SCHEMES = ("http", "https")
TOO_MUCH_HEADER = 431  # h11's hint for an answer whose head does not end

REQUEST_HEADERS = {
    "User-Agent": "lvsd",
    "Accept": "*/*",
    "Accept-Encoding": "identity",  # what is not compressed cannot swell
    "Connection": "close",
}


async def probe(session: Session, check: HttpCheck) -> Outcome:
    """Healthy when the status is one of those expected, the body holds what is expected and has the digest asked for.

    A text is looked for in the first BODY_LIMIT_BYTES, a regular expression in expect.REGEX_LIMIT_BYTES.
    """
    search = Search(check.expect)
    try:
        return await _converse(session, check, search)
    except (httpcore.RemoteProtocolError, httpx.HTTPError) as error:
        raise _failure(error) from error
    except (httpx.InvalidURL, httpcore.LocalProtocolError, UnicodeError) as error:
        text = f"cannot be asked for: {error}"
        raise Stuck(text) from error


async def _converse(session: Session, check: HttpCheck, search: Search) -> Outcome:
    headers, target = _headers(check), _proxied(check.proxy_url)
    extensions = {SESSION: session, TLS: check.tls, TARGET: target}
    body = Body(search, check.digest)
    async with _client().stream(check.method, _url(session, check), headers=headers, extensions=extensions) as answer:
        line = f"{answer.status_code} {answer.reason_phrase}".strip()
        if not any(low <= answer.status_code <= high for low, high in check.status):
            return Unhealthy(Reason.STATUS, escaped(line))
        async for piece in answer.aiter_raw():
            body.take(piece)
            if body.enough:
                break
    return body.judged(line)


def _url(session: Session, check: HttpCheck) -> httpx.URL:
    """The request's address. What a path may not hold as it is goes out percent-encoded."""
    if not check.path.startswith("/"):
        text = "the path does not begin with /"
        raise Stuck(text)
    target = session.target
    host = f"[{target.address}]" if ":" in target.address else target.address
    scheme = "http" if check.tls is None else "https"
    return httpx.URL(f"{scheme}://{host}:{target.port}{check.path}")


def _headers(check: HttpCheck) -> dict[str, str]:
    if check.proxy_url is not None:
        return {"Host": httpx.URL(check.proxy_url).netloc.decode()}
    return {"Host": check.virtual_host} if check.virtual_host is not None else {}


def _proxied(url: str | None) -> bytes | None:
    """What a proxy is asked for: the whole URL (RFC 9112 section 3.2.2). Raises Stuck when it is none."""
    if url is None:
        return None
    parts = httpx.URL(url)
    if parts.scheme not in PROXIED_SCHEMES or not parts.host:
        text = "proxy_url is not a URL"
        raise Stuck(text)
    return parts.raw_scheme + b"://" + parts.netloc + parts.raw_path


def _failure(error: Exception) -> Failed:
    if getattr(error.__cause__, "error_status_hint", None) == TOO_MUCH_HEADER:
        return Failed(Reason.TOO_LARGE, "a header of more than a check reads")
    words = str(error)
    if "disconnected" in words or "closed connection" in words:  # httpcore's and h11's words for an early end
        return Failed(Reason.CLOSED, words)
    return Failed(Reason.GARBLED, words)


@cache
def _client() -> httpx.AsyncClient:
    """One for all: it holds no connection, its transport opens one a request."""
    nothing_kept = CookieJar(policy=DefaultCookiePolicy(allowed_domains=[]))  # no real server fills our memory
    return httpx.AsyncClient(
        transport=SessionTransport(),
        headers=REQUEST_HEADERS,
        cookies=nothing_kept,
        trust_env=False,
        follow_redirects=False,
        timeout=None,  # noqa: S113 - the deadline is kept in attempt.py
    )
