"""A real server's checkers to its check, and keepalived's timing to lvsd's. Pure.

keepalived probes every `delay_loop`; after a failure it tries again `retry` times, `delay_before_retry` apart, before
the server counts as down. lvsd probes at one interval and counts failures: the interval is chosen so that as many
failures in a row take as long as they can with keepalived, (delay_loop + retry * delay_before_retry) / (retry + 1).
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Final

from config import codes
from config.checks import AnyCheck, Check, Expect, ExternalCheck, HttpCheck, NoCheck, SmtpCheck, TcpCheck, Timing, Tls
from config.compound import COMMAND_LIMIT_BYTES
from config.keepalived import lvs_words
from config.keepalived.block import Block, Vocabulary
from config.keepalived.commands import command
from config.keepalived.statements import Statement
from config.keepalived.values import address, seconds, sole_word, switch, whole, without_semicolon
from config.network import PORT_LIMIT
from config.nodes import At, Scalar
from config.reading import Reading, shown
from config.scalars import Regex

DELAY_LOOP: Final = 60.0
CONNECT_TIMEOUT: Final = 5.0
HELO: Final = "smtpchecker.keepalived.org"
RETRY_LIMIT: Final = 999
LONGEST: Final = 86400.0
LONGEST_TIMEOUT: Final = 3600.0
SHORTEST: Final = 0.1


@dataclass(frozen=True, slots=True)
class _Kind:
    """How a kind of checker is read, and its own defaults of `retry` and `delay_before_retry`."""

    words: Vocabulary
    read: Callable[[_Levels, Reading], AnyCheck]
    retry: int = 1
    pause: float = 1.0


@dataclass(frozen=True, slots=True)
class _Levels:
    """A checker's block within its real server's within its virtual server's: the innermost that says it counts."""

    checker: Block
    real: Block
    virtual: Block
    tls: bool = False

    def get(self, *keywords: str) -> Statement | None:
        """What the innermost level says."""
        return next((one for block in self._blocks() if (one := block.get(*keywords))), None)

    def _blocks(self) -> tuple[Block, ...]:
        return self.checker, self.real, self.virtual


def read_check(real: Block, virtual: Block, written_port: int, port: int, reading: Reading) -> Check:
    """The real server's check; `written_port` is dialled also where the table holds another."""
    found = real.every(*_KINDS)
    if not found:
        message = "this real server has no checker: it always counts as healthy"
        reading.warning(codes.UNCHECKED, real.statement.place, message, "keepalived takes it so too; add a TCP_CHECK")
        return Check(NoCheck())
    first, *others = found
    for one in others:
        message = f"{one.keyword} beside {first.keyword}: a real server has one check in lvsd yet"
        reading.error(codes.NOT_YET, one.place, message, "keep the one that tells most")
    kind = _KINDS[first.keyword]
    levels = _Levels(Block(first, kind.words, reading), real, virtual, first.keyword == "SSL_GET")
    check = kind.read(levels, reading)
    host = _host(levels.checker, reading)
    target = _target(levels.checker, host, reading)
    dialled = _port(levels.checker, host, reading) or (written_port if written_port != port else None)
    if not dialled and not port and not isinstance(check, ExternalCheck):
        message = f"{first.keyword} does not know which port to probe"
        reading.error(codes.CHECK_WITHOUT_PORT, first.place, message, "connect_port")
    return Check(check, _timing(kind, levels, host, reading), dialled or None, target)


def _timing(kind: _Kind, levels: _Levels, host: Block | None, reading: Reading) -> Timing:
    loop = _seconds(levels.get("delay_loop"), DELAY_LOOP, LONGEST, reading)
    again = levels.get("retry", "nb_get_retry")
    if again is not None and again.keyword == "nb_get_retry" and kind.words is lvs_words.TCP:
        message = "`nb_get_retry` of a TCP_CHECK is taken for `retry`"
        reading.warning(codes.NOT_TAKEN, again.place, message, "keepalived 2.2 does not know it there and retries once")
    at = whole(again, 0, RETRY_LIMIT, str(kind.retry), reading) if again else None
    retries = at.value if at else kind.retry
    pause = _seconds(levels.get("delay_before_retry"), kind.pause, LONGEST, reading)
    interval = max(SHORTEST, round((loop + retries * pause) / (retries + 1), 3))
    if kind.words is lvs_words.MISC:
        timeout = _seconds(levels.checker.get("misc_timeout"), min(loop, LONGEST_TIMEOUT), LONGEST_TIMEOUT, reading)
    else:
        said = (host.get("connect_timeout") if host else None) or levels.get("connect_timeout")
        timeout = _seconds(said, CONNECT_TIMEOUT, LONGEST_TIMEOUT, reading)
    return Timing(interval, timeout, 1, retries + 1)


def _seconds(statement: Statement | None, default: float, longest: float, reading: Reading) -> float:
    at = seconds(statement, 0 if default <= 1 else SHORTEST, longest, f"{default:g}", reading) if statement else None
    return at.value if at else default


def _host(checker: Block, reading: Reading) -> Block | None:
    """SMTP_CHECK's old sub-block; several of them were several checks."""
    hosts = checker.every("host")
    for one in hosts[1:]:
        reading.error(codes.NOT_YET, one.place, "a second `host`: a real server has one check in lvsd yet")
    return Block(hosts[0], lvs_words.SMTP_HOST, reading) if hosts else None


def _target(checker: Block, host: Block | None, reading: Reading) -> str | None:
    statement = checker.get("connect_ip") or (host.get("connect_ip") if host else None)
    at = sole_word(statement, reading) if statement else None
    found = address(at, "an IP address", reading) if at else None
    return found.value if found else None


def _port(checker: Block, host: Block | None, reading: Reading) -> int | None:
    statement = checker.get("connect_port") or (host.get("connect_port") if host else None)
    at = whole(statement, 1, PORT_LIMIT, "the real server's", reading) if statement else None
    return at.value if at else None


def _tcp(_levels: _Levels, _reading: Reading) -> AnyCheck:
    return TcpCheck()


def _smtp(levels: _Levels, reading: Reading) -> AnyCheck:
    statement = levels.checker.get("helo_name")
    at = sole_word(statement, reading) if statement else None
    return SmtpCheck(helo=at.value if at and _is_host(at, reading) else HELO)


def _is_host(at: At[str], reading: Reading) -> bool:
    if re.fullmatch(r"[A-Za-z0-9_\[][A-Za-z0-9_.:\[\]-]{0,254}", at.value):
        return True
    reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a host name", "letters, digits, - and .")
    return False


def _misc(levels: _Levels, reading: Reading) -> AnyCheck:
    statement = levels.checker.get("misc_path")
    if statement is None:
        message = "MISC_CHECK without `misc_path`"
        reading.error(codes.MISSING_KEY, levels.checker.statement.place, message, "keepalived leaves such a check out")
        return ExternalCheck(())
    return ExternalCheck(command(statement, COMMAND_LIMIT_BYTES, reading))


def _web(levels: _Levels, reading: Reading) -> AnyCheck:
    urls = levels.checker.every("url")
    if not urls:
        message = f"{levels.checker.statement.keyword} without a `url`"
        hint = "keepalived 2.2 crashes on it; add url { path / }"
        reading.error(codes.MISSING_KEY, levels.checker.statement.place, message, hint)
        return HttpCheck()
    for one in urls[1:]:
        message = "a second `url`: a real server has one check of one page in lvsd yet"
        reading.error(codes.NOT_YET, one.place, message, "keep the page that tells most")
    url = Block(urls[0], lvs_words.URL, reading)
    host = _virtual_host(url.get("virtualhost") or levels.get("virtualhost"), reading)
    tls = None
    if levels.tls:
        named = switch(levels.checker.get("enable_sni"), reading) and host is not None and not host.startswith("[")
        tls = Tls(sni=host.partition(":")[0] if named and host else None)
    path, status = _path(url, reading), _status(url.get("status_code"), reading)
    return HttpCheck(tls, path, "GET", host, status, _expect(url, reading))


def _virtual_host(statement: Statement | None, reading: Reading) -> str | None:
    at = sole_word(statement, reading) if statement else None
    return at.value if at and _is_host(at, reading) else None


def _path(url: Block, reading: Reading) -> str:
    statement = url.get("path")
    if statement is None:
        hint = "keepalived refuses such a check"
        reading.warning(codes.DEFAULTED, url.statement.place, "`url` without `path`: / is asked for", hint)
        return "/"
    at = sole_word(statement, reading)
    if at is None:
        return "/"
    if not re.fullmatch(r"/[!-~]{0,1023}", at.value):
        hint = "it begins with / and holds no space"
        reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not a path", hint)
    return at.value


def _status(statement: Statement | None, reading: Reading) -> tuple[tuple[int, int], ...]:
    if statement is None:
        return HttpCheck().status
    found = []
    for word in statement.words[1:]:
        at = without_semicolon(word, reading)
        match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", at.value)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            reading.error(codes.MALFORMED, at.place, f"{shown(at.value)} is not an HTTP status", "200, or 200-299")
        else:
            found.append((low, high))
    if len(statement.words) == 1:
        reading.error(codes.NO_VALUE, statement.place, "`status_code` has no value", "200")
    return tuple(found) or HttpCheck().status


_OPTIONS: Final = {"caseless": "i", "multiline": "m", "dotall": "s", "extended": "x", "utf": ""}


def _expect(url: Block, reading: Reading) -> Expect:
    """A regular expression of PCRE, as Python's: where they differ it is told as not valid."""
    statement, options = url.get("regex"), url.get("regex_options")
    at = sole_word(statement, reading) if statement else None
    if at is None:
        return Expect()
    flags = ""
    for one in options.words[1:] if options else ():
        if one.value not in _OPTIONS:
            message = f"the option {shown(one.value)} of a regular expression is not carried over"
            reading.error(codes.NOT_YET, one.place, message, f"known: {', '.join(_OPTIONS)}")
        flags += _OPTIONS.get(one.value, "")
    text = f"(?{flags}){at.value}" if flags else at.value
    found = Regex().read(Scalar(text, plain=False, place=at.place), reading)
    return Expect(regex=found.value if found else None)


_KINDS: Final = {
    "TCP_CHECK": _Kind(lvs_words.TCP, _tcp),
    "HTTP_GET": _Kind(lvs_words.HTTP, _web, pause=3.0),
    "SSL_GET": _Kind(lvs_words.HTTP, _web, pause=3.0),
    "SMTP_CHECK": _Kind(lvs_words.SMTP, _smtp),
    "MISC_CHECK": _Kind(lvs_words.MISC, _misc, retry=0),
}
