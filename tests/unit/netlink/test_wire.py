"""Netlink framing: what fits reads back, what does not is garbled."""

from __future__ import annotations

import contextlib
import errno
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from netlink.errors import NetlinkError
from netlink.kernel_socket import KernelSocket
from netlink.wire import (
    DONE,
    DUMP_INTERRUPTED,
    ERROR,
    REQUEST,
    Message,
    attribute,
    attributes,
    error_code,
    frame,
    is_plain_end,
    messages,
    number,
    port_number,
    text,
)
from tests.unit.netlink.kernel import Answer, ScriptedKernel, done, message

KINDS = st.integers(1, 0x3FFF)
VALUES = st.binary(max_size=40)


@given(st.dictionaries(KINDS, VALUES))
def test_attributes_read_back(wanted: dict[int, bytes]) -> None:
    body = b"head" + b"".join(attribute(kind, value) for kind, value in wanted.items())
    found = {kind: bytes(value) for kind, value in attributes(memoryview(body), 4).items()}
    assert found == wanted


@given(st.lists(st.tuples(KINDS, st.integers(1, 0xFFFF), st.binary(max_size=8).map(lambda body: body * 4)), max_size=5))
def test_messages_read_back(wanted: list[tuple[int, int, bytes]]) -> None:
    datagram = b"".join(frame(kind, 0, sequence, body) for kind, sequence, body in wanted)
    found = [(message.type, message.sequence, bytes(message.body)) for message in messages(datagram)]
    assert found == wanted
    assert all(message.flags == REQUEST for message in messages(datagram))


def test_nested_and_byte_order_marks_are_not_part_of_the_type() -> None:
    body = struct.pack("=HHI", 8, 0x8000 | 0x4000 | 5, 7)
    assert [*attributes(memoryview(body))] == [5]


@pytest.mark.parametrize(
    "body",
    [
        struct.pack("=HH", 3, 1),  # shorter than its own header
        struct.pack("=HHI", 9, 1, 0),  # longer than what is there
        struct.pack("=HHI", 8, 1, 0) + b"\0",  # a byte too many
        struct.pack("=HHI", 8, 1, 0) + b"\0\0\0",
        struct.pack("=HH", 0, 0),  # would never end
    ],
)
def test_garbled_attributes(body: bytes) -> None:
    with pytest.raises(NetlinkError, match="garbled"):
        attributes(memoryview(body))


def test_a_body_without_its_fixed_part_is_garbled() -> None:
    with pytest.raises(NetlinkError, match="garbled"):
        attributes(memoryview(b"abc"), 4)


@pytest.mark.parametrize("length", [0, 15, 21])
def test_garbled_message_lengths(length: int) -> None:
    with pytest.raises(NetlinkError, match="garbled"):
        list(messages(struct.pack("=IHHII4s", length, 2, 0, 1, 0, b"body")))


@given(st.binary(max_size=64))
def test_garbage_raises_only_netlink_errors(datagram: bytes) -> None:
    with contextlib.suppress(NetlinkError):
        for message in messages(datagram):
            attributes(message.body)


def test_short_values_are_garbled() -> None:
    with pytest.raises(NetlinkError, match="garbled"):
        number(memoryview(b"abc"), 4)
    with pytest.raises(NetlinkError, match="garbled"):
        port_number(memoryview(b"a"))


def test_names_end_at_nul_and_are_never_trusted() -> None:
    assert text(memoryview(b"rr\0rubbish")) == "rr"
    assert text(memoryview(b"\xff")) == "\\xff"


def test_error_codes() -> None:
    def of(kind: int, body: bytes) -> Message:
        return Message(kind, 0, 1, memoryview(body))

    assert error_code(of(ERROR, struct.pack("=i", -3) + b"whatever follows")) == 3
    assert error_code(of(ERROR, struct.pack("=i", 0))) == 0
    assert error_code(of(DONE, b"")) == 0
    with pytest.raises(NetlinkError, match="short error"):
        error_code(of(ERROR, b"abc"))


@pytest.mark.parametrize(
    ("datagram", "is_end"),
    [
        (done(7), True),
        (done(7, flags=0x2), True),  # NLM_F_MULTI, as the kernel says it
        (done(8), False),
        (done(7, flags=DUMP_INTERRUPTED), False),
        (message(DONE, 7, struct.pack("=i", -1)), False),
        (message(ERROR, 7, struct.pack("=i", 0)), False),
        (struct.pack("=IHHIIi", 16, DONE, 0, 7, 0, 0), False),
        (done(7)[:-1], False),
        (done(7) + done(7), False),
        (b"", False),
    ],
)
def test_a_plain_end_is_nothing_else(datagram: bytes, *, is_end: bool) -> None:
    assert is_plain_end(datagram, 7) is is_end


def test_an_end_with_an_error_is_no_end() -> None:
    answer: list[Answer] = [message(DONE, 1, struct.pack("=i", -errno.EPERM))]
    with pytest.raises(NetlinkError, match="CAP_NET_ADMIN"):
        KernelSocket(ScriptedKernel(lambda _: answer)).dump(30, b"")
