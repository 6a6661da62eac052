"""HTTP_GET and SSL_GET: one check for each of their pages. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Final

from config import codes
from config.checks import AnyCheck, Expect, HttpCheck, Tls
from config.keepalived.block import Block
from config.keepalived.levels import Levels
from config.keepalived.lvs_words import URL
from config.keepalived.statements import Statement
from config.keepalived.values import host_name, sole_word, switch, without_semicolon
from config.nodes import Scalar
from config.reading import Reading, shown
from config.scalars import Regex

URLS_LIMIT: Final = 64
_OPTIONS: Final = {"caseless": "i", "multiline": "m", "dotall": "s", "extended": "x", "utf": ""}


def read_pages(levels: Levels, reading: Reading) -> Iterator[AnyCheck]:
    """Each `url`, in the order they are written."""
    urls = levels.checker.every("url")
    if not urls:
        message = f"{levels.keyword} without a `url`"
        hint = "keepalived 2.2 crashes on it; add url { path / }"
        reading.error(codes.MISSING_KEY, levels.checker.statement.place, message, hint)
    if len(urls) > URLS_LIMIT:
        reading.error(codes.TOO_MUCH, urls[URLS_LIMIT].place, f"more than {URLS_LIMIT} pages of one checker")
    for one in urls[:URLS_LIMIT]:
        yield _page(levels, Block(one, URL, reading), reading)


def _page(levels: Levels, url: Block, reading: Reading) -> AnyCheck:
    host = _virtual_host(url.get("virtualhost") or levels.get("virtualhost"), reading)
    tls = None
    if levels.keyword == "SSL_GET":
        named = switch(levels.checker.get("enable_sni"), reading) and host is not None and not host.startswith("[")
        tls = Tls(sni=host.partition(":")[0] if named and host else None)
    path, status = _path(url, reading), _status(url.get("status_code"), reading)
    return HttpCheck(tls, path, "GET", host, status, _expect(url, reading), _digest(url, reading))


def _virtual_host(statement: Statement | None, reading: Reading) -> str | None:
    at = sole_word(statement, reading) if statement else None
    return host_name(at, reading) if at else None


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


def _digest(url: Block, reading: Reading) -> str | None:
    """keepalived leaves out a digest that is none, which would make any page a good one."""
    statement = url.get("digest")
    at = sole_word(statement, reading) if statement else None
    if at is None:
        return None
    if not re.fullmatch(r"[0-9A-Fa-f]{32}", at.value):
        message = f"{shown(at.value)} is not an MD5 digest"
        reading.error(codes.MALFORMED, at.place, message, "32 hexadecimal digits, as genhash prints them")
    return at.value.lower()


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
