"""global_defs: what holds for every vrrp_instance that does not say otherwise. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

import msgspec

from config.keepalived.block import CHANGES, PASSED_OVER, Block, Told, note
from config.keepalived.mails import default_alert, read_mail
from config.keepalived.statements import Statement
from config.keepalived.unicast import note_group
from config.keepalived.values import seconds, switch, whole
from config.keepalived.vrrp_words import GLOBALS
from config.model import GratuitousArp, Mail
from config.reading import Reading

DOWN_TIMER_ADVERTS: Final = 3
REPEAT_LIMIT: Final = 100
DELAY_LIMIT: Final = 3600.0
REFRESH_LIMIT: Final = 86400.0


class Globals(msgspec.Struct, frozen=True):
    """The defaults of every instance and virtual server. What is None global_defs do not say.

    `block` holds what is read elsewhere.
    """

    version: int | None = None
    strict: bool = False
    gratuitous_arp: GratuitousArp = msgspec.field(default_factory=GratuitousArp)
    mail: Mail | None = None
    mails_by_default: bool | None = None
    block: Block | None = None


def read_globals(found: Sequence[Statement], reading: Reading) -> Globals:
    """All global_defs blocks of a file together."""
    if not found:
        return Globals()
    merged = Statement(found[0].words, tuple(one for block in found for one in block.body or ()))
    block = Block(merged, GLOBALS, reading)
    version = block.get("vrrp_version")
    number = whole(version, 2, 3, "2", reading) if version else None
    burst = gratuitous_arp(block, "vrrp_garp_master", GratuitousArp(), reading)
    if switch(block.get("vrrp_min_garp"), reading):
        burst = GratuitousArp(1, 0.0, burst.refresh)
    note_down_timer(block.get("vrrp_down_timer_adverts"), reading)
    for keyword in ("vrrp_mcast_group4", "vrrp_mcast_group6"):
        note_group(block.get(keyword), reading)
    return Globals(
        number.value if number else None,
        switch(block.get("vrrp_strict"), reading),
        burst,
        read_mail(block, reading),
        default_alert(block, reading),
        block,
    )


def gratuitous_arp(block: Block, prefix: str, outer: GratuitousArp, reading: Reading) -> GratuitousArp:
    """The bursts of an instance, or of global_defs, whose keywords begin with `prefix`."""
    repeat, delay = block.get(f"{prefix}_repeat"), block.get(f"{prefix}_delay")
    refresh, again = block.get(f"{prefix}_refresh"), block.get(f"{prefix}_refresh_repeat")
    if again is not None:
        number = whole(again, 1, REPEAT_LIMIT, "1", reading)
        if number is not None and number.value != 1:
            note(again, Told(PASSED_OVER, "lvsd sends one at each refresh"), reading)
    times = whole(repeat, 1, REPEAT_LIMIT, str(outer.repeat), reading) if repeat else None
    later = seconds(delay, 0, DELAY_LIMIT, f"{outer.delay:g}", reading) if delay else None
    each = seconds(refresh, 0, REFRESH_LIMIT, f"{outer.refresh:g}", reading) if refresh else None
    return GratuitousArp(
        times.value if times else outer.repeat,
        later.value if later else outer.delay,
        each.value if each else outer.refresh,
    )


def note_down_timer(statement: Statement | None, reading: Reading) -> None:
    """Only keepalived's default of three advertisements is what lvsd does."""
    number = whole(statement, 1, REPEAT_LIMIT, "3", reading) if statement else None
    if statement is not None and number is not None and number.value != DOWN_TIMER_ADVERTS:
        why = f"lvsd takes the addresses after {DOWN_TIMER_ADVERTS} advertisements were missed"
        note(statement, Told(CHANGES, why), reading)
