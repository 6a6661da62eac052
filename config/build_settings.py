"""A service's persistence, quorum and mail. Pure."""

from __future__ import annotations

from typing import Final, NamedTuple

from config import codes
from config import shape_services as keys
from config.build_real_servers import is_ipv6_service
from config.model import FirewallMark, Mail, Persistence, RealServer, VirtualEndpoint
from config.reading import Reading
from config.sections import Fields
from config.words import Protocol

_LONGEST: Final = {False: 32, True: 128}  # prefix lengths by "is IPv6"


class Quorum(NamedTuple):
    """Both are sums of weights."""

    weight: int
    hysteresis: int


def build_persistence(
    fields: Fields, virtual: VirtualEndpoint | FirewallMark | None, reading: Reading
) -> Persistence | None:
    """The persistence, None without one."""
    said = fields.value(keys.PERSISTENCE, None)
    if said is None or virtual is None:
        return None
    longest = _LONGEST[is_ipv6_service(virtual)]
    netmask, engine = said.get(keys.NETMASK), said.get(keys.ENGINE)
    if netmask is not None and netmask.value > longest:
        message = f"a netmask of {netmask.value} bits does not fit the service's family"
        reading.error(codes.OUT_OF_RANGE, netmask.place, message, f"from 1 to {longest}")
    if engine is not None and isinstance(virtual, VirtualEndpoint) and virtual.protocol is not Protocol.UDP:
        message = f"the persistence engine sip reads UDP alone, this service is {virtual.protocol.name}"
        reading.error(codes.PERSISTENCE_ENGINE, engine.place, message, "protocol: udp")
    seconds = int(said.value(keys.PERSISTENCE_TIMEOUT, 1.0))
    return Persistence(seconds, netmask.value if netmask else longest, engine.value if engine else "")


def build_quorum(fields: Fields, real_servers: tuple[RealServer, ...], reading: Reading) -> Quorum:
    """How much weight must be healthy."""
    quorum, hysteresis = fields.value(keys.QUORUM, 1), fields.value(keys.HYSTERESIS, 0)
    if hysteresis >= quorum and fields.get(keys.HYSTERESIS) is not None and hysteresis:
        message = f"the hysteresis {hysteresis} must be below the quorum {quorum}"
        reading.error(codes.QUORUM, fields.place_of(keys.HYSTERESIS), message, "lower it, or raise the quorum")
    weights = sum(server.weight for server in real_servers)
    if fields.get(keys.QUORUM) is not None and real_servers and quorum + hysteresis > weights:
        message = f"the weights of all real servers sum up to {weights}: a quorum of {quorum} is never reached"
        if quorum <= weights:
            message = f"the weights sum up to {weights}: once lost, a quorum of {quorum} + {hysteresis} never returns"
        reading.warning(codes.QUORUM, fields.place_of(keys.QUORUM), message, "it counts weights, not servers")
    return Quorum(quorum, hysteresis)


def build_mail(fields: Fields) -> Mail | None:
    """Who is told, None for nobody."""
    said = fields.value(keys.MAIL, None)
    if said is None:
        return None
    built_in = Mail(())
    smtp, phases = said.get(keys.MAIL_SMTP), said.get(keys.MAIL_PHASES)
    return Mail(
        to=tuple(at.value for at in said.value(keys.MAIL_TO, ())),
        sender=said.value(keys.MAIL_FROM, built_in.sender),
        smtp=smtp.value if smtp else None,
        repeat=said.value(keys.MAIL_REPEAT, built_in.repeat),
        label=said.value(keys.MAIL_LABEL, built_in.label),
        comment=said.value(keys.MAIL_COMMENT, built_in.comment),
        phases=frozenset(at.value for at in phases.value) if phases else built_in.phases,
    )
