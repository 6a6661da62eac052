"""Kinds of values that may be written in a short and a long way. Pure."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Final

import msgspec

from config import codes
from config.network import Endpoint, EndpointKind, Prefix, PrefixKind
from config.nodes import At, Meaning, Node, Scalar, Sequence, meaning
from config.nodes import Mapping as MappingNode
from config.passwords import path_text, relative_to
from config.reading import Reading, shown, wrong_type
from config.scalars import Boolean, Integer, Kind, Schema, quoted_text
from config.sections import Fields, Key, Section, read_section, section_schema
from config.words import TunnelType

COMMAND_LIMIT_BYTES: Final = 8192
Ranges = tuple[tuple[int, int], ...]


class PathKind(msgspec.Struct, frozen=True):
    """A file's path, relative to the file that names it (`resolved`), or as it was written."""

    resolved: bool = True

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The path from where the configuration file was found."""
        path = path_text(node, reading, "a path")
        if path is None:
            return None
        return At(relative_to(path, node.place.file) if self.resolved else path, node.place)

    def schema(self) -> Schema:
        """A string."""
        return {"type": "string"}


class OrNone(msgspec.Struct, frozen=True):
    """A text, or `false` for none where one would be used otherwise."""

    kind: Kind[str]

    def read(self, node: Node, reading: Reading) -> At[str | None] | None:
        """The text."""
        if is_false(node):
            return At(None, node.place)
        return self.kind.read(node, reading)

    def schema(self) -> Schema:
        """A string or `false`."""
        return {"anyOf": [{"const": False}, self.kind.schema()]}


class Switchable(msgspec.Struct, frozen=True):
    """A text, `true` for the usual one, or `false` for none."""

    kind: Kind[str]

    def read(self, node: Node, reading: Reading) -> At[str | bool] | None:
        """The text, or the truth value."""
        if isinstance(node, Scalar) and meaning(node) is Meaning.BOOLEAN:
            return Boolean().read(node, reading)
        return self.kind.read(node, reading)

    def schema(self) -> Schema:
        """A string or a boolean."""
        return {"anyOf": [{"type": "boolean"}, self.kind.schema()]}


class WordOrNumber(msgspec.Struct, frozen=True):
    """A number from 1 to `high`, or a word that stands for one."""

    wanted: str
    words: Mapping[str, int]
    high: int

    def read(self, node: Node, reading: Reading) -> At[int] | None:
        """The number."""
        if isinstance(node, Scalar) and node.text.lower() in self.words:
            return At(self.words[node.text.lower()], node.place)
        if isinstance(node, Scalar) and re.fullmatch(r"-?[0-9]+", node.text[:20]):
            return Integer(1, self.high).read(node, reading)
        hint = f"{', '.join(self.words)}, or from 1 to {self.high}"
        wrong_type(reading, node, self.wanted, hint)
        return None

    def schema(self) -> Schema:
        """A word or a number."""
        return {"anyOf": [{"enum": list(self.words)}, Integer(1, self.high).schema()]}


def is_false(node: Node) -> bool:
    """Whether `false` stands here, which takes an inherited or default value away."""
    return isinstance(node, Scalar) and meaning(node) is Meaning.BOOLEAN and node.text.lower() == "false"


class Statuses(msgspec.Struct, frozen=True):
    """HTTP status codes: `200`, `"200-299"`, or a list of such."""

    def read(self, node: Node, reading: Reading) -> At[Ranges] | None:
        """Inclusive ranges."""
        items = node.items if isinstance(node, Sequence) else (node,)
        ranges = [self._range(item, reading) for item in items]
        if not ranges:
            reading.error(codes.NO_VALUE, node.place, "an empty list of statuses", "200, or 200-299")
        found = tuple(one for one in ranges if one is not None)
        return At(found, node.place) if ranges and len(found) == len(ranges) else None

    def _range(self, node: Node, reading: Reading) -> tuple[int, int] | None:
        if not isinstance(node, Scalar):
            wrong_type(reading, node, "an HTTP status", "200, or 200-299")
            return None
        match = re.fullmatch(r"([1-5][0-9]{2})(?:-([1-5][0-9]{2}))?", node.text)
        low, high = (int(match[1]), int(match[2] or match[1])) if match else (1, 0)
        if low > high:
            reading.error(codes.MALFORMED, node.place, f"{shown(node.text)} is not an HTTP status", "200, or 200-299")
            return None
        return low, high

    def schema(self) -> Schema:
        """A number, a range, or a list of them."""
        one = [
            {"type": "integer", "minimum": 100, "maximum": 599},
            {"type": "string", "pattern": "^[1-5]\\d\\d(-[1-5]\\d\\d)?$"},
        ]
        return {"anyOf": [*one, {"type": "array", "items": {"anyOf": one}, "minItems": 1}]}


class Command(msgspec.Struct, frozen=True):
    """A program and its arguments. A single text is refused: it would ask for a shell, and there is none.

    `optional`: `false` may stand for none, where an outer level says one.
    """

    optional: bool = False

    def read(self, node: Node, reading: Reading) -> At[tuple[str, ...]] | None:
        """The arguments, the program first."""
        if self.optional and is_false(node):
            return At((), node.place)
        if not isinstance(node, Sequence):
            wrong_type(reading, node, "a list", 'there is no shell: write [/path/to/program, "argument", ...]')
            return None
        words = [self._argument(item, reading) for item in node.items]
        found = tuple(word for word in words if word is not None)
        if len(found) != len(words):
            return None
        if not found or not found[0].startswith("/"):
            reading.error(codes.MALFORMED, node.place, "a command begins with a program's absolute path")
            return None
        if sum(len(word.encode(errors="surrogatepass")) for word in found) > COMMAND_LIMIT_BYTES:
            reading.error(codes.TOO_LARGE, node.place, f"a command of more than {COMMAND_LIMIT_BYTES} bytes")
            return None
        return At(found, node.place)

    def _argument(self, node: Node, reading: Reading) -> str | None:
        """One argument; a number that reads the same in every YAML may stand without quotes."""
        if isinstance(node, Scalar) and re.fullmatch(r"-?(?:0|[1-9][0-9]{0,18})", node.text):
            return node.text
        text = quoted_text(node, reading, "an argument")
        if text is not None and any(not c.isprintable() and c not in "\n\t" for c in text):
            reading.error(codes.MALFORMED, node.place, "a control character in an argument")
            return None
        return text

    def schema(self) -> Schema:
        """An array."""
        array: Schema = {"type": "array", "items": {"type": ["string", "integer"]}, "minItems": 1}
        return {"anyOf": [{"const": False}, array]} if self.optional else array


class PersistenceKind(msgspec.Struct, frozen=True):
    """A duration, a mapping with a timeout, or `false` for none where `defaults` say otherwise."""

    section: Section
    timeout: Key[float]

    def read(self, node: Node, reading: Reading) -> At[Fields | None] | None:
        """The mapping's fields, with a short form's duration as its timeout."""
        if isinstance(node, MappingNode):
            return read_section(node, self.section, node.place, reading)
        if is_false(node):
            return At(None, node.place)
        return _alone(self.timeout, self.timeout.kind.read(node, reading))

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [{"const": False}, self.timeout.kind.schema(), section_schema(self.section)]}


class RealServerKind(msgspec.Struct, frozen=True):
    """`1.1.1.15`, `1.1.1.15:8080`, `"[v6]:8080"`, or a mapping."""

    section: Section
    address: Key[str]
    port: Key[int]

    def read(self, node: Node, reading: Reading) -> At[Fields] | None:
        """The mapping's fields; a short form gives address and port."""
        if isinstance(node, MappingNode):
            return read_section(node, self.section, node.place, reading)
        found: At[Endpoint] | None = EndpointKind(port_needed=False).read(node, reading)
        if found is None:
            return None
        values: dict[str, At[object]] = {self.address.name: At(found.value.address, node.place)}
        if found.value.port is not None:
            values[self.port.name] = At(found.value.port, node.place)
        return At(Fields(node.place, values, dict.fromkeys(values, node.place)), node.place)

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [EndpointKind(port_needed=False).schema(), section_schema(self.section)]}


class TunnelKind(msgspec.Struct, frozen=True):
    """A type of tunnel, or a mapping."""

    section: Section
    type: Key[TunnelType]

    def read(self, node: Node, reading: Reading) -> At[Fields] | None:
        """The mapping's fields; a short form gives the type."""
        if isinstance(node, MappingNode):
            return read_section(node, self.section, node.place, reading)
        return _alone(self.type, self.type.kind.read(node, reading))

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [self.type.kind.schema(), section_schema(self.section)]}


class MailKind(msgspec.Struct, frozen=True):
    """An address, a list of them, a mapping, or `false` for nobody where `defaults` say otherwise."""

    section: Section
    to: Key[tuple[At[str], ...]]

    def read(self, node: Node, reading: Reading) -> At[Fields | None] | None:
        """The mapping's fields; a short form gives the addresses."""
        if isinstance(node, MappingNode):
            return read_section(node, self.section, node.place, reading)
        if is_false(node):
            return At(None, node.place)
        return _alone(self.to, self.to.kind.read(node, reading))

    def schema(self) -> Schema:
        """Any form."""
        return {"anyOf": [{"const": False}, self.to.kind.schema(), section_schema(self.section)]}


def _alone(key: Key[object], value: At[object] | None) -> At[Fields] | None:
    """A mapping of this key alone, as a short form stands for it."""
    if value is None:
        return None
    return At(Fields(value.place, {key.name: value}, {key.name: value.place}), value.place)


class VirtualAddressKind(msgspec.Struct, frozen=True):
    """`ADDRESS/PREFIX`, `ADDRESS`, or a mapping that also names an interface."""

    section: Section
    address: Key[Prefix]

    def read(self, node: Node, reading: Reading) -> At[Fields] | None:
        """The mapping's fields; a short form gives the address."""
        if isinstance(node, MappingNode):
            return read_section(node, self.section, node.place, reading)
        return _alone(self.address, PrefixKind().read(node, reading))

    def schema(self) -> Schema:
        """Either form."""
        return {"anyOf": [PrefixKind().schema(), section_schema(self.section)]}
