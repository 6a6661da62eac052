"""Protocols whose server speaks first: POP3, IMAP and SMTP without a login, and any text over TCP."""

from __future__ import annotations

from checkers.core.outcome import Healthy, Outcome, Reason, Unhealthy, escaped
from checkers.lean.conversation import Answer
from checkers.probes.expect import Search
from checkers.probes.failures import Failed
from config.checks import SimpleTcpCheck, SmtpCheck

POP_LINE_LIMIT_BYTES = 1024  # RFC 2449 section 4 allows 512
MAIL_ALLOWANCE_BYTES = 65536  # of the whole conversation, with a TLS handshake
SMTP_ALLOWANCE_BYTES = 131072
SMTP_LINE_LIMIT_BYTES = 8192
SMTP_ANSWER_LIMIT_BYTES = 32768
TEXT_ALLOWANCE_BYTES = 1024 * 1024
SHOWN_BYTES = 200  # of the answer's beginning, where it is not the expected one

_SMTP_READY = 220
_SMTP_COMPLETED = 250


class PopGreeting:
    """RFC 1939 section 4: the greeting opens with +OK; then QUIT."""

    __slots__ = ("_pending", "parting")
    allowance_bytes = MAIL_ALLOWANCE_BYTES
    silence: Outcome | None = None
    half_close = False
    speaks_first = False

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._pending = b""
        self.parting: bytes | None = None

    def begin(self) -> bytes:
        """The server speaks first."""
        return b""

    def receive(self, piece: bytes) -> Answer:
        """The greeting is one line."""
        self._pending += piece
        end = self._pending.find(b"\n", 0, POP_LINE_LIMIT_BYTES)
        if end < 0:
            if len(self._pending) >= POP_LINE_LIMIT_BYTES:
                raise Failed(Reason.TOO_LARGE, f"a line of more than {POP_LINE_LIMIT_BYTES} bytes")
            return None
        line = self._pending[:end].rstrip(b"\r")
        status, _, words = line.partition(b" ")
        match status:
            case b"+OK":
                self.parting = b"QUIT\r\n"
                return Healthy(escaped(words))
            case b"-ERR":
                raise Failed(Reason.ERROR_REPLY, words)
            case _:
                raise Failed(Reason.GARBLED, line)

    def ended(self) -> Outcome:
        """Before the greeting was whole."""
        raise EOFError


class ImapGreeting:
    """RFC 3501 section 7.1: the greeting is OK or PREAUTH; then LOGOUT."""

    __slots__ = ("_pending", "parting")
    allowance_bytes = MAIL_ALLOWANCE_BYTES
    silence: Outcome | None = None
    half_close = False
    speaks_first = False

    def __init__(self) -> None:
        """Nothing has come yet."""
        self._pending = b""
        self.parting: bytes | None = None

    def begin(self) -> bytes:
        """The server speaks first."""
        return b""

    def receive(self, piece: bytes) -> Answer:
        """The greeting is the first line that is not empty."""
        self._pending += piece
        while True:
            line, end, rest = self._pending.partition(b"\r\n")
            if not end:
                return None
            if line:
                return self._judged(line)
            self._pending = rest

    def _judged(self, line: bytes) -> Outcome:
        mark, _, words = line.partition(b" ")
        status, _, rest = words.partition(b" ")
        match mark, status.upper():
            case b"*", (b"OK" | b"PREAUTH"):
                self.parting = b"A1 LOGOUT\r\n"
                return Healthy(escaped(rest))
            case b"*", b"BYE":
                raise Failed(Reason.ERROR_REPLY, rest)
            case _:
                raise Failed(Reason.GARBLED, line)

    def ended(self) -> Outcome:
        """Before the greeting was whole."""
        raise EOFError


class SmtpGreeting:
    """RFC 5321 section 3.1: the greeting is 220, EHLO is answered with 250; then QUIT."""

    __slots__ = ("_greeting", "_hello", "_pending", "parting")
    allowance_bytes = SMTP_ALLOWANCE_BYTES
    silence: Outcome | None = None
    half_close = False
    speaks_first = False

    def __init__(self, check: SmtpCheck) -> None:
        """Nothing has come yet."""
        self._hello = f"EHLO {check.helo.strip()}\r\n".encode()
        self._greeting = ""
        self._pending = b""
        self.parting: bytes | None = None

    def begin(self) -> bytes:
        """The server speaks first."""
        return b""

    def receive(self, piece: bytes) -> Answer:
        """An answer may have several lines."""
        self._pending += piece
        if len(self._pending) > SMTP_ANSWER_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, "Response too long")
        answer = _smtp_answer(self._pending)
        if answer is None:
            return None
        code, text = answer
        words = f"{code} {text}"
        if not self._greeting:
            if code != _SMTP_READY:
                raise Failed(Reason.ERROR_REPLY, words)
            self._greeting = words
            self._pending = b""  # what came unasked for is no answer to what is said now
            self.parting = b"QUIT\r\n"
            return self._hello
        if code != _SMTP_COMPLETED:
            raise Failed(Reason.ERROR_REPLY, words)
        return Healthy(escaped(self._greeting))

    def ended(self) -> Outcome:
        """Before the answer was whole."""
        raise EOFError


def _smtp_answer(text: bytes) -> tuple[int, str] | None:
    """Code and words of a whole answer (RFC 5321 section 4.2.1). Raises Failed."""
    words: list[bytes] = []
    *lines, _ = text.split(b"\n")
    for line in lines:
        if len(line) >= SMTP_LINE_LIMIT_BYTES:
            raise Failed(Reason.TOO_LARGE, "Response too long")
        try:
            code = int(line[:3])
        except ValueError:
            shown = line.decode(errors="ignore")
            raise Failed(Reason.GARBLED, f"Malformed SMTP response line: {shown}") from None
        words.append(line[4:].strip(b" \t\r\n"))
        if line[3:4] != b"-":
            return code, b"\n".join(words).decode("utf-8", "surrogateescape")
    return None


class Text:
    """Something is said, and the expected text (without: anything) must come back."""

    __slots__ = ("_beginning", "_search", "_send", "half_close", "silence", "speaks_first")
    allowance_bytes = TEXT_ALLOWANCE_BYTES
    parting: bytes | None = None

    def __init__(self, check: SimpleTcpCheck) -> None:
        """Nothing has come yet."""
        self._send = check.send
        self._search = Search(check.expect)
        self._beginning = b""
        self.half_close = check.half_close
        self.speaks_first = bool(check.send)
        self.silence: Outcome | None = None

    def begin(self) -> bytes:
        """What is configured."""
        return self._send

    def receive(self, piece: bytes) -> Answer:
        """Healthy as soon as the expected came."""
        self._beginning += piece[: SHOWN_BYTES - len(self._beginning)]
        self._search.feed(piece)
        if self._search.found():
            return Healthy(escaped(self._beginning))
        self.silence = Unhealthy(Reason.NO_MATCH, escaped(self._beginning))
        return None

    def ended(self) -> Outcome:
        """Without the expected."""
        if not self._beginning:
            raise EOFError
        raise Failed(Reason.NO_MATCH, self._beginning)
