"""What an instance's priority depends on that the vrrp process sees itself: interfaces and routes. Pure.

Nobody has to be asked and nothing waited for: what is heard of the kernel weighs before the next advertisement.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from config.model import AnyTrack, TrackedInterface, TrackedRoute, VrrpInstance
from lvsd.vrrp.messages import NearTrack
from lvsd.vrrp.sight import Sight
from netlink.routes import Destination, Hop

NEAR = (TrackedInterface, TrackedRoute)
"""The kinds that are followed here; all others are the director's matter."""


def near(tracks: Iterable[AnyTrack]) -> tuple[TrackedInterface | TrackedRoute, ...]:
    """Those that are followed here."""
    return tuple(one for one in tracks if isinstance(one, NEAR))


def destinations(configs: Iterable[VrrpInstance]) -> frozenset[Destination]:
    """Whereto routes are followed."""
    tracks = (track for config in configs for track in config.tracks if isinstance(track, TrackedRoute))
    return frozenset(Destination(track.prefix, track.table) for track in tracks)


def near_weight(config: VrrpInstance, sight: Sight) -> tuple[int, str]:
    """What these add to the priority, and why the instance cannot run (empty: it can)."""
    found = standings(config, sight)
    return sum(one.delta for one in found), next((one.words for one in found if one.bad), "")


def standings(config: VrrpInstance, sight: Sight) -> tuple[NearTrack, ...]:
    """Each of them."""
    return tuple(_stands(track, sight) for track in near(config.tracks))


def _stands(track: TrackedInterface | TrackedRoute, sight: Sight) -> NearTrack:
    there, words = _standing(track, sight)
    good = there is not track.inverted
    delta = track.weight if good is (track.weight > 0) else 0
    kind, name = ("interface", track.name) if isinstance(track, TrackedInterface) else ("route", _named(track))
    return NearTrack(kind, name, good, delta, words, bad=track.weight == 0 and not good)


def _standing(track: TrackedInterface | TrackedRoute, sight: Sight) -> tuple[bool, str]:
    """Whether it is there, and that in words."""
    if isinstance(track, TrackedInterface):
        up = _is_up(sight, track.name)
        return up, f"tracked interface {track.name} is {'up' if up else 'down'}"
    there = any(_fits(track, hop, sight) for hop in _hops(track, sight))
    return there, f"tracked route {_named(track)} is {'there' if there else 'missing'}"


def _is_up(sight: Sight, name: str) -> bool:
    interface = sight.interfaces.get(name)
    return interface is not None and interface.up


def _hops(track: TrackedRoute, sight: Sight) -> Iterator[Hop]:
    destination = Destination(track.prefix, track.table)
    for route in sight.routes:
        if route.destination == destination:
            yield from route.hops


def _fits(track: TrackedRoute, hop: Hop, sight: Sight) -> bool:
    name = next((name for name, one in sight.interfaces.items() if one.index == hop.index), "")
    goes = hop.usable and _is_up(sight, name)
    return goes and track.interface in ("", name) and track.gateway in ("", hop.gateway)


def _named(track: TrackedRoute) -> str:
    via = f" via {track.gateway}" if track.gateway else ""
    interface = f" dev {track.interface}" if track.interface else ""
    table = f" table {track.table}" if track.table != TrackedRoute().table else ""
    return f"{track.prefix}{via}{interface}{table}"
