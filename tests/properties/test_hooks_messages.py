"""What lvsd-notify is asked: everything comes back as it went, and garbage raises one error."""

from __future__ import annotations

import contextlib

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core import letter
from checkers.core.letter import Letter
from lvsd.control import hooks

TEXTS = st.text(max_size=200)
MANY = st.lists(TEXTS, max_size=5).map(tuple)
LETTERS = st.builds(Letter, MANY, TEXTS, TEXTS, TEXTS, st.none() | TEXTS)
SECONDS = st.floats(0, 1e9)
SCRIPTS = st.builds(hooks.Script, TEXTS, TEXTS, MANY, SECONDS, SECONDS, TEXTS)
MESSAGES = st.one_of(
    st.builds(hooks.RunCommand, TEXTS, MANY, st.dictionaries(TEXTS, TEXTS, max_size=5), TEXTS),
    st.builds(hooks.SendMail, LETTERS, TEXTS),
    st.builds(hooks.AppendLine, TEXTS, TEXTS),
    st.builds(hooks.WriteFifo, TEXTS, TEXTS),
    st.builds(hooks.Instruct, st.lists(SCRIPTS, max_size=3).map(tuple), MANY),
)
RESULTS = st.builds(hooks.ScriptEnded, TEXTS, st.integers(-64, 255), st.booleans(), SECONDS)


@given(MESSAGES)
def test_a_message_comes_back_as_it_went(message: hooks.ToNotify) -> None:
    with contextlib.suppress(hooks.Garbled):  # surrogates are no text
        assert hooks.decode(hooks.encode(message)) == message


@given(RESULTS)
def test_a_result_comes_back_as_it_went(result: hooks.ScriptEnded) -> None:
    assert hooks.decode_result(hooks.encode(result)) == result


@given(st.binary(max_size=500))
def test_garbage_raises_one_error(packet: bytes) -> None:
    with contextlib.suppress(hooks.Garbled):
        hooks.decode(packet)
    with contextlib.suppress(hooks.Garbled):
        hooks.decode_result(packet)
    with contextlib.suppress(letter.Garbled):
        letter.decode(packet)


@given(MESSAGES, st.data())
def test_a_damaged_message_raises_one_error(message: hooks.ToNotify, data: st.DataObject) -> None:
    try:
        packet = bytearray(hooks.encode(message))
    except hooks.Garbled:
        return
    position = data.draw(st.integers(0, len(packet) - 1))
    packet[position] ^= data.draw(st.integers(1, 255))
    with contextlib.suppress(hooks.Garbled):
        hooks.decode(bytes(packet))


def test_a_message_beyond_the_limit_is_not_sent() -> None:
    with pytest.raises(hooks.Garbled, match="bytes"):
        hooks.encode(hooks.AppendLine("/x", "y" * hooks.PACKET_LIMIT_BYTES))
    assert msgspec.msgpack.decode(hooks.encode(hooks.AppendLine("/x", "y")))["type"] == "append_line"
