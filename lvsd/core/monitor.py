"""One line for each outcome of a probe, for those who keep such a file: ldirectord's monitorfile. Pure."""

from __future__ import annotations

from collections.abc import Iterator

from checkers.core.messages import Verdict, Verdicts
from checkers.core.outcome import Healthy, Inconclusive
from config.checks import AnyCheck, ExternalCheck, HttpCheck, MysqlCheck, PgsqlCheck, PingCheck, TcpCheck
from config.model import VirtualEndpoint
from config.words import Forwarding
from lvsd.core.check_words import check_word
from lvsd.core.effects import AppendLine, Effect
from lvsd.core.state import Checked, Director
from lvsd.core.verdicts import outcome_words

_FORWARDING = {Forwarding.DIRECT: "gate", Forwarding.TUNNEL: "ipip", Forwarding.MASQUERADE: "masq"}
_ENCODED = {"%": "%25", "|": "%7c", "\r": "%0d", "\n": "%0a"}


def lines(before: Director, message: Verdicts) -> Iterator[Effect]:
    """What a report adds to files of outcomes. What was reported already, or found nothing out, adds nothing."""
    for verdict in message.verdicts:
        checked = before.checks.get(verdict.id)
        if checked is None or checked.service.monitor_file is None or not verdict.probes:
            continue
        known = before.verdicts.get(verdict.id)
        if isinstance(verdict.outcome, Inconclusive) or (known is not None and known.probed_at >= verdict.probed_at):
            continue
        yield AppendLine(checked.service.monitor_file, _line(checked, verdict))


def _line(checked: Checked, verdict: Verdict) -> str:
    """`TYPE SERVICE PROTOCOL IP PORT [HOST] [CHECKPORT] WEIGHT FORWARDING [REQUEST] [RECEIVE] [up|down] TEXT`."""
    reason, detail = outcome_words(verdict.outcome)
    if isinstance(verdict.outcome, Healthy):
        return f"{_name(checked)} [up] {_encoded(detail) or '-'}"
    return f"{_name(checked)} [down] {reason}{': ' if detail else ''}{_encoded(detail)}"


def _name(checked: Checked) -> str:
    real, kind = checked.real, checked.check.kind
    endpoint = checked.service.virtual
    protocol = endpoint.protocol.name.lower() if isinstance(endpoint, VirtualEndpoint) else "fwm"
    host, request, receive = _exchange(kind)
    port = str(checked.check.port) if checked.check.port else ""
    where = (protocol, real.address, str(real.port), host, port, str(real.weight), _FORWARDING[real.forwarding])
    words = " ".join((_kind(kind), check_word(kind), *where, request, receive))
    return " ".join(words.replace(":", " ").replace("\\", "").split())


def _kind(kind: AnyCheck) -> str:
    match kind:
        case TcpCheck():
            return "connect"
        case PingCheck():
            return "ping"
        case ExternalCheck():
            return "external"
        case _:
            return "negotiate"


def _exchange(kind: AnyCheck) -> tuple[str, str, str]:
    """Host, request and what is to be received; never a login."""
    match kind:
        case HttpCheck():
            return kind.virtual_host or "", kind.path, kind.expect.text or kind.expect.regex or ""
        case MysqlCheck() | PgsqlCheck():
            return "", kind.query, kind.expect.text or kind.expect.regex or ""
        case ExternalCheck():
            return "", kind.command[0], ""
        case _:
            return "", "", ""


def _encoded(text: str) -> str:
    return "".join(_ENCODED.get(character, character) for character in text)
