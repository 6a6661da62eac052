"""What a VRRP instance's priority depends on: the items of `track`. Pure."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from msgspec.structs import replace

from config import codes
from config import shape_vrrp as shape
from config.model import (
    AnyTrack,
    TrackedFile,
    TrackedInterface,
    TrackedProcess,
    TrackedRoute,
    TrackedScript,
    TrackedService,
)
from config.network import is_ipv6
from config.reading import Reading
from config.sections import Fields, Key

_SCRIPT_KEYS: Final[tuple[Key[object], ...]] = (
    shape.TRACK_NAME, shape.TRACK_INTERVAL, shape.TRACK_TIMEOUT, shape.TRACK_RISE, shape.TRACK_FALL, shape.TRACK_USER,
)  # fmt: skip

_ROUTE_KEYS: Final[tuple[Key[object], ...]] = (shape.TRACK_VIA, shape.TRACK_GATEWAY, shape.TRACK_TABLE)
DEFAULT_ROUTES: Final = {False: "0.0.0.0/0", True: "::/0"}
"""The network of every address, by "is IPv6"."""


def build_tracks(said: Fields, *, ipv6: bool, reading: Reading) -> tuple[AnyTrack, ...]:
    """All of them, in their order. `ipv6`: the instance's family, of which a default route is."""
    built = (_track(at.value, ipv6, reading) for at in said.value(shape.TRACK, ()))
    return tuple(one for one in built if one is not None)


def _track(said: Fields, ipv6: bool, reading: Reading) -> AnyTrack | None:
    kinds = [key for key in _BUILDERS_BY_KEY if said.said(_KEYS[key])]
    if len(kinds) != 1:
        message = f"a track needs one of {', '.join(_BUILDERS_BY_KEY)}"
        message = message if not kinds else f"a track is one thing: {' or '.join(kinds)}"
        reading.error(codes.VRRP_TRACK, said.place, message, "one item for each")
        return None
    (kind,) = kinds
    for key in (*_SCRIPT_KEYS, shape.TRACK_COUNT, shape.TRACK_DELAY, shape.TRACK_EACH, *_ROUTE_KEYS):
        if said.said(key) and key.name not in _OWN_KEYS[kind]:
            reading.error(codes.VRRP_TRACK, said.place_of(key), f"`{key.name}` does not go with `{kind}`", "remove it")
    if said.get(_KEYS[kind]) is None:
        return None
    track = _BUILDERS_BY_KEY[kind](said, said.value(shape.TRACK_WEIGHT, 0))
    if isinstance(track, TrackedRoute):
        track = _route_of_family(track, said, ipv6, reading)
    return replace(track, inverted=said.value(shape.TRACK_INVERTED, default=False))


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


def _route(said: Fields, weight: int) -> AnyTrack:
    return TrackedRoute(
        weight,
        said.value(shape.TRACK_ROUTE, ""),
        said.value(shape.TRACK_VIA, ""),
        said.value(shape.TRACK_GATEWAY, ""),
        said.value(shape.TRACK_TABLE, TrackedRoute().table),
    )


def _route_of_family(route: TrackedRoute, said: Fields, ipv6: bool, reading: Reading) -> TrackedRoute:
    """A default route is of the gateway's family, else of the instance's; any other of the gateway's own."""
    if not route.prefix:
        wanted = is_ipv6(route.gateway) if route.gateway else ipv6
        return replace(route, prefix=DEFAULT_ROUTES[wanted])
    if route.gateway and is_ipv6(route.gateway) and not is_ipv6(route.prefix):
        return route  # RFC 8950: the kernel takes IPv4 routes over IPv6 gateways
    if route.gateway and is_ipv6(route.gateway) != is_ipv6(route.prefix):
        message = f"the gateway {route.gateway} is not of the family of {route.prefix}"
        reading.error(codes.FAMILY, said.place_of(shape.TRACK_GATEWAY), message, "an IPv6 gateway")
    return route


_BUILDERS_BY_KEY: Final[dict[str, Callable[[Fields, int], AnyTrack]]] = {
    "interface": _interface,
    "script": _script,
    "file": _file,
    "process": _process,
    "service": _service,
    "route": _route,
}
_KEYS: Final[dict[str, Key[object]]] = {
    "interface": shape.TRACK_INTERFACE,
    "script": shape.TRACK_SCRIPT,
    "file": shape.TRACK_FILE,
    "process": shape.TRACK_PROCESS,
    "service": shape.TRACK_SERVICE,
    "route": shape.TRACK_ROUTE,
}
_OWN_KEYS: Final = {
    "interface": (),
    "script": tuple(key.name for key in _SCRIPT_KEYS),
    "file": (),
    "process": (shape.TRACK_COUNT.name,),
    "service": (shape.TRACK_DELAY.name, shape.TRACK_EACH.name),
    "route": tuple(key.name for key in _ROUTE_KEYS),
}
