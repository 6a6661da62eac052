"""A virtual_server's scheduler, its flags, and persistence. Pure."""

from __future__ import annotations

from typing import Final

from config import codes
from config.build_service import ONE_PACKET_FLAG, Virtual
from config.keepalived.block import Block
from config.keepalived.values import sole_word, switch, whole, word
from config.model import Persistence, VirtualEndpoint
from config.network import Netmask
from config.nodes import At, Place, Scalar
from config.reading import Reading, did_you_mean, shown
from config.words import SCHEDULER_FLAGS, SCHEDULERS, Protocol

BARE_PERSISTENCE: Final = 360
PERSISTENCE_LIMIT: Final = 31 * 86400
_ENGINES: Final = ("sip",)


def read_scheduler(block: Block, reading: Reading) -> tuple[str, int]:
    """The scheduler and the service's flags."""
    statement = block.get("lb_algo", "lvs_sched")
    at = word(statement, reading) if statement else None
    if statement is None or at is None:
        message = "no `lb_algo` is said: the scheduler is wlc"
        reading.warning(codes.DEFAULTED, block.statement.place, message, "keepalived's default")
        return "wlc", _flags(block, (), reading)
    if at.value not in SCHEDULERS:
        hint = f"keepalived takes wlc, and so is it here; {did_you_mean(at.value, SCHEDULERS)}"
        reading.warning(codes.NOT_TAKEN, at.place, f"{shown(at.value)} is not a scheduler", hint)
        return "wlc", _flags(block, (), reading)
    return at.value, _flags(block, statement.words[2:], reading)


def _flags(block: Block, words: tuple[At[str], ...], reading: Reading) -> int:
    """The flags of lines of their own and of the words after the scheduler."""
    bits = ONE_PACKET_FLAG if switch(block.get("ops"), reading) else 0
    for flag, bit in SCHEDULER_FLAGS.items():
        if switch(block.get(flag), reading):
            bits |= bit
    for at in words:
        if at.value not in SCHEDULER_FLAGS:
            hint = did_you_mean(at.value, SCHEDULER_FLAGS)
            reading.warning(codes.UNKNOWN_KEYWORD, at.place, f"{shown(at.value)} is not a scheduler's flag", hint)
        bits |= SCHEDULER_FLAGS.get(at.value, 0)
    return bits


def read_persistence(block: Block, virtual: Virtual, ipv6: bool, place: Place, reading: Reading) -> Persistence | None:
    """How clients are kept together; port 0 needs it, a netmask asks for it. `place`: of the virtual address."""
    seconds, netmask, engine = _seconds(block, reading), _netmask(block, reading), _engine(block, virtual, reading)
    if not seconds and isinstance(virtual, VirtualEndpoint) and virtual.port == 0:
        message = f"port 0 (every port) needs persistence: {BARE_PERSISTENCE} s are taken"
        reading.warning(codes.DEFAULTED, place, message, "keepalived's default; say `persistence_timeout`")
        seconds = BARE_PERSISTENCE
    if not seconds and netmask is not None:
        message = f"`persistence_granularity` without `persistence_timeout`: {BARE_PERSISTENCE} s are taken"
        reading.warning(codes.DEFAULTED, netmask.place, message, "keepalived's default; say `persistence_timeout`")
        seconds = BARE_PERSISTENCE
    if not seconds:
        said = block.get("persistence_engine")
        if said is not None:
            message = "`persistence_engine` has no effect without `persistence_timeout`"
            reading.warning(
                codes.NO_EFFECT, said.place, message, "keepalived asks the kernel for no persistence either"
            )
        return None
    longest = 128 if ipv6 else 32
    if netmask is not None and netmask.value > longest:
        message = f"a netmask of {netmask.value} bits does not fit the service's family"
        reading.error(codes.OUT_OF_RANGE, netmask.place, message, f"from 1 to {longest}")
    return Persistence(seconds, netmask.value if netmask else longest, engine)


def _seconds(block: Block, reading: Reading) -> int:
    """0 for none."""
    statement = block.get("persistence_timeout")
    if statement is None:
        return 0
    if len(statement.words) == 1:
        return BARE_PERSISTENCE
    at = whole(statement, 0, PERSISTENCE_LIMIT, "none", reading)
    return at.value if at else 0


def _netmask(block: Block, reading: Reading) -> At[int] | None:
    statement = block.get("persistence_granularity")
    at = sole_word(statement, reading) if statement else None
    return None if at is None else Netmask().read(Scalar(at.value, plain=True, place=at.place), reading)


def _engine(block: Block, virtual: Virtual, reading: Reading) -> str:
    """The kernel's persistence engine; the only one there is reads SIP over UDP (net/netfilter/ipvs/ip_vs_pe_sip.c)."""
    statement = block.get("persistence_engine")
    at = sole_word(statement, reading) if statement else None
    if at is None:
        return ""
    if at.value not in _ENGINES:
        message = f"{shown(at.value)} is not a persistence engine: the kernel would refuse the service"
        reading.error(codes.UNKNOWN_WORD, at.place, message, "sip")
        return ""
    if isinstance(virtual, VirtualEndpoint) and virtual.protocol is not Protocol.UDP:
        message = f"the persistence engine sip works with UDP, this is {virtual.protocol.name}"
        reading.error(codes.CONTRADICTION, at.place, message, "protocol UDP")
    return at.value
