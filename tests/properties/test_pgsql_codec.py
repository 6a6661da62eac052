"""PostgreSQL's messages and SCRAM: whatever comes is understood or refused by the codec's own error."""

from __future__ import annotations

import struct

from hypothesis import given
from hypothesis import strategies as st

from checkers.probes import pgsql_messages as messages
from checkers.probes.scram import Refused, Scram

OCTETS = st.binary(max_size=300)


@given(OCTETS)
def test_any_body_is_a_row_or_malformed(body: bytes) -> None:
    try:
        found = messages.cells(body)
    except messages.Malformed:
        return
    assert sum(len(cell) for cell in found) <= len(body)


@given(st.lists(st.none() | OCTETS, max_size=20))
def test_a_row_comes_back(cells: list[bytes | None]) -> None:
    told = b"".join(struct.pack("!i", -1) if cell is None else struct.pack("!i", len(cell)) + cell for cell in cells)
    assert messages.cells(struct.pack("!H", len(cells)) + told) == [cell or b"" for cell in cells]


@given(OCTETS)
def test_any_body_is_an_error(body: bytes) -> None:
    assert len(messages.error(body).words) <= len(body)


@given(OCTETS)
def test_any_challenge_is_answered_or_refused(challenge: bytes) -> None:
    try:
        Scram("x", "ab").final(challenge)
    except Refused:
        return


@given(
    st.binary(min_size=1, max_size=10).map(lambda nonce: b"ab" + nonce.replace(b",", b"")),
    st.text(alphabet="QUJD=", max_size=8),
    st.text(alphabet="-+_ 0123456789", max_size=12),
)
def test_any_salt_and_rounds_are_answered_or_refused(nonce: bytes, salt: str, rounds: str) -> None:
    try:
        Scram("x", "ab").final(b"r=" + nonce + f",s={salt},i={rounds}".encode())
    except Refused:
        return
