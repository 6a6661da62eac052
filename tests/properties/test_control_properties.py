"""Whatever bytes come over the control socket or from another process: a message, or the codec's one error."""

from __future__ import annotations

import contextlib
from collections.abc import Callable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lvsd.control import messages as control
from lvsd.vrrp import messages as vrrp


@given(st.binary(max_size=300))
def test_control_decoders_raise_their_one_error_or_return(body: bytes) -> None:
    for decode in (control.decode_request, control.decode_reply):
        with contextlib.suppress(control.Garbled):
            decode(body)


@given(st.binary(max_size=300))
def test_vrrp_decoders_raise_their_one_error_or_return(packet: bytes) -> None:
    for decode in (vrrp.decode_status, vrrp.decode_order):
        with contextlib.suppress(vrrp.Garbled):
            decode(packet)


@pytest.mark.parametrize("decode", [vrrp.decode_status, vrrp.decode_order])
def test_text_that_is_no_text_is_garbled(decode: Callable[[bytes], object]) -> None:
    packet = (
        vrrp.encode(vrrp.VrrpStatus(1, 2, ())) if decode is vrrp.decode_status else vrrp.encode(vrrp.Configure(1, ()))
    )
    for damaged in (packet.replace(b"status", b"sta\xfftus"[:6]), packet.replace(b"configure", b"config\xff\xfee")):
        if damaged != packet:
            with pytest.raises(vrrp.Garbled):
                decode(damaged)
    with pytest.raises(vrrp.Garbled):
        decode(b"\x81\xa4type\xa6\xff\xff\xff\xff\xff\xff")


@pytest.mark.parametrize(
    "body", [b"[" * 100_000, b'{"type":"status","service":' + b"[" * 100_000, b'"\xff"', b"1e999", b""]
)
def test_pathological_json_is_garbled(body: bytes) -> None:
    with pytest.raises(control.Garbled):
        control.decode_request(body)


@given(st.text(max_size=50))
def test_a_request_survives_the_way(service: str) -> None:
    request = control.StatusRequest(service)
    framed = control.frame(request)
    (length,) = control.LENGTH.unpack(framed[: control.LENGTH.size])
    body = framed[control.LENGTH.size :]
    assert length == len(body)
    assert control.decode_request(body) == request
