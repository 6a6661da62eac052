"""A secret value that cannot be printed by accident. Pure."""

from __future__ import annotations

import msgspec


class Secret(msgspec.Struct, frozen=True):
    """A password. It travels in messages to the process that needs it and shows nowhere."""

    value: str

    def __repr__(self) -> str:
        """Hide the value: reprs end in logs."""
        return "Secret(***)"

    __str__ = __repr__
