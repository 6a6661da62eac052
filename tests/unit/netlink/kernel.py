"""A scripted kernel: answers prepared in advance, and what was sent to it."""

from __future__ import annotations

import struct
from collections.abc import Callable

from netlink.wire import DONE, ERROR

HEADER = struct.Struct("=IHHII")
KERNEL = (0, 0)

Answer = bytes | OSError
Reply = Callable[[bytes], list[Answer]]


def message(kind: int, sequence: int, body: bytes, *, flags: int = 0) -> bytes:
    """One netlink message."""
    return HEADER.pack(HEADER.size + len(body), kind, flags, sequence, 0) + body


def error(sequence: int, errno: int) -> bytes:
    """The kernel's refusal, or its acknowledgement (0), with the header of the request repeated."""
    return message(ERROR, sequence, struct.pack("=i", -errno) + bytes(HEADER.size))


def done(sequence: int, *, flags: int = 0) -> bytes:
    """The end of a dump."""
    return message(DONE, sequence, struct.pack("=i", 0), flags=flags)


def requests(data: bytes) -> list[tuple[int, int, int, bytes]]:
    """What was sent in one datagram: type, flags, sequence, body of each message."""
    found = []
    while data:
        length, kind, flags, sequence, _ = HEADER.unpack_from(data)
        found.append((kind, flags, sequence, data[HEADER.size : length]))
        data = data[length:]
    return found


class ScriptedKernel:
    """A line to a kernel that answers each datagram as `reply` says; without an answer left, a time-out."""

    def __init__(self, reply: Reply) -> None:
        self._reply = reply
        self._answers: list[Answer] = []
        self.sent: list[bytes] = []
        self.closed = False
        self.sender = KERNEL
        self.flags = 0

    def send(self, data: bytes, /) -> int:
        self.sent.append(data)
        self._answers += self._reply(data)
        return len(data)

    def recvmsg(self, size: int, /) -> tuple[bytes, object, int, tuple[int, int]]:
        if not self._answers:
            raise BlockingIOError
        answer = self._answers.pop(0)
        if isinstance(answer, OSError):
            raise answer
        return answer[:size], [], self.flags, self.sender

    def close(self) -> None:
        self.closed = True
