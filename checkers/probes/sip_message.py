"""SIP messages (RFC 3261), as far as OPTIONS needs them: our request as bytes, and what answers it. Pure."""

from __future__ import annotations

import re

import msgspec

from checkers.probes.failures import Unfit

HEAD_LIMIT_BYTES = 16384
HEADERS_LIMIT = 256
METHOD = "OPTIONS"
PROTOCOL = b"SIP/"
BRANCH_COOKIE = "z9hG4bK"  # section 8.1.1.7: a branch that is unique

_STATUS = re.compile(rb"SIP/2\.0 ([1-6][0-9]{2}) ([^\r\n]*)\Z")
_USER = re.compile(r"[A-Za-z0-9\-_.!~*'()&=+$,;?/%:]+(?:@[A-Za-z0-9\-.:\[\]]+)?")  # section 25.1, loosely
_SHORT = {b"v": b"via", b"i": b"call-id", b"l": b"content-length"}  # section 7.3.3


class Asked(msgspec.Struct, frozen=True):
    """What an answer repeats (section 8.2.6.2)."""

    branch: str
    call_id: str
    tag: str


class Response(msgspec.Struct, frozen=True):
    """An answer to us."""

    status: int
    phrase: bytes
    body_bytes: int


def well_formed(user: str) -> bool:
    """Whether it is a local part or `user@host`."""
    return _USER.fullmatch(user) is not None


def options(asked: Asked, user: str, host: str, local: tuple[str, int], transport: str) -> bytes:
    """The request: OPTIONS outside of a dialogue (section 11.1). `user` is well formed."""
    ours = _host(local[0])
    who = user if "@" in user else f"{user}@{_host(host)}"
    lines = (
        f"{METHOD} sip:{who} SIP/2.0",
        f"Via: SIP/2.0/{transport} {ours}:{local[1]};branch={asked.branch};rport",
        "Max-Forwards: 70",
        f"To: <sip:{who}>",
        f"From: <sip:lvsd@{ours}>;tag={asked.tag}",
        f"Call-ID: {asked.call_id}",
        f"CSeq: 1 {METHOD}",
        f"Contact: <sip:lvsd@{ours}:{local[1]};transport={transport.lower()}>",
        "Accept: application/sdp",
        "User-Agent: lvsd",
        "Content-Length: 0",
    )
    return "".join(f"{line}\r\n" for line in (*lines, "")).encode()


def read_response(message: bytes, asked: Asked) -> Response:
    """The answer whose headers are in `message`. Raises Unfit for what answers something else, and nothing else."""
    head = message[:HEAD_LIMIT_BYTES].partition(b"\r\n\r\n")[0]
    first, *rest = re.sub(rb"\r\n[ \t]+", b" ", head).split(b"\r\n", HEADERS_LIMIT)
    status = _STATUS.match(first)
    if status is None:
        text = f"not SIP: {first[:80].decode('latin-1')}"
        raise Unfit(text)
    headers = _headers(rest)
    if not _is_ours(headers, asked):
        text = "the answer to another request"
        raise Unfit(text)
    return Response(int(status[1]), status[2].strip(), _size(headers.get(b"content-length", b"0")))


def _headers(lines: list[bytes]) -> dict[bytes, bytes]:
    """The first of each name: of Via the topmost is ours."""
    found: dict[bytes, bytes] = {}
    for line in lines:
        name, _, value = line.partition(b":")
        key = name.strip().lower()
        found.setdefault(_SHORT.get(key, key), value.strip())
    return found


def _is_ours(headers: dict[bytes, bytes], asked: Asked) -> bool:
    """Section 17.1.3, and the Call-ID."""
    via = headers.get(b"via", b"").partition(b",")[0]
    parameters = {part.strip() for part in via.split(b";")[1:]}
    return (
        f"branch={asked.branch}".encode() in parameters
        and headers.get(b"call-id") == asked.call_id.encode()
        and headers.get(b"cseq", b"").split() == [b"1", METHOD.encode()]
    )


def _size(value: bytes) -> int:
    """Of a body. Raises Unfit."""
    if not re.fullmatch(rb"[0-9]{1,5}", value):
        text = "a Content-Length that is none"
        raise Unfit(text)
    return int(value)


def _host(address: str) -> str:
    bare = address.partition("%")[0]
    return f"[{bare}]" if ":" in bare else bare
