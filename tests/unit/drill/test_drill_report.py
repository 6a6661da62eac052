"""A drill's report as a person reads it."""

from __future__ import annotations

from msgspec.structs import replace

from lvsd.control.messages import FailoverRow
from lvsd.drill.comparison import Finding
from lvsd.drill.outage import Outage
from lvsd.drill.report import (
    COMPARED,
    OWN_VIEW,
    REFUSED,
    REHEARSED,
    Announcement,
    Connections,
    Moment,
    Report,
    row_text,
    text,
)

WHOLE = Report(
    REHEARSED,
    "",
    "lb1",
    0.0,
    "graceful",
    ("lb0",),
    (),
    moved=(FailoverRow("lb0", "handed_over", "192.0.2.2", 11.5),),
    returned=(FailoverRow("lb0", "returned", "192.0.2.1", 3001.0),),
    there=(Outage("tcp 192.0.2.100:80", 300, 2, 12.5), Outage("tcp 192.0.2.100:25", 300, 300, None)),
    back=(Outage("tcp 192.0.2.100:80", 300, 40, 900.0, lasting=True),),
    unwatched=("udp 192.0.2.100:53",),
    connections=(Connections("tcp 192.0.2.100:80", 200, 198),),
    announcements=(Announcement("192.0.2.100", "02:00:00:00:00:03", 10.7, 5),),
    timeline=(Moment(0.0, "failover ordered"),),
)


def test_everything_is_told() -> None:
    assert text(WHOLE) == (
        "drill on lb1: lb0, graceful\n"
        "the balancers agree: configuration, table, health, sysctls, connection sync\n"
        "there:\n"
        "  lb0: handed over to 192.0.2.2 in 11.5 ms\n"
        "  tcp 192.0.2.100:80: outage 12.5 ms (300 probes, 2 unanswered)\n"
        "  tcp 192.0.2.100:25: cannot be told from here (300 probes, 300 unanswered)\n"
        "  tcp 192.0.2.100:80: 198 of 200 connections known to the other kernel\n"
        "  gratuitous ARP for 192.0.2.100 from 02:00:00:00:00:03: 5 times, first after 10.7 ms\n"
        "back:\n"
        "  lb0: active here again after 3001.0 ms\n"
        "  tcp 192.0.2.100:80: outage at least 900.0 ms, to the end (300 probes, 40 unanswered)\n"
        "not watched: udp 192.0.2.100:53\n"
        f"{OWN_VIEW}\n"
        "time line (ms):\n"
        "        0.0  failover ordered\n"
        "rehearsed\n"
    )


def test_a_refusal_says_why() -> None:
    findings = (Finding("no_standby", "lb0: nobody"), Finding("sysctl_differs", "x is 1", blocks=False))
    refused = Report(REFUSED, "the other balancer is not ready (--force)", "lb1", 0.0, "graceful", ("lb0",), findings)
    assert text(refused) == (
        "drill on lb1: lb0, graceful\n"
        "  NOT READY: lb0: nobody [no_standby]\n"
        "  note: x is 1 [sysctl_differs]\n"
        "refused: the other balancer is not ready (--force)\n"
    )


def test_who_may_be_content() -> None:
    blocking, note = Finding("a", "b"), Finding("a", "b", blocks=False)
    assert WHOLE.good
    assert replace(WHOLE, result=COMPARED, findings=(note,)).good
    assert not replace(WHOLE, result=COMPARED, findings=(note, blocking)).good
    assert not replace(WHOLE, result=REFUSED).good


def test_every_outcome_has_its_words() -> None:
    rows = [
        FailoverRow("lb0", word, "192.0.2.2", 5.0)
        for word in ("handed_over", "taken_back", "nobody", "returned", "released", "not_returned")
    ]
    assert [row_text(row) for row in rows] == [
        "lb0: handed over to 192.0.2.2 in 5.0 ms",
        "lb0: nobody took over; taken back after 5.0 ms",
        "lb0: nobody after 5.0 ms",
        "lb0: active here again after 5.0 ms",
        "lb0: stays with 192.0.2.2, which this router does not preempt",
        "lb0: not returned after 5.0 ms",
    ]
