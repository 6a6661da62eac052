"""`lvsctl probe`: what a person reads of a probe, and how it ends."""

from __future__ import annotations

import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner, Result

from checkers.core.messages import State
from checkers.core.outcome import Reason, Unhealthy
from lvsd.control.messages import ErrorReply, Reply, Request, SourcesReply, SourcesRequest
from lvsd.control.probes import (
    NOT_PROBED,
    CertificateRow,
    Note,
    Order,
    ProbeRow,
    SaidRow,
    SecuredRow,
    Told,
    UseRow,
    decode_order,
    encode,
)
from lvsd.core import views
from lvsd.ctl import probe as command
from lvsd.ctl.client import Unanswered
from lvsd.ctl.main import main
from lvsd.ctl.probing import probed, standings
from tests.unit.core.world import Bench, config, real, virtual

A = "1.1.1.17"
HTTP = virtual(real(A))
NOW = datetime(2027, 1, 20, tzinfo=UTC)
USE = UseRow("http", "tcp 1.1.1.12:80", f"{A}:80", 1)
SAID = (SaidRow(0.0005, True, 20, ("GET / HTTP/1.1", "")), SaidRow(0.0031, False, 9, ("HTTP/1.1 200 OK",)))
PHASES = {"connect": 0.0004, "first_byte": 0.0027, "whole": 0.0034}
ROW = ProbeRow((USE,), "http", f"{A}:80", 3.0, "ok", "200 OK", PHASES, SAID)


def secured(ends: str, names: tuple[str, ...] = ("mail1", "192.0.2.1")) -> SecuredRow:
    return SecuredRow("TLSv1.3", "TLS_AES_256_GCM_SHA384", CertificateRow("CN=mail1", names, "O=Example", ends))


def text(row: ProbeRow, standing: dict[UseRow, str] | None = None) -> list[str]:
    return probed(row, standing or {}, NOW).splitlines()


def but(**more: object) -> ProbeRow:
    return msgspec.structs.replace(ROW, **more)


def test_a_conversation_in_its_order() -> None:
    assert text(ROW, {USE: "serving; up since 5s."}) == [
        f"http (tcp 1.1.1.12:80): {A}:80, check http",
        f"  asked of {A}:80, 3 s at most; no name is looked up",
        "      0.40 ms * connected",
        "      0.50 ms > GET / HTTP/1.1",
        "              >",
        "      3.10 ms < HTTP/1.1 200 OK",
        "      3.40 ms = ok: 200 OK",
        "  Took: connect 0.40 ms, first byte 2.70 ms, whole 3.40 ms.",
        "  Running: serving; up since 5s.",
    ]


def test_a_goodbye_comes_after_the_result_and_what_is_not_shown_is_told() -> None:
    row = but(said=(*SAID, SaidRow(0.01, True, 6, ("QUIT",))), left_out=7, unseen="nothing is seen")
    assert text(row)[-5:-1] == [
        "      3.40 ms = ok: 200 OK",
        "     10.00 ms > QUIT",
        "  (nothing is seen)",
        "  (7 octets more are not shown)",
    ]


@pytest.mark.parametrize(
    ("row", "line"),
    [
        (secured("2027-01-31T23:59:59Z"), "which ends 2027-01-31 23:59:59 UTC (in 11 days)"),
        (secured("2027-01-20T12:00:00Z"), "which ends 2027-01-20 12:00:00 UTC (in 0 days)"),
        (secured("2027-01-10T00:00:00Z"), "which ends 2027-01-10 00:00:00 UTC (it has expired 10 days ago)"),
        (secured("2027-99-10T00:00:00Z"), "which ends 2027-99-10 00:00:00 UTC (which is no date)"),
        (secured("2027-01-10T00:00:00Z"), "certificate of CN=mail1, for mail1, 192.0.2.1, by O=Example"),
        (secured("2027-01-10T00:00:00Z", ()), "certificate of CN=mail1, by O=Example"),
        (secured(""), "its certificate cannot be read"),
        (secured(""), "TLSv1.3 with TLS_AES_256_GCM_SHA384"),
    ],
)
def test_what_tls_was_agreed_on(row: SecuredRow, line: str) -> None:
    found = text(but(secured=row, phases={"connect": 0.001, "tls": 0.002, "whole": 0.01}))
    assert f"      3.00 ms * {line}" in found
    assert "  Took: connect 1.00 ms, TLS 2.00 ms, whole 10.00 ms." in found


def test_how_it_left_and_for_whom_it_stands() -> None:
    other = UseRow("other", "tcp 1.1.1.13:80", f"{A}:80", 1)
    row = but(uses=(USE, other), source="1.1.1.13", mark=7, proxy_protocol=2)
    found = text(row, {USE: "serving; up.", other: "out; down."})
    assert found[0].endswith("check http, which stands for other too")
    manner = "from 1.1.1.13 with mark 7 behind a PROXY header of version 2"
    assert found[1] == f"  asked of {A}:80 {manner}, 3 s at most; no name is looked up"
    assert found[-2:] == ["  Running (http): serving; up.", "  Running (other): out; down."]


def test_what_is_never_probed() -> None:
    never = but(result=NOT_PROBED, detail="it is never probed", phases={}, said=())
    assert text(never) == [f"http (tcp 1.1.1.12:80): {A}:80, check http", "  it is never probed."]


def test_what_is_believed_stands_beside_it() -> None:
    bench = Bench(config(HTTP))
    assert standings(views.status(bench.director, bench.now)) == {USE: "unknown; not probed yet."}
    bench.hear({A: State.DOWN}, Unhealthy(Reason.STATUS, "503"))
    assert standings(views.status(bench.director, bench.now + 5)) == {
        USE: "out; down since 5.0s; 5.0s ago it found status in 2.0 ms: 503."
    }


def test_a_server_that_ends_its_sentence_itself_is_not_given_another_dot() -> None:
    bench = Bench(config(HTTP))
    bench.hear({A: State.DOWN}, Unhealthy(Reason.ERROR_REPLY, "421 no."))
    assert standings(views.status(bench.director, bench.now))[USE].endswith(": 421 no.")


class Played:
    """A director, and the process that reads its configuration."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, *told: Told, pid: int = 0) -> None:
        self.ordered: list[Order] = []
        self._told = told
        self._pid = pid
        monkeypatch.setattr(command, "ask", self._answer)
        monkeypatch.setattr(command, "_told", self._tell)

    def _answer(self, _run_dir: Path, request: Request) -> Reply:
        if isinstance(request, SourcesRequest):
            return SourcesReply(self._pid, ("/etc/lvsd/lvsd.yaml",), "/var/lib/lvsd")
        bench = Bench(config(HTTP))
        return views.status(bench.director, bench.now)

    def _tell(self, order: Order) -> Iterable[Told]:
        self.ordered.append(order)
        return self._told


def run(*words: str) -> Result:
    return CliRunner().invoke(main, ["probe", *words])


def test_it_asks_what_runs_and_ends_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, ROW, but(result=NOT_PROBED))
    done = run(A, "--service", "http", "--check", "http")
    assert played.ordered == [Order(A, "http", "http", ("/etc/lvsd/lvsd.yaml",), "/var/lib/lvsd")]
    assert (done.exit_code, done.stderr) == (0, "")
    assert "  Running: unknown; not probed yet.\n\nhttp (tcp 1.1.1.12:80)" in done.stdout
    for result in ("status", "inconclusive"):
        Played(monkeypatch, but(result=result), ROW)
        assert run(A).exit_code == 1


def test_other_files_need_no_director(monkeypatch: pytest.MonkeyPatch) -> None:
    played = Played(monkeypatch, ROW)
    monkeypatch.setattr(command, "ask", lambda *_: pytest.fail("nobody is to be asked"))
    done = run(A, "-c", "/a", "-c", "/b")
    assert played.ordered == [Order(A, "", "", ("/a", "/b"))]
    assert (done.exit_code, "Running" in done.stdout) == (0, False)


def test_for_programs(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, ROW, ROW)
    rows = [msgspec.json.decode(line, type=ProbeRow) for line in run(A, "--json").stdout.splitlines()]
    assert rows == [ROW, ROW]


def test_what_goes_wrong_is_a_line_and_a_status(monkeypatch: pytest.MonkeyPatch) -> None:
    Played(monkeypatch, Note("beware"), ErrorReply("no real server 'x'", "did you mean `y`?"))
    done = run("x")
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == "lvsctl: beware\nlvsctl: no real server 'x' (did you mean `y`?)\n"
    assert run().exit_code == 2

    def unanswered(*_: object) -> Reply:
        raise Unanswered("control.sock: gone", "is lvsd running?")

    monkeypatch.setattr(command, "ask", unanswered)
    done = run(A)
    assert (done.exit_code, done.stderr) == (1, "lvsctl: control.sock: gone (is lvsd running?; without it: -c FILE)\n")


def test_another_network_is_not_probed(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in ("4711", "self"):
        (tmp_path / name).write_text("")
    monkeypatch.setattr(command, "NETWORK", f"{tmp_path}/{{}}")
    Played(monkeypatch, ROW, pid=4711)
    done = run(A)
    assert (done.exit_code, done.stdout) == (1, "")
    assert "lvsd runs in another network namespace (nsenter --net --target 4711 lvsctl probe ...)" in done.stderr
    (tmp_path / "4711").unlink()
    (tmp_path / "4711").hardlink_to(tmp_path / "self")
    assert run(A).exit_code == 0


def test_a_process_that_does_not_answer_is_told(monkeypatch: pytest.MonkeyPatch) -> None:
    for script, wrong in (("import sys; sys.exit(3)", "ended with status 3"), ("print('no')", "not understood")):
        monkeypatch.setattr(command, "PROBING", (sys.executable, "-I", "-c", f"import sys; sys.stdin.read(); {script}"))
        (told,) = command._told(Order(A, "", "", ()))
        assert isinstance(told, ErrorReply)
        assert wrong in told.message


def test_an_order_travels() -> None:
    order = Order(A, "http", "tcp", ("/a",), "/b")
    assert decode_order(encode(order)) == order
