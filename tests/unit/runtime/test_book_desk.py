"""Books on their way from workers to lvsctl."""

from __future__ import annotations

import asyncio
from dataclasses import replace as replaced
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from checkers.core.books import FIRST_BYTE, LATE, STEPS, WHOLE, Books, Counts, Histogram
from checkers.core.messages import PAGES_A_PACKET, Pages, ShowBooks, State
from checkers.core.outcome import Healthy, Inconclusive, Reason, Unhealthy
from config.checks import Check, FollowCheck, NoCheck, TcpCheck
from lvsd.control.messages import EventsReply, EventsRequest, Reply, Request, StatusReply
from lvsd.core import book_views, views
from lvsd.core.identity import check_id
from lvsd.core.state import Shared, Workers
from lvsd.ctl.main import main
from lvsd.runtime import book_desk
from lvsd.runtime.book_desk import BookDesk, Found
from tests.unit.core.world import Bench, config, real, virtual

A, B = "1.1.1.17", "1.1.1.18"
FURTHER = (Check(TcpCheck(), port=81), Check(NoCheck()))
WEB = virtual(replace(real(A), further_checks=FURTHER), real(B), name="web")
TLS = virtual(real(A, check=Check(FollowCheck("web"))), real(B), port=443, name="tls")
NOTHING = Counts(0.0, 0, ())


def written() -> Books:
    books = Books()
    for milliseconds in (*range(1, 100), 400):
        books.found(Healthy(), milliseconds / 1000)
        books.add(LATE, 0.0001)
        books.add(FIRST_BYTE, milliseconds / 2000)
    for outcome in (Unhealthy(Reason.REFUSED), Unhealthy(Reason.REFUSED), Unhealthy(Reason.STATUS), Inconclusive()):
        books.found(outcome, 0.001)
    return books


class Workers2:
    """Two workers, as far as questions go; `lost` ones are not there, `deaf` ones do not answer."""

    def __init__(self, lost: tuple[int, ...] = (), deaf: tuple[int, ...] = ()) -> None:
        self.desk = BookDesk(self.ask)
        self.lost, self.deaf = lost, deaf
        self.asked: list[tuple[int, ShowBooks]] = []
        self.waiting = self.most = 0

    def ask(self, worker: int, request: ShowBooks) -> bool:
        self.asked.append((worker, request))
        if worker in self.lost:
            return False
        self.waiting += 1
        self.most = max(self.most, self.waiting)
        if worker not in self.deaf:
            asyncio.get_running_loop().call_soon(self.answer, worker, request)
        return True

    def answer(self, worker: int, request: ShowBooks) -> None:
        self.waiting -= 1
        late = Histogram()
        late.add(worker / 1000)
        pages = {one: written().page() for one in (*request.ids, "nobody asked")}
        self.desk.shown(worker, Pages(request.number, pages, late.told()))


async def test_every_worker_is_asked_one_question_at_a_time() -> None:
    workers = Workers2()
    found = await workers.desk.collect({1: [("a", "b"), ("c",)], 2: [("d",)]})
    assert sorted(found.books) == ["a", "b", "c", "d"]
    assert {worker: counts.longest for worker, counts in found.lateness.items()} == {1: 0.001, 2: 0.002}
    assert workers.most == 2
    assert len({request.number for _, request in workers.asked}) == 3


async def test_who_is_not_there_or_does_not_answer_is_done_without(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(book_desk, "ANSWER_SECONDS", 0.01)
    workers = Workers2(lost=(1,), deaf=(2,))
    found = await workers.desk.collect({1: [("a",), ("b",)], 2: [("c",), ("d",)], 3: [("e",)]})
    assert sorted(found.books) == ["e"]
    assert [worker for worker, _ in workers.asked] == [1, 2, 3]
    assert not workers.desk._open
    workers.desk.shown(2, Pages(2, {}, NOTHING))  # too late


async def test_an_answer_is_believed_of_who_was_asked() -> None:
    workers = Workers2(deaf=(1,))
    asking = asyncio.create_task(workers.desk.collect({1: [("a",)]}))
    await asyncio.sleep(0)
    await asyncio.sleep(0)
    workers.desk.shown(2, Pages(1, {"a": written().page()}, NOTHING))
    workers.desk.shown(1, Pages(1, {}, NOTHING))
    assert (await asking).books == {}


def identity(number: int = 1, at: int = 0, service: object = WEB) -> str:
    virtual_service = WEB if service is WEB else TLS
    return check_id(virtual_service, virtual_service.real_servers[at], number)


SHARED = Shared({identity(at=1): (identity(at=1, service=TLS),)}, {identity(at=1, service=TLS): identity(at=1)})


def test_what_is_probed_is_asked_for_once() -> None:
    bench = Bench(config(WEB, TLS))
    both = frozenset({"web", "tls"})
    director = replaced(
        bench.director,
        workers=Workers(sharing=(1,)),
        shared=SHARED,
    )
    asked = book_views.asked_for(director, both, "")
    assert asked == {1: [(identity(), identity(2), identity(at=1))]}
    assert book_views.asked_for(director, both, B) == {1: [(identity(at=1),)]}
    assert book_views.asked_for(director, both, f"{A}:80") == {1: [(identity(), identity(2))]}
    assert book_views.asked_for(director, frozenset({"tls"}), "") == {1: [(identity(at=1),)]}
    many = virtual(*(real(f"10.0.0.{number}") for number in range(PAGES_A_PACKET + 1)))
    (packets,) = book_views.asked_for(Bench(config(many)).director, frozenset({"http"}), "").values()
    assert [len(packet) for packet in packets] == [PAGES_A_PACKET, 1]


def shown(bench: Bench) -> StatusReply:
    row = book_views.books_row(written().page())
    found = Found({identity(): row, identity(2): row, identity(at=1): row}, {1: written().page().phases.popitem()[1]})
    return book_views.with_books(bench.director, views.status(bench.director, bench.now), found.books, found.lateness)


def test_books_stand_with_their_checks() -> None:
    bench = Bench(config(WEB, TLS))
    bench.greet()
    bench.hear({A: State.UP, B: State.UP})
    bench.director = replaced(bench.director, shared=SHARED)
    reply = shown(bench)
    web, tls = reply.services
    assert [one.books is not None for one in web.real_servers[0].checks] == [True, True, False]
    assert web.real_servers[0].books is None  # of several each has its own
    books = web.real_servers[1].books
    assert books is not None
    assert (books.reasons, books.inconclusive) == ({"refused": 2, "status": 1}, 1)
    whole = books.phases["whole"]
    assert whole.count == 103
    assert 0.05 <= whole.p50 <= 0.075
    assert 0.098 <= whole.p99 <= 0.15
    assert whole.longest == pytest.approx(0.4)
    assert sum(whole.counts) == 103
    assert len(reply.edges) == STEPS - 1
    assert tls.real_servers[0].books is None
    assert tls.real_servers[1].books == books  # probed once for both
    assert any(one.late is not None for one in reply.processes)
    assert msgspec.json.decode(msgspec.json.encode(reply), type=StatusReply) == reply


def test_one_real_server_of_all_services() -> None:
    reply = views.status(Bench(config(WEB, TLS)).director, 200.0)
    assert [len(one.real_servers) for one in book_views.of_real(reply, A).services] == [1, 1]
    assert [one.name for one in book_views.of_real(reply, f"{B}:80").services] == ["web", "tls"]
    assert book_views.of_real(reply, "1.1.1.1").services == ()
    six = views.status(Bench(config(virtual(real("2001:db8::7")))).director, 200.0)
    for asked in ("2001:db8::7", "[2001:db8::7]", "[2001:db8::7]:80"):
        assert book_views.of_real(six, asked).services


def test_explain_prints_them(monkeypatch: pytest.MonkeyPatch) -> None:
    bench = Bench(config(WEB, TLS))
    bench.greet()
    bench.hear({A: State.UP, B: State.UP})
    requests: list[Request] = []

    def answer(_run_dir: Path, request: Request) -> Reply:
        requests.append(request)
        return EventsReply(0, ()) if isinstance(request, EventsRequest) else shown(bench)

    monkeypatch.setattr("lvsd.ctl.explain.asked", answer)
    lines = CliRunner().invoke(main, ["explain", f"{B}:80", "--service", "web"]).stdout.splitlines()
    assert "  Failures: 2 refused, 1 status." in lines
    assert "  1 of its probes found nothing out: the checker could not probe, or an agent told nothing." in lines
    phases = [line.split() for line in lines if "p50" in line][:3]
    assert [" ".join(phase[:-9]) for phase in phases] == ["first byte", "whole", "begun late"]
    assert phases[2][2:] == ["p50", "0.10", "ms", "p99", "0.10", "ms", "longest", "0.10", "ms"]
    assert phases[1][-3:] == ["longest", "400", "ms"]
    assert msgspec.structs.asdict(requests[0]) == {"service": "web", "books": True, "real": f"{B}:80"}
    assert WHOLE == 0
