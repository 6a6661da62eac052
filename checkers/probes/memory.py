"""What the probes of one check leave for later ones. It lives as long as the check does in its worker."""

from __future__ import annotations

from dataclasses import dataclass

from checkers.core.messages import AssignedCheck, State
from checkers.probes.agent_words import Standing


@dataclass(slots=True)
class Memory:
    """`believed`: whether this question was answered before, to another worker. `agent`: what an agent has said."""

    believed: bool = False
    agent: Standing | None = None


def memory_of(check: AssignedCheck) -> Memory:
    """Of a check that is new here."""
    return Memory(check.known is not State.UNKNOWN and not check.unseen)


def passed_on(memory: Memory, before: AssignedCheck, after: AssignedCheck) -> Memory:
    """Of a check whose question changed: nothing, unless the same agent is asked, only otherwise."""
    same = (type(before.check), before.target) == (type(after.check), after.target)
    return memory if same else Memory()
