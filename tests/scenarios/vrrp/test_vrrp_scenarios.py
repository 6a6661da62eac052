"""Transcripts of simulated clusters: commands begin with `> `, and everything below is what they made happen.

`LVSD_REWRITE_SCENARIOS=1 pytest tests/scenarios/vrrp` writes them anew. Commit such a change only when you know what
caused it, and want it. Advertisements in their turn, those that change nothing, and who stands by are left out.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from itertools import repeat
from pathlib import Path

import pytest

from lvsd.vrrp.events import Announce, Claim, Effect, Event, Heard, Release, Send, Tell, Wake, Whisper
from lvsd.vrrp.packet import Kind
from tests.unit.vrrp import samples
from tests.unit.vrrp.simulation import Cluster, Router

FOLDER = Path(__file__).parent
NAMES = "abcd"
ON_TIME_SECONDS = 0.001


class Play:
    """One cluster, and the transcript of its life."""

    def __init__(self) -> None:
        self.lines: list[str] = []
        self.cluster = Cluster([], repeat(ON_TIME_SECONDS))

    def command(self, text: str) -> None:
        """One line of the script, without its `> `."""
        self.lines.append(f"> {text}")
        verb, *words = text.split()
        if verb == "routers":
            self._routers(words)
        elif verb == "run":
            self.cluster.run(float(words[0]))
        else:
            self._deeds(words)[verb]()

    def _routers(self, words: list[str]) -> None:
        ranks = [word.rstrip("!") for word in words]
        configs = [
            samples.instance(priority=int(rank), preempt=not word.endswith("!"))
            for rank, word in zip(ranks, words, strict=True)
        ]
        self.cluster = Cluster(configs, repeat(ON_TIME_SECONDS))
        self.cluster.watch = self._note

    def _deeds(self, words: list[str]) -> dict[str, Callable[[], None]]:
        cluster = self.cluster
        one, other = (NAMES.index(words[0]) if words else 0), words[1] if len(words) > 1 else ""
        return {
            "start": lambda: cluster.start(one),
            "resume": lambda: cluster.start(one, resume=True),
            "kill": lambda: cluster.kill(one),
            "stop": lambda: cluster.stop(one),
            "unplug": lambda: cluster.wire(one, up=False),
            "plug": lambda: cluster.wire(one, up=True),
            "rob": lambda: cluster.rob(one),
            "rank": lambda: cluster.rank(one, int(other)),
            "split": lambda: cluster.split(one, NAMES.index(other)),
            "heal": cluster.heal,
        }

    def _note(self, now: float, router: Router, event: Event, effects: tuple[Effect, ...]) -> None:
        routine = isinstance(event, Wake) and all(isinstance(effect, Send) for effect in effects)
        shown = [effect for effect in effects if not (isinstance(effect, Whisper) and effect.kind is Kind.STANDBY)]
        if shown and not routine:
            what = ", ".join(_words(effect) for effect in shown)
            self.lines.append(f"{now:8.3f} {NAMES[router.number]}  {_event(event):22} {what}")


def _event(event: Event) -> str:
    if isinstance(event, Heard):
        heard = event.advertisement
        word = "chosen by" if heard.kind is Kind.HANDOVER else f"heard {heard.priority} of"
        return f"{word} {heard.source}"
    return type(event).__name__.lower()


def _words(effect: Effect) -> str:
    match effect:
        case Send(priority):
            return f"send {priority}"
        case Whisper(kind, _, to):
            return f"{kind.name.lower()} to {to}"
        case Claim(addresses):
            return f"claim {len(addresses)}"
        case Release(addresses):
            return f"release {len(addresses)}"
        case Announce(addresses, rounds):
            return f"announce {len(addresses)}x{rounds}"
        case Tell(_, event, fields):
            said = dict(fields)
            if event == "vrrp_role_changed":
                return f"[{said['before']} -> {said['after']}: {said['cause']}]"
            return f"[{event}]"


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
