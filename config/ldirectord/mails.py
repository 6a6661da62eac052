"""`emailalert` and what belongs to it. Pure."""

from __future__ import annotations

import re
from typing import Final

from config import codes
from config.ldirectord import directives as d
from config.ldirectord.context import Context
from config.ldirectord.values import Known
from config.model import Mail
from config.nodes import At
from config.reading import Reading, shown

RECIPIENTS_LIMIT: Final = 64  # of one mail
PHASES: Final = frozenset(("starting", "running", "stopping", "reloading"))
_ADDRESS: Final = re.compile(r"(?!-)[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}(?:@[A-Za-z0-9.-]{1,253})?")
_IN_BRACKETS: Final = re.compile(r"[^<>]*<([^<>]*)>")
_COMPANIONS: Final[tuple[Known[object], ...]] = (d.MAIL_REPEAT, d.MAIL_PHASES, d.SMTP)


def mail_of(context: Context, reading: Reading) -> Mail | None:
    """Who is told of the section's real servers; None for nobody."""
    said = context.own.get(d.MAIL) or context.top.get(d.MAIL)
    phases = _phases(context)
    if said is None or not phases:
        return None
    to = tuple(one for one in (_address(text, said, reading) for text in _split(said.value)) if one)
    if not to:
        return None
    if len(to) > RECIPIENTS_LIMIT:
        message = f"emailalert: more than {RECIPIENTS_LIMIT} recipients"
        reading.error(codes.TOO_LARGE, said.place, message, "an address that your mail server hands on")
    smtp = context.own.get(d.SMTP) or context.top.get(d.SMTP)
    return Mail(
        to=to,
        sender=_sender(context.top.get(d.MAIL_SENDER), reading),
        smtp=smtp.value if smtp else None,
        repeat=float(context.nearest(d.MAIL_REPEAT, 0)),
        label=context.own.value(d.SERVICE_NAME, ""),
        comment=context.own.value(d.COMMENT, ""),
        phases=phases,
    )


def _phases(context: Context) -> frozenset[str]:
    said = context.own.get(d.MAIL_PHASES) or context.top.get(d.MAIL_PHASES)
    words = set(said.value.split(",")) if said else {"all"}
    return PHASES if "all" in words else frozenset(words) - {"none"}


def _split(text: str) -> list[str]:
    return [one.strip() for one in re.split(r"[,;]" if re.search(r"[,;<]", text) else r"\s+", text) if one.strip()]


def _address(text: str, said: At[str], reading: Reading) -> str:
    """One recipient; empty after telling why no mail can be sent there."""
    inner = _IN_BRACKETS.fullmatch(text)
    bare = (inner[1] if inner else text).strip()
    if _ADDRESS.fullmatch(bare):
        return bare
    message = f"emailalert: no mail can be sent to {shown(text)}"
    reading.warning(codes.LD_LEFT_OUT, said.place, message, "ops@example.net, noc@example.net")
    return ""


def _sender(said: At[str] | None, reading: Reading) -> str:
    if said is None:
        return ""
    inner = _IN_BRACKETS.fullmatch(said.value)
    bare = (inner[1] if inner else said.value).strip()
    if not _ADDRESS.fullmatch(bare):
        message = f"emailalertfrom: no mail can be sent from {shown(said.value)}: this machine's own address is used"
        reading.warning(codes.LD_LEFT_OUT, said.place, message, "lvs@example.net")
        return ""
    return bare


def note_without_recipient(context: Context, reading: Reading) -> None:
    """Tell what a section says about mails when nobody gets one."""
    if context.own.get(d.MAIL) or context.top.get(d.MAIL):
        return
    for known in _COMPANIONS:
        said = context.own.get(known)
        if said is not None and said.value not in (0, "none"):
            message = f"{known.name}: it concerns mails, and none are sent without `emailalert`"
            reading.warning(codes.LD_IGNORED, said.place, message, "emailalert=ops@example.net")
