"""Transcripts of one virtual service's life: commands begin with `> `, and everything below is what they made happen.

Its real servers are a, b, c ...; the fallback server is spare. `LVSD_REWRITE_SCENARIOS=1 pytest
tests/scenarios/services` writes them anew. Commit such a change only when you know what caused it, and want it.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path

import pytest
from msgspec.structs import replace

from checkers.core.messages import State
from config.checks import Check, ExternalCheck, NoCheck
from config.model import Mail, RealServer, VirtualService
from config.words import OnFailure
from lvsd.core.effects import Apply, Effect, RunCommand, SendMail, Tell
from lvsd.core.events import ConfigChanged, Event, MaintenanceSeen, StopAsked, TableSuspected, Ticked
from lvsd.core.wording import operation_text
from tests.unit.core.world import Bench, config, real, virtual

FOLDER = Path(__file__).parent
PLACE = re.compile(r" ?(?:to|from|in)? tcp 1\.1\.1\.12:80")  # there is but one service
ADDRESSES = {name: f"10.0.0.{number}" for number, name in enumerate("abcdefgh", start=1)} | {"spare": "10.0.0.99"}


def _server(name: str, weight: int = 1) -> RealServer:
    check = Check(ExternalCheck(("/usr/bin/probe",), dynamic=True))
    commands = {"on_up": ("/bin/up", name), "on_down": ("/bin/down", name)}
    return replace(real(ADDRESSES[name], weight, check=check), **commands)


def service(words: list[str]) -> VirtualService:
    """`a=1 b=2 quorum=2 hysteresis=1 scheduler=sh flags=8 quiesce fallback waiting mail=60 hooks_on_stop`."""
    said = dict(word.partition("=")[::2] for word in words)
    servers = [_server(name, int(weight)) for name, weight in said.items() if name in ADDRESSES]
    spare = real(ADDRESSES["spare"], check=Check(NoCheck()))
    spare = replace(spare, on_failure=OnFailure.QUIESCE) if "waiting" in said else spare
    made = virtual(*servers, scheduler=said.get("scheduler", "wrr"), flags=int(said.get("flags", "0")))
    return replace(
        made,
        on_failure=OnFailure.QUIESCE if "quiesce" in said else OnFailure.REMOVE,
        fallback=(spare,) if "fallback" in said or "waiting" in said else (),
        quorum=int(said.get("quorum", "1")),
        hysteresis=int(said.get("hysteresis", "0")),
        on_quorum_up=("/bin/up", "quorum"),
        on_quorum_down=("/bin/down", "quorum"),
        hooks_on_stop="hooks_on_stop" in said,
        mail=Mail(("ops@example.com",), repeat=float(said["mail"])) if "mail" in said else None,
    )


class Play:
    """One director, and the transcript of its life."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.bench = Bench(config())

    def command(self, text: str) -> None:
        """One line of the script, without its `> `."""
        self.lines.append(f"> {text}")
        verb, *words = text.split()
        for effects in self._effects(verb, words):
            self.lines.extend(_readable(line) for effect in effects if (line := _words(effect)))
        entries = [entry.destinations.values() for entry in self.bench.kernel.values()]
        held = " ".join(f"{one.key.address}:{one.weight}" for entry in entries for one in entry)
        self.lines.append(_readable(f"  = {held or 'nobody'}"))

    def _effects(self, verb: str, words: list[str]) -> Iterator[list[Effect]]:
        bench = self.bench
        match verb:
            case "start":
                self.bench = Bench(config(service(words)), bench.kernel, bench.director.owned)
                yield self.bench.effects
            case "crash":
                self.bench = bench.restarted()
                yield self.bench.effects
            case "up" | "down":
                yield bench.hear({ADDRESSES[name]: State(verb) for name in words})
            case "asks":
                yield bench.hear_check(ADDRESSES[words[0]], 1, State.UP, weight=int(words[1]))
            case "run":
                for _ in range(int(words[0])):
                    bench.now += 1
                    yield bench.feed(Ticked())
            case _:
                yield bench.feed(self._event(verb, words))

    def _event(self, verb: str, words: list[str]) -> Event:
        match verb:
            case "maintenance":
                return MaintenanceSeen(frozenset(ADDRESSES[name] for name in words))
            case "reload":
                return ConfigChanged(config(service(words)))
            case "flush":
                self.bench.kernel = {}
                return TableSuspected()
            case _:
                assert verb == "stop"
                return StopAsked()


def _words(effect: Effect) -> str:
    match effect:
        case Tell(level, event, fields) if event not in ("table_changed", "config_loaded", "config_reloaded"):
            said = " ".join(str(fields[name]) for name in ("real_server", "reason") if name in fields)
            return f"  {level.value} {event} {said}".rstrip()
        case Apply(operations):
            return "\n".join(f"  {PLACE.sub('', operation_text(one))}" for one in operations)
        case RunCommand(_, argv):
            return f"  run {' '.join(argv)}"
        case SendMail(_, subject):
            return f"  mail {subject}"
        case _:
            return ""


def _readable(text: str) -> str:
    for name, address in sorted(ADDRESSES.items(), key=lambda pair: -len(pair[1])):
        text = text.replace(f"{address}:80", name).replace(address, name)
    return text


def perform(script: str) -> str:
    play = Play()
    for line in script.splitlines():
        if line.startswith("> "):
            play.command(line[2:])
        elif line.startswith("#"):
            play.lines.append(line)
    return "\n".join(play.lines) + "\n"


@pytest.mark.parametrize("path", sorted(FOLDER.glob("*.txt")), ids=lambda path: path.stem)
def test_the_transcript_is_what_happens(path: Path) -> None:
    script = path.read_text()
    happened = perform(script)
    if os.environ.get("LVSD_REWRITE_SCENARIOS") == "1":
        path.write_text(happened)
    assert happened == path.read_text()


def test_there_are_transcripts() -> None:
    assert len(list(FOLDER.glob("*.txt"))) >= 6  # a ratchet
