"""HTTP of the lean engine: an answer in the common form is judged here, every other one by h11, which then reads it
from its first byte on. So the fast way needs to know only what it is sure of.
"""

from __future__ import annotations

import hashlib
import re
from enum import Enum
from functools import lru_cache, partial
from typing import Literal

from checkers.core.messages import Target
from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.lean.conversation import Answer, Asked
from checkers.lean.http_strict import StrictReader
from checkers.probes.expect import Search
from config.checks import HttpCheck

WIRE_ALLOWANCE_BYTES = 2 * 1024 * 1024  # body, headers, TLS
PLAIN_LIMIT_BYTES = 65536  # an answer up to that size is judged when it is whole
PLAIN_LIMIT_PIECES = 16  # it is looked at anew with each
DEFAULT_PORTS = {False: 80, True: 443}
LENGTH_LIMIT_DIGITS = 5
LINES_LIMIT = 256

PLAIN_PATH = re.compile(r"/(?!/)[A-Za-z0-9_~/.=&,;:@+-]*(\?[A-Za-z0-9_~/.=&,;:@+-]*)?")
"""Paths that need no encoding; those with others, or with dot segments, are asked for through httpx."""

PLAIN_HOST = re.compile(r"[A-Za-z0-9._:\[\]-]{1,255}")
PLAIN_METHODS = ("GET", "HEAD")

_HEAD = re.compile(
    rb"HTTP/1\.[01] ([2-5][0-9]{2})(?: ([\x20-\x7e]*))?\r\n((?:[-!#$%&'*+.^_`|~0-9a-zA-Z]+:[\t\x20-\x7e]*\r\n)*)\r\n"
)
_LENGTH = b"content-length:"
_LINE_FEED = 10
_HEADERS = b"User-Agent: lvsd\r\nAccept: */*\r\nAccept-Encoding: identity\r\nConnection: close\r\n"
_NO_BODY = (b"204", b"304")
_HINTS = (b"transfer-encoding", b"upgrade")  # whatever may change how the body is delimited is h11's


class Page:
    """One request, its answer's status, and what its body holds."""

    __slots__ = ("_answer", "_check", "_pieces", "_request", "_strict")
    allowance_bytes = WIRE_ALLOWANCE_BYTES
    silence: Outcome | None = None
    parting: bytes | None = None
    half_close = False
    speaks_first = True

    def __init__(self, check: HttpCheck, request: bytes) -> None:
        """Nothing has come yet."""
        self._request = request
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
        found = read_plainly(self._check, self._answer)
        if found is Reading.OTHERWISE:
            return self._hand_over()
        return None if found is Reading.UNFINISHED else found

    def _hand_over(self) -> Outcome | None:
        """From here on the strict reader takes it, with all that came."""
        return self._strictly().receive(self._answer) if self._answer else None

    def _strictly(self) -> StrictReader:
        if self._strict is None:
            self._strict = StrictReader(self._check)
        return self._strict


class Reading(Enum):
    """Why there is no outcome yet."""

    UNFINISHED = "unfinished"  # more is needed
    OTHERWISE = "otherwise"  # it is not in the common form, or not to be sure of


def read_plainly(check: HttpCheck, answer: bytes) -> Outcome | Literal[Reading.UNFINISHED, Reading.OTHERWISE]:
    """Judge an answer from its first byte on, as far as it has come."""
    head = _HEAD.match(answer)
    if head is None:
        return Reading.UNFINISHED if _may_become_plain(answer) else Reading.OTHERWISE
    code, words, fields = head.groups()
    fields = fields.lower()
    length = _length(fields)
    hinted = _HINTS[0] in fields or _HINTS[1] in fields
    if length is None or hinted or check.method == "HEAD" or code in _NO_BODY:
        return Reading.OTHERWISE
    status = _status(check.status, code, words)
    if isinstance(status, Unhealthy):
        return status
    start = head.end()
    if start + length > PLAIN_LIMIT_BYTES:
        return Reading.OTHERWISE
    if len(answer) - start < length:
        return Reading.UNFINISHED
    if not _asks_for_more(check):
        return status
    return _judged(check, answer[start : start + length], status)


def asked(check: HttpCheck, target: Target) -> Asked:
    """One page, asked for by the thousand."""
    words = request(check, target)
    return Asked(words, partial(_at_once, check), partial(Page, check, words))


def _at_once(check: HttpCheck, answer: bytes) -> Outcome | None:
    found = read_plainly(check, answer)
    return None if isinstance(found, Reading) else found


def _may_become_plain(answer: bytes) -> bool:
    """Whether this may be the beginning of an answer in the common form."""
    return len(answer) < PLAIN_LIMIT_BYTES and b"\n\n" not in answer and b"\n\r\n" not in answer and _opens(answer)


def _opens(answer: bytes) -> bool:
    return answer[:7] == b"HTTP/1."[: len(answer)]


def _length(fields: bytes) -> int | None:
    """The body's length, where it is told once and plainly."""
    place = fields.find(_LENGTH)
    if place < 0 or (place and fields[place - 1] != _LINE_FEED) or fields.find(_LENGTH[:-1], place + 1) >= 0:
        return None
    digits = fields[place + len(_LENGTH) : fields.find(b"\r", place)].strip(b" \t")
    return int(digits) if digits.isdigit() and len(digits) <= LENGTH_LIMIT_DIGITS else None


def _asks_for_more(check: HttpCheck) -> bool:
    return check.expect.text is not None or check.expect.regex is not None or check.digest is not None


def _judged(check: HttpCheck, body: bytes, healthy: Healthy) -> Outcome:
    expect = check.expect
    if expect.text is not None or expect.regex is not None:
        search = Search(expect)
        search.feed(body)
        if not search.found():
            return Unhealthy(Reason.NO_MATCH, escaped(f"{healthy.detail}, without the expected"))
    if check.digest is not None:
        digest = hashlib.md5(body, usedforsecurity=False).hexdigest()
        if digest != check.digest.lower():
            return Unhealthy(Reason.NO_MATCH, escaped(f"{healthy.detail}, digest {digest}"))
    return healthy


@lru_cache(maxsize=LINES_LIMIT)
def _status(allowed: tuple[tuple[int, int], ...], code: bytes, words: bytes | None) -> Healthy | Unhealthy:
    """What a status is told as, in plain text already: healthy where the check takes it."""
    told = escaped(f"{code.decode()} {(words or b'').decode()}".strip())
    if any(low <= int(code) <= high for low, high in allowed):
        return Healthy(told)
    return Unhealthy(Reason.STATUS, told)


def _host(check: HttpCheck, target: Target) -> bytes:
    """What stands behind Host: (RFC 9110 section 7.2)."""
    if check.virtual_host is not None:
        return check.virtual_host.encode()
    host = f"[{target.address}]" if ":" in target.address else target.address
    if target.port == DEFAULT_PORTS[check.tls is not None]:
        return host.encode()
    return f"{host}:{target.port}".encode()


def request(check: HttpCheck, target: Target) -> bytes:
    """What is asked (RFC 9112 section 3)."""
    return b"%s %s HTTP/1.1\r\nHost: %s\r\n%s\r\n" % (
        check.method.encode(),
        check.path.encode(),
        _host(check, target),
        _HEADERS,
    )
