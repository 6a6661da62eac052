"""SCRAM-SHA-256 without channel binding, the client's side (RFC 5802, RFC 7677). Pure.

The server proves that it knows the password too, so what only pretends to be the real server is found out.
"""

from __future__ import annotations

import binascii
import hashlib
import hmac
import unicodedata
from base64 import b64decode, b64encode

ROUNDS_LIMIT = 100_000  # PostgreSQL's own default is 4096, which costs 2 ms; the loop stands still for it
SALT_LIMIT_BYTES = 1024
HEADER = b"n,,"  # no channel binding, no other identity (RFC 5802 section 7)
HEADER_ENCODED = b64encode(HEADER)


class Refused(Exception):
    """The server's words make no sense, or prove that it does not know the password."""


class Scram:
    """One login."""

    def __init__(self, password: str, nonce: str, user: str = "") -> None:
        """`nonce`: printable ASCII without a comma, never used before. `user`: without a comma or equals sign;
        PostgreSQL ignores it, having heard the name before.
        """
        self._password = _prepared(password)
        self._nonce = nonce.encode()
        self._user = user.encode()
        self._signature = b""

    def first(self) -> bytes:
        """The client's first message."""
        return HEADER + self._first_bare()

    def final(self, challenge: bytes) -> bytes:
        """The client's last message, given the server's first. Raises Refused."""
        nonce, salt, rounds = _challenge(challenge)
        if not nonce.startswith(self._nonce) or nonce == self._nonce:
            text = "not an answer to this login"
            raise Refused(text)
        salted = hashlib.pbkdf2_hmac("sha256", self._password, salt, rounds)
        without_proof = b"c=" + HEADER_ENCODED + b",r=" + nonce
        whole = b",".join((self._first_bare(), challenge, without_proof))
        key = _hmac(salted, b"Client Key")
        signature = _hmac(hashlib.sha256(key).digest(), whole)
        self._signature = _hmac(_hmac(salted, b"Server Key"), whole)
        proof = bytes(one ^ other for one, other in zip(key, signature, strict=True))
        return without_proof + b",p=" + b64encode(proof)

    def verify(self, last: bytes) -> None:
        """Look at the server's last message. Raises Refused."""
        if not self._signature or not hmac.compare_digest(_attribute(last, b"v"), b64encode(self._signature)):
            text = "the server does not prove that it knows the password"
            raise Refused(text)

    def _first_bare(self) -> bytes:
        return b"n=" + self._user + b",r=" + self._nonce


def _challenge(words: bytes) -> tuple[bytes, bytes, int]:
    """Nonce, salt and rounds of the server's first message."""
    try:
        salt = b64decode(_attribute(words, b"s"), validate=True)
        rounds = int(_attribute(words, b"i"))
    except (binascii.Error, ValueError) as error:
        text = "salt or rounds are not readable"
        raise Refused(text) from error
    if not 0 < rounds <= ROUNDS_LIMIT or not 0 < len(salt) <= SALT_LIMIT_BYTES:
        text = f"{rounds} rounds, a salt of {len(salt)} bytes"
        raise Refused(text)
    return _attribute(words, b"r"), salt, rounds


def _attribute(words: bytes, name: bytes) -> bytes:
    for field in words.split(b","):
        key, _, value = field.partition(b"=")
        if key == name:
            return value
    text = f"no attribute {name.decode()}"
    raise Refused(text)


def _hmac(key: bytes, words: bytes) -> bytes:
    return hmac.digest(key, words, "sha256")


def _prepared(password: str) -> bytes:
    """SASLprep (RFC 4013) as far as passwords that are in use need it: compatible forms made equal."""
    return unicodedata.normalize("NFKC", password).encode()
