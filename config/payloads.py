"""Kinds of values that stand for bytes on the wire: what a probe sends, and the shape of a reply. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from config import codes
from config.nodes import At, Node, Scalar
from config.reading import Reading, shown, wrong_type
from config.scalars import Schema, quoted_text

PAYLOAD_LIMIT_BYTES: Final = 4096
_LENGTH_LIMIT: Final = 65535  # UDP's (RFC 768)


class Payload(msgspec.Struct, frozen=True):
    """A text to send, control characters and all (YAML's escapes in double quotes), encoded as UTF-8."""

    def read(self, node: Node, reading: Reading) -> At[bytes] | None:
        """The bytes."""
        text = quoted_text(node, reading, "a text")
        if text is None:
            return None
        try:
            return _fitting(text.encode(), node, reading)
        except UnicodeEncodeError:
            reading.error(codes.MALFORMED, node.place, "a lone surrogate is no character", "write bytes as `send_hex`")
            return None

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


class HexBytes(msgspec.Struct, frozen=True):
    """Bytes as pairs of hexadecimal digits, spaces between pairs allowed."""

    def read(self, node: Node, reading: Reading) -> At[bytes] | None:
        """The bytes."""
        text = quoted_text(node, reading, "hexadecimal digits")
        if text is None:
            return None
        try:
            return _fitting(bytes.fromhex(text[: 4 * PAYLOAD_LIMIT_BYTES]), node, reading)
        except ValueError:
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not hexadecimal", '"0001ff", pairs of digits')
            return None

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "pattern": "^([0-9A-Fa-f]{2} ?)*$"}


class HexPattern(msgspec.Struct, frozen=True):
    """Pairs of hexadecimal digits, `x` for any digit, spaces between pairs allowed."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The digits in lower case, without spaces."""
        text = quoted_text(node, reading, "hexadecimal digits")
        if text is None:
            return None
        digits = text.replace(" ", "").lower()
        if len(digits) > 2 * PAYLOAD_LIMIT_BYTES:
            reading.error(codes.TOO_LARGE, node.place, f"a pattern of more than {PAYLOAD_LIMIT_BYTES} bytes")
            return None
        if not re.fullmatch(r"(?:[0-9a-fx]{2})+", digits):
            hint = '"0001xx", pairs of digits, x for any digit'
            reading.error(codes.MALFORMED, node.place, f"{shown(text)} is not hexadecimal", hint)
            return None
        return At(digits, node.place)

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string", "pattern": "^([0-9A-Fa-fxX]{2} ?)+$"}


class LengthRange(msgspec.Struct, frozen=True):
    """A length in bytes, `12`, or a range of them, `10-200`."""

    def read(self, node: Node, reading: Reading) -> At[tuple[int, int]] | None:
        """The inclusive range."""
        if not isinstance(node, Scalar):
            wrong_type(reading, node, "a length in bytes", "12, or 10-200")
            return None
        found = re.fullmatch(r"(0|[1-9][0-9]{0,4})(?:-(0|[1-9][0-9]{0,4}))?", node.text)
        low, high = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if low > high:
            reading.error(codes.MALFORMED, node.place, f"{shown(node.text)} is not a length in bytes", "12, or 10-200")
            return None
        if high > _LENGTH_LIMIT:
            reading.error(codes.OUT_OF_RANGE, node.place, f"{high} is out of range", f"from 0 to {_LENGTH_LIMIT}")
            return None
        return At((low, high), node.place)

    def schema(self) -> Schema:
        """A number or a range."""
        number: Schema = {"type": "integer", "minimum": 0, "maximum": _LENGTH_LIMIT}
        return {"anyOf": [number, {"type": "string", "pattern": "^[0-9]+(-[0-9]+)?$"}]}


def _fitting(content: bytes, node: Node, reading: Reading) -> At[bytes] | None:
    if len(content) <= PAYLOAD_LIMIT_BYTES:
        return At(content, node.place)
    reading.error(codes.TOO_LARGE, node.place, f"more than {PAYLOAD_LIMIT_BYTES} bytes to send")
    return None
