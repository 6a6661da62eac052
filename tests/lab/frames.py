"""The lab's console: typed, length-prefixed frames between the host and the process inside. Pure.

The wire is a serial line that must carry a person's terminal, a program's bytes and its exit status at once.
"""

from __future__ import annotations

import struct
from dataclasses import dataclass
from enum import Enum

HEADER = struct.Struct("!cI")
PAYLOAD_LIMIT_BYTES = 65536
WINDOW = struct.Struct("!HH")
STATUS = struct.Struct("!i")


class FrameError(ValueError):
    """The other side does not speak this protocol."""


class Kind(Enum):
    """What a frame carries."""

    INPUT = b"I"  # to the guest: bytes for the command's standard input
    INPUT_ENDED = b"E"  # to the guest: no more of them
    WINDOW = b"W"  # to the guest: rows and columns
    BYE = b"B"  # to the guest: the status arrived, go
    READY = b"R"  # from the guest: booted, the command starts
    OUTPUT = b"O"  # from the guest: the command's output
    STATUS = b"S"  # from the guest: the command's exit status
    FAILED = b"F"  # from the guest: why it cannot run the command


@dataclass(frozen=True, slots=True)
class Frame:
    """One message."""

    kind: Kind
    payload: bytes = b""


def pack(kind: Kind, payload: bytes = b"") -> bytes:
    """As many frames as `payload` needs, at least one."""
    pieces = range(0, max(1, len(payload)), PAYLOAD_LIMIT_BYTES)
    cut = (payload[at : at + PAYLOAD_LIMIT_BYTES] for at in pieces)
    return b"".join(HEADER.pack(kind.value, len(piece)) + piece for piece in cut)


class Reader:
    """Bytes as they come, frames as they are whole."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> list[Frame]:
        """Frames completed by `data`. Raises `FrameError` on an unknown kind or an absurd length."""
        self._buffer += data
        frames: list[Frame] = []
        while (frame := self._next()) is not None:
            frames.append(frame)
        return frames

    def _next(self) -> Frame | None:
        if len(self._buffer) < HEADER.size:
            return None
        letter, length = HEADER.unpack_from(self._buffer)
        if length > PAYLOAD_LIMIT_BYTES:
            raise FrameError(f"a frame of {length} bytes")
        end = HEADER.size + length
        if len(self._buffer) < end:
            return None
        frame = Frame(_kind(letter), bytes(self._buffer[HEADER.size : end]))
        del self._buffer[:end]
        return frame


def _kind(letter: bytes) -> Kind:
    try:
        return Kind(letter)
    except ValueError:
        raise FrameError(f"a frame of kind {letter!r}") from None
