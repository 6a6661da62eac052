"""`lvsctl events`, on replies made here."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lvsd.control.messages import EventRow, EventsReply, EventsRequest, Request
from lvsd.ctl.events import line
from lvsd.ctl.main import main

UP = EventRow(1, 1_700_000_000.0, "info", "real_server_up", {"real_server": "1.1.1.17:80"})
DOWN = EventRow(
    2, 1_700_000_001.0, "warning", "real_server_down", {"real_server": "1.1.1.17:80", "detail": "no answer"}
)


def run(monkeypatch: pytest.MonkeyPatch, replies: list[EventsReply], *words: str) -> tuple[str, list[Request]]:
    requests: list[Request] = []

    def answer(_run_dir: Path, request: Request) -> EventsReply:
        requests.append(request)
        if not replies:
            raise KeyboardInterrupt
        return replies.pop(0)

    monkeypatch.setattr("lvsd.ctl.events.asked", answer)
    monkeypatch.setattr("lvsd.ctl.events.LOOK_SECONDS", 0.0)
    found = CliRunner().invoke(main, ["events", *words])
    assert found.exit_code == 0, found.output
    return found.stdout, requests


def test_a_line(monkeypatch: pytest.MonkeyPatch) -> None:
    assert line(DOWN).endswith(" real_server_down real_server=1.1.1.17:80 detail='no answer'")
    out, requests = run(monkeypatch, [EventsReply(2, (UP, DOWN))], "1.1.1.17")
    assert out.splitlines() == [line(UP), line(DOWN)]
    assert requests == [EventsRequest(0, "1.1.1.17")]


@pytest.mark.parametrize(("number", "shown"), [("1", [DOWN]), ("0", []), ("9", [UP, DOWN])])
def test_how_many(monkeypatch: pytest.MonkeyPatch, number: str, shown: list[EventRow]) -> None:
    out, _ = run(monkeypatch, [EventsReply(2, (UP, DOWN))], "-n", number)
    assert out.splitlines() == [line(one) for one in shown]


def test_following_asks_for_what_came_since(monkeypatch: pytest.MonkeyPatch) -> None:
    replies = [EventsReply(7, (UP,)), EventsReply(7, ()), EventsReply(8, (DOWN,))]
    out, requests = run(monkeypatch, replies, "-f", "--json")
    assert [json.loads(text)["event"] for text in out.splitlines() if text] == ["real_server_up", "real_server_down"]
    assert requests == [EventsRequest(0), EventsRequest(7), EventsRequest(7), EventsRequest(8)]


def test_a_real_server_nothing_is_known_of_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvsd.ctl.events.asked", lambda *_: EventsReply(2, ()))
    assert "nothing is remembered of 'web'" in CliRunner().invoke(main, ["events", "web"]).stderr
    assert CliRunner().invoke(main, ["events"]).stderr == ""
