"""authentication of a vrrp_instance to its password, of which nothing is ever told. Pure."""

from __future__ import annotations

from config import codes
from config.build_vrrp import PASSWORD_BYTES, VERSION_2
from config.keepalived.block import Block
from config.keepalived.statements import Statement
from config.keepalived.values import word
from config.keepalived.vrrp_words import AUTHENTICATION
from config.reading import Reading
from config.secret import Secret


def read_password(block: Block, version: int, strict: bool, reading: Reading) -> Secret | None:
    """The password of an instance; None where it has none, or keepalived advertises without it."""
    statement = block.get("authentication")
    if statement is None:
        return None
    inside = Block(statement, AUTHENTICATION, reading)
    kind = inside.get("auth_type")
    method = word(kind, reading) if kind else None
    if kind is not None:
        _no_more_of_a_secret(kind, reading)
    if method is not None and method.value == "AH" and version == VERSION_2:
        message = "authentication by IPsec AH is not supported: the peer would not hear this balancer"
        reading.error(codes.VRRP_AUTHENTICATION, method.place, message, "auth_type PASS, on both balancers")
    said = inside.get("auth_pass")
    place = statement.place
    if said is None or method is None or method.value not in ("PASS", "AH"):
        message = "without `auth_type PASS` and `auth_pass` there is no authentication"
    elif strict:
        place = said.place
        message = "strict mode knows no authentication: the password is not used"
    elif version != VERSION_2:
        place = said.place
        message = "VRRP version 3 knows no authentication: the password is not used"
    else:
        return _secret(said, reading)
    reading.warning(codes.VRRP_AUTHENTICATION, place, message, "keepalived too advertises without")
    return None


def _secret(statement: Statement, reading: Reading) -> Secret | None:
    """The password as it stands; nothing of it is ever told."""
    _no_more_of_a_secret(statement, reading)
    if len(statement.words) == 1:
        word(statement, reading)
        return None
    at = statement.words[1]
    if reading.files.exposed(at.place.file):
        message = "every user of this machine can read the secret in this file"
        reading.warning(codes.EXPOSED, at.place, message, f"chmod o-r {at.place.file}")
    if not at.value or any(not c.isprintable() for c in at.value):
        message = "the password is empty" if not at.value else "a control character in the password"
        reading.error(codes.VRRP_AUTHENTICATION, at.place, message)
    elif len(at.value.encode(errors="surrogatepass")) > PASSWORD_BYTES:
        message = f"only the first {PASSWORD_BYTES} bytes of the password count"
        reading.warning(codes.VRRP_AUTHENTICATION, at.place, message, "keepalived cuts it alike")
    return Secret(at.value)


def _no_more_of_a_secret(statement: Statement, reading: Reading) -> None:
    """Note words after the first one without showing them: a password may be among them."""
    others = statement.words[2:]
    if others:
        message = f"what follows the first word of `{statement.keyword}` is not read"
        hint = 'one statement a line; put a password with blanks in double quotes: "..."'
        reading.warning(codes.WORDS_IGNORED, others[0].place, message, hint)
