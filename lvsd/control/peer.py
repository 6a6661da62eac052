"""What two balancers say to each other when one wants to see the other. Pure.

Over TCP, three messages, and nothing is parsed before it is proven to come from somebody who knows the secret:

    listener -> asker   8 bytes of magic, 32 of nonce
    asker -> listener   32 bytes of nonce, 32 of HMAC-SHA256 over label, both nonces
    listener -> asker   4 bytes of length, 32 of HMAC-SHA256 over label, both nonces, body; then the body, a Portrait

The body is authenticated, not encrypted: it holds no secret. One error type: Garbled.
"""

from __future__ import annotations

import hashlib
import hmac
import struct

import msgspec

from lvsd.control.messages import Garbled
from lvsd.control.portrait import Portrait

MAGIC = b"lvsd-p1\n"
NONCE_BYTES = 32
MAC_BYTES = 32
HELLO_BYTES = len(MAGIC) + NONCE_BYTES
ASK_BYTES = NONCE_BYTES + MAC_BYTES
HEAD = struct.Struct(f"!I{MAC_BYTES}s")
BODY_LIMIT_BYTES = 16 * 1024 * 1024

_ASKING, _ANSWERING = b"lvsd peer asks\0", b"lvsd peer answers\0"
_portrait = msgspec.json.Decoder(Portrait)


def hello(nonce: bytes) -> bytes:
    """The listener's first words."""
    return MAGIC + nonce


def nonce_of(heard: bytes) -> bytes:
    """The listener's nonce. Raises Garbled."""
    if len(heard) != HELLO_BYTES or not heard.startswith(MAGIC):
        text = "whoever listens there is no lvsd of this version"
        raise Garbled(text)
    return heard[len(MAGIC) :]


def ask(secret: str, listener_nonce: bytes, asker_nonce: bytes) -> bytes:
    """The question: there is but one."""
    return asker_nonce + _mac(secret, _ASKING, listener_nonce, asker_nonce)


def proven_asker(secret: str, listener_nonce: bytes, heard: bytes) -> bytes:
    """The nonce of an asker who knows the secret. Raises Garbled."""
    nonce, mac = heard[:NONCE_BYTES], heard[NONCE_BYTES:]
    if len(heard) != ASK_BYTES or not hmac.compare_digest(mac, _mac(secret, _ASKING, listener_nonce, nonce)):
        text = "an asker who does not know the secret"
        raise Garbled(text)
    return nonce


def answer(secret: str, listener_nonce: bytes, asker_nonce: bytes, portrait: Portrait) -> bytes:
    """Head and body. Raises Garbled when it would exceed the limit."""
    body = msgspec.json.encode(portrait)
    _require_short(len(body))
    return HEAD.pack(len(body), _mac(secret, _ANSWERING, listener_nonce, asker_nonce, body)) + body


def length_of(head: bytes) -> int:
    """How long the body is. Raises Garbled."""
    if len(head) != HEAD.size:
        text = "an answer cut short"
        raise Garbled(text)
    (length, _) = HEAD.unpack(head)
    _require_short(length)
    return int(length)


def proven_answer(secret: str, nonces: tuple[bytes, bytes], head: bytes, body: bytes) -> Portrait:
    """The portrait of a listener who knows the secret; `nonces`: his, ours. Raises Garbled."""
    (_, mac) = HEAD.unpack(head)
    if not hmac.compare_digest(mac, _mac(secret, _ANSWERING, *nonces, body)):
        text = "an answer from somebody who does not know the secret"
        raise Garbled(text)
    try:
        return _portrait.decode(body)
    except (msgspec.DecodeError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        text = f"an answer of another version: {error}"
        raise Garbled(text) from error


def _mac(secret: str, *parts: bytes) -> bytes:
    return hmac.new(secret.encode(), b"".join(parts), hashlib.sha256).digest()


def _require_short(length: int) -> None:
    if length > BODY_LIMIT_BYTES:
        text = f"an answer of {length} bytes"
        raise Garbled(text)
