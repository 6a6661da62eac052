"""All that can happen to a VRRP instance, and all that it can ask of the world. Pure."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from config.model import VirtualAddress, VrrpInstance
from lvsd.vrrp.drops import Drop
from lvsd.vrrp.link import Link
from lvsd.vrrp.messages import Cause
from lvsd.vrrp.packet import Advertisement, Kind


@dataclass(frozen=True, slots=True)
class Start:
    """Begin, as backup (as active when it owns the address)."""


@dataclass(frozen=True, slots=True)
class Resume:
    """Begin as active: a predecessor ended without giving up, and its addresses are all still here."""


@dataclass(frozen=True, slots=True)
class Wake:
    """The moment `wake_at` has come. Early ones do no harm."""


@dataclass(frozen=True, slots=True)
class Heard:
    """An advertisement that kept every rule."""

    advertisement: Advertisement


@dataclass(frozen=True, slots=True)
class Refused:
    """An advertisement for this virtual router that broke a rule."""

    kind: Drop
    source: str


@dataclass(frozen=True, slots=True)
class LinkChanged:
    """The interface, or what is known of it, is this now."""

    link: Link


@dataclass(frozen=True, slots=True)
class AddressLost:
    """These of the instance's addresses are not where they should be, and it was not us who took them."""

    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class Reconfigured:
    """The same virtual router (interface and number), otherwise configured."""

    config: VrrpInstance


@dataclass(frozen=True, slots=True)
class Shutdown:
    """Give up in good order."""

    cause: Literal[Cause.SHUTDOWN, Cause.RELOAD] = Cause.SHUTDOWN


@dataclass(frozen=True, slots=True)
class Weighed:
    """Tracking adds this to the priority now."""

    delta: int


@dataclass(frozen=True, slots=True)
class TakeOver:
    """All members of the sync group want to: become active."""


@dataclass(frozen=True, slots=True)
class Resign:
    """Hand over and stay backup, because a person asked or because the sync group does."""

    cause: Literal[Cause.FAILOVER, Cause.GROUP]


@dataclass(frozen=True, slots=True)
class Unyield:
    """Preempt again as configured, after a hand-over that a person asked for."""


FromOutside = Wake | Heard | Refused | LinkChanged | AddressLost
FromInside = Start | Resume | Reconfigured | Shutdown | Weighed | TakeOver | Resign | Unyield
Event = FromOutside | FromInside


@dataclass(frozen=True, slots=True)
class Send:
    """Advertise, as the configuration stands now."""

    priority: int


@dataclass(frozen=True, slots=True)
class Whisper:
    """Say something to one router alone."""

    kind: Kind
    priority: int
    to: str


@dataclass(frozen=True, slots=True)
class Claim:
    """Put these addresses on their interfaces; one that is there already is well."""

    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class Release:
    """Take these addresses off; one that is not there is well."""

    addresses: tuple[VirtualAddress, ...]


@dataclass(frozen=True, slots=True)
class Announce:
    """Say by gratuitous ARP where these addresses are: all of them in turn, `rounds` times."""

    addresses: tuple[VirtualAddress, ...]
    rounds: int


@dataclass(frozen=True, slots=True)
class Tell:
    """A fact for the journal."""

    level: Literal["info", "warning"]
    event: str
    fields: tuple[tuple[str, str | int | float], ...] = ()


Effect = Send | Whisper | Claim | Release | Announce | Tell
