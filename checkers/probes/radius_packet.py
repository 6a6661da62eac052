"""RADIUS packets (RFC 2865, RFC 3579 section 3.2): our Access-Request as bytes, and what answers it. Pure."""

from __future__ import annotations

import hashlib
import hmac
import ipaddress
import struct
from enum import IntEnum

import msgspec

from checkers.probes.failures import Unfit
from config.checks import Credentials

PACKET_LIMIT_BYTES = 4096  # RFC 2865 section 3
LOGIN_LIMIT_BYTES = 253
PASSWORD_LIMIT_BYTES = 128  # RFC 2865 section 5.2
AUTHENTICATOR_BYTES = 16
NAS_IDENTIFIER = b"lvsd"

_HEADER = struct.Struct("!BBH16s")
_USER_NAME, _USER_PASSWORD, _NAS_IP, _REPLY_MESSAGE, _NAS_IDENTIFIER = 1, 2, 4, 18, 32
_MESSAGE_AUTHENTICATOR, _NAS_IPV6 = 80, 95
_ATTRIBUTE_HEAD_BYTES = 2


class Code(IntEnum):
    """The kinds of packet a client sees."""

    ACCESS_REQUEST = 1
    ACCESS_ACCEPT = 2
    ACCESS_REJECT = 3
    ACCESS_CHALLENGE = 11


class Request(msgspec.Struct, frozen=True):
    """What makes one request unlike any other: the answer proves that it knows them and the secret."""

    identifier: int
    authenticator: bytes  # random
    secret: bytes


class Reply(msgspec.Struct, frozen=True):
    """An authentic answer."""

    code: Code
    message: bytes  # its Reply-Message attributes


def access_request(request: Request, credentials: Credentials, nas_address: str) -> bytes:
    """The packet, with the Message-Authenticator first. The login and password fit (`misfit`)."""
    address = ipaddress.ip_address(nas_address)
    nas = _NAS_IP if address.version == 4 else _NAS_IPV6  # noqa: PLR2004 - the version's number
    rest = (
        _attribute(_USER_NAME, credentials.login.encode())
        + _attribute(_USER_PASSWORD, hidden(credentials.password.value.encode(), request))
        + _attribute(nas, address.packed)
        + _attribute(_NAS_IDENTIFIER, NAS_IDENTIFIER)
    )
    size = _HEADER.size + _ATTRIBUTE_HEAD_BYTES + AUTHENTICATOR_BYTES + len(rest)
    head = _HEADER.pack(Code.ACCESS_REQUEST, request.identifier, size, request.authenticator)
    unsigned = head + _attribute(_MESSAGE_AUTHENTICATOR, bytes(AUTHENTICATOR_BYTES)) + rest
    return head + _attribute(_MESSAGE_AUTHENTICATOR, _signature(request.secret, unsigned)) + rest


def misfit(credentials: Credentials, secret: str) -> str:
    """What of these RADIUS cannot carry, in words; empty when it can."""
    if not secret:
        return "the RADIUS secret is empty"
    if not 1 <= len(credentials.login.encode()) <= LOGIN_LIMIT_BYTES:
        return f"RADIUS carries logins of 1 to {LOGIN_LIMIT_BYTES} bytes"
    if len(credentials.password.value.encode()) > PASSWORD_LIMIT_BYTES:
        return f"RADIUS carries passwords of {PASSWORD_LIMIT_BYTES} bytes at most"
    return ""


def hidden(password: bytes, request: Request) -> bytes:
    """The password as RFC 2865 section 5.2 hides it: in blocks of 16 bytes, each masked by the one before."""
    blocks = max(1, -(-len(password) // AUTHENTICATOR_BYTES))
    padded = password.ljust(blocks * AUTHENTICATOR_BYTES, b"\0")
    result, before = b"", request.authenticator
    for at in range(0, len(padded), AUTHENTICATOR_BYTES):
        mask = _md5(request.secret + before)
        before = bytes(a ^ b for a, b in zip(padded[at : at + AUTHENTICATOR_BYTES], mask, strict=True))
        result += before
    return result


def read_reply(packet: bytes, request: Request) -> Reply:
    """The answer to that request. Raises Unfit for any other bytes, and nothing else."""
    code, packet = _framed(packet, request)
    attributes = packet[_HEADER.size :]
    proof = _md5(packet[:4] + request.authenticator + attributes + request.secret)
    if not hmac.compare_digest(proof, packet[4 : _HEADER.size]):
        text = "a wrong authenticator: the secret differs"
        raise Unfit(text)
    message = b""
    for at, kind, value in _attributes(attributes):
        if kind == _MESSAGE_AUTHENTICATOR:
            _verify(packet, _HEADER.size + at, value, request)
        elif kind == _REPLY_MESSAGE:
            message += value
    return Reply(code, message)


def _framed(packet: bytes, request: Request) -> tuple[Code, bytes]:
    """Code and packet without what follows its length (RFC 2865 section 3)."""
    if not _HEADER.size <= len(packet) <= PACKET_LIMIT_BYTES:
        text = f"{len(packet)} bytes"
        raise Unfit(text)
    code, identifier, size, _ = _HEADER.unpack_from(packet)
    if not _HEADER.size <= size <= len(packet):
        text = "a wrong length"
        raise Unfit(text)
    if code not in (Code.ACCESS_ACCEPT, Code.ACCESS_REJECT, Code.ACCESS_CHALLENGE) or identifier != request.identifier:
        text = f"code {code}, identifier {identifier}"
        raise Unfit(text)
    return Code(code), packet[:size]


def _attributes(octets: bytes) -> list[tuple[int, int, bytes]]:
    """Where each begins, its type and its value."""
    found = []
    at = 0
    while at < len(octets):
        size = octets[at + 1] if at + 1 < len(octets) else 0
        if size < _ATTRIBUTE_HEAD_BYTES or at + size > len(octets):
            text = "an attribute of a wrong length"
            raise Unfit(text)
        found.append((at, octets[at], octets[at + _ATTRIBUTE_HEAD_BYTES : at + size]))
        at += size
    return found


def _verify(packet: bytes, at: int, value: bytes, request: Request) -> None:
    """The Message-Authenticator whose attribute begins at `at`: over the packet with itself as zeros (RFC 3579)."""
    begin = at + _ATTRIBUTE_HEAD_BYTES
    blank = packet[:4] + request.authenticator + packet[_HEADER.size : begin]
    blank += bytes(AUTHENTICATOR_BYTES) + packet[begin + AUTHENTICATOR_BYTES :]
    if not hmac.compare_digest(_signature(request.secret, blank), value):
        text = "a wrong Message-Authenticator"
        raise Unfit(text)


def _attribute(kind: int, value: bytes) -> bytes:
    return bytes((kind, _ATTRIBUTE_HEAD_BYTES + len(value))) + value


def _signature(secret: bytes, packet: bytes) -> bytes:
    return hmac.digest(secret, packet, "md5")


def _md5(octets: bytes) -> bytes:
    return hashlib.md5(octets, usedforsecurity=False).digest()
