"""Files of outcomes: a line for each reported probe, in the shape ldirectord's monitorfile has."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from checkers.core.messages import State, Verdicts
from checkers.core.outcome import Healthy, Inconclusive, Outcome, Reason, Unhealthy
from config.checks import (
    AnyCheck,
    Check,
    Credentials,
    Expect,
    ExternalCheck,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    PingCheck,
    TcpCheck,
)
from config.model import FirewallMark
from config.secret import Secret
from config.words import Forwarding
from lvsd.core.effects import AppendLine
from lvsd.core.events import VerdictsHeard
from lvsd.core.identity import check_id
from tests.unit.core.world import Bench, config, real, verdict, virtual

A = "192.0.2.12"
FILE = "/var/log/monitor"
GET = HttpCheck(path="/index.html", virtual_host="www.x.y.z", expect=Expect(regex="Test Page"))


def lines_of(kind: AnyCheck, outcome: Outcome, state: State = State.UP) -> list[str]:
    server = replace(real(A, weight=5, check=Check(kind)), forwarding=Forwarding.DIRECT)
    service = replace(virtual(server), monitor_file=FILE)
    bench = Bench(config(service))
    heard = verdict(check_id(service, server), state, bench.now, outcome)
    effects = bench.feed(VerdictsHeard(Verdicts(1, (heard,))))
    again = bench.feed(VerdictsHeard(Verdicts(1, (heard,))))
    assert not [one for one in again if isinstance(one, AppendLine)]  # told once
    return [one.line for one in effects if isinstance(one, AppendLine) and one.path == FILE]


def test_up_with_what_the_server_said() -> None:
    assert lines_of(GET, Healthy("200 OK")) == [
        "negotiate http tcp 192.0.2.12 80 www.x.y.z 5 gate /index.html Test Page [up] 200 OK"
    ]


def test_down_with_the_reason() -> None:
    assert lines_of(TcpCheck(), Unhealthy(Reason.REFUSED, "Connection | refused 100%"), State.DOWN) == [
        "connect tcp tcp 192.0.2.12 80 5 gate [down] refused: Connection %7c refused 100%25"
    ]


@pytest.mark.parametrize(
    ("kind", "name"),
    [
        (PingCheck(), "ping ping tcp 192.0.2.12 80 5 gate"),
        (ExternalCheck(("/usr/bin/probe", "--all")), "external external tcp 192.0.2.12 80 5 gate /usr/bin/probe"),
        (HttpCheck(path="http://a:8080/\\x"), "negotiate http tcp 192.0.2.12 80 5 gate http //a 8080/x"),
    ],
)
def test_names_of_checks(kind: AnyCheck, name: str) -> None:
    assert lines_of(kind, Healthy()) == [f"{name} [up] -"]


def test_a_probe_that_found_nothing_out_adds_no_line() -> None:
    assert lines_of(GET, Inconclusive("no descriptors"), State.UNKNOWN) == []


def test_no_login_reaches_the_file() -> None:
    login = Credentials("monitor", Secret("s3cret-pass"))
    for kind in (ImapCheck(credentials=login), MysqlCheck(login)):
        assert "s3cret-pass" not in lines_of(kind, Healthy())[0]
        assert "monitor" not in lines_of(kind, Healthy())[0]


def test_every_later_probe_adds_its_line_and_a_mark_has_no_protocol() -> None:
    service = replace(virtual(real(A)), monitor_file=FILE, virtual=FirewallMark(7))
    bench = Bench(config(service))
    for _ in range(3):
        bench.now += 1
        heard = verdict(check_id(service, real(A)), State.UP, bench.now)
        bench.feed(VerdictsHeard(Verdicts(1, (heard,))))
        assert AppendLine(FILE, "connect tcp fwm 192.0.2.12 80 1 gate [up] -") in bench.effects


def test_services_without_such_a_file_have_no_lines() -> None:
    bench = Bench(config(virtual(real(A))))
    assert not [one for one in bench.hear({A: State.UP}) if isinstance(one, AppendLine)]
