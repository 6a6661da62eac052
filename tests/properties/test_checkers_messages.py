"""Packets: whatever the bytes, a message or Garbled; what was encoded comes back."""

from __future__ import annotations

from math import inf, nan

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.books import STEPS, Counts, Page, Phase
from checkers.core.messages import (
    CHECKS_A_PACKET,
    HURRIES_A_PACKET,
    PACKET_LIMIT_BYTES,
    PAGES_A_PACKET,
    Assign,
    AssignedCheck,
    FromWorker,
    Garbled,
    Hello,
    Hurry,
    Pages,
    Resend,
    ShowBooks,
    State,
    Target,
    ToWorker,
    Verdict,
    Verdicts,
    decode_from_worker,
    decode_to_worker,
    encode,
)
from checkers.core.outcome import DETAIL_LIMIT, Healthy, Inconclusive, Reason, Unhealthy, escaped
from config.checks import (
    Credentials,
    Expect,
    ExternalCheck,
    Galera,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    NoCheck,
    PopCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    TlsMode,
)
from config.secret import Secret

WORDS = st.text(max_size=20)
NUMBERS = st.integers(-(2**31), 2**63 - 1)
SECONDS = st.floats(allow_nan=False)
CREDENTIALS = st.builds(Credentials, WORDS, st.builds(Secret, WORDS))
TLS = st.builds(Tls, st.none() | WORDS, st.booleans(), st.none() | WORDS)
EXPECT = st.builds(Expect, st.none() | WORDS, st.none() | WORDS)
MODES = st.sampled_from(TlsMode)
CHECKS = st.one_of(
    st.just(NoCheck()),
    st.just(TcpCheck()),
    st.builds(HttpCheck, st.none() | TLS, WORDS, WORDS, st.none() | WORDS, st.just(((200, 299), (404, 404))), EXPECT),
    st.builds(MysqlCheck, CREDENTIALS, WORDS, st.none() | WORDS, EXPECT, st.none() | st.sampled_from(Galera)),
    st.builds(ImapCheck, MODES, TLS, st.none() | CREDENTIALS),
    st.builds(PopCheck, MODES, TLS, st.none() | CREDENTIALS),
    st.builds(SmtpCheck, MODES, TLS, WORDS, st.none() | CREDENTIALS),
    st.builds(ExternalCheck, st.lists(WORDS, max_size=3).map(tuple)),
)
ASSIGNED = st.builds(
    AssignedCheck,
    WORDS,
    st.builds(Target, WORDS, NUMBERS, WORDS, NUMBERS, WORDS),
    CHECKS,
    st.builds(Timing, SECONDS, SECONDS, NUMBERS, NUMBERS),
    st.sampled_from(State),
)
OUTCOMES = st.one_of(
    st.builds(Healthy, WORDS), st.builds(Unhealthy, st.sampled_from(Reason), WORDS), st.builds(Inconclusive, WORDS)
)
VERDICTS = st.builds(
    Verdict, WORDS, st.sampled_from(State), SECONDS, OUTCOMES, SECONDS, SECONDS, NUMBERS, NUMBERS, NUMBERS
)
COUNTS = st.builds(Counts, st.floats(0, 1e6), st.integers(0, 5), st.lists(st.integers(0, 65535), max_size=5).map(tuple))
PAGES = st.builds(
    Pages,
    NUMBERS,
    st.dictionaries(
        WORDS,
        st.builds(
            Page,
            st.dictionaries(st.sampled_from(Reason), st.integers(0, 2**60), max_size=3),
            st.integers(0, 2**60),
            st.dictionaries(st.sampled_from(Phase), COUNTS, max_size=5),
        ),
        max_size=4,
    ),
    COUNTS,
)
TO_WORKER = st.one_of(
    st.builds(ShowBooks, NUMBERS, st.lists(WORDS, max_size=PAGES_A_PACKET).map(tuple)),
    st.builds(Assign, NUMBERS, NUMBERS, NUMBERS, st.lists(ASSIGNED, max_size=4).map(tuple), NUMBERS),
    st.builds(Hurry, st.lists(WORDS, max_size=4).map(tuple)),
    st.just(Resend()),
)
FROM_WORKER = st.one_of(
    PAGES,
    st.builds(Hello, NUMBERS, NUMBERS, WORDS, st.booleans(), NUMBERS),
    st.builds(Verdicts, NUMBERS, st.lists(VERDICTS, max_size=4).map(tuple), NUMBERS),
)


@given(TO_WORKER)
def test_an_order_comes_back(message: ToWorker) -> None:
    assert decode_to_worker(encode(message)) == message


@given(FROM_WORKER)
def test_what_a_worker_says_comes_back(message: FromWorker) -> None:
    assert decode_from_worker(encode(message)) == message


def only_garbled(packet: bytes) -> None:
    for decode in (decode_from_worker, decode_to_worker):
        try:
            decode(packet)
        except Garbled:
            continue


@given(st.binary(max_size=300))
def test_any_bytes_are_a_message_or_garbled(packet: bytes) -> None:
    only_garbled(packet)


@given(TO_WORKER | FROM_WORKER, st.integers(0, 10_000), st.binary(min_size=1, max_size=4), st.integers(0, 4))
def test_a_damaged_message_is_a_message_or_garbled(
    message: ToWorker | FromWorker, at: int, noise: bytes, cut: int
) -> None:
    packet = encode(message)
    at %= len(packet)
    only_garbled(packet[:at] + noise + packet[at + cut :])


@given(st.integers(1, 4000))
def test_deep_nesting_is_garbled(depth: int) -> None:
    only_garbled(b"\x91" * depth + b"\xc0")
    only_garbled(msgspec.msgpack.encode({"type": "assign"})[:-1] + b"\x91" * depth)


def test_a_packet_beyond_the_limit_is_garbled_both_ways() -> None:
    too_large = Verdicts(1, (Verdict("x" * PACKET_LIMIT_BYTES, State.UP, 0.0, Healthy(), 0.0, 0.0),))
    with pytest.raises(Garbled):
        encode(too_large)
    for decode in (decode_from_worker, decode_to_worker):
        with pytest.raises(Garbled):
            decode(b"\x80" * (PACKET_LIMIT_BYTES + 1))


@given(st.binary() | st.text())
def test_escaped_words_are_printable_and_short(words: bytes | str) -> None:
    safe = escaped(words)
    assert len(safe) <= DETAIL_LIMIT
    assert all(" " <= character <= "~" for character in safe)


def test_more_than_a_packet_holds_is_garbled() -> None:
    verdict = Verdict("a", State.UP, 0.0, Healthy(), 0.0, 0.0)
    decode_from_worker(encode(Verdicts(1, (verdict,) * CHECKS_A_PACKET)))
    with pytest.raises(Garbled):
        decode_from_worker(encode(Verdicts(1, (verdict,) * (CHECKS_A_PACKET + 1))))
    decode_to_worker(encode(Hurry(("a",) * HURRIES_A_PACKET)))
    with pytest.raises(Garbled):
        decode_to_worker(encode(Hurry(("a",) * (HURRIES_A_PACKET + 1))))


def test_books_that_cannot_be_are_garbled() -> None:
    sound = Counts(1.0, STEPS - 1, (1,))
    decode_from_worker(encode(Pages(1, dict.fromkeys(map(str, range(PAGES_A_PACKET)), Page()), sound)))
    wrong = [
        Counts(1.0, STEPS, (1,)),
        Counts(1.0, -1, (1,)),
        Counts(1.0, 0, (-1,)),
        Counts(-1.0, 0, (1,)),
        Counts(inf, 0, (1,)),
        Counts(nan, 0, (1,)),
    ]
    packets = [
        *(Pages(1, {}, one) for one in wrong),
        *(Pages(1, {"a": Page(phases={Phase.TLS: one})}, sound) for one in wrong),
        Pages(1, {"a": Page(inconclusive=-1)}, sound),
        Pages(1, {"a": Page({Reason.REFUSED: -1})}, sound),
        Pages(1, dict.fromkeys(map(str, range(PAGES_A_PACKET + 1)), Page()), sound),
    ]
    for packet in packets:
        with pytest.raises(Garbled):
            decode_from_worker(encode(packet))
    decode_to_worker(encode(ShowBooks(1, ("a",) * PAGES_A_PACKET)))
    with pytest.raises(Garbled):
        decode_to_worker(encode(ShowBooks(1, ("a",) * (PAGES_A_PACKET + 1))))
