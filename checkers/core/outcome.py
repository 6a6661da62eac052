"""What one probe found. Pure."""

from __future__ import annotations

from enum import Enum

import msgspec

DETAIL_LIMIT = 200  # characters of a server's own words that travel and show


class Reason(Enum):
    """Why a probe failed: the closed list of docs/errors.md."""

    REFUSED = "refused"  # the port answered with a reset
    UNREACHABLE = "unreachable"  # the network said the host or net cannot be reached
    CONNECT_TIMEOUT = "connect_timeout"  # nobody answered the connection attempt
    REPLY_TIMEOUT = "reply_timeout"  # connected, but the conversation did not end in time
    CLOSED = "closed"  # the server ended the connection before its answer was whole
    TLS = "tls"  # the TLS handshake failed
    CERTIFICATE = "certificate"  # verification was asked for and failed
    GARBLED = "garbled"  # the answer is not this protocol
    TOO_LARGE = "too_large"  # the answer exceeds what a check reads
    STATUS = "status"  # an answer, with a status that is not expected
    NO_MATCH = "no_match"  # an answer without the expected text
    NO_ROW = "no_row"  # the query gave no row
    QUERY_FAILED = "query_failed"  # the query was refused
    LOGIN_REFUSED = "login_refused"
    NOT_READY = "not_ready"  # a server that answers, but must not be used (Galera, Redis, NTP)
    ERROR_REPLY = "error_reply"  # the server says it is not well (SMTP 421, IMAP BYE, POP -ERR ...)
    AGENT_DOWN = "agent_down"  # the agent on the real server says down, fail, stopped or maint
    COMMAND_FAILED = "command_failed"  # an external command exited with another status than 0
    COMMAND_TIMEOUT = "command_timeout"  # an external command was killed at the timeout


class Healthy(msgspec.Struct, frozen=True, gc=False, tag="healthy"):
    """The real server did what the check asks. `detail` is what it said, in a few words.

    `weight`: the weight it asks for itself, where the check is one that can; None: the configured one.
    """

    detail: str = ""
    weight: int | None = None


class Unhealthy(msgspec.Struct, frozen=True, gc=False, tag="unhealthy"):
    """The real server failed the check; `detail` is its own words or the error's, cut and escaped."""

    reason: Reason
    detail: str = ""


class Inconclusive(msgspec.Struct, frozen=True, gc=False, tag="inconclusive"):
    """The checker itself could not probe (no descriptors, no memory, a fault of ours): nobody's verdict changes."""

    detail: str = ""


Outcome = Healthy | Unhealthy | Inconclusive


def escaped(words: bytes | str) -> str:
    """A server's words made harmless: printable ASCII stays, the rest is backslash-escaped, then cut."""
    text = words.decode("latin-1") if isinstance(words, bytes) else words
    text = text[: DETAIL_LIMIT * 2].strip()
    safe = "".join(c if " " <= c <= "~" else c.encode("unicode_escape").decode("ascii") for c in text)
    return safe if len(safe) <= DETAIL_LIMIT else safe[: DETAIL_LIMIT - 3] + "..."
