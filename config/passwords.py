"""The kind of a secret: a literal text, `{file: PATH}` or `{env: NAME}`. No problem ever tells its value. Pure."""

from __future__ import annotations

import posixpath
import re
from typing import Final

import msgspec

from config import codes
from config.files import FileTooLarge
from config.nodes import At, Mapping, Node, Place, Scalar, is_null
from config.reading import Reading, shown, wrong_type
from config.scalars import Schema, quoted_text

SECRET_LIMIT_BYTES: Final = 1024
PATH_LIMIT_BYTES: Final = 1024
_FORMS = "a text in quotes, {file: PATH} or {env: NAME}"


class SecretKind(msgspec.Struct, frozen=True):
    """A secret's value; bare words that YAML takes for numbers or booleans need quotes."""

    def read(self, node: Node, reading: Reading) -> At[str] | None:
        """The value, from wherever it is kept."""
        match node:
            case Scalar():
                value = quoted_text(node, reading, "a secret")
                _note_exposure(node.place, node.place.file, "this file", reading)
            case Mapping(entries=((Scalar(text="file"), source),)) if not is_null(source):
                value = _from_file(source, reading)
            case Mapping(entries=((Scalar(text="env"), source),)) if not is_null(source):
                value = _from_environment(source, reading)
            case _:
                wrong_type(reading, node, "a secret", _FORMS)  # what stands in { } may be the secret itself
                return None
        return At(value, node.place) if value is not None and _fits(value, node.place, reading) else None

    def schema(self) -> Schema:
        """A text or where to find one."""
        return {"anyOf": [{"type": "string"}, _reference_schema("file"), _reference_schema("env")]}


def relative_to(path: str, file: str) -> str:
    """A path as written in `file`, relative to that file's folder."""
    return posixpath.normpath(posixpath.join(posixpath.dirname(file), path))


def readable(path: str, place: Place, reading: Reading, code: str) -> str | None:
    """A file's text; None after noting at `place` why it cannot be read."""
    try:
        return reading.files.read(path)
    except FileTooLarge as error:
        reading.error(codes.TOO_LARGE, place, f"{path} is larger than {error.limit_bytes} bytes")
    except UnicodeDecodeError:
        reading.error(code, place, f"{path} is not UTF-8 text")
    except OSError as error:
        reading.error(code, place, f"{path}: {error.strerror or error}")
    return None


def path_text(node: Node, reading: Reading, wanted: str) -> str | None:
    """A path as written; None after noting what is wrong with it."""
    path = quoted_text(node, reading, wanted)
    if path is None:
        return None
    if not path or not path.isprintable() or len(path.encode(errors="surrogatepass")) > PATH_LIMIT_BYTES:
        hint = f"printable characters, {PATH_LIMIT_BYTES} bytes at most"
        reading.error(codes.MALFORMED, node.place, f"{shown(path)} is not {wanted}", hint)
        return None
    return path


def _from_file(node: Node, reading: Reading) -> str | None:
    written = path_text(node, reading, "a path")
    if written is None:
        return None
    path = relative_to(written, node.place.file)
    text = readable(path, node.place, reading, codes.NOT_OBTAINED)
    if text is None:
        return None
    value = text.removesuffix("\n").removesuffix("\r")
    if not value:
        reading.error(codes.NOT_OBTAINED, node.place, f"{path} is empty")
        return None
    _note_exposure(node.place, path, path, reading)
    return value


def _from_environment(node: Node, reading: Reading) -> str | None:
    name = quoted_text(node, reading, "the name of an environment variable")
    if name is None:
        return None
    if not re.fullmatch(r"[A-Za-z_][A-Za-z0-9_]{0,127}", name):
        message = f"{shown(name)} is not the name of an environment variable"
        reading.error(codes.MALFORMED, node.place, message, "letters, digits and _")
        return None
    value = reading.files.environ(name)
    if value is None:
        message = f"the environment variable {name} is not set"
        reading.error(codes.NOT_OBTAINED, node.place, message, "set it where lvsd is started")
    return value


def _note_exposure(place: Place, path: str, named: str, reading: Reading) -> None:
    if reading.files.exposed(path):
        message = f"every user of this machine can read the secret in {named}"
        reading.warning(codes.EXPOSED, place, message, f"chmod o-r {path}")


def _fits(value: str, place: Place, reading: Reading) -> bool:
    if len(value.encode(errors="surrogatepass")) > SECRET_LIMIT_BYTES:
        reading.error(codes.TOO_LARGE, place, f"a secret of more than {SECRET_LIMIT_BYTES} bytes")
        return False
    if any(not c.isprintable() for c in value):
        reading.error(codes.MALFORMED, place, "a control character in a secret", "one line of text")
        return False
    return True


def _reference_schema(name: str) -> Schema:
    properties: Schema = {name: {"type": "string"}}
    return {"type": "object", "properties": properties, "required": [name], "additionalProperties": False}
