"""Which checks the syn engine runs."""

from __future__ import annotations

from checkers.core.messages import AssignedCheck
from config.checks import SynCheck


def half_open(assigned: AssignedCheck) -> bool:
    """Whether this check asks for no more than an answer to a SYN."""
    return isinstance(assigned.check, SynCheck)
