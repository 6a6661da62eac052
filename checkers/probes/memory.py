"""What the probes of one check leave for later ones. It lives as long as the check does in its worker."""

from __future__ import annotations

from dataclasses import dataclass

from checkers.core.messages import State
from checkers.probes.agent_words import Standing


@dataclass(slots=True)
class Memory:
    """`known`: what was believed when it began. `agent`: what an agent has said, None while it has said nothing."""

    known: State = State.UNKNOWN
    agent: Standing | None = None
