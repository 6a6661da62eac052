"""Many SYNs through a raw socket in one call: sendmmsg(2).

A handful lies in one buffer, a slot for each: where it goes, and the packet. What differs from probe to probe is our
port, a number and a checksum; each is written for all slots in one step, as a column of a table is.
"""

from __future__ import annotations

import ctypes
import socket
import struct
from collections.abc import Sequence

from checkers.syn.packet import MODULUS, NUMBER_AT, OUR_PORT_AT, SHAPE_4, SHAPE_6, SUM_AT, Form
from checkers.syn.vectors import HEADER_BYTES, Header, Letter, Vector, address_of, column, failure, libc

HANDFUL = 256  # in one call


class Post:
    """The buffers for the SYNs of one family, filled anew for each handful."""

    def __init__(self, family: int) -> None:
        """Nothing is written."""
        self._shape = shape = SHAPE_6 if family == socket.AF_INET6 else SHAPE_4
        self.slots = bytearray(HANDFUL * shape.slot_bytes)
        table, row_bytes = memoryview(self.slots), shape.slot_bytes
        self._our_ports = column(table, "H", shape.head_bytes + OUR_PORT_AT, row_bytes)
        self._numbers = column(table, "I", shape.head_bytes + NUMBER_AT, row_bytes)
        self._sums = column(table, "H", shape.head_bytes + SUM_AT, row_bytes)
        self._vectors = (Vector * HANDFUL)()
        self._headers = (Header * HANDFUL)()
        self._lay_out()
        self._first_header = ctypes.addressof(self._headers)

    def write(self, forms: Sequence[Form], our_ports: Sequence[int], numbers: Sequence[int]) -> None:
        """A packet for each: HANDFUL at most, from this port of ours, with this number."""
        count = len(forms)
        self.slots[: count * self._shape.slot_bytes] = b"".join([form.slot for form in forms])
        sums = [  # `checksum`, without a call for each
            -(form.sum + port + number) % MODULUS for form, port, number in zip(forms, our_ports, numbers, strict=True)
        ]
        self._our_ports[:count] = _packed("H", our_ports)
        self._numbers[:count] = _packed("I", numbers)
        self._sums[:count] = _packed("H", sums)

    def send(self, sender: socket.socket, first: int, count: int) -> int:
        """How many left of so many packets from the one at `first` on. Raises OSError where not even that one did."""
        begin = self._first_header + first * HEADER_BYTES
        sent: int = libc.sendmmsg(sender.fileno(), ctypes.c_void_p(begin), count, socket.MSG_DONTWAIT)
        if sent < 0:
            raise failure()
        return sent

    def _lay_out(self) -> None:
        slots, vectors, shape = address_of(self.slots), ctypes.addressof(self._vectors), self._shape
        for at, (vector, whole) in enumerate(zip(self._vectors, self._headers, strict=True)):
            slot = slots + at * shape.slot_bytes
            vector.base, vector.length = slot + shape.name_bytes, shape.end - shape.name_bytes
            header = whole.message
            header.name, header.name_length = slot, shape.name_bytes
            header.vector, header.vectors = vectors + at * ctypes.sizeof(Vector), 1


def _packed(kind: Letter, numbers: Sequence[int]) -> memoryview:
    """In network order."""
    octets = struct.pack(f"!{len(numbers)}{kind}", *numbers)
    return column(memoryview(octets), kind, 0, struct.calcsize(kind))
