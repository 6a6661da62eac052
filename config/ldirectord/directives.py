"""Every directive of ldirectord, where it may stand and how it is read. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Final

from config import codes
from config.ldirectord.lines import Line
from config.ldirectord.values import (
    Known,
    Said,
    anything,
    filled,
    number,
    one_of,
    perhaps_quoted,
    quoted,
    quoted_or_empty,
    refuse,
    word,
    yes_or_no,
)
from config.nodes import At
from config.reading import Reading, nearest, shown

SERVICES: Final = (
    "dns", "ftp", "http", "https", "http_proxy", "imap", "imaps", "ldap", "ldaps", "mysql", "nntp", "none", "oracle",
    "pgsql", "pop", "pops", "radius", "simpletcp", "sip", "smtp", "submission",
)  # fmt: skip
CHECK_TYPES: Final = ("connect", "negotiate", "ping", "on", "off", "external", "external-perl")
PERSISTENCE_LIMIT_SECONDS: Final = 31 * 86400  # ipvsadm's
CONNECTS_LIMIT: Final = 1_000_000  # between negotiations
_INTERVAL, _TIMEOUT, _COUNT = (1, 86400), (1, 3600), (1, 1000)
_PHASES = ("all", "none", "starting", "running", "stopping", "reloading")


def _check_type(line: Line, reading: Reading) -> str | None:
    """A word, or anything with a digit in it: that many connects between negotiations."""
    text = (line.value or "").strip()
    digits = re.search(r"\d+", text, re.ASCII)
    return digits[0] if digits else one_of(CHECK_TYPES)(line, reading)


def _phases(line: Line, reading: Reading) -> str | None:
    words = re.split(r"\s*,\s*", (line.value or "").strip() or "none")
    wrong = next((one for one in words if one not in _PHASES), None)
    if wrong is not None or ("none" in words and len(words) > 1):
        refuse(line, f"{shown(wrong or 'none')} cannot stand there", ", ".join(_PHASES), reading)
        return None
    return ",".join(words)


def _supervised(line: Line, reading: Reading) -> bool | None:
    return True if line.value is None else yes_or_no(line, reading)


def _method(line: Line, reading: Reading) -> str | None:
    text = (line.value or "").strip().upper()
    if text in ("GET", "HEAD"):
        return text
    refuse(line, f"{shown(text)} is not a method it knows", "GET or HEAD", reading)
    return None


def _netmask(line: Line, reading: Reading) -> str | None:
    """Four numbers with dots, or a prefix length; which of the two depends on the family, which is not known here."""
    text = (line.value or "").strip()
    if re.fullmatch(r"\d{1,3}(\.\d{1,3}){3}|\d{1,3}", text, re.ASCII):
        return text
    refuse(line, f"{shown(text)} is not a netmask", "255.255.255.0, or for IPv6 a prefix length", reading)
    return None


QUIESCENT: Final = Known("quiescent", yes_or_no)
CLEANSTOP: Final = Known("cleanstop", yes_or_no)
CHECK_TIMEOUT: Final = Known("checktimeout", number(*_TIMEOUT))
NEGOTIATE_TIMEOUT: Final = Known("negotiatetimeout", number(*_TIMEOUT))
CHECK_INTERVAL: Final = Known("checkinterval", number(*_INTERVAL))
FAILURE_COUNT: Final = Known("failurecount", number(*_COUNT))
FORK: Final = Known("fork", yes_or_no)
MAINTENANCE: Final = Known("maintenancedir", perhaps_quoted)
SUPERVISED: Final = Known("supervised", _supervised)
CHECK_COUNT: Final = Known("checkcount", number(*_COUNT))
FALLBACK_COMMAND: Final = Known("fallbackcommand", perhaps_quoted)
MAIL: Final = Known("emailalert", filled)
MAIL_REPEAT: Final = Known("emailalertfreq", number(0, 10**9))
MAIL_PHASES: Final = Known("emailalertstatus", _phases)
MAIL_SENDER: Final = Known("emailalertfrom", perhaps_quoted)
SMTP: Final = Known("smtp", word(r"([0-9A-Za-z._+-]+)", "a host"))
AUTORELOAD: Final = Known("autoreload", yes_or_no)
CALLBACK: Final = Known("callback", quoted_or_empty)
EXECUTE: Final = Known("execute", perhaps_quoted)

SERVICE: Final = Known("service", one_of(SERVICES))
CHECK_TYPE: Final = Known("checktype", _check_type)
CHECK_COMMAND: Final = Known("checkcommand", perhaps_quoted)
CHECK_PORT: Final = Known("checkport", number(1, 65535))
REQUEST: Final = Known("request", quoted)
RECEIVE: Final = Known("receive", quoted)
HTTP_METHOD: Final = Known("httpmethod", _method)
VIRTUAL_HOST: Final = Known("virtualhost", perhaps_quoted)
LOGIN: Final = Known("login", quoted)
PASSWORD: Final = Known("passwd", quoted)
DATABASE: Final = Known("database", quoted)
SECRET: Final = Known("secret", quoted)
MONITOR_FILE: Final = Known("monitorfile", filled)
SERVICE_NAME: Final = Known("servicename", anything)
COMMENT: Final = Known("comment", anything)
SCHEDULER: Final = Known("scheduler", word(r'"?([a-z]+)"?', "a scheduler's name in small letters"))
PERSISTENT: Final = Known("persistent", number(0, PERSISTENCE_LIMIT_SECONDS))
NETMASK: Final = Known("netmask", _netmask)
SCHEDFLAGS: Final = Known("schedflags", word(r"(\S+)", "a list of flags"))
PROTOCOL: Final = Known("protocol", one_of(("tcp", "udp", "fwm")))
ONE_PACKET: Final = Known("ops", yes_or_no)

_BOTH: Final[tuple[Known[object], ...]] = (
    QUIESCENT,
    CLEANSTOP,
    CHECK_TIMEOUT,
    NEGOTIATE_TIMEOUT,
    CHECK_INTERVAL,
    FAILURE_COUNT,
    CHECK_COUNT,
    FALLBACK_COMMAND,
    MAIL,
    MAIL_REPEAT,
    MAIL_PHASES,
    SMTP,
)
_TOP_ONLY: Final[tuple[Known[object], ...]] = (
    FORK,
    MAINTENANCE,
    SUPERVISED,
    AUTORELOAD,
    Known("readdquiescent", yes_or_no),
    CALLBACK,
    EXECUTE,
    Known("logfile", quoted),
    MAIL_SENDER,
)
_SECTION_ONLY: Final[tuple[Known[object], ...]] = (
    SERVICE, CHECK_TYPE, CHECK_COMMAND, CHECK_PORT, REQUEST, RECEIVE, HTTP_METHOD, VIRTUAL_HOST, LOGIN, PASSWORD,
    DATABASE, SCHEDULER, PERSISTENT, NETMASK, SCHEDFLAGS, PROTOCOL, ONE_PACKET, SECRET, MONITOR_FILE, SERVICE_NAME,
    COMMENT, Known("load", quoted),
)  # fmt: skip
TOP: Final = {known.name: known for known in (*_BOTH, *_TOP_ONLY)}
SECTION: Final = {known.name: known for known in (*_BOTH, *_SECTION_ONLY, Known(FALLBACK_COMMAND.name, filled))}
SERVER_LINES: Final = ("real", "real6", "fallback", "fallback6")
"""Directives that name a server: config.ldirectord.servers reads them."""

LONGEST_NAME: Final = 24  # of a misspelt directive
_RETIRED: Final = {"timeout": "checktimeout, negotiatetimeout", "connecttimeout": "negotiatetimeout"}


def read_directives(lines: Sequence[Line], known: Mapping[str, Known[object]], reading: Reading) -> Said:
    """The values of all lines but those that name servers; notes unknown directives and refused values."""
    values: dict[str, At[object]] = {}
    for line in lines:
        if line.name in SERVER_LINES and line.value is not None:
            continue
        directive = known.get(line.name)
        if directive is None or (line.value is None and directive is not SUPERVISED):
            _note_unknown(line, known, reading)
            continue
        value = directive.read(line, reading)
        if line.name in values and directive is not EXECUTE:
            message = f"`{line.name}` was said on line {values[line.name].place.line} already: this one counts"
            reading.warning(codes.LD_IGNORED, line.place, message, "remove one")
        if value is not None:
            values[line.name] = At(value, line.value_place)
    return Said(values)


def _note_unknown(line: Line, known: Mapping[str, Known[object]], reading: Reading) -> None:
    """The value is not told: it may be a password whose directive is misspelt."""
    if not line.name and line.value is None:
        message, hint = "a line of blanks in a virtual service", "remove it, or leave four blanks at most"
    elif line.name in known or line.name in SERVER_LINES:
        message, hint = f"`{line.name}` has no `=`", f"{line.name}=..."
    elif line.name in _RETIRED:
        message, hint = f"`{line.name}` is no longer known to ldirectord", f"instead: {_RETIRED[line.name]}"
    elif line.name in TOP or line.name in SECTION:
        here, where = ("in a virtual service", "above") if known is SECTION else ("globally", "in a virtual service")
        message, hint = f"`{line.name}` cannot be said {here}", f"it belongs {where}"
    else:
        fits = not reading.full and len(line.name) <= LONGEST_NAME  # else no hint would be shown, or found
        near = nearest(line.name, (*known, "virtual", *SERVER_LINES)) if fits else None
        message, hint = f"unknown directive {shown(line.name)}", f"did you mean `{near}`?" if near else ""
    reading.error(codes.LD_UNKNOWN, line.place, message, hint)
