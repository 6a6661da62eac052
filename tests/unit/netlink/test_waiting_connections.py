"""Connections that wait for an answer, out of the kernel's connection table, however its text is cut."""

from __future__ import annotations

import pytest

from netlink.proc_ip_vs_conn import waiting

TABLE = b"""Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData
TCP C0000232 A5F1 C0000264 0050 C000020B 0050 SYN_RECV         59
TCP C0000232 A5F2 C0000264 0050 C000020B 0050 ESTABLISHED     899
TCP C0000232 A5F3 C0000264 0050 C000020B 0050 SYN_RECV         58
TCP C0000232 A5F4 C0000264 0050 C000020C 0050 FIN_WAIT        119
TCP 2001:0db8:0000:0000:0000:0000:0000:0032 A5F5 2001:0db8:0000:0000:0000:0000:0000:0064 0050 \
2001:0db8:0000:0000:0000:0000:0000:000b 0050 SYN_RECV         59
TCP garbled SYN_RECV
UDP C0000232 A5F6 C0000264 0035 C000020C 0035 UDP             299
"""
FOUND = {
    ("192.0.2.100", 80, "192.0.2.11", 80, 59): 1,
    ("192.0.2.100", 80, "192.0.2.11", 80, 58): 1,
    ("2001:db8::64", 80, "2001:db8::b", 80, 59): 1,
}


@pytest.mark.parametrize("size", [1, 7, 64, 100, 10_000])
def test_only_those_are_counted(size: int) -> None:
    assert waiting(TABLE[at : at + size] for at in range(0, len(TABLE), size)) == FOUND


def test_a_line_without_end_is_left_out_and_kept_in_bounds() -> None:
    assert waiting([TABLE, *[b"x" * 4096] * 10, b" SYN_RECV 59\n", TABLE]) == {k: 2 * v for k, v in FOUND.items()}
