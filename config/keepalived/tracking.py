"""track_interface, track_script, track_file and track_process of instances and sync groups. Pure.

Rules of keepalived 2.2.7, measured: of two lines for one thing the first counts; the own interface is tracked anyway;
of a member of a sync group a weighted script is not tracked, and an interface or a file is tracked without its weight,
unless the group says `sync_group_tracking_weight`; what the group tracks weighs for every member. `weight N reverse`
adds -N while good where N is below 0, and takes N off while good where it is above: it is -N, inverted.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from msgspec.structs import replace

from config import codes
from config.keepalived.block import Block
from config.keepalived.statements import Statement
from config.keepalived.trackables import WEIGHT_LIMIT, Trackables, weight_words
from config.keepalived.values import without_semicolon
from config.model import AnyTrack, TrackedFile, TrackedInterface, TrackedProcess, TrackedScript
from config.network import INTERFACE
from config.nodes import At, Scalar
from config.reading import Reading, shown

TRACKERS: Final = ("track_interface", "track_script", "track_file", "track_process")
TRACKS_LIMIT: Final = 256
"""Things one instance or sync group may track."""
_LIMITS: Final = {"track_file": 254, "track_process": 254}


class Tracker:
    """Reads what is tracked, and remembers it."""

    def __init__(self, known: Trackables, reading: Reading) -> None:
        """Start with nothing tracked."""
        self._known = known
        self._reading = reading
        self.used: dict[str, set[str]] = {}

    def tracks(self, block: Block, interface: str) -> tuple[At[AnyTrack], ...]:
        """What an instance on `interface`, or a sync group, tracks."""
        found: dict[tuple[str, str], At[AnyTrack] | None] = {}
        for statement in block.every(*TRACKERS):
            for line in statement.body or ():
                name = without_semicolon(line.words[0], self._reading)
                key = statement.keyword, name.value
                self.used.setdefault(statement.keyword, set()).add(name.value)
                if key in found:
                    message = f"{shown(name.value)} is tracked on an earlier line: that one counts"
                    self._reading.warning(codes.LEFT_OUT, name.place, message, "keepalived takes it so too")
                elif len(found) >= TRACKS_LIMIT:
                    self._reading.error(codes.TOO_MUCH, name.place, f"more than {TRACKS_LIMIT} things are tracked")
                    return ()
                else:
                    found[key] = self._track(line, name, statement.keyword, interface)
        return tuple(one for one in found.values() if one is not None)

    def _track(self, line: Statement, name: At[str], tracker: str, own: str) -> At[AnyTrack] | None:
        if tracker == "track_interface":
            return self._interface(line, name, own)
        return self._named(line, name, tracker)

    def _interface(self, line: Statement, name: At[str], own: str) -> At[AnyTrack] | None:
        weight, reverse = self._weight(line, "track_interface", 0, reverse=False)
        if name.value == own:
            if weight or reverse:
                message = f"the weight of {shown(name.value)} is passed over: without its own interface nobody runs"
                self._reading.warning(codes.PASSED_OVER, name.place, message, "keepalived takes it so too")
            return None
        found = INTERFACE.read(Scalar(name.value, plain=False, place=name.place), self._reading)
        if found is None:
            return None
        return At(TrackedInterface(-weight if reverse else weight, found.value, inverted=reverse), name.place)

    def _named(self, line: Statement, name: At[str], tracker: str) -> At[AnyTrack] | None:
        known = self._known.named.get(tracker, {})
        definition = known.get(name.value)
        if definition is None:
            missing = "is not there" if name.value not in known else "is left out"
            message = f"what `{tracker}` names {shown(name.value)} {missing}: it is not tracked"
            self._reading.warning(codes.LEFT_OUT, name.place, message, "keepalived runs without it too")
            return None
        weight, reverse = self._weight(line, tracker, definition.track.weight, reverse=definition.reverse)
        match definition.track:
            case TrackedFile() as track:
                return self._file(name, track, weight, reverse)
            case TrackedProcess() as track:
                # 254 moves a priority, which is 1 to 254, no further than 253
                weight = max(-WEIGHT_LIMIT, min(WEIGHT_LIMIT, weight))
                return At(replace(track, weight=-weight if reverse else weight, inverted=reverse), name.place)
            case TrackedScript() as track:
                return At(replace(track, weight=-weight if reverse else weight, inverted=reverse), name.place)

    def _file(self, name: At[str], track: TrackedFile, weight: int, reverse: bool) -> At[AnyTrack] | None:
        if reverse and not weight:
            message = f"`reverse` of the file {shown(name.value)} is not carried over without a weight"
            self._reading.error(codes.NOT_YET, name.place, message, "track a script that looks into it")
            return None
        if abs(weight) > WEIGHT_LIMIT:
            message = f"lvsd takes weights of files from -{WEIGHT_LIMIT} to {WEIGHT_LIMIT}"
            self._reading.error(codes.OUT_OF_RANGE, name.place, message)
        return At(replace(track, weight=-weight if reverse else weight), name.place)

    def _weight(self, line: Statement, tracker: str, default: int, *, reverse: bool) -> tuple[int, bool]:
        words = line.words[1:]
        if not words:
            return default, reverse
        if words[0].value == "weight" and len(words) > 1:
            return weight_words(words[1:], _LIMITS.get(tracker, WEIGHT_LIMIT), default, self._reading)
        message = f"{shown(words[0].value)} is not known after what is tracked"
        hint = "one a line, and `weight NUMBER` behind it; keepalived ignores it too"
        self._reading.warning(codes.UNKNOWN_KEYWORD, words[0].place, message, hint)
        return default, reverse


def without_weights(tracks: Sequence[At[AnyTrack]], reading: Reading) -> tuple[At[AnyTrack], ...]:
    """What a member of a sync group tracks: its priority must not leave the others'."""
    found: list[At[AnyTrack]] = []
    for at in tracks:
        match at.value:
            case TrackedScript(weight=weight) if weight:
                message = f"the script {shown(at.value.name)} is not tracked: it has a weight in a sync group"
                hint = "keepalived does not track it either; `sync_group_tracking_weight` in the group"
                reading.warning(codes.LEFT_OUT, at.place, message, hint)
            case TrackedInterface(inverted=True, weight=weight) if weight:
                message = "a reversed weight of an interface is not carried over in a sync group"
                reading.error(codes.NOT_YET, at.place, message, "`sync_group_tracking_weight` in the group")
            case (TrackedInterface() | TrackedFile()) as track if track.weight:
                message = "the weight does not count in a sync group: while this is bad, none of the group runs"
                hint = "so is it with keepalived; `sync_group_tracking_weight` in the group"
                reading.warning(codes.NOT_TAKEN, at.place, message, hint)
                found.append(At(replace(track, weight=0), at.place))
            case _:
                found.append(at)
    return tuple(found)
