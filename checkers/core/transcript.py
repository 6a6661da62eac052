"""One probe with all that was said in it: what the prober is asked, and what it tells, in JSON, a line each. Pure.

It travels over pipes between processes of one machine. What a real server said is told escaped and cut, and passwords
are not in it; those that the prober needs are in what it is asked. One error type: Garbled.
"""

from __future__ import annotations

import msgspec

from checkers.core.messages import AssignedCheck
from checkers.core.outcome import Outcome

CHECKS_LIMIT = 256
ASKED_LIMIT_BYTES = CHECKS_LIMIT * 65536
TOLD_LIMIT_BYTES = 4 * 1024 * 1024  # of one line: what a tape keeps, however it has to be escaped
TEXT_LIMIT = 400  # characters of one line of a conversation


class Certificate(msgspec.Struct, frozen=True):
    """What a real server showed of itself, unverified unless the check asks for that; empty: not to be read.

    `ends`: as `2027-01-31T23:59:59Z`.
    """

    subject: str = ""
    names: tuple[str, ...] = ()
    issuer: str = ""
    ends: str = ""


class Secured(msgspec.Struct, frozen=True):
    """What TLS was agreed on."""

    version: str
    cipher: str
    certificate: Certificate = Certificate()


class Said(msgspec.Struct, frozen=True):
    """What one side said until the other did: seconds since the probe began, how many octets, in lines."""

    at: float
    ours: bool
    octets: int
    lines: tuple[str, ...]


class Transcript(msgspec.Struct, frozen=True):
    """One probe. `phases`: seconds by name (connect, tls, first_byte, whole), those that there were.

    `left_out`: octets that are not shown at all, as too much was said. `unseen`: why there is no conversation.
    """

    id: str
    outcome: Outcome
    phases: dict[str, float]
    said: tuple[Said, ...] = ()
    secured: Secured | None = None
    left_out: int = 0
    unseen: str = ""


class Garbled(Exception):
    """Bytes that are none of these."""


_DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
_asked = msgspec.json.Decoder(tuple[AssignedCheck, ...])
_told = msgspec.json.Decoder(Transcript)
_encoder = msgspec.json.Encoder()


def encode_asked(checks: tuple[AssignedCheck, ...]) -> bytes:
    """What the prober reads to the end. It holds passwords."""
    return _encoder.encode(checks)


def decode_asked(words: bytes) -> tuple[AssignedCheck, ...]:
    """The checks to run, in their order. Raises Garbled and nothing else."""
    if len(words) > ASKED_LIMIT_BYTES:
        text = f"a question of {len(words)} bytes"
        raise Garbled(text)
    try:
        checks = _asked.decode(words)
    except _DECODING_ERRORS as error:
        raise Garbled(str(error)) from error
    if len(checks) > CHECKS_LIMIT:
        text = f"{len(checks)} checks"
        raise Garbled(text)
    return checks


def encode_told(transcript: Transcript) -> bytes:
    """One line, with its end."""
    return _encoder.encode(transcript) + b"\n"


def decode_told(line: bytes) -> Transcript:
    """One line. Raises Garbled and nothing else."""
    if len(line) > TOLD_LIMIT_BYTES:
        text = f"a line of {len(line)} bytes"
        raise Garbled(text)
    try:
        return _told.decode(line)
    except _DECODING_ERRORS as error:
        raise Garbled(str(error)) from error
