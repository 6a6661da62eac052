"""A configuration in a few lines of text: what is not as it is by default, and what was told."""

from __future__ import annotations

from enum import Enum

import msgspec

from config.load import Loaded
from config.model import RealServer, VirtualService
from config.secret import Secret


def summary(loaded: Loaded) -> str:
    """The services of a configuration, if there is one, and all problems."""
    lines = [] if loaded.config is None else [line for one in loaded.config.services for line in _service(one)]
    lines += [f"{one.severity.value} {one.file}:{one.line}:{one.column} {one.code}" for one in loaded.problems]
    return "".join(f"{line}\n" for line in lines)


def _service(service: VirtualService) -> list[str]:
    lines = [f"{service.name} {service.scheduler}" + _rest(service, {"name", "scheduler", "virtual"})]
    lines += [f"    {_server(one)}" for one in service.real_servers]
    return lines + [f"    fallback {_server(one)}" for one in service.fallback]


def _server(server: RealServer) -> str:
    where = f"{server.address} {server.port} {server.forwarding.name.lower()} {server.weight}"
    return where + _rest(server, {"address", "port", "forwarding", "weight"})


def _rest(struct: msgspec.Struct, without: set[str]) -> str:
    """The other fields that are not as by default, but for those that have lines of their own."""
    without = without | {"real_servers", "fallback"}
    found = [one for one in msgspec.structs.fields(struct) if one.name not in without]
    said = {one.name: getattr(struct, one.name) for one in found if getattr(struct, one.name) != one.default}
    return "".join(f" {name}={_words(value)}" for name, value in said.items())


def _words(value: object) -> str:
    match value:
        case Secret():
            return repr(value)
        case msgspec.Struct():
            return f"{type(value).__name__}({_rest(value, set()).strip()})"
        case Enum():
            return value.name.lower()
        case frozenset():
            return ",".join(sorted(value))
        case tuple():
            return "[" + ", ".join(map(_words, value)) + "]"
        case _:
            return repr(value)
