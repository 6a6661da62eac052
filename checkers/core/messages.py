"""What the director and a checker worker say to each other: levels, not edges. Pure.

One message is one packet of a SOCK_SEQPACKET socket, encoded with MessagePack, `PACKET_LIMIT_BYTES` at most.
Moments are seconds of CLOCK_MONOTONIC, the same for all processes of the machine.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable, Iterator, Sequence
from enum import Enum

import msgspec

from checkers.core.books import Counts, Page, is_sound, is_sound_page
from checkers.core.outcome import Outcome
from config.checks import AnyCheck, Dial, Timing

PACKET_LIMIT_BYTES = 65536
CHECKS_A_PACKET = 64  # assigned checks and verdicts travel in parts of this many at most
ENVELOPE_BYTES = 128  # more than an Assign takes beside its checks
HURRIES_A_PACKET = 64  # checks that are to be probed at once, at most
PAGES_A_PACKET = 32  # checks whose books are shown in one packet, at most
PROBES_PER_HOST = 32

RAW_WORKER = 0
"""The number of the worker that holds CAP_NET_RAW; the others count from 1."""

CAP_NET_RAW = 1 << 13

PROTOCOL = 2
"""Raised with each word that a worker must know to probe what is meant: it passes over what it does not know."""


class State(Enum):
    """What is believed of one check."""

    UNKNOWN = "unknown"
    UP = "up"
    DOWN = "down"


class Target(msgspec.Struct, frozen=True, gc=False):
    """Where a probe dials, and for whom: external commands are told the virtual service too."""

    address: str
    port: int
    virtual_address: str = ""
    virtual_port: int = 0
    service: str = ""


class AssignedCheck(msgspec.Struct, frozen=True, gc=False):
    """One check for the worker to run.

    `known` is what the director believes, `since` when (CLOCK_MONOTONIC, None: it was not told), `weight` what the real
    server asked for last: a restarted worker goes on from there. `unseen`: it only presumes so, and would like to know
    soon.
    """

    id: str
    target: Target
    check: AnyCheck
    timing: Timing
    known: State = State.UNKNOWN
    weight: int | None = None
    dial: Dial = Dial()
    unseen: bool = False
    since: float | None = None


class Assign(msgspec.Struct, frozen=True, tag="assign"):
    """All checks of this worker, in `parts` packets of one `generation`; it takes effect when all have come.

    `probes_per_host`: so many may run against one address at once; the others wait for their turn.
    """

    generation: int
    part: int
    parts: int
    checks: tuple[AssignedCheck, ...]
    probes_per_host: int = PROBES_PER_HOST


class Hurry(msgspec.Struct, frozen=True, tag="hurry"):
    """Probe these checks now, not only in their next slots; those that were probed a moment ago are left alone."""

    ids: tuple[str, ...]


class Resend(msgspec.Struct, frozen=True, tag="resend"):
    """Say all there is: something of what was said did not arrive."""


class ShowBooks(msgspec.Struct, frozen=True, tag="show_books"):
    """Say what the books of these checks hold. The answer has the same number."""

    number: int
    ids: tuple[str, ...]


class Hello(msgspec.Struct, frozen=True, tag="hello"):
    """A worker's first words, after it dropped its privileges and proved it from /proc/self/status.

    `worker`: which of the workers it is, RAW_WORKER the one with CAP_NET_RAW. `protocol`: the PROTOCOL it knows; who
    says nothing of it knows no sources, marks and PROXY headers.
    """

    pid: int
    uid: int
    capabilities: str  # CapEff, hexadecimal, as read
    no_new_privs: bool
    worker: int = 1
    protocol: int = 1


class Verdict(msgspec.Struct, frozen=True, gc=False):
    """All that is known of one check: what is believed, since when, and the last outcome."""

    id: str
    state: State
    since: float  # moment the state was entered
    outcome: Outcome  # of the last probe
    probed_at: float  # when the last probe ended
    latency: float  # seconds the last probe took
    streak: int = 0  # outcomes in a row that contradict `state`
    probes: int = 0  # since the worker started
    failures: int = 0
    weight: int | None = None  # what the real server asked for at its last healthy outcome


class Verdicts(msgspec.Struct, frozen=True, tag="verdicts"):
    """What changed, or (after Hello, after Assign, when asked and every 15 s) all there is; at times nothing.

    A worker numbers what it says over one connection from 1; 0: not numbered.
    """

    generation: int  # of the assignment the worker runs; 0: none yet
    verdicts: tuple[Verdict, ...]
    number: int = 0


class Pages(msgspec.Struct, frozen=True, tag="pages"):
    """The books of checks that are run here, by identity, and how late all probes of this worker began."""

    number: int
    pages: dict[str, Page]
    lateness: Counts


FromWorker = Hello | Verdicts | Pages
ToWorker = Assign | Hurry | Resend | ShowBooks


class Garbled(Exception):
    """A packet that is not one of ours."""


DECODING_ERRORS = (msgspec.DecodeError, UnicodeDecodeError, RecursionError, OverflowError)
"""What msgspec raises for bytes that are no message; text that is no UTF-8 is a UnicodeDecodeError of Python's."""

_from_worker: msgspec.msgpack.Decoder[FromWorker] = msgspec.msgpack.Decoder(FromWorker)
_to_worker: msgspec.msgpack.Decoder[ToWorker] = msgspec.msgpack.Decoder(ToWorker)
_encoder = msgspec.msgpack.Encoder()


class _Assigning(msgspec.Struct, frozen=True, tag="assign"):
    """An Assign, of checks that are written already: each is written once, and takes no more room until it is sent."""

    generation: int
    part: int
    parts: int
    checks: tuple[msgspec.Raw, ...]
    probes_per_host: int


def encode(message: FromWorker | ToWorker) -> bytes:
    """One packet. Raises Garbled when it would exceed the limit: the sender must cut it into parts."""
    return _packet(message)


def _packet(message: FromWorker | ToWorker | _Assigning) -> bytes:
    packet = _encoder.encode(message)
    if len(packet) > PACKET_LIMIT_BYTES:
        text = f"a packet of {len(packet)} bytes"
        raise Garbled(text)
    return packet


def assignment(
    generation: int, checks: Sequence[AssignedCheck], probes_per_host: int = PROBES_PER_HOST
) -> tuple[bytes, ...]:
    """All checks of a worker in as many packets as their number and their size ask for.

    Raises Garbled when a single check exceeds the limit; what a configuration may hold does not.
    """
    return tuple(packet for packet in assigning(generation, checks, probes_per_host) if packet is not None)


def assigning(
    generation: int, checks: Iterable[AssignedCheck], probes_per_host: int = PROBES_PER_HOST
) -> Iterator[bytes | None]:
    """As `assignment`, in short steps: None for each part that was cut, then the packets, which say how many."""
    parts: deque[tuple[msgspec.Raw, ...]] = deque()
    for part in _parts(checks):
        parts.append(part)
        yield None
    count = max(1, len(parts))
    for at in range(count):  # each is given up when it is said: to end all of them at once would take its time
        part = parts.popleft() if parts else ()
        yield _packet(_Assigning(generation, at, count, part, probes_per_host))


def _parts(checks: Iterable[AssignedCheck]) -> Iterator[tuple[msgspec.Raw, ...]]:
    part: list[msgspec.Raw] = []
    room = PACKET_LIMIT_BYTES - ENVELOPE_BYTES
    for check in checks:
        written = _encoder.encode(check)
        if part and (len(written) > room or len(part) == CHECKS_A_PACKET):
            yield tuple(part)
            part, room = [], PACKET_LIMIT_BYTES - ENVELOPE_BYTES
        part.append(msgspec.Raw(written))
        room -= len(written)
    if part:
        yield tuple(part)


def decode_from_worker(packet: bytes) -> FromWorker:
    """What a worker says. Raises Garbled and nothing else."""
    _check_size(packet)
    try:
        message = _from_worker.decode(packet)
    except DECODING_ERRORS as error:
        raise Garbled(str(error)) from error
    if isinstance(message, Verdicts) and len(message.verdicts) > CHECKS_A_PACKET:
        text = f"{len(message.verdicts)} verdicts in a packet"
        raise Garbled(text)
    if isinstance(message, Pages):
        _check_pages(message)
    return message


def decode_to_worker(packet: bytes) -> ToWorker:
    """What the director says. Raises Garbled and nothing else."""
    _check_size(packet)
    try:
        message = _to_worker.decode(packet)
    except DECODING_ERRORS as error:
        raise Garbled(str(error)) from error
    if isinstance(message, Hurry) and len(message.ids) > HURRIES_A_PACKET:
        text = f"{len(message.ids)} checks to hurry in a packet"
        raise Garbled(text)
    if isinstance(message, ShowBooks) and len(message.ids) > PAGES_A_PACKET:
        text = f"the books of {len(message.ids)} checks in a packet"
        raise Garbled(text)
    return message


def _check_pages(message: Pages) -> None:
    if len(message.pages) > PAGES_A_PACKET:
        text = f"the books of {len(message.pages)} checks in a packet"
        raise Garbled(text)
    if not is_sound(message.lateness) or not all(map(is_sound_page, message.pages.values())):
        text = "books with impossible counts"
        raise Garbled(text)


def _check_size(packet: bytes) -> None:
    if len(packet) > PACKET_LIMIT_BYTES:
        text = f"a packet of {len(packet)} bytes"
        raise Garbled(text)
