"""A conversation as the lean engine holds it: bytes in, bytes and at last an outcome out. Sockets are the engine's."""

from __future__ import annotations

from collections.abc import Callable
from typing import NamedTuple, Protocol

from checkers.core.outcome import Outcome

Answer = bytes | Outcome | None
"""What is said next, or what was found; None: more is needed."""


class Conversation(Protocol):
    """One conversation with one real server. What it raises is Failed, Stuck or EOFError."""

    allowance_bytes: int
    """How much is read of it, TLS included."""

    silence: Outcome | None
    """What it means that the deadline passes, where the conversation knows better."""

    parting: bytes | None
    """The goodbye, as far as the conversation came; after it is read until the other side ends. None: none."""

    half_close: bool
    """Whether our side ends after the first words."""

    speaks_first: bool
    """Whether `begin` has words: they then carry the handshake's last ACK."""

    def begin(self) -> bytes:
        """What is said as soon as the connection stands; may be nothing."""
        ...

    def receive(self, piece: bytes) -> Answer:
        """Take what came."""
        ...

    def ended(self) -> Outcome:
        """The other side has ended the connection before there was an outcome."""
        ...


class Asked(NamedTuple):
    """A conversation of one question and one answer, as it is asked by the thousand (questions.py)."""

    words: bytes
    """The question."""

    judge: Callable[[bytes], Outcome | None]
    """What the whole answer comes to; None: it is not whole, or not in a form that can be judged at a glance."""

    converse: Callable[[], Conversation]
    """The conversation, for an answer that needs one. It begins with the same words, and says no goodbye."""
