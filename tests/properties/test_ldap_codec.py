"""BER and LDAP: whatever comes is decoded or Malformed, and what was encoded comes back."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from checkers.probes import ber
from checkers.probes import ldap_messages as messages

OCTETS = st.binary(max_size=300)
TAGS = st.integers(0, 255).filter(lambda tag: tag & ber.HIGH_TAG != ber.HIGH_TAG)
REPLY_TAGS = st.sampled_from([0x61, 0x64, 0x65, 0x73, 0x78, 0x79, 0x42, 0x30])


@given(TAGS, st.binary(max_size=70000), OCTETS)
def test_an_element_comes_back(tag: int, contents: bytes, rest: bytes) -> None:
    assert ber.take(ber.element(tag, contents) + rest) == (tag, contents, rest)


@given(st.integers(0, 2**31 - 1))
def test_a_number_comes_back(value: int) -> None:
    assert ber.number(ber.integer(value) + b"x") == (value, b"x")


@given(st.integers(0, 70000), st.data())
def test_what_is_cut_off_is_malformed(size: int, data: st.DataObject) -> None:
    whole = ber.element(ber.OCTET_STRING, b"x" * size)
    end = data.draw(st.integers(0, len(whole) - 1))
    try:
        ber.take(whole[:end])
    except ber.Malformed:
        return
    raise AssertionError(end)


@given(OCTETS)
def test_any_octets_are_an_element_or_malformed(octets: bytes) -> None:
    try:
        _, contents, rest = ber.take(octets)
    except ber.Malformed:
        return
    assert len(contents) + len(rest) <= len(octets) - 2


@given(OCTETS)
def test_any_octets_are_a_reply_or_malformed(octets: bytes) -> None:
    try:
        messages.reply(octets)
    except ber.Malformed:
        return


@given(st.integers(0, 2**31 - 1), REPLY_TAGS, OCTETS)
def test_any_body_of_a_known_operation_is_a_reply_or_malformed(number: int, tag: int, body: bytes) -> None:
    try:
        found, _ = messages.reply(ber.integer(number) + ber.element(tag, body))
    except ber.Malformed:
        return
    assert found == number


@given(st.integers(1, 1000), st.integers(0, 255), OCTETS)
def test_a_result_is_understood(number: int, code: int, words: bytes) -> None:
    body = ber.integer(code, ber.ENUMERATED) + ber.text("") + ber.element(ber.OCTET_STRING, words)
    reply = messages.reply(ber.integer(number) + ber.element(messages.BIND_RESPONSE, body, b"\xa3\x00"))
    assert reply == (number, messages.Result(messages.BIND_RESPONSE, code, words))
