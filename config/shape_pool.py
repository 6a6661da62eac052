"""The keys for what holds for the real servers of a service together. Pure."""

from __future__ import annotations

import re
from typing import Final

import msgspec

from config import codes
from config.compound import is_false
from config.nodes import At, Mapping, Node, Scalar
from config.pool_rules import WHOLE, Amount, FloorAction, PassiveAction
from config.reading import Reading, shown, wrong_type
from config.scalars import Duration, Integer, Schema, Word
from config.sections import Fields, Key, Section, read_section, section_schema

AMOUNT_LIMIT: Final = 1_000_000
HOLD_LIMIT_INTERVALS: Final = 100
SLACK_LIMIT: Final = 1000


class AmountKind(msgspec.Struct, frozen=True):
    """A number of real servers from 1, or a share of them: `2`, `50%`."""

    def read(self, node: Node, reading: Reading) -> At[Amount] | None:
        """The amount."""
        if not isinstance(node, Scalar):
            wrong_type(reading, node, "a number or a share", "2, or 50%")
            return None
        found = re.fullmatch(r"([1-9][0-9]{0,6})(%?)", node.text)
        if found is None:
            message = f"{shown(node.text)} is neither a number of real servers nor a share"
            reading.error(codes.MALFORMED, node.place, message, "2, or 50%")
            return None
        number, percent = int(found[1]), bool(found[2])
        if number > (WHOLE if percent else AMOUNT_LIMIT):
            hint = f"from 1{found[2]} to {WHOLE if percent else AMOUNT_LIMIT}{found[2]}"
            reading.error(codes.OUT_OF_RANGE, node.place, f"{node.text} is out of range", hint)
            return None
        return At(Amount(number, percent), node.place)

    def schema(self) -> Schema:
        """A number, or a text with a percent sign."""
        share: Schema = {"type": "string", "pattern": "^(?:[1-9][0-9]?|100)%$"}
        return {"anyOf": [{"type": "integer", "minimum": 1, "maximum": AMOUNT_LIMIT}, share]}


class ShareKind(msgspec.Struct, frozen=True):
    """A share from `low` to `high` per cent: `60%`."""

    low: int = 1
    high: int = WHOLE

    def read(self, node: Node, reading: Reading) -> At[int] | None:
        """Per cent."""
        found = re.fullmatch(r"([1-9][0-9]{0,3})%", node.text) if isinstance(node, Scalar) else None
        if found is None or not self.low <= int(found[1]) <= self.high:
            hint = f"from {self.low}% to {self.high}%"
            reading.error(codes.MALFORMED, node.place, "a share is expected", hint)
            return None
        return At(int(found[1]), node.place)

    def schema(self) -> Schema:
        """A text with a percent sign."""
        return {"type": "string", "pattern": "^[1-9][0-9]{0,3}%$"}


class ShortKind(msgspec.Struct, frozen=True):
    """One key's value alone, a mapping, or `false` for none where `defaults` say otherwise."""

    section: Section
    short: Key[object]

    def read(self, node: Node, reading: Reading) -> At[Fields | None] | None:
        """The mapping's fields; a short form gives that key."""
        if isinstance(node, Mapping):
            return read_section(node, self.section, node.place, reading)
        if is_false(node):
            return At(None, node.place)
        found = self.short.kind.read(node, reading)
        if found is None:
            return None
        name = self.short.name
        return At(Fields(found.place, {name: found}, {name: found.place}), found.place)

    def schema(self) -> Schema:
        """Any form."""
        return {"anyOf": [{"const": False}, self.short.kind.schema(), section_schema(self.section)]}


class SwitchedKind(msgspec.Struct, frozen=True):
    """A mapping, `true` for all its defaults, or `false` for none."""

    section: Section

    def read(self, node: Node, reading: Reading) -> At[Fields | None] | None:
        """The mapping's fields."""
        if is_false(node):
            return At(None, node.place)
        if isinstance(node, Scalar) and node.plain and node.text.lower() == "true":
            return At(Fields(node.place), node.place)
        if not isinstance(node, Mapping):
            wrong_type(reading, node, f"a mapping ({self.section.name})", "true, false, or `key: value` pairs")
            return None
        return read_section(node, self.section, node.place, reading)

    def schema(self) -> Schema:
        """Any form."""
        return {"anyOf": [{"type": "boolean"}, section_schema(self.section)]}


FLOOR_MINIMUM = Key(
    "minimum", AmountKind(), "How many real servers must be left: a number, or a share of all.", required=True
)
FLOOR_ACTION = Key(
    "action",
    Word("an action", {one.value: one for one in FloorAction}),
    "With fewer that are up: keep those that fail then, have all serve (fail-open), the fallback (sorry) or nobody.",
    "keep",
)
FLOOR_RESTORED = Key("restored", AmountKind(), "With so many that are up the floor holds again.", "minimum")
FLOOR_SECTION = Section(
    "floor", "How many real servers must be left in service.", (FLOOR_MINIMUM, FLOOR_ACTION, FLOOR_RESTORED)
)
FLOOR = Key(
    "floor",
    ShortKind(FLOOR_SECTION, FLOOR_MINIMUM),
    "How many real servers must be left in service whatever their checks say: a number, a share, or a mapping.",
    "false",
)
CORRELATED_SHARE = Key("share", ShareKind(), "How many failures at once are suspicious.", "100%")
CORRELATED_HOLD = Key("hold", Integer(1, HOLD_LIMIT_INTERVALS), "For how many intervals they do not count.", "2")
CORRELATED_SECTION = Section(
    "correlated_failure", "Failures at once point to the checker.", (CORRELATED_SHARE, CORRELATED_HOLD)
)
CORRELATED_FAILURE = Key(
    "correlated_failure",
    SwitchedKind(CORRELATED_SECTION),
    "Whether real servers (three at least) that fail all at once stay in service until that is confirmed.",
    "false",
)
SLOW_START = Key(
    "slow_start",
    Duration(0, 3600),
    "How long a real server that comes back takes to get its whole weight, in ten steps; 0 for at once.",
    "0s",
)
HOLD_FIRST = Key(
    "first",
    Duration(1, 86400),
    "How long the second failure holds a real server out; each further twice as long.",
    required=True,
)
HOLD_LONGEST = Key("longest", Duration(1, 86400), "No hold is longer.", "10m")
HOLD_FORGET = Key("forget", Duration(1, 31 * 86400), "After so long in service failures are forgotten.", "30m")
HOLD_DOWN_SECTION = Section(
    "hold_down", "Real servers that fail again and again stay out longer.", (HOLD_FIRST, HOLD_LONGEST, HOLD_FORGET)
)
HOLD_DOWN = Key(
    "hold_down",
    ShortKind(HOLD_DOWN_SECTION, HOLD_FIRST),
    "How long a real server that fails again stays out at least, twice as long each time: a duration, or a mapping.",
    "false",
)
RESUME = Key(
    "resume",
    Word("a way to resume", {"automatic": False, "manual": True}),
    "manual: a real server that failed stays out until `lvsctl enable`.",
    "automatic",
)
GROUP_MINIMUM = Key(
    "group_minimum",
    AmountKind(),
    "With fewer real servers up in the groups before it, the next `group` serves too: a number, or a share of those.",
    "1",
)
PASSIVE_CONNECTIONS = Key(
    "connections", Integer(1, 1_000_000), "So many new connections, of which none went on, are suspect.", "10"
)
PASSIVE_WINDOW = Key("window", Duration(1, 3600), "Within how long.", "5s")
PASSIVE_ACTION = Key(
    "action",
    Word("an action", {one.value: one for one in PassiveAction}),
    "probe: its checks run at once; fail: it counts as a failed probe besides.",
    "probe",
)
PASSIVE_SECTION = Section(
    "passive",
    "What clients' packets tell of a real server.",
    (PASSIVE_CONNECTIONS, PASSIVE_WINDOW, PASSIVE_ACTION),
)
PASSIVE = Key(
    "passive",
    SwitchedKind(PASSIVE_SECTION),
    "Whether a real server is suspect when clients' connections to it do not go on.",
    "false",
)
LATENCY_MINIMUM = Key("minimum", ShareKind(), "The least that is left of a weight.", "25%")
LATENCY_SLACK = Key("slack", ShareKind(WHOLE, SLACK_LIMIT), "Up to so much of the median nobody is slow.", "150%")
LATENCY_SECTION = Section(
    "latency_weights", "Slow real servers get fewer connections.", (LATENCY_MINIMUM, LATENCY_SLACK)
)
LATENCY_WEIGHTS = Key(
    "latency_weights",
    SwitchedKind(LATENCY_SECTION),
    "Whether a real server slower than the service's median gets a smaller weight.",
    "false",
)
POOL_SETTINGS = (
    FLOOR, CORRELATED_FAILURE, SLOW_START, HOLD_DOWN, RESUME, GROUP_MINIMUM, PASSIVE, LATENCY_WEIGHTS,
)  # fmt: skip
POOL_SECTIONS = (FLOOR_SECTION, CORRELATED_SECTION, HOLD_DOWN_SECTION, PASSIVE_SECTION, LATENCY_SECTION)
