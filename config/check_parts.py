"""What several types of check have in common: type, login, TLS, what to send and to expect. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config import shape_checks as keys
from config.checks import Credentials, Expect, Tls, TlsMode
from config.passwords import readable
from config.reading import Reading
from config.secret import Secret
from config.sections import Fields, Key

_TLS_KEYS: Final[tuple[Key[object], ...]] = (keys.SNI, keys.VERIFY)


def check_type(fields: Fields) -> str:
    """The type of the check; one that was refused counts as none, so that nothing more is noted about it."""
    return fields.value(keys.TYPE, "none" if fields.said(keys.TYPE) else "tcp")


def needed(fields: Fields, reading: Reading, *hints: tuple[Key[object], str]) -> None:
    """Note which of these keys are missing, each with its hint."""
    for key, hint in hints:
        if not fields.said(key):
            message = f"a check of type {check_type(fields)} needs `{key.name}`"
            reading.error(codes.MISSING_KEY, fields.place, message, hint)


def expect(fields: Fields, reading: Reading) -> Expect:
    """What must be found in the answer."""
    text, regex = fields.get(keys.RECEIVE), fields.get(keys.RECEIVE_REGEX)
    if text and regex:
        message = "`receive` and `receive_regex` cannot both be said"
        place = fields.place_of(keys.RECEIVE_REGEX)
        reading.error(codes.CONTRADICTION, place, message, "an expression can do both")
    return Expect(text.value if text else None, regex.value if regex else None)


def payload(fields: Fields, reading: Reading) -> bytes:
    """What to send."""
    text, digits = fields.get(keys.SEND), fields.get(keys.SEND_HEX)
    if text and digits:
        place = fields.place_of(keys.SEND_HEX)
        reading.error(codes.CONTRADICTION, place, "`send` and `send_hex` cannot both be said", "keep one")
    found = text or digits
    return found.value if found else b""


def tls(fields: Fields, reading: Reading) -> Tls:
    """How the conversation is encrypted; authorities are looked for at once."""
    sni, ca_file = fields.get(keys.SNI), fields.get(keys.CA_FILE)
    verify = fields.value(keys.VERIFY, default=False)
    if ca_file is not None and not verify:
        message = "`ca_file` has no effect without `verify: true`"
        reading.warning(codes.NO_EFFECT, fields.place_of(keys.CA_FILE), message)
    elif ca_file is not None:
        text = readable(ca_file.value, ca_file.place, reading, codes.UNREADABLE)
        if text is not None and "-----BEGIN" not in text:
            message = f"no certificate in {ca_file.value}"
            reading.error(codes.MALFORMED, ca_file.place, message, "a PEM file is needed")
    return Tls(sni.value if sni else None, verify, ca_file.value if ca_file else None)


def upgrade(fields: Fields, reading: Reading) -> TlsMode:
    """Whether a plain conversation goes over to TLS."""
    if fields.value(keys.STARTTLS, default=False):
        return TlsMode.STARTTLS
    for key in _TLS_KEYS:
        if fields.said(key):
            message = f"`{key.name}` has no effect without TLS"
            hint = f"starttls: true, or type: {check_type(fields)}s"
            reading.warning(codes.NO_EFFECT, fields.place_of(key), message, hint)
    return TlsMode.NONE


def mail_login(fields: Fields, reading: Reading) -> Credentials | None:
    """A login that may be left out, but not by half."""
    said, lacking = keys.LOGIN.name, keys.PASSWORD.name
    if not fields.said(keys.LOGIN):
        said, lacking = lacking, said
    if fields.said(keys.LOGIN) != fields.said(keys.PASSWORD):
        place = fields.key_places.get(said, fields.place)
        hint = "a login needs both, a greeting neither"
        reading.error(codes.CREDENTIALS, place, f"`{said}` without `{lacking}`", hint)
    return login(fields) if fields.said(keys.LOGIN) else None


def login(fields: Fields) -> Credentials:
    """The login as far as it was said."""
    return Credentials(fields.value(keys.LOGIN, ""), Secret(fields.value(keys.PASSWORD, "")))
