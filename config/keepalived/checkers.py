"""A real server's checkers to its checks. Pure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import Final, NamedTuple

import msgspec

from config import codes
from config.checks import AnyCheck, Check, Dial, ExternalCheck, NoCheck, PingCheck, SmtpCheck, TcpCheck
from config.keepalived import lvs_words
from config.keepalived.block import Block, Vocabulary
from config.keepalived.commands import command
from config.keepalived.datagrams import read_dns, read_udp
from config.keepalived.levels import RETRY_ONCE, Habit, Levels, read_timing
from config.keepalived.pages import read_pages
from config.keepalived.statements import Statement
from config.keepalived.values import address, host_name, sole_word, switch, whole
from config.network import PORT_LIMIT, is_ipv6
from config.nodes import Place
from config.reading import Reading

HELO: Final = "smtpchecker.keepalived.org"
_OF_THE_OUTER: Final = frozenset(
    ["connect_timeout", "connect_ip", "connect_port", "bindto", "bind_port", "bind_if", "fwmark"]
)
MARK_LIMIT: Final = 2**32 - 1
CHECKS_LIMIT: Final = 64
"""Checks of one real server."""


class _Kind(msgspec.Struct, frozen=True):
    """How a kind of checker is read."""

    words: Vocabulary
    read: Callable[[Levels, Reading], Iterable[AnyCheck]]
    habit: Habit = RETRY_ONCE
    dials_a_port: bool = True


class Dialled(NamedTuple):
    """A real server as probes reach it: `written_port` is dialled also where the table holds another, `port`."""

    address: str
    written_port: int
    port: int


def read_checks(real: Block, virtual: Block, own: Dialled, reading: Reading) -> tuple[Check, tuple[Check, ...]]:
    """The real server's check and its further ones."""
    statements = real.every(*_KINDS)
    checks = [one for statement in statements for one in _of_checker(statement, real, virtual, own, reading)]
    if len(checks) > CHECKS_LIMIT:
        reading.error(codes.TOO_MUCH, real.statement.place, f"more than {CHECKS_LIMIT} checks of one real server")
    if not statements:
        message = "this real server has no checker: it always counts as healthy"
        reading.warning(codes.UNCHECKED, real.statement.place, message, "keepalived takes it so too; add a TCP_CHECK")
    first, *further = checks or [Check(NoCheck())]
    return first, tuple(further)


def _of_checker(statement: Statement, real: Block, virtual: Block, own: Dialled, reading: Reading) -> Iterator[Check]:
    """What one checker stands for: a check of each of its pages and hosts.

    An SMTP_CHECK around hosts is a check of its own when it says something of the connection (measured).
    """
    kind = _KINDS[statement.keyword]
    levels = Levels(Block(statement, kind.words, reading), real, virtual)
    kinds = list(kind.read(levels, reading))
    found = levels.checker.every("host")
    hosts: list[Block | None] = [Block(one, lvs_words.SMTP_HOST, reading) for one in found]
    if not hosts or any(one.keyword in _OF_THE_OUTER for one in statement.body or ()):
        hosts.insert(0, None)
    for host in hosts:
        timing = read_timing(levels, kind.habit, host, reading)
        target = _target(levels.checker, host, reading)
        dial = _dial(levels.checker, host, target or own.address, reading)
        port = _port(levels.checker, host, own, kind, statement.place, reading)
        for one in kinds:
            yield Check(one, timing, port, target, dial)


def _target(checker: Block, host: Block | None, reading: Reading) -> str | None:
    statement = (host.get("connect_ip") if host else None) or checker.get("connect_ip")
    at = sole_word(statement, reading) if statement else None
    found = address(at, "an IP address", reading) if at else None
    return found.value if found else None


def _dial(checker: Block, host: Block | None, target: str, reading: Reading) -> Dial:
    """`bindto` and `fwmark`. A source of another family than what is probed could reach nothing."""
    said = (host.get("bindto") if host else None) or checker.get("bindto")
    at = sole_word(said, reading) if said else None
    source = address(at, "an IP address", reading) if at else None
    if source is not None and is_ipv6(source.value) != is_ipv6(target):
        message = f"the source {source.value} is not of the family of {target}, which is probed"
        reading.error(codes.FAMILY, source.place, message)
    marked = (host.get("fwmark") if host else None) or checker.get("fwmark")
    mark = whole(marked, 0, MARK_LIMIT, "none", reading) if marked else None
    return Dial(source.value if source else "", mark.value if mark else 0)


def _port(checker: Block, host: Block | None, own: Dialled, kind: _Kind, place: Place, reading: Reading) -> int | None:
    """The port to dial where it is not the one in the table."""
    statement = (host.get("connect_port") if host else None) or checker.get("connect_port")
    at = whole(statement, 1, PORT_LIMIT, "the real server's", reading) if statement else None
    dialled = at.value if at else (own.written_port if own.written_port != own.port else 0)
    if not dialled and not own.port and kind.dials_a_port:
        message = f"{checker.statement.keyword} does not know which port to probe"
        reading.error(codes.CHECK_WITHOUT_PORT, place, message, "connect_port")
    return dialled or None


def _tcp(_levels: Levels, _reading: Reading) -> Iterator[AnyCheck]:
    yield TcpCheck()


def _ping(_levels: Levels, _reading: Reading) -> Iterator[AnyCheck]:
    yield PingCheck()


def _dns(levels: Levels, reading: Reading) -> Iterator[AnyCheck]:
    yield read_dns(levels, reading)


def _udp(levels: Levels, reading: Reading) -> Iterator[AnyCheck]:
    yield read_udp(levels, reading)


def _smtp(levels: Levels, reading: Reading) -> Iterator[AnyCheck]:
    statement = levels.checker.get("helo_name")
    at = sole_word(statement, reading) if statement else None
    yield SmtpCheck(helo=(host_name(at, reading) if at else None) or HELO)


def _misc(levels: Levels, reading: Reading) -> Iterator[AnyCheck]:
    statement = levels.checker.get("misc_path")
    if statement is None:
        message = "MISC_CHECK without `misc_path`"
        reading.error(codes.MISSING_KEY, levels.checker.statement.place, message, "keepalived leaves such a check out")
        return
    yield ExternalCheck(command(statement, reading), switch(levels.checker.get("misc_dynamic"), reading))


_KINDS: Final = {
    "TCP_CHECK": _Kind(lvs_words.TCP, _tcp),
    "HTTP_GET": _Kind(lvs_words.HTTP, read_pages, Habit(pause=3.0)),
    "SSL_GET": _Kind(lvs_words.HTTP, read_pages, Habit(pause=3.0)),
    "SMTP_CHECK": _Kind(lvs_words.SMTP, _smtp),
    "DNS_CHECK": _Kind(lvs_words.DNS, _dns, Habit(retry=3, pause=None)),
    "UDP_CHECK": _Kind(lvs_words.UDP, _udp),
    "PING_CHECK": _Kind(lvs_words.PING, _ping, dials_a_port=False),
    "MISC_CHECK": _Kind(lvs_words.MISC, _misc, Habit(retry=0), dials_a_port=False),
}
