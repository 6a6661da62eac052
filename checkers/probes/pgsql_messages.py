"""The messages of PostgreSQL's protocol 3.0 that a check says and hears. Pure.

Reference: PostgreSQL's documentation, "Message Formats". A message is a type (one byte), a length (four, itself
included) and a body; the first of a connection has no type.
"""

from __future__ import annotations

import hashlib
import struct
from collections.abc import Iterator

import msgspec

PROTOCOL = 196608  # 3.0
TLS_REQUEST = struct.pack("!II", 8, 80877103)
TERMINATE = b"X\0\0\0\x04"
SYNC = b"S\0\0\0\x04"
FIELDS_LIMIT = 1664  # columns of a row (MaxTupleAttributeNumber)

_LENGTH = struct.Struct("!I")
_COUNT = struct.Struct("!H")
_SIZE = struct.Struct("!i")
NULL = -1


class Malformed(Exception):
    """A body that is not what its type says."""


class ServerError(msgspec.Struct, frozen=True):
    """What an ErrorResponse says: the SQLSTATE and the message."""

    code: str
    words: bytes


def startup(user: str, database: str | None) -> bytes:
    """The first message. Without a database the server takes the one of the user's name."""
    pairs = ["user", user, "application_name", "lvsd", "client_encoding", "UTF8"]
    if database is not None:
        pairs += ["database", database]
    body = _LENGTH.pack(PROTOCOL) + b"".join(_string(word) for word in pairs) + b"\0"
    return _LENGTH.pack(len(body) + 4) + body


def password(words: bytes) -> bytes:
    """The answer to a request for a password, clear or MD5."""
    return _message(b"p", words + b"\0")


def md5_password(user: str, words: str, salt: bytes) -> bytes:
    """What AuthenticationMD5Password asks for."""
    inner = _md5(words.encode() + user.encode())
    return b"md5" + _md5(inner + salt)


def sasl_first(mechanism: str, words: bytes) -> bytes:
    """SASLInitialResponse."""
    return _message(b"p", _string(mechanism) + _SIZE.pack(len(words)) + words)


def sasl_next(words: bytes) -> bytes:
    """SASLResponse."""
    return _message(b"p", words)


def simple_query(words: str) -> bytes:
    """Statements in one text, run one after the other."""
    return _message(b"Q", _string(words))


def query(words: str, rows: int) -> bytes:
    """One statement, as text, of which so many rows are asked for at most: Parse, Bind, Execute, Sync."""
    parse = _message(b"P", b"\0" + _string(words) + _COUNT.pack(0))
    bind = _message(b"B", b"\0\0" + _COUNT.pack(0) * 3)
    execute = _message(b"E", b"\0" + _LENGTH.pack(rows))
    return parse + bind + execute + SYNC


def cells(body: bytes) -> list[bytes]:
    """The cells of a DataRow, NULL as nothing. Raises Malformed."""
    if len(body) < _COUNT.size:
        text = "a row without its count"
        raise Malformed(text)
    (count,) = _COUNT.unpack_from(body)
    if count > FIELDS_LIMIT:
        text = f"a row of {count} cells"
        raise Malformed(text)
    return list(_cells(body[_COUNT.size :], count))


def _cells(body: bytes, count: int) -> Iterator[bytes]:
    for _ in range(count):
        if len(body) < _SIZE.size:
            text = "a row is cut off"
            raise Malformed(text)
        (size,) = _SIZE.unpack_from(body)
        body = body[_SIZE.size :]
        if size == NULL:
            yield b""
        elif 0 <= size <= len(body):
            yield body[:size]
            body = body[size:]
        else:
            text = f"a cell of {size} bytes"
            raise Malformed(text)


def error(body: bytes) -> ServerError:
    """An ErrorResponse. Fields that are missing are empty."""
    fields = {field[:1]: field[1:] for field in body.split(b"\0") if field}
    return ServerError(fields.get(b"C", b"").decode("latin-1"), fields.get(b"M", b""))


def mechanisms(body: bytes) -> list[bytes]:
    """The names in AuthenticationSASL."""
    return [name for name in body.split(b"\0") if name]


def word(body: bytes) -> int:
    """The four bytes a body begins with. Raises Malformed."""
    if len(body) < _LENGTH.size:
        text = "a body of less than four bytes"
        raise Malformed(text)
    return int(_LENGTH.unpack_from(body)[0])


def _message(kind: bytes, body: bytes) -> bytes:
    return kind + _LENGTH.pack(len(body) + 4) + body


def _string(words: str) -> bytes:
    return words.encode() + b"\0"


def _md5(words: bytes) -> bytes:
    return hashlib.md5(words, usedforsecurity=False).hexdigest().encode()
