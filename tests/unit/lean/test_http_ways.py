"""The fast reading of an HTTP answer and the strict one find the same, whatever the bytes and however they are cut."""

from __future__ import annotations

import itertools

import httpx
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Outcome
from checkers.lean.http import PLAIN_PATH, Page
from checkers.lean.http_strict import StrictReader
from checkers.lean.way import lean
from checkers.probes.failures import Failed, Stage, Stuck, outcome_of
from config.checks import AnyCheck, Expect, HttpCheck, PopCheck, SimpleTcpCheck, SmtpCheck, TcpCheck, Timing, TlsMode

CHECKS = (
    HttpCheck(),
    HttpCheck(expect=Expect(text="ok")),
    HttpCheck(expect=Expect(regex="o.?k"), status=((200, 404),)),
    HttpCheck(method="HEAD"),
    HttpCheck(digest="444bcb3a3fcf8389296c49467f27e1d6"),
)
PIECES = (
    b"HTTP/1.1 200 OK\r\n", b"HTTP/1.0 200 \r\n", b"HTTP/1.1 404\r\n", b"HTTP/1.1 100 Continue\r\n\r\n",
    b"HTTP/2 200 OK\r\n", b"HTTP/1.1 204 None\r\n", b"HTTP/1.1 304 Same\r\n", b"HTTP/1.1 200 \xe9\r\n",
    b"Content-Length: 2\r\n", b"content-length:3 \r\n", b"Content-Length: 70000\r\n", b"Content-Length: 2, 2\r\n",
    b"Content-Length: +2\r\n", b"X-Content-Length: 9\r\n", b"Transfer-Encoding: chunked\r\n",
    b"Connection: upgrade\r\n", b"A: b\r\n", b"A:\tb \t\r\n", b"A : b\r\n", b" folded\r\n", b"A: \x80\r\n",
    b"A: \x00\r\n", b": x\r\n", b"\r\n", b"\n", b"ok", b"x", b"2\r\nok\r\n0\r\n\r\n",
)  # fmt: skip


def heard(reader: Page | StrictReader, pieces: list[bytes]) -> Outcome:
    try:
        for piece in pieces:
            if piece:
                found = reader.receive(piece)
                if found is not None:
                    assert not isinstance(found, bytes)
                    return found
        return reader.ended()
    except (Failed, Stuck, EOFError) as error:
        return outcome_of(error, Stage.TALKING)


@given(
    st.lists(st.sampled_from(PIECES), max_size=9).map(b"".join),
    st.lists(st.integers(0, 200), max_size=4),
    st.sampled_from(CHECKS),
)
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nok", [], CHECKS[1])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nContent-Length: 3\r\n\r\nok", [], CHECKS[0])
@example(b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nX-Content-Length: 3\r\n\r\nok", [], CHECKS[0])
def test_both_readings_agree(answer: bytes, cuts: list[int], check: HttpCheck) -> None:
    places = sorted({0, *(cut for cut in cuts if cut < len(answer)), len(answer)})
    pieces = [answer[start:end] for start, end in itertools.pairwise(places)]
    assert heard(Page(check, b""), pieces) == heard(StrictReader(check), [answer])


@given(st.from_regex(PLAIN_PATH, fullmatch=True).filter(lambda path: "/." not in path))
def test_a_plain_path_is_what_httpx_would_ask_for(path: str) -> None:
    assert httpx.URL(f"http://192.0.2.1{path}").raw_path == path.encode()


@pytest.mark.parametrize(
    ("kind", "expected"),
    [
        (TcpCheck(), True),
        (HttpCheck(path="/a/b.php?x=1&y=2"), True),
        (HttpCheck(path="/a b"), False),
        (HttpCheck(path="/a/../b"), False),
        (HttpCheck(path="//a"), False),
        (HttpCheck(path="a"), False),
        (HttpCheck(path="/a\r\nX: y"), False),
        (HttpCheck(path="/a\n"), False),
        (HttpCheck(method="OPTIONS"), False),
        (HttpCheck(virtual_host="www.example.org"), True),
        (HttpCheck(virtual_host="a\r\nX: y"), False),
        (HttpCheck(proxy_url="http://www.example.org/"), False),
        (SimpleTcpCheck(expect=Expect(text="x")), True),
        (SimpleTcpCheck(expect=Expect(regex="x")), False),
        (SmtpCheck(), True),
        (SmtpCheck(helo="a b"), False),
        (PopCheck(TlsMode.IMPLICIT), True),
        (PopCheck(TlsMode.STARTTLS), False),
    ],
)
def test_which_way_a_check_takes(kind: AnyCheck, expected: bool) -> None:
    assert lean(AssignedCheck("a", Target("192.0.2.1", 80), kind, Timing())) is expected
