"""`lvsctl drain`, `disable`, `enable`, `weight`, `overrides`, against a director of a few lines."""

from __future__ import annotations

import json
import socket
import tempfile
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from lvsd.control.messages import (
    LENGTH,
    ErrorReply,
    OverrideMark,
    OverrideRequest,
    OverrideRow,
    OverridesReply,
    OverridesRequest,
    Reply,
    Request,
    decode_request,
    frame,
)
from lvsd.ctl.main import main


def row(active: int = 0, mark: OverrideMark | None = None) -> OverrideRow:
    return OverrideRow(
        "http", "1.1.1.17:80", mark or OverrideMark("drain", 0, "disk", 0, 5.0, 7195.0), 0, active, 2 * active, 0
    )


class Director:
    """Answers one request a connection with the next of its replies; the last one again and again."""

    def __init__(self, run_directory: Path) -> None:
        self.replies: list[Reply] = [OverridesReply((row(),))]
        self.asked: list[Request] = []
        self._listener = socket.socket(socket.AF_UNIX)
        self._listener.bind(str(run_directory / "control.sock"))
        self._listener.listen()
        threading.Thread(target=self._serve, daemon=True).start()

    def _serve(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            with connection:
                (length,) = LENGTH.unpack(connection.recv(LENGTH.size))
                self.asked.append(decode_request(connection.recv(length)))
                connection.sendall(frame(self.replies.pop(0) if len(self.replies) > 1 else self.replies[0]))

    def close(self) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()


@pytest.fixture
def run_directory() -> Iterator[Path]:
    with tempfile.TemporaryDirectory() as name:
        yield Path(name)


@pytest.fixture
def director(run_directory: Path) -> Iterator[Director]:
    director = Director(run_directory)
    yield director
    director.close()


def run(run_directory: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["--run-dir", str(run_directory), *words])


@pytest.mark.parametrize(
    ("words", "request_"),
    [
        (["drain", "1.1.1.17"], OverrideRequest("1.1.1.17", "drain")),
        (
            ["drain", "1.1.1.17", "--service", "http", "--for", "2h", "--reason", "a b", "--force"],
            OverrideRequest("1.1.1.17", "drain", 0, "http", 7200.0, "a b", force=True),
        ),
        (["disable", "1.1.1.17:80", "--for", "1d"], OverrideRequest("1.1.1.17:80", "disable", seconds=86400.0)),
        (["enable", "1.1.1.17", "--service", "x"], OverrideRequest("1.1.1.17", "enable", service="x")),
        (["weight", "1.1.1.17", "5", "--force"], OverrideRequest("1.1.1.17", "weight", 5, force=True)),
        (["overrides"], OverridesRequest()),
    ],
)
def test_what_is_asked(run_directory: Path, director: Director, words: list[str], request_: Request) -> None:
    found = run(run_directory, *words)
    assert found.exit_code == 0, found.output
    assert director.asked == [request_]


def test_what_is_shown(run_directory: Path, director: Director) -> None:
    enabled = OverrideRow("imap", "1.1.1.18:143", None, 3, 1, 2, 4)
    director.replies = [OverridesReply((row(7), enabled))]
    assert run(run_directory, "overrides").stdout == (
        "SERVICE  REAL SERVER   SAID     WEIGHT  ACTIVE  INACTIVE  PERSISTENT  BY     SINCE  LEFT   REASON\n"
        "http     1.1.1.17:80   drain    0       7       14        0           uid 0  5.0s   1h59m  disk\n"
        "imap     1.1.1.18:143  enabled  3       1       2         4           -      -      -      -\n"
    )
    assert json.loads(run(run_directory, "overrides", "--json").stdout)["overrides"][0]["active"] == 7
    director.replies = [OverridesReply((row(mark=OverrideMark("disable", 0, "", 0, 1.0, None)),))]
    assert "uid 0  1.0s   until enabled  -" in run(run_directory, "overrides").stdout
    director.replies = [OverridesReply(())]
    assert run(run_directory, "overrides").stdout == "nothing was said of any real server\n"


def test_a_refusal(run_directory: Path, director: Director) -> None:
    director.replies = [ErrorReply("http: 0 of 1 would be left", "with --force it is done all the same")]
    found = run(run_directory, "drain", "1.1.1.17")
    assert found.exit_code == 1
    assert found.stderr == "lvsctl: http: 0 of 1 would be left (with --force it is done all the same)\n"


@pytest.mark.parametrize(
    "words",
    [["drain"], ["weight", "1.1.1.17"], ["weight", "1.1.1.17", "-1"], ["drain", "1.1.1.17", "--for", "soon"],
     ["drain", "1.1.1.17", "--for", "0s"]],
)  # fmt: skip
def test_wrong_usage(run_directory: Path, words: list[str]) -> None:
    assert run(run_directory, *words).exit_code == 2


def test_waiting_ends_with_the_last_connection(
    run_directory: Path, director: Director, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("lvsd.ctl.override.LOOK_SECONDS", 0.0)
    other = OverrideRow("dns", "1.1.1.99:53", None, 0, 9, 9, 9)
    gone = row(0, OverrideMark("drained", 0, "", 0, 1.0, None))
    director.replies = [OverridesReply((row(2),)), OverridesReply((row(1), other)), OverridesReply((gone, other))]
    found = run(run_directory, "drain", "1.1.1.17", "--wait", "30s")
    assert found.exit_code == 0
    assert [type(one) for one in director.asked] == [OverrideRequest, OverridesRequest, OverridesRequest]
    assert "dns" not in found.stdout


def test_waiting_has_an_end(run_directory: Path, director: Director, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvsd.ctl.override.LOOK_SECONDS", 0.5)
    director.replies = [OverridesReply((row(2),))]
    found = run(run_directory, "drain", "1.1.1.17", "--wait", "1s")
    assert found.exit_code == 1
    assert "connections are left" in found.stderr


def drained(left: int) -> OverridesReply:
    return OverridesReply((row(mark=OverrideMark("drained", 0, "", 0, 1.0, None, None, left)),))


@pytest.mark.parametrize(
    ("words", "deadline"), [([], None), (["--deadline", "10m"], 600.0), (["--deadline", "10m", "--wait"], 600.0)]
)
def test_a_drain_has_a_deadline(
    run_directory: Path, director: Director, words: list[str], deadline: float | None
) -> None:
    director.replies = [drained(0)]
    assert run(run_directory, "drain", "1.1.1.17", *words).exit_code == 0
    assert director.asked[0] == OverrideRequest("1.1.1.17", "drain", deadline=deadline)


def test_the_wait_ends_when_it_is_drained(run_directory: Path, director: Director) -> None:
    director.replies = [OverridesReply((row(1),)), drained(0)]
    found = run(run_directory, "drain", "1.1.1.17", "--wait")
    assert (found.exit_code, found.stderr) == (0, "")
    assert "drained" in found.stdout


def test_what_a_deadline_left_is_told(run_directory: Path, director: Director) -> None:
    director.replies = [OverridesReply((row(1),)), drained(3)]
    found = run(run_directory, "drain", "1.1.1.17", "--wait", "1m")
    assert (found.exit_code, found.stderr) == (1, "lvsctl: 3 connections were left at the deadline\n")


def test_somebody_who_enables_it_ends_the_wait(run_directory: Path, director: Director) -> None:
    director.replies = [OverridesReply((row(1),)), OverridesReply(())]
    assert run(run_directory, "drain", "1.1.1.17", "--wait", "1m").exit_code == 0
