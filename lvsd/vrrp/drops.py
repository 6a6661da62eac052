"""Why what came over the wire is not believed: the one error of the codec. Pure."""

from __future__ import annotations

from enum import Enum


class Drop(Enum):
    """Why an advertisement was not believed. The values are the names of the counters."""

    PROTOCOL = "not_vrrp"
    TOO_SHORT = "too_short"
    TOO_LONG = "too_long"
    TTL = "ttl"
    VERSION = "version"
    AUTH_TYPE_UNKNOWN = "authentication_type_unknown"
    AUTH_TYPE_MISMATCH = "authentication_type_mismatch"
    AUTH_FAILURE = "authentication_failure"
    INTERVAL = "advertisement_interval"
    TYPE = "type"
    TOTAL_LENGTH = "ip_total_length"
    CHECKSUM = "checksum"
    DESTINATION = "destination"
    PEER = "unknown_peer"
    OWN_ADDRESS = "own_address"


class Dropped(Exception):
    """The one error of this codec."""

    def __init__(self, kind: Drop) -> None:
        """Remember why."""
        super().__init__(kind.value)
        self.kind = kind
