"""The JSON Schema of lvsd.yaml, for editors: made from the same declarations the loader reads by. Pure."""

from __future__ import annotations

from typing import Final

from config import shape, shape_checks, shape_services
from config.scalars import Schema
from config.sections import section_schema


def json_schema() -> Schema:
    """A schema of draft 2020-12. Each check appears once, under `$defs`, with the keys its type allows."""
    top = section_schema(shape.TOP)
    head: Schema = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "lvsd.yaml"}
    return head | _refer_to_check(top) | {"$defs": {"check": _check_schema()}}


def _check_schema() -> Schema:
    """The check's properties, and for each type that is said the names it allows."""
    choices: list[object] = []
    for word, kind in shape_checks.CHECK_TYPE_WORDS.items():
        names = [key.name for key in shape_checks.known_keys(kind)]
        condition: Schema = {"properties": {"type": {"const": word}}, "required": ["type"]}
        choices.append({"if": condition, "then": {"propertyNames": {"enum": names}}})
    return section_schema(shape_checks.CHECK) | {"allOf": choices}


def _refer_to_check(schema: Schema) -> Schema:
    """The same schema with every `check` and `checks` property, wherever it stands, as a reference."""
    found: Schema = {}
    for name, value in schema.items():
        found[name] = _walk(value)
        if name == "properties" and isinstance(value, dict) and shape_services.CHECK_KEY.name in value:
            found[name] = _walk({**value, **_REFERENCES})
    return found


_REFERENCE: Final[Schema] = {"$ref": "#/$defs/check"}
_REFERENCES: Final[Schema] = {
    shape_services.CHECK_KEY.name: _REFERENCE | {"description": shape_services.CHECK_KEY.about},
    shape_services.CHECKS_KEY.name: {
        "type": "array", "items": _REFERENCE, "minItems": 1, "description": shape_services.CHECKS_KEY.about,
    },
}  # fmt: skip


def _walk(value: object) -> object:
    match value:
        case dict():
            return _refer_to_check(value)
        case list():
            return [_walk(item) for item in value]
        case _:
            return value
