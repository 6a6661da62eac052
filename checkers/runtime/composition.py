"""A letter as the bytes that travel (RFC 5322): no text of it can add a header or a recipient."""

from __future__ import annotations

import re
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid

from checkers.core.letter import Letter

SUBJECT_LIMIT_CHARACTERS = 300
RECIPIENTS_LIMIT = 64

_ADDRESS = re.compile(
    r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~.][A-Za-z0-9!#$%&'*+/=?^_`{|}~.-]{0,63}(@[A-Za-z0-9.:\[\]-]{1,255})?"
)
_REMOTE = SMTP.clone(max_line_length=78)
_LOCAL = _REMOTE.clone(linesep="\n")  # what sendmail wants on its standard input


class Unsendable(Exception):
    """A letter that no mail server would ever take, in words."""


def addresses(letter: Letter, host: str) -> tuple[str, tuple[str, ...]]:
    """The envelope: sender and recipients. Raises Unsendable."""
    sender = letter.sender or f"lvsd@{host}"
    for one in (sender, *letter.to):
        if _ADDRESS.fullmatch(one) is None:
            text = f"{one!r} is not a mail address"
            raise Unsendable(text)
    if not letter.to or len(letter.to) > RECIPIENTS_LIMIT:
        text = f"{len(letter.to)} recipients"
        raise Unsendable(text)
    return sender, tuple(dict.fromkeys(letter.to))


def compose(letter: Letter, host: str, moment: float, *, local: bool) -> bytes:
    """The mail's header and body. `moment`: seconds since 1970. Raises Unsendable."""
    sender, recipients = addresses(letter, host)
    mail = EmailMessage(policy=_LOCAL if local else _REMOTE)
    mail["From"] = sender
    mail["To"] = ", ".join(recipients)
    mail["Subject"] = _one_line(letter.subject)[:SUBJECT_LIMIT_CHARACTERS]
    mail["Date"] = formatdate(moment, localtime=True)
    mail["Message-ID"] = make_msgid("lvsd", domain=host)
    mail["Auto-Submitted"] = "auto-generated"  # RFC 3834: nobody's vacation notice answers
    mail.set_content(_printable(letter.body), cte="quoted-printable" if not _plain(letter.body) else "7bit")
    return mail.as_bytes()


def _plain(body: str) -> bool:
    """Whether the body can travel as it is: ASCII, and no line too long (RFC 5321, 4.5.3.1.6)."""
    return body.isascii() and all(len(line) <= 900 for line in body.split("\n"))  # noqa: PLR2004 - of 998


def _one_line(text: str) -> str:
    return "".join(one if one.isprintable() else " " for one in text)


def _printable(body: str) -> str:
    lines = body.replace("\r\n", "\n").rstrip("\n").split("\n")
    return "\n".join("".join(one if one.isprintable() or one == "\t" else "?" for one in line) for line in lines) + "\n"
