"""What an X.509 certificate says of its owner and its end (RFC 5280), read without being verified. Pure.

The standard library shows a certificate that was not verified as its octets alone.
"""

from __future__ import annotations

from ipaddress import ip_address

from checkers.core.outcome import escaped
from checkers.core.transcript import Certificate
from checkers.probes import ber

NAMES_LIMIT = 8
VERSION, SET, OBJECT, UTC_TIME, GENERALIZED_TIME, EXTENSIONS = 0xA0, 0x31, 0x06, 0x17, 0x18, 0xA3
DNS_NAME, IP_ADDRESS = 0x82, 0x87
SUBJECT_ALT_NAME = bytes((0x55, 0x1D, 0x11))  # 2.5.29.17
CENTURY_PIVOT = 50  # RFC 5280 section 4.1.2.5.1
UTC_TIME_CHARACTERS, GENERALIZED_TIME_CHARACTERS = 13, 15

_WORDS = {
    bytes((0x55, 4, 3)): "CN",
    bytes((0x55, 4, 6)): "C",
    bytes((0x55, 4, 7)): "L",
    bytes((0x55, 4, 8)): "ST",
    bytes((0x55, 4, 10)): "O",
    bytes((0x55, 4, 11)): "OU",
}
"""Attributes of a name, 2.5.4.x; others are left out."""


def read(der: bytes) -> Certificate:
    """Whatever can be read of it. Raises nothing: a real server may send any octets."""
    try:
        return _read(der)
    except (ber.Malformed, ValueError, UnicodeDecodeError):
        return Certificate()


def _read(der: bytes) -> Certificate:
    whole, _ = ber.expect(der, ber.SEQUENCE)
    rest, _ = ber.expect(whole, ber.SEQUENCE)
    if rest[:1] == bytes((VERSION,)):
        _, _, rest = ber.take(rest)
    for _ in range(2):  # the serial number, the signature's algorithm
        _, _, rest = ber.take(rest)
    issuer, rest = ber.expect(rest, ber.SEQUENCE)
    validity, rest = ber.expect(rest, ber.SEQUENCE)
    subject, rest = ber.expect(rest, ber.SEQUENCE)
    _, _, after = ber.take(validity)
    tag, moment, _ = ber.take(after)
    return Certificate(_name(subject), _names(rest), _name(issuer), _moment(tag, moment))


def _name(sets: bytes) -> str:
    """`CN=mail1.example.net, O=Example`."""
    found: list[str] = []
    while sets and len(found) < NAMES_LIMIT:
        one, sets = ber.expect(sets, SET)
        pair, _ = ber.expect(one, ber.SEQUENCE)
        attribute, value = ber.expect(pair, OBJECT)
        word = _WORDS.get(attribute)
        if word is not None:
            found.append(f"{word}={escaped(ber.take(value)[1])}")
    return ", ".join(found)


def _names(rest: bytes) -> tuple[str, ...]:
    """Of the extension subjectAltName, where there is one."""
    while rest:
        tag, contents, rest = ber.take(rest)
        if tag == EXTENSIONS:
            extensions, _ = ber.expect(contents, ber.SEQUENCE)
            return _alternatives(extensions)
    return ()


def _alternatives(extensions: bytes) -> tuple[str, ...]:
    while extensions:
        one, extensions = ber.expect(extensions, ber.SEQUENCE)
        which, rest = ber.expect(one, OBJECT)
        if which != SUBJECT_ALT_NAME:
            continue
        tag, value, rest = ber.take(rest)
        if tag == ber.BOOLEAN:  # whether it is critical
            _, value, _ = ber.take(rest)
        names, _ = ber.expect(value, ber.SEQUENCE)
        return tuple(_each(names))[:NAMES_LIMIT]
    return ()


def _each(names: bytes) -> list[str]:
    found: list[str] = []
    while names:
        tag, value, names = ber.take(names)
        if tag == DNS_NAME:
            found.append(escaped(value))
        elif tag == IP_ADDRESS:
            found.append(str(ip_address(value)))
    return found


def _moment(tag: int, value: bytes) -> str:
    """`2027-01-31T23:59:59Z`. Raises ValueError for any other form than RFC 5280 allows."""
    text = value.decode("ascii")
    if tag == UTC_TIME and len(text) == UTC_TIME_CHARACTERS:
        text = ("19" if int(text[:2]) >= CENTURY_PIVOT else "20") + text
    elif tag != GENERALIZED_TIME:
        return ""
    if len(text) != GENERALIZED_TIME_CHARACTERS or not text[:-1].isdecimal() or text[-1] != "Z":
        return ""
    return f"{text[:4]}-{text[4:6]}-{text[6:8]}T{text[8:10]}:{text[10:12]}:{text[12:14]}Z"
