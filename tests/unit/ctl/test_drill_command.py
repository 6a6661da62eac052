"""`lvsctl drill` and `lvsctl failover`: exit statuses, words, and the report that is kept."""

from __future__ import annotations

import json
import stat
from pathlib import Path

import click
import pytest
from click.testing import CliRunner, Result
from msgspec.structs import replace

from lvsd.control.messages import (
    FailoverReply,
    FailoverRequest,
    FailoverRow,
    PeerPortrait,
    PortraitsReply,
    PortraitsRequest,
    Reply,
    Request,
)
from lvsd.ctl import drill as drill_command
from lvsd.ctl import failover as failover_command
from lvsd.ctl import rehearsal
from lvsd.ctl.main import main
from lvsd.ctl.spans import seconds
from lvsd.drill.report import REHEARSED, Report
from tests.unit.drill.portraits import INSTANCE, OWN

PEER = replace(OWN, node="lb2", instances=(replace(INSTANCE, role="backup", priority=100),))
READY = PortraitsReply(OWN, (PeerPortrait("192.0.2.2:8853", PEER),))
UNREADY = PortraitsReply(OWN, (PeerPortrait("192.0.2.2:8853", replace(PEER, services={})),))


class Desk:
    """lvsctl with a director that says what the test wants; what was rehearsed, and asked."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, directory: Path) -> None:
        self.reply: Reply = READY
        self.directory = directory
        self.rehearsed: list[rehearsal.Plan] = []
        self.requests: list[Request] = []
        monkeypatch.setattr(drill_command, "asked", self._ask)
        monkeypatch.setattr(failover_command, "asked", self._ask)
        monkeypatch.setattr(rehearsal, "rehearse", self._rehearse)

    def _ask(self, _: Path, request: Request) -> Reply:
        self.requests.append(request)
        return self.reply

    def _rehearse(self, plan: rehearsal.Plan, _: PortraitsReply, report: Report) -> Report:
        self.rehearsed.append(plan)
        return replace(report, result=REHEARSED)

    def drill(self, *words: str) -> Result:
        return self.run("drill", "--state-dir", str(self.directory), *words)

    def run(self, *words: str) -> Result:
        return CliRunner().invoke(main, list(words))


@pytest.fixture
def desk(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Desk:
    return Desk(monkeypatch, tmp_path)


def test_a_ready_peer_is_drilled_with_all_that_is_active(desk: Desk) -> None:
    done = desk.drill("--how", "freeze", "--keep", "--hold", "500ms", "--timeout", "9s")
    assert (done.exit_code, done.stdout.splitlines()[-1]) == (0, "rehearsed")
    (plan,) = desk.rehearsed
    assert (plan.how, plan.names, plan.hold, plan.timeout, plan.keep) == ("freeze", ("lb0",), 0.5, 9.0, True)


def test_a_dry_run_compares_and_does_no_more(desk: Desk) -> None:
    assert desk.drill("--dry-run").exit_code == 0
    desk.reply = UNREADY
    done = desk.drill("--dry-run")
    assert done.exit_code == 1
    assert "NOT READY: tcp 192.0.2.100:80 is not configured on lb2 [service_missing]" in done.stdout
    assert desk.rehearsed == []


def test_an_unready_peer_is_refused_unless_forced(desk: Desk) -> None:
    desk.reply = UNREADY
    done = desk.drill()
    assert (done.exit_code, desk.rehearsed) == (1, [])
    assert done.stdout.endswith("refused: the other balancer is not ready (--force)\n")
    assert desk.drill("--force").exit_code == 0
    assert len(desk.rehearsed) == 1


@pytest.mark.parametrize(
    ("own", "words", "why"),
    [
        (OWN, ("lb9",), "no VRRP instance 'lb9'; there are: lb0"),
        (replace(OWN, instances=()), (), "no VRRP instance is active here: run the drill on the active balancer"),
        (
            replace(OWN, instances=(replace(INSTANCE, role="backup", active_router="192.0.2.2"),)),
            ("lb0",),
            "lb0 is not active here: run the drill on 192.0.2.2",
        ),
    ],
)
def test_where_there_is_nothing_to_drill_force_does_not_help(
    desk: Desk, own: object, words: tuple[str, ...], why: str
) -> None:
    desk.reply = replace(READY, own=own)
    done = desk.drill("--force", *words)
    assert (done.exit_code, desk.rehearsed) == (1, [])
    assert done.stdout.endswith(f"refused: {why}\n")


def test_the_report_is_kept_for_root_alone(desk: Desk) -> None:
    done = desk.drill("--json")
    kept = sorted((desk.directory / "drills").iterdir())
    assert [path.suffix for path in kept] == [".json", ".txt"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in kept} == {0o600}
    assert json.loads(kept[0].read_text()) == json.loads(done.stdout)
    assert kept[1].read_text().startswith("drill on lb1: lb0, graceful\n")


def test_a_report_that_cannot_be_kept_is_told_and_printed_all_the_same(desk: Desk) -> None:
    (desk.directory / "drills").write_text("in the way")
    done = desk.drill()
    assert done.exit_code == 0
    assert "the report is not kept" in done.stderr
    assert done.stdout.endswith("rehearsed\n")


def test_failover_tells_who_has_it(desk: Desk) -> None:
    desk.reply = FailoverReply(True, (FailoverRow("lb0", "handed_over", "192.0.2.2", 11.0),))
    done = desk.run("failover", "lb0", "--timeout", "2s")
    assert (done.exit_code, done.stdout) == (0, "lb0: handed over to 192.0.2.2 in 11.0 ms\n")
    assert desk.requests == [FailoverRequest(("lb0",), timeout=2.0)]
    assert json.loads(desk.run("failover", "--back", "--json").stdout)["done"] is True
    assert desk.requests[-1] == FailoverRequest((), back=True)


def test_a_failover_that_came_to_nothing_is_told(desk: Desk) -> None:
    desk.reply = FailoverReply(False, (FailoverRow("lb0", "taken_back", "192.0.2.1", 3219.0),))
    done = desk.run("failover")
    assert done.exit_code == 1
    assert done.stdout == "lb0: nobody took over; taken back after 3219.0 ms\n"
    assert "does a standby run?" in done.stderr


@pytest.mark.parametrize(
    "words", [("failover", "--timeout", "1d"), ("failover", "--timeout", "51s"), ("drill", "--hold", "x")]
)
def test_a_wrong_time_is_a_wrong_usage(desk: Desk, words: tuple[str, ...]) -> None:
    assert desk.run(*words).exit_code == 2
    assert desk.requests == []


def test_lengths_of_time_as_in_the_configuration() -> None:
    read = seconds(0.1, 7200)
    assert [read(word) for word in ("5", "5s", "200ms", "2m", "1h", "0.5s")] == [5, 5, 0.2, 120, 3600, 0.5]
    for word in ("", "s", "5 s", "-1s", "5d", "1e3", "²s", "3h", "99ms"):
        with pytest.raises(click.BadParameter):
            read(word)


def test_short_words_for_how(desk: Desk) -> None:
    for words, how in ((("--freeze",), "freeze"), (("--kill",), "kill"), ((), "graceful")):
        assert desk.drill(*words).exit_code == 0
        assert desk.rehearsed[-1].how == how


def test_a_peer_named_by_hand_is_asked_instead(desk: Desk) -> None:
    words = ("--peer", "192.0.2.2", "--peer", "192.0.2.3:99", "--peer", "2001:db8::2", "--peer", "[2001:db8::3]:99")
    assert desk.drill(*words).exit_code == 0
    wanted = (("192.0.2.2", 8853), ("192.0.2.3", 99), ("2001:db8::2", 8853), ("2001:db8::3", 99))
    assert desk.requests == [PortraitsRequest(wanted)]
    assert desk.rehearsed[-1].peers == wanted
    assert desk.drill("--peer", "lb2.example.net").exit_code == 2


def test_an_instance_takes_its_sync_group_along(desk: Desk) -> None:
    instances = tuple(
        replace(INSTANCE, name=name, sync_group="both", virtual_router_id=number)
        for name, number in (("lb0", 51), ("lb1", 52))
    )
    standbys = tuple(replace(one, role="backup", priority=100) for one in instances)
    peer = PeerPortrait("192.0.2.2:8853", replace(PEER, instances=standbys))
    desk.reply = PortraitsReply(replace(OWN, instances=instances), (peer,))
    assert desk.drill("lb1").exit_code == 0
    assert desk.rehearsed[-1].names == ("lb1", "lb0")


def test_without_a_peer_what_to_write_is_told(desk: Desk) -> None:
    desk.reply = PortraitsReply(OWN, ())
    done = desk.drill()
    assert done.exit_code == 1
    assert 'daemon: {peer: {listen: "OWN:8853"' in done.stderr


def test_what_is_watched_beside_the_services_has_to_move(desk: Desk) -> None:
    assert desk.drill("--watch", "192.0.2.100:443").exit_code == 0
    assert desk.rehearsed[-1].further == (("192.0.2.100", 443),)
    done = desk.drill("--watch", "192.0.2.9:443")
    assert done.exit_code == 1
    assert done.stdout.endswith("refused: 192.0.2.9 does not move with lb0: it is not watched\n")
