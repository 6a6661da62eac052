"""The part of JSON Schema that `config.schema` uses, so that the schema can be tried on documents."""

from __future__ import annotations

import re
from typing import cast

_TYPES: dict[str, tuple[type, ...]] = {
    "object": (dict,), "array": (list,), "string": (str,),
    "integer": (int,), "number": (int, float), "boolean": (bool,),
}  # fmt: skip
_KNOWN = {
    "$schema", "title", "description", "$defs", "examples", "format", "$ref", "type", "properties", "required", "enum",
    "additionalProperties", "propertyNames", "items", "minItems", "anyOf", "allOf", "if", "then", "const", "pattern",
    "minimum", "maximum",
}  # fmt: skip
Schema = dict[str, object]


def violations(document: object, schema: Schema) -> list[str]:
    """Where the document does not fit."""
    return _check(document, schema, schema, "")


def _check(value: object, schema: Schema, root: Schema, path: str) -> list[str]:
    assert set(schema) <= _KNOWN, set(schema) - _KNOWN
    found: list[str] = []
    if "$ref" in schema:
        name = str(schema["$ref"]).removeprefix("#/$defs/")
        found += _check(value, cast("dict[str, Schema]", root["$defs"])[name], root, path)
    if not _has_type(value, schema):
        return [f"{path}: type"]
    if "enum" in schema and value not in cast("list[object]", schema["enum"]):
        found.append(f"{path}: enum")
    if "const" in schema and (value != schema["const"] or type(value) is not type(schema["const"])):
        found.append(f"{path}: const")
    found += _text_and_number(value, schema, path)
    found += _inside(value, schema, root, path)
    any_of = cast("list[Schema]", schema.get("anyOf", []))
    if any_of and all(_check(value, one, root, path) for one in any_of):
        found.append(f"{path}: anyOf")
    for one in cast("list[Schema]", schema.get("allOf", [])):
        found += _check(value, one, root, path)
    if "if" in schema and not _check(value, cast("Schema", schema["if"]), root, path):
        found += _check(value, cast("Schema", schema["then"]), root, path)
    return found


def _has_type(value: object, schema: Schema) -> bool:
    wanted = schema.get("type", [])
    names = cast("list[str]", wanted if isinstance(wanted, list) else [wanted])
    if not names:
        return True
    if isinstance(value, bool):
        return "boolean" in names
    return any(isinstance(value, _TYPES[name]) for name in names)


def _text_and_number(value: object, schema: Schema, path: str) -> list[str]:
    if isinstance(value, str) and "pattern" in schema:
        return [] if re.search(str(schema["pattern"]), value) else [f"{path}: pattern"]
    if isinstance(value, int | float) and not isinstance(value, bool):
        low, high = schema.get("minimum", value), schema.get("maximum", value)
        return [] if cast("float", low) <= value <= cast("float", high) else [f"{path}: range"]
    return []


def _inside(value: object, schema: Schema, root: Schema, path: str) -> list[str]:
    found: list[str] = []
    if isinstance(value, list):
        found += [f"{path}: minItems"] if len(value) < cast("int", schema.get("minItems", 0)) else []
        for number, item in enumerate(value):
            found += _check(item, cast("Schema", schema.get("items", {})), root, f"{path}[{number}]")
    if isinstance(value, dict):
        properties = cast("dict[str, Schema]", schema.get("properties", {}))
        found += [
            f"{path}: {name} missing" for name in cast("list[str]", schema.get("required", [])) if name not in value
        ]
        for name, item in value.items():
            found += _check(name, cast("Schema", schema.get("propertyNames", {})), root, f"{path}.{name}")
            inner = properties.get(name, schema.get("additionalProperties", {}))
            if inner is False:
                found.append(f"{path}.{name}: unknown")
            else:
                found += _check(item, cast("Schema", inner), root, f"{path}.{name}")
    return found
