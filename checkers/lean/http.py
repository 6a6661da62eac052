"""HTTP of the lean engine: an answer in the common form is judged here, every other one by h11, which then reads it
from its first byte on. So the fast way needs to know only what it is sure of.
"""

from __future__ import annotations

import hashlib
import re
from functools import lru_cache

from checkers.core.messages import Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.lean.conversation import Answer
from checkers.lean.http_strict import StrictReader
from checkers.probes.expect import Search
from config.checks import HttpCheck

WIRE_ALLOWANCE_BYTES = 2 * 1024 * 1024  # body, headers, TLS
PLAIN_LIMIT_BYTES = 65536  # an answer up to that size is judged when it is whole
PLAIN_LIMIT_PIECES = 16  # it is looked at anew with each
DEFAULT_PORTS = {False: 80, True: 443}
TEMPLATES_LIMIT = 4096

PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9_~/.=&,;:@+-]*(\?[A-Za-z0-9_~/.=&,;:@+-]*)?")
"""Paths that need no encoding; those with others, or with dot segments, are asked for through httpx."""

PLAIN_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
PLAIN_METHODS = ("GET", "HEAD")

_HEAD = re.compile(
    rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: ([\x20-\x7e]*))?\r\n((?:[-!#$%&'*+.^_`|~0-9a-zA-Z]+:[\t\x20-\x7e]*\r\n)*)\r\n"
)
_LENGTH = re.compile(rb"(?:^|\n)content-length:[ \t]*([0-9]{1,5})[ \t]*\r\n")
_NO_BODY = (b"204", b"304")
_HINTS = (b"transfer-encoding", b"upgrade")  # whatever may change how the body is delimited is h11's


class Page:
    """One request, its answer's status, and what its body holds."""

    __slots__ = ("_answer", "_check", "_pieces", "_request", "_strict")
    allowance_bytes = WIRE_ALLOWANCE_BYTES
    silence: Outcome | None = None
    parting: bytes | None = None
    half_close = False

    def __init__(self, check: HttpCheck, target: Target) -> None:
        """Nothing has come yet."""
        before, after = _template(check)
        self._request = before + _host(check, target) + after
        self._check = check
        self._answer = b""
        self._pieces = 0
        self._strict: StrictReader | None = None

    def begin(self) -> bytes:
        """The whole request."""
        return self._request

    def receive(self, piece: bytes) -> Answer:
        """Judge the answer once there is enough of it."""
        if self._strict is not None:
            return self._strict.receive(piece)
        self._answer = self._answer + piece if self._answer else piece
        self._pieces += 1
        return self._look() if self._pieces <= PLAIN_LIMIT_PIECES else self._hand_over()

    def ended(self) -> Outcome:
        """Where no length was told that is the body's end; elsewhere it comes too early."""
        found = self._hand_over() if self._strict is None else None
        return found if found is not None else self._strictly().ended()

    def _look(self) -> Outcome | None:
        answer = self._answer
        head = _HEAD.match(answer)
        if head is None:
            return None if _may_become_plain(answer) else self._hand_over()
        code, words, fields = head.groups()
        check, status = self._check, int(code)
        fields = fields.lower()
        length = _length(fields)
        if length is None or code in _NO_BODY or check.method == "HEAD" or any(hint in fields for hint in _HINTS):
            return self._hand_over()
        if not any(low <= status <= high for low, high in check.status):
            return Unhealthy(Reason.STATUS, escaped(_line(status, words)))
        start = head.end()
        if start + length > PLAIN_LIMIT_BYTES:
            return self._hand_over()
        if len(answer) - start >= length:
            return _judged(check, answer[start : start + length], _line(status, words))
        return None

    def _hand_over(self) -> Outcome | None:
        """From here on the strict reader takes it, with all that came."""
        return self._strictly().receive(self._answer) if self._answer else None

    def _strictly(self) -> StrictReader:
        if self._strict is None:
            self._strict = StrictReader(self._check)
        return self._strict


def _may_become_plain(answer: bytes) -> bool:
    """Whether this may be the beginning of an answer in the common form."""
    return len(answer) < PLAIN_LIMIT_BYTES and b"\n\n" not in answer and b"\n\r\n" not in answer and _opens(answer)


def _opens(answer: bytes) -> bool:
    return answer[:7] == b"HTTP/1."[: len(answer)]


def _length(fields: bytes) -> int | None:
    """The body's length, where it is told once and plainly."""
    if fields.count(b"content-length") != 1:
        return None
    told = _LENGTH.search(fields)
    return int(told[1]) if told is not None else None


def _line(status: int, words: bytes | None) -> str:
    return f"{status} {(words or b'').decode('ascii')}".strip()


def _judged(check: HttpCheck, body: bytes, line: str) -> Outcome:
    expect = check.expect
    if expect.text is not None or expect.regex is not None:
        search = Search(expect)
        search.feed(body)
        if not search.found():
            return Unhealthy(Reason.NO_MATCH, escaped(f"{line}, without the expected"))
    if check.digest is not None:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if digest != check.digest.lower():
            return Unhealthy(Reason.NO_MATCH, escaped(f"{line}, digest {digest}"))
    return _healthy(line)


@lru_cache(maxsize=256)
def _healthy(line: str) -> Healthy:
    return Healthy(escaped(line))


def _host(check: HttpCheck, target: Target) -> bytes:
    """What stands behind Host: (RFC 9110 section 7.2)."""
    if check.virtual_host is not None:
        return check.virtual_host.encode()
    host = f"[{target.address}]" if ":" in target.address else target.address
    if target.port == DEFAULT_PORTS[check.tls is not None]:
        return host.encode()
    return f"{host}:{target.port}".encode()


@lru_cache(maxsize=TEMPLATES_LIMIT)
def _template(check: HttpCheck) -> tuple[bytes, bytes]:
    """The request without its host."""
    before = f"{check.method} {check.path} HTTP/1.1\r\nHost: "
    after = "\r\nUser-Agent: lvsd\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n\r\n"
    return before.encode(), after.encode()
