"""What `lvsctl probe` and the process that it starts for it say to each other: JSON, a line each. Pure.

No password travels here: that process reads the configuration itself. One error type: Garbled.
"""

from __future__ import annotations

import msgspec

from lvsd.control.messages import ErrorReply, Garbled

LINE_LIMIT_BYTES = 8 * 1024 * 1024


class Order(msgspec.Struct, frozen=True):
    """Probe this real server (ADDRESS or ADDRESS:PORT), in one service, by one type of check, or in and by all.

    `files`: the configuration; with `state_dir` it is read as it was when it was taken over last, else from the disk.
    """

    real: str
    service: str
    check: str
    files: tuple[str, ...]
    state_dir: str = ""


class CertificateRow(msgspec.Struct, frozen=True):
    """What the real server showed of itself."""

    subject: str
    names: tuple[str, ...]
    issuer: str
    ends: str  # `2027-01-31T23:59:59Z`; empty: it could not be read


class SecuredRow(msgspec.Struct, frozen=True):
    """What TLS was agreed on."""

    version: str
    cipher: str
    certificate: CertificateRow


class SaidRow(msgspec.Struct, frozen=True):
    """What one side said until the other did: seconds since the begin, octets, lines with nothing secret in them."""

    at: float
    ours: bool
    octets: int
    lines: tuple[str, ...]


class UseRow(msgspec.Struct, frozen=True):
    """For whom a probe stands: the virtual service, its real server, and which of its checks, counted from 1."""

    service: str
    virtual: str
    real_server: str
    number: int


class ProbeRow(msgspec.Struct, frozen=True, tag="probe"):
    """One probe, or a check that has none (`result` not_probed).

    `result`: `ok`, a reason of the closed list, or inconclusive. `phases`: seconds by name. `left_out`: octets that are
    not shown. `unseen`: why there is no conversation.
    """

    uses: tuple[UseRow, ...]
    check: str
    target: str
    timeout: float
    result: str
    detail: str
    phases: dict[str, float] = {}
    said: tuple[SaidRow, ...] = ()
    secured: SecuredRow | None = None
    left_out: int = 0
    unseen: str = ""
    source: str = ""
    mark: int = 0
    proxy_protocol: int = 0


class Note(msgspec.Struct, frozen=True, tag="note"):
    """Something to know beside what was asked."""

    text: str


Told = ProbeRow | Note | ErrorReply
NOT_PROBED = "not_probed"

_order = msgspec.json.Decoder(Order)
_told: msgspec.json.Decoder[Told] = msgspec.json.Decoder(Told)
_ERRORS = (msgspec.DecodeError, RecursionError, OverflowError, UnicodeDecodeError)


def encode(message: Order | Told) -> bytes:
    """One line, with its end."""
    return msgspec.json.encode(message) + b"\n"


def decode_order(line: bytes) -> Order:
    """What lvsctl asks. Raises Garbled and nothing else."""
    try:
        return _order.decode(line)
    except _ERRORS as error:
        raise Garbled(str(error)) from error


def decode_told(line: bytes) -> Told:
    """What came of it. Raises Garbled and nothing else."""
    try:
        return _told.decode(line)
    except _ERRORS as error:
        raise Garbled(str(error)) from error
