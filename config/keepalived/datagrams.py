"""DNS_CHECK and UDP_CHECK. Pure."""

from __future__ import annotations

import re
from typing import Final

from config import codes
from config.checks import AnyCheck, DnsCheck, UdpCheck
from config.keepalived.block import Block
from config.keepalived.levels import Levels
from config.keepalived.statements import Statement
from config.keepalived.values import sole_word, whole
from config.payloads import PAYLOAD_LIMIT_BYTES
from config.reading import Reading, did_you_mean, shown

RECORDS: Final = ("A", "NS", "CNAME", "SOA", "MX", "TXT", "AAAA", "RRSIG", "PTR")
LONGEST_NAME: Final = 255
LONGEST_DATAGRAM: Final = 65535
LONGEST_REPLY: Final = 255
"""keepalived's own `max_reply_length`."""


def read_dns(levels: Levels, reading: Reading) -> AnyCheck:
    """A question that must be answered with NOERROR, whatever the answer holds."""
    return DnsCheck(_name(levels.checker, reading), _record(levels.checker, reading), answer_needed=False)


def _name(checker: Block, reading: Reading) -> str:
    statement = checker.get("name")
    at = sole_word(statement, reading) if statement else None
    if at is None:
        return DnsCheck().name
    if not re.fullmatch(rf"[!-~]{{1,{LONGEST_NAME}}}", at.value):
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a domain name", "example.net")
    return at.value


def _record(checker: Block, reading: Reading) -> str:
    statement = checker.get("type")
    at = sole_word(statement, reading) if statement else None
    if at is None:
        return DnsCheck().record
    if at.value.upper() not in RECORDS:
        hint = f"keepalived asks for SOA, and so is it here; {did_you_mean(at.value, RECORDS)}"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a type of record", hint)
        return DnsCheck().record
    return at.value.upper()


def read_udp(levels: Levels, reading: Reading) -> AnyCheck:
    """A datagram, and what a reply must be where one is asked for."""
    checker = levels.checker
    payload, reply = checker.get("payload"), checker.get("require_reply")
    shortest = _length(checker.get("min_reply_length"), 0, reply, reading)
    longest = _length(checker.get("max_reply_length"), LONGEST_REPLY, reply, reading)
    sent = bytes.fromhex(_payload(payload, reading)) if payload else b""
    if reply is None:
        return UdpCheck(sent)
    if shortest > longest:
        message = f"`require_reply`: no reply is of {shortest} to {longest} bytes"
        reading.error(codes.OUT_OF_RANGE, reply.place, message, "max_reply_length")
    pattern = _digits(reply, "0-9A-Fa-fXx", reading) if len(reply.words) > 1 else None
    return UdpCheck(sent, reply_needed=True, reply_hex=pattern or None, reply_length=(shortest, longest))


def _length(statement: Statement | None, default: int, reply: Statement | None, reading: Reading) -> int:
    if statement is None:
        return default
    if reply is None:
        message = f"`{statement.keyword}` has no effect without `require_reply`"
        reading.warning(codes.NO_EFFECT, statement.place, message)
    at = whole(statement, 0, LONGEST_DATAGRAM, str(default), reading)
    return at.value if at else default


def _payload(statement: Statement, reading: Reading) -> str:
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, "`payload` has no value", "hexadecimal digits")
        return ""
    return _digits(statement, "0-9A-Fa-f", reading)


def _digits(statement: Statement, allowed: str, reading: Reading) -> str:
    """Two digits a byte; a last one without its pair, before a blank, is a byte of its own."""
    text = " ".join(at.value for at in statement.words[1:])
    place = statement.words[1].place
    if len(text) > 2 * PAYLOAD_LIMIT_BYTES:
        reading.error(codes.TOO_LARGE, place, f"more than {PAYLOAD_LIMIT_BYTES} bytes")
        return ""
    if not re.fullmatch(rf"[{allowed} \t]*", text):
        hint = "pairs of digits" + (", x for any digit" if "x" in allowed else "")
        reading.error(codes.MALFORMED, place, f"{shown(text)} is not hexadecimal", hint)
        return ""
    pairs = (pair for group in text.lower().split() for pair in re.findall(r"..?", group))
    return "".join(pair.zfill(2) for pair in pairs)
