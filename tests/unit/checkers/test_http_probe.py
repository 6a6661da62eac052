"""HTTP and HTTPS: what is asked, what is accepted."""

from __future__ import annotations

import asyncio
import hashlib

import pytest

from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from checkers.probes.expect import REGEX_LIMIT_BYTES
from checkers.probes.http import _client
from checkers.probes.http_body import BODY_LIMIT_BYTES, COURTESY_BYTES
from config.checks import Expect, HttpCheck, Tls
from tests.unit.checkers.servers import AUTHORITY, HOST, Handler, outcome, server_context, serving


def answering(answer: bytes) -> tuple[Handler, list[bytes]]:
    """A server that reads a request's head, answers and closes; and the lines it heard."""
    heard: list[bytes] = []

    async def handler(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while line := (await reader.readline()).rstrip():
            heard.append(line)
        writer.write(answer)
        await writer.drain()

    return handler, heard


def page(body: bytes, status: bytes = b"200 OK", headers: bytes = b"") -> bytes:
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n%s\r\n%s" % (status, len(body), headers, body)


async def asked(check: HttpCheck, answer: bytes) -> Outcome:
    handler, _ = answering(answer)
    async with serving(handler) as port:
        return await outcome(check, port)


async def test_the_request_is_what_was_configured() -> None:
    handler, heard = answering(page(b"ldirectord"))
    check = HttpCheck(path="/a b?x=%20&y=\u00e9", method="HEAD", virtual_host="www.example.org")
    async with serving(handler) as port:
        assert await outcome(check, port) == Healthy("200 OK")
    assert heard[0] == b"HEAD /a%20b?x=%20&y=%C3%A9 HTTP/1.1"
    assert sorted(heard[1:]) == [
        b"Accept-Encoding: identity",
        b"Accept: */*",
        b"Connection: close",
        b"Host: www.example.org",
        b"User-Agent: lvsd",
    ]


@pytest.mark.parametrize("path", ["http://other.example/", "@other.example/", "/a\r\nX: y"])
async def test_a_path_that_is_none_is_never_sent(path: str) -> None:
    handler, heard = answering(page(b""))
    async with serving(handler) as port:
        assert isinstance(await outcome(HttpCheck(path=path), port), Inconclusive)
        assert isinstance(await outcome(HttpCheck(virtual_host=path + "\n"), port), Inconclusive)
    assert heard == []


async def test_the_host_is_the_target_where_none_is_configured() -> None:
    handler, heard = answering(page(b""))
    async with serving(handler) as port:
        await outcome(HttpCheck(), port)
    assert f"Host: {HOST}:{port}".encode() in heard


@pytest.mark.parametrize(
    ("expect", "found"),
    [
        (Expect(text="ldirectord"), True),
        (Expect(text="Ldirectord"), False),
        (Expect(regex=r"^up: (7|8)$"), False),
        (Expect(regex=r"(?m)^up: (7|8)$"), True),
        (Expect(text="\u00e9"), True),
        (Expect(text="ldirectord", regex="up"), True),
        (Expect(text="ldirectord", regex="down"), False),
    ],
)
async def test_the_body_holds_the_expected(expect: Expect, found: bool) -> None:
    answer = await asked(HttpCheck(expect=expect), page("ldirectord\nup: 7\n\u00e9".encode()))
    assert answer == (Healthy("200 OK") if found else Unhealthy(Reason.NO_MATCH, "200 OK, without the expected"))


@pytest.mark.parametrize("ranges", [((200, 299),), ((200, 204), (404, 404))])
async def test_the_status_decides(ranges: tuple[tuple[int, int], ...]) -> None:
    answer = await asked(HttpCheck(status=ranges), page(b"", b"404 Not\xe9 Found"))
    if ranges[-1] == (404, 404):
        assert isinstance(answer, Healthy)
    else:
        assert isinstance(answer, Unhealthy)
        assert answer.reason is Reason.STATUS


async def test_a_redirect_is_not_followed() -> None:
    answer = await asked(HttpCheck(), page(b"", b"302 Found", b"Location: http://127.0.0.1:1/\r\n"))
    assert answer == Unhealthy(Reason.STATUS, "302 Found")


async def test_chunks_are_put_together_and_a_text_across_them_is_found() -> None:
    body = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nldire\r\n5\r\nctord\r\n0\r\n\r\n"
    assert await asked(HttpCheck(expect=Expect(text="ldirectord")), body) == Healthy("200 OK")


async def test_a_text_is_found_late_and_not_looked_for_without_end() -> None:
    check = HttpCheck(expect=Expect(text="here"))
    late = b"x" * (BODY_LIMIT_BYTES - 1000) + b"here"
    assert await asked(check, page(late)) == Healthy("200 OK")
    beyond = b"x" * (BODY_LIMIT_BYTES + 100_000) + b"here"
    found = await asked(check, page(beyond))
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.TOO_LARGE


async def test_an_expression_sees_the_first_bytes_only() -> None:
    check = HttpCheck(expect=Expect(regex="here"))
    assert await asked(check, page(b"x" * (REGEX_LIMIT_BYTES - 4) + b"here")) == Healthy("200 OK")
    found = await asked(check, page(b"x" * REGEX_LIMIT_BYTES + b"here" * 100_000))
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.TOO_LARGE


async def test_a_large_page_is_healthy_where_nothing_is_expected() -> None:
    assert await asked(HttpCheck(), page(b"x" * COURTESY_BYTES * 4)) == Healthy("200 OK")


async def test_a_body_that_stops_early_is_a_closed_connection() -> None:
    found = await asked(HttpCheck(), b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\nshort")
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.CLOSED


async def test_a_body_without_length_ends_with_the_connection() -> None:
    assert await asked(HttpCheck(expect=Expect(text="up")), b"HTTP/1.0 200 OK\r\n\r\nup") == Healthy("200 OK")


async def test_cookies_are_not_kept() -> None:
    await asked(HttpCheck(), page(b"", headers=b"Set-Cookie: a=b\r\n"))
    assert list(_client().cookies.jar) == []


async def test_nothing_is_decompressed() -> None:
    found = await asked(
        HttpCheck(expect=Expect(text="bomb")), page(b"\x1f\x8bnot gzip", headers=b"Content-Encoding: gzip\r\n")
    )
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.NO_MATCH


async def test_https_with_and_without_verification(tmp_path_factory: pytest.TempPathFactory) -> None:
    ca_file = tmp_path_factory.mktemp("ca") / "ca.pem"
    AUTHORITY.cert_pem.write_to_path(str(ca_file))
    handler, _ = answering(page(b"up"))
    verified = Tls(sni="www.example.org", verify=True, ca_file=str(ca_file))
    async with serving(handler, server_context("www.example.org")) as port:
        assert await outcome(HttpCheck(tls=Tls()), port) == Healthy("200 OK")
        assert await outcome(HttpCheck(tls=verified), port) == Healthy("200 OK")
        found = await outcome(HttpCheck(tls=Tls(verify=True)), port)
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.CERTIFICATE


async def test_an_expression_that_is_none_is_our_own_fault() -> None:
    found = await asked(HttpCheck(expect=Expect(regex="(")), page(b""))
    assert isinstance(found, Inconclusive)


async def test_environment_proxies_are_not_used(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
    _client.cache_clear()
    assert await asked(HttpCheck(), page(b"")) == Healthy("200 OK")


BODY = b"ldirectord\n"
DIGEST = hashlib.md5(BODY, usedforsecurity=False).hexdigest()


@pytest.mark.parametrize("digest", [DIGEST, DIGEST.upper()])
async def test_the_digest_of_the_body_is_that_asked_for(digest: str) -> None:
    assert await asked(HttpCheck(digest=digest), page(BODY)) == Healthy("200 OK")


async def test_another_body_has_another_digest() -> None:
    other = hashlib.md5(b"x", usedforsecurity=False).hexdigest()
    assert await asked(HttpCheck(digest=DIGEST), page(b"x")) == Unhealthy(Reason.NO_MATCH, f"200 OK, digest {other}")


async def test_a_digest_takes_the_whole_body_and_has_an_end() -> None:
    large = b"x" * COURTESY_BYTES * 3
    digest = hashlib.md5(large, usedforsecurity=False).hexdigest()
    assert await asked(HttpCheck(digest=digest), page(large)) == Healthy("200 OK")
    found = await asked(HttpCheck(digest=digest), page(b"x" * BODY_LIMIT_BYTES * 2))
    assert isinstance(found, Unhealthy)
    assert found.reason is Reason.TOO_LARGE


async def test_status_text_and_digest_are_all_asked_for() -> None:
    found = await asked(HttpCheck(digest=DIGEST, expect=Expect(text="up")), page(BODY))
    assert found == Unhealthy(Reason.NO_MATCH, "200 OK, without the expected")
    found = await asked(HttpCheck(digest=DIGEST), page(BODY, b"500 Oops"))
    assert found == Unhealthy(Reason.STATUS, "500 Oops")


async def test_a_proxy_is_asked_for_the_whole_url() -> None:
    handler, heard = answering(page(b"up"))
    check = HttpCheck(
        proxy_url="http://user:pw@www.example.org:8080/a?b=c", path="/unused", virtual_host="unused.example"
    )
    async with serving(handler) as port:
        assert await outcome(check, port) == Healthy("200 OK")
    assert heard[0] == b"GET http://www.example.org:8080/a?b=c HTTP/1.1"
    assert b"Host: www.example.org:8080" in heard


async def test_a_url_without_a_path_asks_for_the_root() -> None:
    handler, heard = answering(page(b"up"))
    async with serving(handler) as port:
        assert await outcome(HttpCheck(proxy_url="http://[2001:db8::1]"), port) == Healthy("200 OK")
    assert heard[0] == b"GET http://[2001:db8::1]/ HTTP/1.1"
    assert b"Host: [2001:db8::1]" in heard


@pytest.mark.parametrize("url", ["/path", "ftp://www.example.org/", "http://", "http://\x00/", "http://a/\r\nX: y"])
async def test_what_is_no_url_is_never_sent(url: str) -> None:
    handler, heard = answering(page(b""))
    async with serving(handler) as port:
        assert isinstance(await outcome(HttpCheck(proxy_url=url), port), Inconclusive)
    assert heard == []
