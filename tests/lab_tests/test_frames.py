"""The console's frames: any bytes, cut anywhere, and nothing else passes."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.lab.frames import HEADER, PAYLOAD_LIMIT_BYTES, Frame, FrameError, Kind, Reader, pack

FRAMES = st.lists(st.builds(Frame, st.sampled_from(Kind), st.binary(max_size=40)), max_size=6)


@given(FRAMES, st.integers(1, 9))
def test_frames_survive_being_cut_anywhere(frames: list[Frame], step: int) -> None:
    wire = b"".join(pack(frame.kind, frame.payload) for frame in frames)
    reader = Reader()
    read = [frame for at in range(0, len(wire), step) for frame in reader.feed(wire[at : at + step])]
    assert read == frames


def test_what_is_larger_than_a_frame_becomes_several() -> None:
    payload = b"x" * (2 * PAYLOAD_LIMIT_BYTES + 1)
    frames = Reader().feed(pack(Kind.OUTPUT, payload))
    assert [len(frame.payload) for frame in frames] == [PAYLOAD_LIMIT_BYTES, PAYLOAD_LIMIT_BYTES, 1]
    assert b"".join(frame.payload for frame in frames) == payload


@given(st.binary(max_size=64))
def test_any_other_bytes_raise_its_own_error_or_wait_for_more(noise: bytes) -> None:
    try:
        Reader().feed(noise)
    except FrameError:
        return


@pytest.mark.parametrize(
    "wire", [HEADER.pack(b"O", PAYLOAD_LIMIT_BYTES + 1), HEADER.pack(b"?", 0)], ids=["too long", "unknown"]
)
def test_nonsense_is_refused(wire: bytes) -> None:
    with pytest.raises(FrameError):
        Reader().feed(wire)
