"""One netlink socket: requests go out, answers come back matched by their sequence number.

Synchronous, one request (or batch) at a time. Every wait is bounded by the receive time-out. An answer to an earlier
request that was given up is recognised by its number and skipped.
"""

from __future__ import annotations

import errno
import os
import socket
import struct
from collections.abc import Iterator, Sequence
from typing import Protocol

from netlink.errors import NetlinkError
from netlink.wire import (
    ACK,
    DATAGRAM_LIMIT,
    DONE,
    DUMP,
    DUMP_INTERRUPTED,
    ERROR,
    NOOP,
    OVERRUN,
    Message,
    error_code,
    frame,
    garbled,
    is_plain_end,
    messages,
    take_data,
)

RECEIVE_TIMEOUT_SECONDS = 5.0
RECEIVE_BUFFER_BYTES = 4 << 20
BATCH_LIMIT = 200  # more acknowledgements than this overflow the default receive buffer
DUMP_ATTEMPTS = 4
MESSAGE_LIMIT = 2_000_000  # of one answer; a full table of 65,535 services with destinations stays far below

_SO_RCVBUFFORCE = 33
_SOL_NETLINK = 270
_NETLINK_CAP_ACK = 10
_SEQUENCE_MASK = 0xFFFFFFFF
_KERNEL_PORT = 0
_PERMISSION_HINT = "run as root, or with the capability CAP_NET_ADMIN"


class Line(Protocol):
    """What is needed of a socket, so that tests can play the kernel."""

    def send(self, data: bytes, /) -> int:
        """Send one datagram."""

    def recvmsg(self, size: int, /) -> tuple[bytes, object, int, tuple[int, int]]:
        """Receive one datagram: data, ancillary data, flags, (port, groups) of the sender."""

    def close(self) -> None:
        """Close it."""


def open_line(protocol: int, *, timeout_seconds: float, groups: int = 0) -> socket.socket:
    """A bound netlink socket of the given protocol (NETLINK_ROUTE 0, NETLINK_GENERIC 16)."""
    try:
        line = socket.socket(socket.AF_NETLINK, socket.SOCK_RAW | socket.SOCK_CLOEXEC, protocol)
    except OSError as error:
        raise failure("netlink is not available", error.errno or 0) from error
    try:
        line.bind((0, groups))
        _set_options(line, timeout_seconds)
    except OSError as error:
        line.close()
        raise failure("netlink socket refused", error.errno or 0) from error
    return line


def _set_options(line: socket.socket, timeout_seconds: float) -> None:
    try:
        line.setsockopt(socket.SOL_SOCKET, _SO_RCVBUFFORCE, RECEIVE_BUFFER_BYTES)
    except PermissionError:  # a plain user may read links and addresses with the default buffer
        line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, RECEIVE_BUFFER_BYTES)
    line.setsockopt(_SOL_NETLINK, _NETLINK_CAP_ACK, 1)  # an error does not repeat the request
    seconds, fraction = divmod(timeout_seconds, 1)
    line.setsockopt(socket.SOL_SOCKET, socket.SO_RCVTIMEO, struct.pack("@ll", int(seconds), int(fraction * 1_000_000)))


def failure(what: str, number: int) -> NetlinkError:
    """The error for an errno of the socket or of the kernel, with a hint where there is one."""
    hint = _PERMISSION_HINT if number in {errno.EPERM, errno.EACCES} else ""
    reason = os.strerror(number) if number else "no reason given"
    return NetlinkError(f"{what}: {reason}", errno=number, hint=hint)


class _Dump:
    """A dump under way: what was found of it, and whether the kernel said that it changed meanwhile."""

    __slots__ = ("_left", "found", "interrupted", "sequence")

    def __init__(self, sequence: int) -> None:
        """Asked for with this sequence number."""
        self.sequence = sequence
        self.found: list[memoryview] = []
        self.interrupted = False
        self._left = MESSAGE_LIMIT

    def take(self, datagram: bytes) -> bool:
        """Add what a datagram holds of it; whether it ends there. What answers another request is left out."""
        self._left -= 1
        if self._left < 0:
            raise _endless()
        if is_plain_end(datagram, self.sequence):  # so ends every dump: thousands in a reading of the table
            return True
        start = take_data(datagram, self.sequence, self.found)
        if start >= len(datagram):  # the bulk of it
            return False
        for message in _heard(datagram, start):
            if message.sequence != self.sequence:
                continue
            self.interrupted |= bool(message.flags & DUMP_INTERRUPTED)
            if message.type in {DONE, ERROR}:
                code = error_code(message)
                if code:
                    raise failure("the kernel refused", code)
                return True
            self.found.append(message.body)
        return False


def _heard(datagram: bytes, start: int = 0) -> Iterator[Message]:
    """The messages of a datagram that say something."""
    for message in messages(datagram, start):
        if message.type == OVERRUN:
            raise failure("answers were lost", errno.ENOBUFS)
        if message.type != NOOP:
            yield message


def _changing() -> NetlinkError:
    return NetlinkError(f"the table changed during each of {DUMP_ATTEMPTS} readings", errno=errno.EINTR)


def _endless() -> NetlinkError:
    return NetlinkError("the kernel's answer does not end")


class KernelSocket:
    """Requests and answers over one netlink socket."""

    def __init__(self, line: Line) -> None:
        self._line = line
        self._sequence = 0

    def close(self) -> None:
        """Close the socket. Once more does no harm."""
        self._line.close()

    def ask(self, kind: int, body: bytes, *, flags: int = 0) -> list[memoryview]:
        """One request; the bodies of what was answered. Raises NetlinkError with the errno if it is refused."""
        sequence = self._next()
        self._send(frame(kind, flags | ACK, sequence, body))
        answer: list[memoryview] = []
        for message in self._answers(sequence):
            if message.type == ERROR:
                code = error_code(message)
                if code:
                    raise failure("the kernel refused", code)
                return answer
            answer.append(message.body)
        return answer

    def dump(self, kind: int, body: bytes) -> list[memoryview]:
        """The bodies of a dump, taken again a few times if the kernel says that it changed meanwhile."""
        for _ in range(DUMP_ATTEMPTS):
            dump = self._begun(kind, body)
            while not dump.take(self._receive()):
                pass
            if not dump.interrupted:
                return dump.found
        raise _changing()

    def dump_in_steps(self, kind: int, body: bytes, datagrams: int) -> Iterator[list[memoryview] | None]:
        """As `dump`, so many datagrams a step: None after each but the last, which has all of them.

        The kernel has one dump at a time on a socket: until the last step nothing else may be asked over this one.
        """
        for _ in range(DUMP_ATTEMPTS):
            dump = self._begun(kind, body)
            while not self._gone_on(dump, datagrams):
                yield None
            if not dump.interrupted:
                yield dump.found
                return
        raise _changing()

    def send_batch(self, kind: int, bodies: Sequence[bytes]) -> dict[int, int]:
        """Send the requests in batches; the errno of each one that was refused, by its position.

        Only the last of a batch asks for an answer: the kernel reports every failure anyway, in order.
        """
        refused: dict[int, int] = {}
        for start in range(0, len(bodies), BATCH_LIMIT):
            refused |= self._one_batch(kind, bodies[start : start + BATCH_LIMIT], start)
        return refused

    def _one_batch(self, kind: int, bodies: Sequence[bytes], start: int) -> dict[int, int]:
        numbers = [self._next() for _ in bodies]
        position = {number: start + offset for offset, number in enumerate(numbers)}
        last = numbers[-1]
        self._send(
            b"".join(
                frame(kind, ACK if number == last else 0, number, body)
                for number, body in zip(numbers, bodies, strict=True)
            )
        )
        refused = {}
        for message in self._incoming():
            if message.sequence not in position or message.type != ERROR:
                continue
            code = error_code(message)
            if code:
                refused[position[message.sequence]] = code
            if message.sequence == last:
                break
        return refused

    def _begun(self, kind: int, body: bytes) -> _Dump:
        dump = _Dump(self._next())
        self._send(frame(kind, DUMP, dump.sequence, body))
        return dump

    def _gone_on(self, dump: _Dump, datagrams: int) -> bool:
        """Take so many of its datagrams; whether it ended with them."""
        return any(dump.take(self._receive()) for _ in range(datagrams))

    def _answers(self, sequence: int) -> Iterator[Message]:
        return (message for message in self._incoming() if message.sequence == sequence)

    def _incoming(self) -> Iterator[Message]:
        """What the kernel sends, until the caller has enough. Bounded in number, and each wait in time."""
        for _ in range(MESSAGE_LIMIT):
            yield from _heard(self._receive())
        raise _endless()

    def _receive(self) -> bytes:
        while True:
            try:
                data, _, flags, sender = self._line.recvmsg(DATAGRAM_LIMIT)
            except BlockingIOError as error:
                message = "the kernel did not answer in time"
                raise NetlinkError(message, errno=errno.ETIMEDOUT) from error
            except OSError as error:
                what = "answers were lost" if error.errno == errno.ENOBUFS else "netlink cannot be read"
                raise failure(what, error.errno or 0) from error
            if flags & socket.MSG_TRUNC:
                raise garbled("datagram above the limit")
            if sender[0] == _KERNEL_PORT:  # another process could send us lies
                return data

    def _send(self, data: bytes) -> None:
        try:
            self._line.send(data)
        except OSError as error:
            raise failure("netlink cannot be written", error.errno or 0) from error

    def _next(self) -> int:
        self._sequence = self._sequence % _SEQUENCE_MASK + 1  # never 0: notifications carry that
        return self._sequence
