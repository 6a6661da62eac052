"""Addresses as they stand in nearly all files are taken as they stand: the same as if they were parsed."""

from __future__ import annotations

import ipaddress

from hypothesis import given
from hypothesis import strategies as st

from config.network import read_address
from config.nodes import Place
from config.reading import Reading
from lvsd.runtime.files import SystemFiles

OCTET = st.integers(0, 300).map(str) | st.sampled_from(["00", "01", "223", "224", "239", "255", "256", ""])


def canonical(text: str) -> str | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    unfit = address.is_multicast or address.is_unspecified or text == "255.255.255.255"
    return None if unfit else str(address)


@given(st.lists(OCTET, min_size=4, max_size=4).map(".".join) | st.text("0123456789.", max_size=16))
def test_plain_addresses_mean_what_they_mean_to_ipaddress(text: str) -> None:
    assert read_address(text, Place("f"), Reading(SystemFiles())) == canonical(text)
