"""Which turns run which command of the administrator's, and what it and the pipe are told. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from checkers.core.messages import State
from config.model import Argv, FirewallMark, VirtualService
from lvsd.core.effects import Effect, RunCommand, WriteFifo
from lvsd.core.identity import endpoint_text, virtual_text
from lvsd.core.turns import Turn


def commands(turns: Iterable[Turn]) -> tuple[Effect, ...]:
    """One command a turn that has one. Those of one virtual service run one after the other."""
    return tuple(
        RunCommand(virtual_text(turn.virtual.virtual), argv, _environment(turn))
        for turn in turns
        if (argv := _hook(turn))
    )


def _hook(turn: Turn) -> Argv:
    if not _is_news(turn):
        return ()
    match turn.real, turn.after:
        case None, State.UP:
            return turn.virtual.on_quorum_up
        case None, _:
            return turn.virtual.on_quorum_down
        case real, State.UP:
            return real.on_up
        case real, _:
            return real.on_down


def lines(turns: Iterable[Turn], fifo: str | None) -> tuple[Effect, ...]:
    """A line for each turn a command could run for, as keepalived's lvs_notify_fifo has it."""
    return tuple(WriteFifo(fifo, _line(turn)) for turn in turns if _is_news(turn)) if fifo else ()


def _is_news(turn: Turn) -> bool:
    """Real servers come up silently at first, as they are expected to; a quorum's first state runs its command."""
    if turn.before is State.UNKNOWN:  # a predecessor may have told it: rather not at all than twice
        return False
    if turn.fallback:  # its health decides whose turn it is, and takes nobody into or out of service
        return False
    return turn.real is None or turn.after is not State.UP or turn.before is State.DOWN


def _line(turn: Turn) -> str:
    word = "UP" if turn.after is State.UP else "DOWN"
    virtual = turn.virtual.virtual
    protocol = "tcp" if isinstance(virtual, FirewallMark) else virtual.protocol.name.lower()
    if turn.real is None:
        return f"VS {_virtual(turn.virtual)} {word}"
    return f"RS [{turn.real.address}]:{protocol}:{turn.real.port} {_virtual(turn.virtual)} {word}"


def _virtual(service: VirtualService) -> str:
    virtual = service.virtual
    if isinstance(virtual, FirewallMark):
        return f"FWM {virtual.mark}"
    return f"[{virtual.address}]:{virtual.protocol.name.lower()}:{virtual.port}"


def _environment(turn: Turn) -> dict[str, str]:
    """Words of our own and of the configuration alone: what a real server answered reaches no command."""
    environment = {
        "LVSD_EVENT": f"{'quorum' if turn.real is None else 'real_server'}_{turn.after.value}",
        "LVSD_STATE": turn.after.value,
        "LVSD_SERVICE": turn.virtual.name,
        "LVSD_VIRTUAL": virtual_text(turn.virtual.virtual),
    }
    if turn.real is not None:
        environment["LVSD_REAL_SERVER"] = endpoint_text(turn.real.address, turn.real.port)
    if turn.reason:
        environment["LVSD_REASON"] = turn.reason
    return environment
