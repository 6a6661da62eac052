"""Whatever bytes the processes of `lvsctl probe` give each other: a message, or the codec's one error."""

from __future__ import annotations

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from checkers.core import transcript
from checkers.core.messages import AssignedCheck, Target
from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from checkers.probes.discretion import LINES_LIMIT
from checkers.runtime.tape import TURNS_LIMIT
from config.checks import Credentials, ImapCheck, TcpCheck, Timing
from config.secret import Secret
from lvsd.control import probes
from lvsd.control.messages import Garbled

OUTCOMES = (Healthy("ok", 3), Unhealthy(Reason.STATUS, "503"), Inconclusive("?"))
IMAP = ImapCheck(credentials=Credentials("monitor", Secret("x")))


@given(st.binary(max_size=200) | st.sampled_from((b"[" * 5000, b'{"type":"probe"}', b'{"id":1e999}')))
def test_decoders_raise_their_one_error_or_return(octets: bytes) -> None:
    for decode in (transcript.decode_asked, transcript.decode_told):
        with contextlib.suppress(transcript.Garbled):
            decode(octets)
    for decode_line in (probes.decode_order, probes.decode_told):
        with contextlib.suppress(Garbled):
            decode_line(octets)


@given(
    st.lists(
        st.builds(
            AssignedCheck,
            st.text(max_size=9),
            st.just(Target("192.0.2.1", 993)),
            st.sampled_from((TcpCheck(), IMAP)),
            st.just(Timing()),
        ),
        max_size=5,
    )
)
def test_questions_travel(checks: list[AssignedCheck]) -> None:
    assert transcript.decode_asked(transcript.encode_asked(tuple(checks))) == tuple(checks)


@given(
    st.sampled_from(OUTCOMES),
    st.dictionaries(st.text(max_size=9), st.floats(0, 1e9), max_size=4),
    st.lists(st.text(max_size=30), max_size=3),
)
def test_transcripts_travel_on_one_line(
    outcome: Healthy | Unhealthy | Inconclusive, phases: dict[str, float], lines: list[str]
) -> None:
    told = transcript.Transcript("x", outcome, phases, (transcript.Said(0.1, True, 3, tuple(lines)),))
    line = transcript.encode_told(told)
    assert line.count(b"\n") == 1
    assert transcript.decode_told(line) == told


def test_the_longest_conversation_fits() -> None:
    lines = ('"' * transcript.TEXT_LIMIT,) * (LINES_LIMIT + 1)
    said = tuple(transcript.Said(1 / 3, turn % 2 == 0, 2**31, lines) for turn in range(TURNS_LIMIT))
    told = transcript.Transcript("x", Healthy("y" * 200), {"whole": 1 / 3}, said)
    line = transcript.encode_told(told)
    assert len(line) < transcript.TOLD_LIMIT_BYTES
    assert transcript.decode_told(line) == told
    rows = tuple(probes.SaidRow(one.at, one.ours, one.octets, one.lines) for one in said)
    row = probes.ProbeRow((), "http", "192.0.2.1:80", 3.0, "ok", "", {}, rows)
    assert len(probes.encode(row)) < probes.LINE_LIMIT_BYTES


def test_too_much_is_refused() -> None:
    many = (AssignedCheck("x", Target("192.0.2.1", 1), TcpCheck(), Timing()),) * (transcript.CHECKS_LIMIT + 1)
    for words in (transcript.encode_asked(many), b" " * (transcript.ASKED_LIMIT_BYTES + 1)):
        with pytest.raises(transcript.Garbled):
            transcript.decode_asked(words)
    with pytest.raises(transcript.Garbled):
        transcript.decode_told(b" " * (transcript.TOLD_LIMIT_BYTES + 1))
