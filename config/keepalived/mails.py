"""notification_email and smtp_alert: who is told by mail when real servers come and go. Pure.

Real servers mail unless told otherwise, virtual servers only where they are told to; without an address or a
smtp_server keepalived mails nobody.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from config import codes
from config.keepalived.block import Block
from config.keepalived.statements import Statement, no_more
from config.keepalived.values import sole_word, switch, whole_word, word
from config.model import Mail
from config.network import PORT_LIMIT, is_ipv6
from config.nodes import At
from config.reading import Reading, shown

ADDRESSES_LIMIT: Final = 64
_ADDRESS: Final = re.compile(r"[!-~]{1,254}")
_NOT_IN_ADDRESSES: Final = re.compile(r"[<>,;]|@.*@|^@|@$")
_HOST: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,252}|[0-9A-Fa-f:.]{2,45}")


def read_mail(block: Block, reading: Reading) -> Mail | None:
    """The mail of every service that asks for one, by global_defs. None where nobody is named or nobody takes it."""
    to, sender, smtp = _addresses(block, reading), _sender(block, reading), _smtp(block, reading)
    router = block.get("router_id")
    label = sole_word(router, reading) if router else None
    if to and smtp is None:
        message = "`notification_email` without a `smtp_server`: no mail is sent"
        statement = block.every("notification_email")[0]
        reading.warning(
            codes.NO_EFFECT, statement.place, message, "keepalived sends none either; smtp_server 127.0.0.1"
        )
    if not to or smtp is None:
        return None
    return Mail(to, sender, smtp, label=label.value if label else "")


def _addresses(block: Block, reading: Reading) -> tuple[str, ...]:
    found: dict[str, None] = {}
    for statement in block.every("notification_email"):
        no_more(statement, 1, reading)
        for at in (at for line in statement.body or () for at in line.words):
            if not _is_address(at, reading):
                continue
            if len(found) >= ADDRESSES_LIMIT:
                reading.error(codes.TOO_MUCH, at.place, f"more than {ADDRESSES_LIMIT} addresses")
                return tuple(found)
            found[at.value] = None
    return tuple(found)


def _is_address(at: At[str], reading: Reading) -> bool:
    if _ADDRESS.fullmatch(at.value) and not _NOT_IN_ADDRESSES.search(at.value):
        return True
    message = f"{shown(at.value)} is not a mail address and is left out"
    reading.warning(codes.LEFT_OUT, at.place, message, "admin@example.net")
    return False


def _sender(block: Block, reading: Reading) -> str:
    statement = block.get("notification_email_from")
    at = sole_word(statement, reading) if statement else None
    return at.value if at and _is_address(at, reading) else ""


def _smtp(block: Block, reading: Reading) -> str | None:
    """`HOST` or `HOST:PORT`."""
    statement = block.get("smtp_server")
    at = word(statement, reading) if statement else None
    if statement is None or at is None:
        return None
    no_more(statement, 3, reading)
    if not _HOST.fullmatch(at.value):
        message = f"{shown(at.value)} is not a mail server: no mail is sent"
        reading.warning(codes.NOT_TAKEN, at.place, message, "a name or an address")
        return None
    host = f"[{at.value}]" if is_ipv6(at.value) else at.value
    said = statement.words[2:3]
    port = whole_word(said[0], 1, PORT_LIMIT, "25", reading) if said else None
    return f"{host}:{port.value}" if port else host


def mail_of(
    block: Block, reals: Sequence[Block], mail: Mail | None, default: bool | None, reading: Reading
) -> Mail | None:
    """A service's mail: all its real servers are mailed about, or none."""
    said = block.get("smtp_alert")
    whole_service = switch(said, reading, default=bool(default))
    wishes = {_alerts(one, default, reading): one for one in reals}
    if mail is None:
        return None
    if len(wishes) > 1 or (said is not None and whole_service and True not in wishes):
        message = "`smtp_alert` is said for a part only: lvsd mails about all real servers of this virtual_server"
        place = wishes[False].statement.place if False in wishes else block.statement.place
        reading.warning(codes.MIXED, place, message, "say it for all, or for none")
    return mail if True in wishes or whole_service else None


def _alerts(real: Block, default: bool | None, reading: Reading) -> bool:
    return switch(real.get("smtp_alert"), reading, default=True if default is None else default)


def default_alert(block: Block, reading: Reading) -> bool | None:
    """What global_defs say of every smtp_alert of a checker; None when they say nothing."""
    said: Statement | None = block.get("smtp_alert_checker") or block.get("smtp_alert")
    if switch(block.get("no_checker_emails"), reading):
        return False
    return None if said is None else switch(said, reading)
