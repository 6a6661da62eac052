"""Mappings with declared keys: one declaration serves the loader, the JSON Schema and the manual's test. Pure."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Generic, TypeVar

import msgspec

from config import codes
from config.nodes import At, Node, Place, Scalar, Sequence, is_null
from config.nodes import Mapping as MappingNode
from config.problems import Problem, Severity
from config.reading import Reading, nearest, shown, wrong_type
from config.scalars import Kind, Schema

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)

NAME_PATTERN = r"\w[\w.:@+-]{0,63}"
_NAME = re.compile(NAME_PATTERN)


class Key(msgspec.Struct, Generic[T_co], frozen=True):
    """A key: its name, what it takes, what it is for, and its default as a person would write it."""

    name: str
    kind: Kind[T_co]
    about: str
    default: str = ""
    required: bool = False


@dataclass(frozen=True, slots=True)
class Section:
    """A mapping's declaration. `strangers` are other programs' keys, with what to write instead."""

    name: str
    about: str
    keys: tuple[Key[object], ...]
    strangers: Mapping[str, str] = field(default_factory=dict)
    required: tuple[Key[object], ...] = field(init=False, repr=False)
    _named: Mapping[str, Key[object]] = field(init=False, repr=False)

    def __post_init__(self) -> None:
        """Find once what every mapping of thousands is asked for."""
        object.__setattr__(self, "required", tuple(key for key in self.keys if key.required))
        object.__setattr__(self, "_named", {key.name: key for key in reversed(self.keys)})

    def named(self, name: str) -> Key[object] | None:
        """The key of that name."""
        return self._named.get(name)


class Fields(msgspec.Struct, frozen=True):
    """What a mapping said: values by key, each with its place.

    `key_places` holds every known key that was written, also one whose value was refused; `meant` the known keys
    that unknown ones were probably meant for.
    """

    place: Place
    values: Mapping[str, At[Any]] = msgspec.field(default_factory=dict)  # each stored by the kind of its key
    key_places: Mapping[str, Place] = msgspec.field(default_factory=dict)
    meant: frozenset[str] = frozenset()

    def get(self, key: Key[T]) -> At[T] | None:
        """The key's value, None when it was not said or was refused."""
        return self.values.get(key.name)

    def value(self, key: Key[T], default: T) -> T:
        """The key's value or the default."""
        found: At[T] | None = self.values.get(key.name)
        return default if found is None else found.value

    def said(self, key: Key[object]) -> bool:
        """Whether the key was written, perhaps misspelt, whatever its value."""
        return key.name in self.key_places or key.name in self.meant

    def place_of(self, key: Key[object]) -> Place:
        """Where the key was written; the mapping's own place when it was not."""
        return self.key_places.get(key.name, self.place)

    def only(self, names: frozenset[str]) -> Fields:
        """These without the keys not named."""
        values = {name: at for name, at in self.values.items() if name in names}
        places = {name: at for name, at in self.key_places.items() if name in names}
        return Fields(self.place, values, places, self.meant & names)

    def over(self, outer: Fields, without: frozenset[str] = frozenset()) -> Fields:
        """These, and those of `outer` that these do not say, except the keys named in `without`."""
        inherited = {
            name: at for name, at in outer.values.items() if name not in without and name not in self.key_places
        }
        places = {name: at for name, at in outer.key_places.items() if name not in without}
        return Fields(self.place, {**inherited, **self.values}, {**places, **self.key_places}, self.meant | outer.meant)


class Nested(msgspec.Struct, frozen=True):
    """The kind of a mapping declared by a section."""

    section: Section

    def read(self, node: Node, reading: Reading) -> At[Fields] | None:
        """The mapping's fields."""
        return read_section(node, self.section, node.place, reading)

    def schema(self) -> Schema:
        """An object with the section's properties and no others."""
        return section_schema(self.section)


class Table(msgspec.Struct, frozen=True):
    """The kind of a mapping of names to mappings, all declared by one section."""

    section: Section

    def read(self, node: Node, reading: Reading) -> At[dict[str, At[Fields]]] | None:
        """Fields by name; their place is the name's."""
        if not isinstance(node, MappingNode):
            wrong_type(
                reading, node, "a mapping of names", f"write `name:` and below it the {self.section.name}'s keys"
            )
            return None
        found: dict[str, At[Fields]] = {}
        for name, place, value in _entries(node, reading):
            if not _NAME.fullmatch(name):
                hint = "up to 64 letters, digits, and _ . : @ + - inside"
                reading.error(codes.MALFORMED, place, f"{shown(name)} is not a name", hint)
            elif is_null(value):
                reading.error(codes.NO_VALUE, place, f"{self.section.name} {shown(name)} has no keys")
            else:
                fields = read_section(value, self.section, place, reading)
                found.update({name: fields} if fields else {})
        return At(found, node.place)

    def schema(self) -> Schema:
        """An object whose every property is such a mapping."""
        names: Schema = {"pattern": f"^{NAME_PATTERN}$"}
        return {"type": "object", "propertyNames": names, "additionalProperties": section_schema(self.section)}


class Listing(msgspec.Struct, Generic[T], frozen=True):
    """The kind of a list.

    `of`: what a problem calls it; `single`: one value may stand without its list; `when_empty`: code, severity and
    message of what is noted about a list without items.
    """

    item: Kind[T]
    of: str = "a list"
    single: bool = False
    hint: str = ""
    when_empty: tuple[str, Severity, str] | None = None

    def read(self, node: Node, reading: Reading) -> At[tuple[At[T], ...]] | None:
        """The items that could be read; what is wrong with the others is noted."""
        if self.single and not isinstance(node, Sequence):
            only = self.item.read(node, reading)
            return None if only is None else At((only,), node.place)
        if not isinstance(node, Sequence):
            wrong_type(reading, node, self.of, self.hint or "write it as a list: [ ... ]")
            return None
        if not node.items and self.when_empty:
            code, severity, message = self.when_empty
            reading.add(Problem(code, node.place.file, node.place.line, node.place.column, message, "", severity))
        return At(tuple(self._items(node, reading)), node.place)

    def _items(self, node: Sequence, reading: Reading) -> Iterator[At[T]]:
        for item in node.items:
            if is_null(item):
                reading.error(codes.NO_VALUE, item.place, f"an empty item in {self.of}", "remove it")
                continue
            found = self.item.read(item, reading)
            if found is not None:
                yield found

    def schema(self) -> Schema:
        """An array."""
        array: Schema = {"type": "array", "items": self.item.schema()}
        return {"anyOf": [self.item.schema(), array]} if self.single else array


def read_section(node: Node, section: Section, place: Place, reading: Reading) -> At[Fields] | None:
    """A mapping by its declaration: every unknown, double, empty or missing key is noted. `place` is its own."""
    if not isinstance(node, MappingNode):
        example = "{type: ...}" if section.named("type") else "`key: value` pairs"
        wrong_type(reading, node, f"a mapping ({section.name})", f"write {example}")
        return None
    values: dict[str, At[object]] = {}
    places: dict[str, Place] = {}
    meant: set[str] = set()
    for name, key_place, value in _entries(node, reading):
        key = section.named(name)
        if key is None:
            meant.add(_note_unknown(name, key_place, section, reading))
            continue
        places[name] = key_place
        found = _read_value(key, key_place, value, reading)
        if found is not None:
            values[name] = found
    fields = Fields(place, values, places, frozenset(meant))
    for key in section.required:
        if not fields.said(key):
            reading.error(codes.MISSING_KEY, place, f"`{key.name}` is missing in {section.name}", key.about)
    return At(fields, place)


def _read_value(key: Key[object], key_place: Place, value: Node, reading: Reading) -> At[object] | None:
    if is_null(value):
        reading.error(codes.NO_VALUE, key_place, f"`{key.name}` has no value", "give one, or remove the key")
        return None
    return key.kind.read(value, reading)


def _entries(node: MappingNode, reading: Reading) -> Iterator[tuple[str, Place, Node]]:
    """Name, place and value of each key; the second of a double is noted and left out."""
    first: dict[str, int] = {}
    for key, value in node.entries:
        if not isinstance(key, Scalar):
            hint = "a {{ template }} must be filled in before; a text that begins with { or [ needs quotes"
            reading.error(codes.WRONG_TYPE, key.place, "a key must be a plain word", hint)
        elif key.text in first:
            message = f"{shown(key.text)} stands here for the second time"
            reading.error(codes.DUPLICATE_KEY, key.place, message, f"the first is on line {first[key.text]}")
        else:
            first[key.text] = key.place.line
            yield key.text, key.place, value


def _note_unknown(name: str, place: Place, section: Section, reading: Reading) -> str:
    """Note an unknown key; the answer is the known one it was probably meant for, or nothing."""
    message = f"unknown key {shown(name)} in {section.name}"
    known = [key.name for key in section.keys]
    if reading.full:  # it will not be shown, and looking for like words is dear
        reading.error(codes.UNKNOWN_KEY, place, message)
        return ""
    near = nearest(name, known)
    hint = f"did you mean `{near}`?" if near else f"known: {', '.join(known)}"
    if name == "<<":
        hint = "merge keys are not read: use `defaults:`, or an alias of a whole value"
    hint = section.strangers.get(name, hint)
    reading.error(codes.UNKNOWN_KEY, place, message, hint)
    return next((one for one in re.findall(r"`(\w+)", hint) if one in known), "")


def section_schema(section: Section) -> Schema:
    """An object with the section's properties and no others."""
    properties: Schema = {key.name: _key_schema(key) for key in section.keys}
    required = [key.name for key in section.keys if key.required]
    schema: Schema = {"type": "object", "description": section.about, "properties": properties}
    return schema | {"additionalProperties": False} | ({"required": required} if required else {})


def _key_schema(key: Key[object]) -> Schema:
    default = f" Default: {key.default}." if key.default else ""
    return {**key.kind.schema(), "description": key.about + default}
