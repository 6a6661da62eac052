"""What an instance's interface is good for: apart from the events, which the director has no use for. Pure."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Link:
    """What an instance stands on. Fit when `fault` is empty; then `source` is its primary IPv4 address."""

    source: str = ""
    fault: str = "not looked at yet"

    @property
    def fit(self) -> bool:
        """Whether advertisements can go out and come in."""
        return not self.fault
