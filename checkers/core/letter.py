"""A mail to be sent, as it travels to the process that sends it. Pure."""

from __future__ import annotations

import msgspec

LETTER_LIMIT_BYTES = 128 * 1024  # as JSON


class Letter(msgspec.Struct, frozen=True):
    """Who is told what. `smtp`: the host that takes the mail (`host`, `host:port`), None for the local sendmail."""

    to: tuple[str, ...]
    subject: str
    body: str
    sender: str = ""
    smtp: str | None = None


class Garbled(Exception):
    """Bytes that are no letter."""


_letter = msgspec.json.Decoder(Letter)


def encode(letter: Letter) -> bytes:
    """A letter as JSON."""
    return msgspec.json.encode(letter)


def decode(text: bytes) -> Letter:
    """A letter from JSON. Raises Garbled and nothing else."""
    if len(text) > LETTER_LIMIT_BYTES:
        words = f"a letter of more than {LETTER_LIMIT_BYTES} bytes"
        raise Garbled(words)
    try:
        return _letter.decode(text)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError) as error:
        raise Garbled(str(error)) from error
