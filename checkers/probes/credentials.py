"""A login's words, fit for a protocol of lines."""

from __future__ import annotations

from base64 import b64encode

from checkers.probes.failures import Stuck
from checkers.probes.session import Session
from config.checks import Credentials


def spoken(session: Session, credentials: Credentials) -> tuple[str, str]:
    """Login and password; from here on the session shows neither the password nor its usual encodings.

    Raises Stuck for control characters: they would be commands of their own.
    """
    login, password = credentials.login, credentials.password.value
    if any(character < " " or character == "\x7f" for character in login + password):
        text = "the login or password holds a control character"
        raise Stuck(text)
    if password:
        session.keep_secret(password, _base64(password), _base64(f"\0{login}\0{password}"))
    return login, password


def _base64(words: str) -> str:
    return b64encode(words.encode()).decode()
