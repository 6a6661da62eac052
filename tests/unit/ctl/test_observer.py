"""`lvsctl drill watch`: a client of sockets of the test's own, and `--merge`."""

from __future__ import annotations

import contextlib
import json
import select
import socket
import stat
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self

import msgspec
import pytest
from click.testing import CliRunner, Result

from lvsd.control.messages import FailoverRow
from lvsd.ctl.drill_files import keep
from lvsd.ctl.main import main
from lvsd.ctl.observer import Observer
from lvsd.drill.observation import Held, Observation, ServiceSeen
from lvsd.drill.outage import Outage
from lvsd.drill.report import REHEARSED, Report
from lvsd.drill.scope import Target

PACE, LIMIT_SECONDS, ROUNDS_MORE = 0.005, 10.0, 10


class Server:
    """Takes connections (and keeps them), or answers datagrams; `manner` treats each connection, once it is let to."""

    def __init__(self, manner: Callable[[socket.socket], None] = lambda _: None) -> None:
        self.listener = socket.create_server(("127.0.0.1", 0))
        self.echo = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.echo.bind(("127.0.0.1", 0))
        self.taken: list[socket.socket] = []
        self.treated = self.echoed = 0
        self.may_treat = threading.Event()
        self._manner, self._ended = manner, threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self.may_treat.set()
        self._thread.join(5)
        for one in (self.listener, self.echo, *self.taken):
            one.close()

    def _run(self) -> None:
        while not self._ended.is_set():
            for one in select.select([self.listener, self.echo], [], [], 0.05)[0]:
                with contextlib.suppress(OSError):
                    if one is self.echo:
                        one.sendto(*one.recvfrom(512))
                        self.echoed += 1
                    else:
                        self.taken.append(one.accept()[0])
                        self.may_treat.wait(LIMIT_SECONDS)
                        self._manner(self.taken[-1])
                        self.treated += 1


def observed(
    *targets: Target, until: Callable[[], bool], connections: int = 3, held: threading.Event | None = None
) -> Observation:
    """Until a condition has come true, and a few rounds more, which see all that there was by then.

    `held` is set when the observer holds its connections: one reset before its `connect` has returned was never opened.
    """
    observer, deadline = Observer(targets, PACE, connections), time.monotonic() + LIMIT_SECONDS
    more = iter(range(ROUNDS_MORE))

    def goes_on() -> bool:
        if held is not None:
            held.set()
        return time.monotonic() < deadline and (not until() or next(more, None) is not None)

    return observer.run(goes_on)


def port(one: socket.socket) -> int:
    return int(one.getsockname()[1])


def test_connections_and_datagrams_are_answered() -> None:
    with Server() as server:
        tcp, udp = Target("127.0.0.1", port(server.listener)), Target("127.0.0.1", port(server.echo), b"hello")
        found = observed(tcp, udp, held=server.may_treat, until=lambda: server.treated > 6 and server.echoed > 1)
    first, second = found.services
    assert (first.service, second.service) == (tcp.name, udp.name)
    assert first.probes - first.unanswered > 1
    assert second.probes - second.unanswered > 1
    assert (first.held.opened, first.held.kept, first.held.reset) == (3, 3, 0)
    assert second.held == Held()
    assert not first.lasting
    assert found.began <= found.ended


def resets(connection: socket.socket) -> None:
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    connection.close()


def test_connections_that_are_reset_and_closed_are_told_apart() -> None:
    for manner, expected in ((resets, (2, 0)), (lambda one: one.close(), (0, 2))):
        with Server(manner) as server:
            target = Target("127.0.0.1", port(server.listener))
            found = observed(target, held=server.may_treat, until=lambda: server.treated > 2, connections=2)
            (seen,) = found.services
        assert (seen.held.reset, seen.held.closed) == expected
        assert seen.held.kept == 0


class Clock:
    """Goes with the machine's, and jumps."""

    def __init__(self) -> None:
        self.jumped = 0.0

    def monotonic(self) -> float:
        return time.monotonic() + self.jumped

    def time(self) -> float:
        return time.time() + self.jumped


@pytest.mark.parametrize("gone", [False, True])
def test_a_machine_that_stood_still_at_the_end_is_no_outage_and_silence_is_one(
    monkeypatch: pytest.MonkeyPatch, gone: bool
) -> None:
    clock, rounds = Clock(), iter(range(2 * ROUNDS_MORE))
    monkeypatch.setattr("lvsd.ctl.observer.time", clock)
    with socket.create_server(("127.0.0.1", 0), backlog=4 * ROUNDS_MORE) as listener:  # the kernel answers

        def goes_on() -> bool:
            number = next(rounds, None)
            if number is None:
                clock.jumped += 5.0
            elif number >= ROUNDS_MORE and gone:
                listener.close()
                clock.jumped += 0.1
            return number is not None

        (seen,) = Observer([Target("127.0.0.1", port(listener))], PACE, 0).run(goes_on).services
    assert seen.probes > seen.unanswered
    assert seen.lasting is gone


def test_nobody_there_is_no_answer() -> None:
    with socket.create_server(("127.0.0.1", 0)) as gone:
        target = Target("127.0.0.1", port(gone))
    (seen,) = observed(target, until=lambda: True).services
    assert (seen.probes == seen.unanswered, seen.gaps, seen.held) == (True, (), Held())


REPORT = Report(
    REHEARSED, "", "lb1", 1000.0, "graceful", ("lb0",), (), ended=1010.0,
    moved=(FailoverRow("lb0", "handed_over", "192.0.2.2", 11.0),), there=(Outage("tcp 192.0.2.100:80", 300, 2, 12.5),),
)  # fmt: skip


@pytest.fixture
def client(tmp_path: Path) -> Path:
    path = tmp_path / "client.json"
    seen = ServiceSeen("tcp 192.0.2.100:80", 300, 3, (), Held(10, 10))
    path.write_bytes(msgspec.json.encode(Observation("client", 995.0, 1020.0, 10.0, (seen,))))
    return path


def merging(directory: Path, *files: Path) -> Result:
    words = [word for file in files for word in ("--merge", str(file))]
    return CliRunner().invoke(main, ["drill", "--state-dir", str(directory), *words])


def test_what_a_client_saw_is_laid_beside_the_drill_it_was_there_for(tmp_path: Path, client: Path) -> None:
    keep(REPORT, tmp_path)
    keep(Report(REHEARSED, "", "lb1", 5000.0, "graceful", (), (), there=REPORT.there, ended=5010.0), tmp_path)
    assert merging(tmp_path, client).exit_code == 0
    done = merging(tmp_path, client)  # again: what was said of this client is replaced
    assert done.exit_code == 0, done.output
    assert done.stdout.count("seen by client, a client:\n") == 1
    assert "tcp 192.0.2.100:80: never answered (300 probes, 3 unanswered); 10 of 10 connections kept" in done.stdout
    kept = json.loads(min((tmp_path / "drills").glob("*.json")).read_text())
    assert [one["node"] for one in kept["observed"]] == ["client"]
    assert {stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "drills").iterdir()} == {0o600}


def test_an_observation_of_no_drill_and_a_file_of_anything_else_are_refused(tmp_path: Path, client: Path) -> None:
    done = merging(tmp_path, client)
    assert (done.exit_code, "no drill kept in" in done.stderr) == (1, True)
    wrong = tmp_path / "wrong.json"
    for content in ("{}", "x", "[" * 5000):
        wrong.write_text(content)
        done = merging(tmp_path, wrong)
        assert (done.exit_code, "not written by `lvsctl drill watch`" in done.stderr) == (1, True)


def test_the_command_writes_text_and_a_file(tmp_path: Path) -> None:
    with Server() as server:
        where = f"127.0.0.1:{port(server.listener)}"
        words = ["drill", "watch", where, "--seconds", "1s", "-o", str(tmp_path / "o")]
        done = CliRunner().invoke(main, words)
    assert done.exit_code == 0, done.output
    assert f"  tcp {where}: outage " in done.stdout
    assert json.loads((tmp_path / "o").read_text())["services"][0]["held"]["opened"] == 10


@pytest.mark.parametrize(
    "words",
    [(), ("192.0.2.1",), ("192.0.2.1:0",), ("192.0.2.1:99999",), ("name:80",), ("--udp", "192.0.2.1:53", "xyz")],
)
def test_wrong_usage(words: tuple[str, ...]) -> None:
    assert CliRunner().invoke(main, ["drill", "watch", *words]).exit_code == 2
