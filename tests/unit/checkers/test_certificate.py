"""Certificates are read as the standard library reads them, and any octets without harm."""

from __future__ import annotations

import ssl
from datetime import UTC, datetime
from pathlib import Path

import pytest
import trustme
from hypothesis import given
from hypothesis import strategies as st

from checkers.core.transcript import Certificate
from checkers.probes.certificate import _moment, read

AUTHORITY = trustme.CA()


def issued(*names: str, **more: object) -> trustme.Blob:
    return AUTHORITY.issue_cert(*names, **more).cert_chain_pems[0]  # type: ignore[arg-type] # trustme's own keywords


def oracle(pem: bytes, folder: Path) -> dict[str, object]:
    """What CPython's own tests read a certificate by."""
    file = folder / "certificate.pem"
    file.write_bytes(pem)
    return ssl._ssl._test_decode_cert(str(file))  # type: ignore[attr-defined,no-any-return] # private, and typeshed lacks it


@pytest.mark.parametrize(
    ("names", "more"),
    [
        (("mail1.example.net", "192.0.2.11", "2001:db8::11"), {}),
        (("mail1.example.net",), {"common_name": "mail1", "organization_name": "Example"}),
        (("mail1.example.net",), {"not_after": datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)}),
        (("mail1.example.net",), {"not_after": datetime(2061, 1, 31, tzinfo=UTC)}),
    ],
)
def test_it_says_what_the_standard_library_says(
    tmp_path: Path, names: tuple[str, ...], more: dict[str, object]
) -> None:
    pem = issued(*names, **more).bytes()
    found, known = read(ssl.PEM_cert_to_DER_cert(pem.decode())), oracle(pem, tmp_path)
    assert found.names == names
    ends = datetime.fromtimestamp(ssl.cert_time_to_seconds(str(known["notAfter"])), UTC)
    assert datetime.fromisoformat(found.ends) == ends
    for said, whole in ((found.subject, known["subject"]), (found.issuer, known["issuer"])):
        assert isinstance(whole, tuple)
        words = {"commonName": "CN", "organizationName": "O", "organizationalUnitName": "OU"}
        assert said == ", ".join(f"{words[name]}={value}" for ((name, value),) in whole)


@pytest.mark.parametrize(
    ("tag", "value", "moment"),
    [
        (0x17, b"491231235959Z", "2049-12-31T23:59:59Z"),
        (0x17, b"500101000000Z", "1950-01-01T00:00:00Z"),
        (0x18, b"20610131000000Z", "2061-01-31T00:00:00Z"),
        (0x18, b"20610131000000.5Z", ""),
        (0x17, b"4912312359Z", ""),
        (0x04, b"20610131000000Z", ""),
    ],
)
def test_moments(tag: int, value: bytes, moment: str) -> None:
    assert _moment(tag, value) == moment


@pytest.mark.parametrize(
    ("sound", "damaged"), [(b"270131235959Z", b"xx0131235959Z"), (b"\x87\x04\x7f", b"\x87\x03\x7f")]
)
def test_what_is_no_date_or_address_is_survived(sound: bytes, damaged: bytes) -> None:
    ends = datetime(2027, 1, 31, 23, 59, 59, tzinfo=UTC)
    der = ssl.PEM_cert_to_DER_cert(issued("127.0.0.1", not_after=ends).bytes().decode())
    assert der.count(sound) == 1
    assert read(der.replace(sound, damaged)) == Certificate()


@given(st.binary(max_size=400))
def test_any_octets_are_no_certificate(octets: bytes) -> None:
    assert read(octets) == Certificate()


DER = ssl.PEM_cert_to_DER_cert(issued("mail1.example.net").bytes().decode())


@given(st.integers(0, len(DER) - 1), st.integers(0, 255), st.integers(0, len(DER)))
def test_a_damaged_one_is_survived(at: int, octet: int, end: int) -> None:
    damaged = read((DER[:at] + bytes((octet,)) + DER[at + 1 :])[:end])
    assert all(text.isprintable() and text.isascii() for text in (damaged.subject, damaged.issuer, *damaged.names))
