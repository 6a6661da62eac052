"""Numbers and names as ipvsadm spells them. The limits are the constants in its program."""

from __future__ import annotations

import socket

import pytest

from lvsd.ctl import names, spelling
from lvsd.ctl.names import NUMERIC, Names


@pytest.mark.parametrize(
    ("number", "shown", "exact"),
    [
        (0, "        0", "        0"),
        (99_999_999, " 99999999", " 99999999"),
        (100_000_000, "  100000K", " 100000000"),
        (999_999_999, "  999999K", " 999999999"),
        (1_000_000_000, "    1000M", " 1000000000"),
        (99_999_999_999, "   99999M", " 99999999999"),
        (100_000_000_000, "     100G", " 100000000000"),
        (99_999_999_999_999, "   99999G", " 99999999999999"),
        (100_000_000_000_000, "     100T", " 100000000000000"),
        (2**64 - 1, "18446744T", " 18446744073709551615"),
    ],
)
def test_large_numbers(number: int, shown: str, exact: str) -> None:
    assert spelling.large(number, exact=False) == shown
    assert spelling.large(number, exact=True) == exact


@pytest.mark.parametrize(("number", "shown"), [(0, 0), (1, 1), (0x7FFFFFFF, 2147483647), (0xFFFFFFFF, -1)])
def test_c_integers(number: int, shown: int) -> None:
    assert spelling.signed(number) == shown


def test_an_endpoint_is_cut_where_its_buffer_ends() -> None:
    long = Names(host=lambda _: "h" * 70, service=lambda _port, _protocol: "http")
    assert len(spelling.endpoint(long, "192.0.2.1", 80, 6)) == 59
    assert spelling.endpoint(NUMERIC, "2001:db8::1", 80, 6) == "[2001:db8::1]:80"


def test_names_are_asked_for_once(monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def gethostbyaddr(address: str) -> tuple[str, list[str], list[str]]:
        asked.append(address)
        if address == "192.0.2.2":
            raise OSError
        return "rs1", [], []

    monkeypatch.setattr(socket, "gethostbyaddr", gethostbyaddr)
    found = names.system_names()
    assert [found.host(f"192.0.2.{host}") for host in (1, 2, 1, 2)] == ["rs1", None, "rs1", None]
    assert asked == ["192.0.2.1", "192.0.2.2"]


def test_ports_have_names_by_protocol_only(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(socket, "getservbyport", lambda port, protocol: f"{protocol}-{port}")
    found = names.system_names()
    assert [found.service(80, protocol) for protocol in (6, 17, 132, 47, 0)] == [
        "tcp-80",
        "udp-80",
        "sctp-80",
        None,
        None,
    ]
