"""What a person reads: aligned, uncoloured unless asked, nothing left out that matters."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Reason, Unhealthy
from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    DnsCheck,
    FtpCheck,
    HttpCheck,
    ImapCheck,
    LdapCheck,
    NntpCheck,
    NoCheck,
    PgsqlCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    TcpCheck,
    Tls,
    TlsMode,
    UdpCheck,
)
from config.pool_rules import Amount, Floor, FloorAction, PoolRules
from config.secret import Secret
from lvsd.control.messages import ChangeReply, LatenessRow, ProcessRow, StatusReply, VrrpReply, VrrpRow
from lvsd.core import views
from lvsd.core.check_words import check_word
from lvsd.core.events import VerdictsHeard
from lvsd.core.identity import check_id
from lvsd.ctl import render
from tests.unit.core.world import Bench, config, real, table, verdict, virtual

HTTP = virtual(real("1.1.1.17"), real("1.1.1.18"))


def status_of(bench: Bench, after: float = 0.0) -> StatusReply:
    return views.status(bench.director, bench.now + after)


def test_status_shows_standing_weight_and_the_servers_own_words() -> None:
    bench = Bench(config(HTTP), table((HTTP, {"1.1.1.17": 1, "1.1.1.18": 1})))
    bench.hear({"1.1.1.17": State.UP})
    bench.hear({"1.1.1.18": State.DOWN}, Unhealthy(Reason.STATUS, "HTTP/1.1 503 Service Unavailable"))
    assert render.status(status_of(bench, 75)) == (
        "SERVICE  VIRTUAL              REAL SERVER  STANDING  SINCE  WEIGHT  LAST   LATENCY  RESULT\n"
        "http     tcp 1.1.1.12:80 wrr  1.1.1.17:80  serving   1m15s  1       1m15s  2.0ms    tcp ok\n"
        "                              1.1.1.18:80  out       1m15s  -       1m15s  2.0ms    "
        "tcp status: HTTP/1.1 503 Service Unavailable\n"
    )


def test_a_weight_on_its_way_shows_both() -> None:
    bench = Bench(config(HTTP), table((HTTP, {"1.1.1.17": 1})))
    bench.feed_unreadable("no buffer space")
    bench.hear({"1.1.1.17": State.DOWN})
    text = render.status(status_of(bench))
    assert "1 -> -" in text
    assert "cannot be read: no buffer space" in text


def test_a_process_that_is_gone_is_told() -> None:
    reply = StatusReply(1, 0.0, (), (ProcessRow("checker", 7, connected=False, age=61.0),), (), 0, None, "")
    assert "the checker process is gone since 1m01s" in render.status(reply)
    never = StatusReply(1, 0.0, (), (ProcessRow("checker-raw", 0, connected=False, age=61.0),), (), 0, None, "")
    assert "the checker-raw process has not come for 1m01s" in render.status(never)


@pytest.mark.parametrize(
    ("action", "spare", "words"),
    [
        (FloorAction.WITHDRAW, None, "nobody serves"),
        (FloorAction.SORRY, State.UP, "the fallback servers serve"),
        (FloorAction.SORRY, State.DOWN, "those that are up go on serving"),
    ],
)
def test_a_quorum_taken_away_by_the_floor_is_told_with_the_floor(
    action: FloorAction, spare: State | None, words: str
) -> None:
    sorry = real("1.1.1.19")
    service = virtual(real("1.1.1.17"), real("1.1.1.18"), fallback=() if spare is None else (sorry,))
    bench = Bench(config(replace(service, rules=PoolRules(Floor(Amount(2), action)))))
    if spare is not None:
        bench.feed(VerdictsHeard(Verdicts(0, (verdict(check_id(service, sorry), spare, bench.now),))))
    bench.hear({"1.1.1.17": State.UP, "1.1.1.18": State.DOWN})
    text = render.status(status_of(bench))
    assert text.splitlines()[-1] == f"http: the floor of 2 is broken: the quorum counts as lost; {words}"
    assert "is needed" not in text


@pytest.mark.parametrize("action", [FloorAction.KEEP, FloorAction.FAIL_OPEN])
def test_nobody_serves_is_not_said_of_those_that_the_floor_keeps(action: FloorAction) -> None:
    bench = Bench(config(replace(HTTP, rules=PoolRules(Floor(Amount(1), action)))))
    bench.hear({"1.1.1.17": State.UP, "1.1.1.18": State.UP})
    bench.hear({"1.1.1.17": State.DOWN, "1.1.1.18": State.DOWN})
    text = render.status(status_of(bench))
    assert "weight 0 is up, 1 is needed; those that the floor keeps go on serving" in text
    assert "nobody serves" not in text


def test_one_service_by_name_or_address() -> None:
    other = virtual(real("1.1.1.17"), port=443, name="https")
    bench = Bench(config(HTTP, other))
    for asked, found in (("https", ["https"]), ("1.1.1.12:80", ["http"]), ("tcp 1.1.1.12:443", ["https"]), ("x", [])):
        assert [one.name for one in views.status(bench.director, 0.0, asked).services] == found


def test_colours_only_when_asked() -> None:
    bench = Bench(config(HTTP))
    reply = status_of(bench)
    assert "<" not in render.status(reply)
    assert "<cyan>unknown" in render.status(reply, lambda text, colour: f"<{colour}>{text}")


@pytest.mark.parametrize(
    ("seconds", "text"),
    [(None, "-"), (0.04, "0.0s"), (9.94, "9.9s"), (12.4, "12s"), (123, "2m03s"), (18600, "5h10m"), (273600, "3d4h")],
)
def test_spans_in_two_units(seconds: float | None, text: str) -> None:
    assert render.span(seconds) == text


def test_vrrp_tells_who_holds_the_address_and_what_was_dropped() -> None:
    row = VrrpRow(
        "lb0", "eth0", 1, 2, "backup", 100, 1.0, "1.1.1.13", 200, ("1.1.1.12/24",), (), 3.0, "start", 1, 0, 9,
        {"password": 4}, "",
    )  # fmt: skip
    text = render.vrrp(VrrpReply(connected=True, age=1.0, instances=(row,)))
    assert "backup" in text
    assert "1.1.1.13 (200)" in text
    assert "1.1.1.12/24 (not here)" in text
    assert "advertisements dropped: password 4" in text


def test_vrrp_tells_how_late_its_timers_were() -> None:
    row = VrrpRow("lb0", "eth0", 1, 3, "backup", 100, 1.0, "", 0, (), (), 3.0, "start", 1, 0, 9, {}, "")
    late = LatenessRow(0.00012, 0.0305, ((0.0001, 90), (0.001, 0), (0.01, 7), (None, 1)))
    text = render.vrrp(VrrpReply(True, 1.0, (row,), late))
    assert "timers: 30.5 ms late at most, 0.1 ms last; 90 within 0.1 ms, 7 within 10 ms, 1 later\n" in text
    assert "timers" not in render.vrrp(VrrpReply(True, 1.0, (row,)))


def test_a_plan_says_would_and_a_reload_says_did() -> None:
    reply = ChangeReply(True, ("service http: added",), (), ())
    assert "would change" in render.change(reply, done=False)
    assert render.change(reply, done=True).startswith("reloaded; the configuration changed:\n  service http: added\n")


@pytest.mark.parametrize(
    ("kind", "word"),
    [
        (TcpCheck(), "tcp"),
        (HttpCheck(), "http"),
        (HttpCheck(tls=Tls()), "https"),
        (ImapCheck(), "imap"),
        (ImapCheck(TlsMode.IMPLICIT), "imaps"),
        (PopCheck(TlsMode.IMPLICIT), "pops"),
        (PopCheck(TlsMode.STARTTLS), "pop"),
        (SmtpCheck(TlsMode.IMPLICIT), "smtps"),
        (SmtpCheck(TlsMode.STARTTLS), "submission"),
        (HttpCheck(proxy_url="http://www.example.net/"), "http_proxy"),
        (LdapCheck(), "ldap"),
        (LdapCheck(TlsMode.IMPLICIT), "ldaps"),
        (PingCheck(), "ping"),
        (UdpCheck(), "udp"),
        (DnsCheck(), "dns"),
        (RadiusCheck(Credentials("", Secret("")), Secret("")), "radius"),
        (SipCheck(), "sip"),
        (SimpleTcpCheck(), "simpletcp"),
        (FtpCheck(Credentials("", Secret(""))), "ftp"),
        (NntpCheck(), "nntp"),
        (PgsqlCheck(Credentials("", Secret(""))), "pgsql"),
    ],
)
def test_a_check_is_called_as_in_the_configuration(kind: AnyCheck, word: str) -> None:
    assert check_word(kind) == word


def test_a_fallback_server_is_shown_with_its_turn() -> None:
    service = virtual(real("1.1.1.17"), fallback=(real("1.1.1.19", check=Check(NoCheck())),))
    bench = Bench(config(service), table((service, {"1.1.1.17": 1})))
    bench.hear({"1.1.1.17": State.UP})
    assert "1.1.1.19:80  spare     -      -       -     -        fallback, not probed" in render.status(
        status_of(bench)
    )
    bench.hear({"1.1.1.17": State.DOWN})
    assert "1.1.1.19:80  serving   -      1       -     -        fallback, not probed" in render.status(
        status_of(bench)
    )
