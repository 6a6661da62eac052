"""What a VRRP instance's priority depends on: the items of `track`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from config import codes
from config import shape_vrrp as shape
from config.model import AnyTrack, TrackedFile, TrackedInterface, TrackedProcess, TrackedScript, TrackedService
from config.reading import Reading
from config.sections import Fields, Key

_SCRIPT_KEYS: Final[tuple[Key[object], ...]] = (
    shape.TRACK_NAME, shape.TRACK_INTERVAL, shape.TRACK_TIMEOUT, shape.TRACK_RISE, shape.TRACK_FALL, shape.TRACK_USER,
)  # fmt: skip


def build_tracks(said: Fields, reading: Reading) -> tuple[AnyTrack, ...]:
    """All of them, in their order."""
    built = (_track(at.value, reading) for at in said.value(shape.TRACK, ()))
    return tuple(one for one in built if one is not None)


def _track(said: Fields, reading: Reading) -> AnyTrack | None:
    kinds = [key for key in _BUILDERS_BY_KEY if said.said(_KEYS[key])]
    if len(kinds) != 1:
        message = "a track needs one of interface, script, file, process, service"
        message = message if not kinds else f"a track is one thing: {' or '.join(kinds)}"
        reading.error(codes.VRRP_TRACK, said.place, message, "one item for each")
        return None
    (kind,) = kinds
    for key in (*_SCRIPT_KEYS, shape.TRACK_COUNT, shape.TRACK_DELAY, shape.TRACK_EACH):
        if said.said(key) and key.name not in _OWN_KEYS[kind]:
            reading.error(codes.VRRP_TRACK, said.place_of(key), f"`{key.name}` does not go with `{kind}`", "remove it")
    if said.get(_KEYS[kind]) is None:
        return None
    return _BUILDERS_BY_KEY[kind](said, said.value(shape.TRACK_WEIGHT, 0))


def _interface(said: Fields, weight: int) -> AnyTrack:
    return TrackedInterface(weight, said.value(shape.TRACK_INTERFACE, ""))


def _script(said: Fields, weight: int) -> AnyTrack:
    command = said.value(shape.TRACK_SCRIPT, ())
    interval = said.value(shape.TRACK_INTERVAL, 1.0)
    return TrackedScript(
        weight,
        said.value(shape.TRACK_NAME, command[0].rpartition("/")[2]),
        command,
        interval,
        said.value(shape.TRACK_TIMEOUT, interval),
        said.value(shape.TRACK_RISE, 1),
        said.value(shape.TRACK_FALL, 1),
        said.value(shape.TRACK_USER, ""),
    )


def _file(said: Fields, weight: int) -> AnyTrack:
    return TrackedFile(weight, said.value(shape.TRACK_FILE, ""))


def _process(said: Fields, weight: int) -> AnyTrack:
    return TrackedProcess(weight, said.value(shape.TRACK_PROCESS, ""), said.value(shape.TRACK_COUNT, 1))


def _service(said: Fields, weight: int) -> AnyTrack:
    name, delay = said.value(shape.TRACK_SERVICE, ""), said.value(shape.TRACK_DELAY, 3.0)
    return TrackedService(weight, name, delay, said.value(shape.TRACK_EACH, 0))


_BUILDERS_BY_KEY: Final[dict[str, Callable[[Fields, int], AnyTrack]]] = {
    "interface": _interface,
    "script": _script,
    "file": _file,
    "process": _process,
    "service": _service,
}
_KEYS: Final[dict[str, Key[object]]] = {
    "interface": shape.TRACK_INTERFACE,
    "script": shape.TRACK_SCRIPT,
    "file": shape.TRACK_FILE,
    "process": shape.TRACK_PROCESS,
    "service": shape.TRACK_SERVICE,
}
_OWN_KEYS: Final = {
    "interface": (),
    "script": tuple(key.name for key in _SCRIPT_KEYS),
    "file": (),
    "process": (shape.TRACK_COUNT.name,),
    "service": (shape.TRACK_DELAY.name, shape.TRACK_EACH.name),
}
