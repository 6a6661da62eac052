"""Whatever bytes come, each codec gives an answer or its one error; and what an agent says adds up in any order."""

from __future__ import annotations

import asyncio
import contextlib

from hypothesis import given
from hypothesis import strategies as st

from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from checkers.probes import redis_reply
from checkers.probes.agent_words import Admin, Operation, Standing, Words, fold, judged, parse
from checkers.probes.failures import Failed, Unfit
from checkers.probes.ntp_packet import PACKET_BYTES, question, read
from checkers.probes.octets import Octets
from checkers.probes.proxy_header import LOCAL, header
from tests.properties.test_datagram_codecs import damaged
from tests.unit.checkers.test_ntp_probe import reply
from tests.unit.checkers.test_redis_probe import MASTER, REPLICA

TOKEN = bytes(range(1, 9))
GOOD = reply(question(TOKEN))
WORDS = st.sampled_from(
    b"up down fail stopped ready drain maint 0% 1% 50% 200% weight:3 maxconn:9 odd #word # % \xff weight: 1%%".split()
)
LINES = st.one_of(
    st.binary(max_size=80),
    st.lists(WORDS, max_size=8).flatmap(
        lambda words: st.sampled_from([b" ", b",", b"\t", b" , "]).map(lambda by: by.join(words))
    ),
)


@given(st.one_of(st.binary(max_size=100), damaged(GOOD)))
def test_ntp_answers_are_read_or_unfit(packet: bytes) -> None:
    with contextlib.suppress(Unfit):
        answer = read(packet, TOKEN)
        assert len(packet) >= PACKET_BYTES
        assert packet[24:32] == TOKEN
        assert 0 <= answer.leap <= 3


def test_the_good_one_is_read() -> None:
    assert read(GOOD, TOKEN).stratum == 2


class Fed(Octets):
    """A connection on which these bytes came, and nothing more will."""

    def __init__(self, octets: bytes) -> None:
        super().__init__()
        self.data_received(octets)
        self.eof_received()


async def _status(octets: bytes) -> bytes:
    return await redis_reply.status(Fed(octets), Reason.ERROR_REPLY)


async def _first(octets: bytes) -> bytes:
    return await redis_reply.first_of_array(Fed(octets), Reason.ERROR_REPLY)


REPLIES = st.one_of(
    st.binary(max_size=300),
    damaged(MASTER),
    damaged(REPLICA),
    st.tuples(st.sampled_from([b"+", b"-", b":", b"$", b"*", b"*1\r\n$"]), st.binary(max_size=40)).map(b"".join),
    st.integers(0, 4000).map(lambda size: b"+" + b"x" * size + b"\r\n"),
    st.integers(0, 1000).map(lambda size: b"*1\r\n$%d\r\n" % size + b"x" * size + b"\r\n"),
)


@given(REPLIES)
def test_redis_replies_are_read_or_fail_in_one_way(octets: bytes) -> None:
    with contextlib.suppress(Failed, EOFError):
        assert len(asyncio.run(_status(octets))) <= redis_reply.LINE_LIMIT_BYTES
    with contextlib.suppress(Failed, EOFError):
        found = asyncio.run(_first(octets))
        assert len(found) <= max(redis_reply.BULK_LIMIT_BYTES, redis_reply.LINE_LIMIT_BYTES)


@given(st.lists(st.text(max_size=20), min_size=1, max_size=4))
def test_redis_commands_hold_their_words_and_no_others(words: list[str]) -> None:
    """Read back by the rule of the protocol: counts alone say where a word ends."""
    wire = redis_reply.command(*words)
    count, _, rest = wire.partition(b"\r\n")
    assert count == b"*%d" % len(words)
    for word in words:
        size, _, rest = rest.partition(b"\r\n")
        length = int(size[1:])
        assert rest[:length] == word.encode()
        rest = rest[length + 2 :]
    assert rest == b""


@given(st.lists(LINES, max_size=6), st.integers(0, 1000))
def test_an_agents_words_come_to_something_whatever_they_are(lines: list[bytes], whole: int) -> None:
    standing = Standing()
    for line in lines:
        standing = fold(standing, parse(line))
    found = judged(standing, whole)
    match found:
        case Healthy(weight=weight):
            assert standing.operation is Operation.UP
            assert standing.admin is not Admin.MAINT
            assert weight is None or 0 <= weight <= max(65535, 256 * whole + 1)
        case Unhealthy(reason=reason):
            assert reason is Reason.AGENT_DOWN
        case Inconclusive():
            raise AssertionError


@given(st.lists(LINES, max_size=5), LINES)
def test_the_last_word_of_a_kind_counts_and_the_others_stay(before: list[bytes], last: bytes) -> None:
    standing = Standing()
    for line in before:
        standing = fold(standing, parse(line))
    words, after = parse(last), fold(standing, parse(last))
    assert after.admin is (words.admin or standing.admin)
    assert after.operation is (words.operation or standing.operation)
    assert after.share == (words.share or standing.share)
    assert fold(after, words) == after  # said twice is said once


@given(st.binary(max_size=60).filter(lambda line: b"#" not in line))
def test_case_and_separators_say_nothing(line: bytes) -> None:
    def told(words: Words) -> tuple[object, ...]:
        return words.admin, words.operation, words.share

    assert told(parse(line)) == told(parse(b" ," + line.replace(b" ", b"\t,") + b"\t"))
    assert told(parse(line)) == told(parse(line.upper().replace(b"WEIGHT:", b"Weight:")))


@given(st.integers(1, 10000), st.integers(0, 30000))
def test_more_per_cent_is_never_less_weight(whole: int, percent: int) -> None:
    def weight(number: int) -> int:
        found = judged(fold(Standing(), parse(b"%d%%" % number)), whole)
        assert isinstance(found, Healthy)
        assert found.weight is not None
        return found.weight

    assert weight(percent) <= weight(percent + 1)
    assert (weight(percent) == 0) is (percent == 0)
    assert weight(100) == whole


@given(st.sampled_from([1, 2]), st.ip_addresses(v=6), st.integers(1, 65535))
def test_a_header_fits_into_what_receivers_allow(version: int, address: object, port: int) -> None:
    """107 bytes with the line's end (the specification of version 1); 16 bytes (version 2)."""
    made = header(version, (str(address), port), (str(address), port))
    assert len(made) <= 107
    assert made == LOCAL or (made.endswith(b"\r\n") and made.count(b"\r\n") == 1 and len(made.split(b" ")) == 6)


@given(LINES, LINES)
def test_nothing_said_means_nothing(before: bytes, line: bytes) -> None:
    standing, words = fold(Standing(), parse(before)), parse(line)
    if not words.tell:
        assert fold(standing, words) == standing
