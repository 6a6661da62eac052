"""The worker as a process, with a director of the test's own."""

from __future__ import annotations

import contextlib
import os
import pwd
import select
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from checkers.core.messages import (
    CHECKS_A_PACKET,
    PACKET_LIMIT_BYTES,
    Assign,
    AssignedCheck,
    Hello,
    Hurry,
    Resend,
    State,
    Target,
    ToWorker,
    Verdict,
    Verdicts,
    decode_from_worker,
    encode,
)
from checkers.core.outcome import Inconclusive, Reason, Unhealthy
from checkers.core.proof import faults, standing
from checkers.runtime import icmp
from config.checks import (
    AnyCheck,
    Credentials,
    DnsCheck,
    ExternalCheck,
    HttpCheck,
    ImapCheck,
    MysqlCheck,
    PingCheck,
    PopCheck,
    RadiusCheck,
    SimpleTcpCheck,
    SipCheck,
    SmtpCheck,
    TcpCheck,
    Timing,
    Tls,
    UdpCheck,
)
from config.secret import Secret
from tests.unit.checkers.servers import HOST, NEVER, closed_port

USER = "nobody"
LOGIN = Credentials("monitor", Secret("open sesame"))
SOON = Timing(interval=0.2, timeout=1.0, rise=1, fall=1)
WAIT_SECONDS = 20.0


class Director:
    """Listens where a director would, keeps the last verdict of each check."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "checkers.sock"
        self.hello: Hello | None = None
        self.generation = -1
        self.known: dict[str, Verdict] = {}
        self.sizes: list[int] = []
        self.numbers: list[int] = []
        self._connection: socket.socket | None = None
        self._listener: socket.socket | None = None
        self.listen()

    def listen(self) -> None:
        self._listener = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self._listener.bind(os.fspath(self.path))
        self.path.chmod(0o666)
        self._listener.listen(1)
        self._listener.settimeout(WAIT_SECONDS)

    def accept(self) -> Hello:
        """Take the worker's connection; its first word is its Hello."""
        assert self._listener is not None
        if self._connection is not None:
            self._connection.close()
        self._connection, _ = self._listener.accept()
        self._connection.settimeout(WAIT_SECONDS)
        hello = decode_from_worker(self._connection.recv(PACKET_LIMIT_BYTES))
        assert isinstance(hello, Hello)
        self.hello = hello
        return hello

    def assign(self, generation: int, checks: list[AssignedCheck]) -> None:
        assert self._connection is not None
        parts = [checks[at : at + CHECKS_A_PACKET] for at in range(0, len(checks), CHECKS_A_PACKET)] or [[]]
        for part, some in enumerate(parts):
            self._connection.send(encode(Assign(generation, part, len(parts), tuple(some))))

    def say(self, order: ToWorker) -> None:
        assert self._connection is not None
        self._connection.send(encode(order))

    def until(self, condition: Callable[[], bool]) -> None:
        """Hear verdicts until the condition holds."""
        assert self._connection is not None
        deadline = time.monotonic() + WAIT_SECONDS
        while not condition():
            assert time.monotonic() < deadline, self.known
            message = decode_from_worker(self._connection.recv(PACKET_LIMIT_BYTES))
            assert isinstance(message, Verdicts)
            self.generation = message.generation
            self.sizes.append(len(message.verdicts))
            self.numbers.append(message.number)
            self.known.update({verdict.id: verdict for verdict in message.verdicts})

    def hang_up(self) -> None:
        """As if it crashed: no connection, no listener."""
        if self._connection is not None:
            self._connection.close()
        if self._listener is not None:
            self._listener.close()
            self.path.unlink()
        self._listener = None
        self.known.clear()
        self.generation = -1


class Running:
    """A worker's process and what it tells its supervisor."""

    def __init__(self, director: Director) -> None:
        self.director = director
        self.notices, theirs = os.pipe()
        self.log = tempfile.TemporaryFile()  # noqa: SIM115 - closed in `end`
        self.process = subprocess.Popen(
            [sys.executable, "-I", "-m", "checkers.runtime.worker", "--socket", str(director.path), "--user", USER],
            stdin=subprocess.DEVNULL,
            stderr=self.log,
            pass_fds=(theirs,),
            env={**os.environ, "LVSD_NOTIFY_FD": str(theirs)},
        )
        os.close(theirs)

    def status(self) -> str:
        return Path(f"/proc/{self.process.pid}/status").read_text()

    def alive(self, times: int) -> bytes:
        """What it tells its supervisor, until it has said so often that it lives."""
        words, deadline = b"", time.monotonic() + WAIT_SECONDS
        while words.count(b"ALIVE\n") < times:
            ready, _, _ = select.select([self.notices], [], [], max(0.0, deadline - time.monotonic()))
            assert ready, words
            words += os.read(self.notices, 100)
        return words

    def logged(self) -> str:
        self.log.seek(0)
        return self.log.read().decode()

    def end(self) -> None:
        self.process.kill()
        self.process.wait(10)
        self.log.close()
        os.close(self.notices)


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder that the worker's user may enter."""
    made = Path(tempfile.mkdtemp(prefix="lvsd-worker-"))
    made.chmod(0o755)
    yield made
    shutil.rmtree(made)


@pytest.fixture
def running(folder: Path) -> Iterator[Running]:
    director = Director(folder)
    started = Running(director)
    try:
        yield started
    finally:
        started.end()
        director.hang_up()


@pytest.fixture
def open_port() -> Iterator[int]:
    """A port that accepts, by the kernel alone."""
    with socket.create_server((HOST, 0), backlog=1024) as listener:
        done = threading.Event()

        def serve() -> None:
            listener.settimeout(0.05)
            while not done.is_set():
                with contextlib.suppress(OSError):
                    listener.accept()[0].close()

        thread = threading.Thread(target=serve)
        thread.start()
        yield listener.getsockname()[1]
        done.set()
        thread.join()


def check(name: str, port: int, kind: AnyCheck | None = None, timing: Timing = SOON) -> AssignedCheck:
    return AssignedCheck(name, Target(HOST, port), kind or TcpCheck(), timing)


def test_it_says_hello_after_it_gave_up_everything(running: Running) -> None:
    hello = running.director.accept()
    held = standing(running.status())
    assert faults(held, dropped_by_root=os.geteuid() == 0) == ()
    assert (hello.pid, hello.uid, hello.no_new_privs) == (running.process.pid, held.uids[1], True)
    assert int(hello.capabilities, 16) == 0
    if os.geteuid() == 0:
        assert hello.uid == pwd.getpwnam(USER).pw_uid


def test_the_supervisor_hears_ready_and_then_alive(running: Running) -> None:
    running.director.accept()
    words = running.alive(3)
    assert words.count(b"READY\n") == 1
    assert words.replace(b"READY\n", b"").replace(b"ALIVE\n", b"") == b""


def test_fifty_checks_are_judged_reassigned_and_told_again_after_a_loss(running: Running, open_port: int) -> None:
    director = running.director
    director.accept()
    closed = closed_port()
    checks = [check(f"up{number}", open_port) for number in range(25)]
    checks += [check(f"down{number}", closed) for number in range(25)]
    director.assign(1, checks)

    def judged() -> bool:
        return len(director.known) == 50 and all(verdict.probes > 0 for verdict in director.known.values())

    director.until(judged)
    assert director.generation == 1
    for name, verdict in director.known.items():
        assert verdict.state is (State.UP if name.startswith("up") else State.DOWN)
    refused = director.known["down0"].outcome
    assert refused == Unhealthy(Reason.REFUSED, "Connection refused")

    changed = [check("up0", closed), *checks[1:30], check("new", open_port)]
    director.known.clear()
    director.assign(2, changed)
    director.until(lambda: director.generation == 2 and len(director.known) == 31)
    assert director.known["up1"].state is State.UP  # as it was: nothing was asked anew
    director.until(lambda: director.known["up0"].state is State.DOWN and director.known["new"].state is State.UP)

    director.hang_up()
    director.listen()
    director.accept()
    director.sizes.clear()
    director.until(lambda: len(director.known) == 31)
    assert director.sizes == [31]  # at once, not one by one as they are probed
    assert director.generation == 2
    assert director.known["up1"].state is State.UP
    assert director.known["up0"].state is State.DOWN
    assert all(verdict.probes > 0 for verdict in director.known.values())


def test_what_the_director_knows_stands_until_a_run_contradicts_it(running: Running) -> None:
    director = running.director
    director.accept()
    slow_to_fall = Timing(interval=0.2, timeout=1.0, rise=1, fall=3)
    known = AssignedCheck("a", Target(HOST, closed_port()), TcpCheck(), slow_to_fall, State.UP)
    director.assign(1, [known])
    director.until(lambda: "a" in director.known and director.known["a"].probes > 0)
    assert (director.known["a"].state, director.known["a"].streak) == (State.UP, 1)
    director.until(lambda: director.known["a"].state is State.DOWN)
    assert director.known["a"].probes == 3


def test_an_assignment_in_many_parts_of_nothing_and_of_every_kind(running: Running, open_port: int) -> None:
    director = running.director
    director.accept()
    director.assign(1, [])
    director.until(lambda: director.generation == 1)
    kinds: list[AnyCheck] = [HttpCheck(), ImapCheck(credentials=LOGIN), PopCheck(), ExternalCheck(("/bin/true",))]
    checks = [check(f"kind{number}", open_port, kind) for number, kind in enumerate(kinds)]
    checks += [check(f"c{number}", open_port, timing=Timing(interval=60.0)) for number in range(200)]
    director.assign(2, checks)
    director.until(lambda: len(director.known) == 204)
    assert max(director.sizes) <= CHECKS_A_PACKET
    director.until(lambda: all(director.known[f"kind{number}"].probes > 0 for number in range(4)))
    assert director.known["kind3"].state is State.UP
    assert not any(isinstance(director.known[f"kind{number}"].outcome, Inconclusive) for number in range(4)), (
        director.known
    )
    assert "sesame" not in running.logged()


def test_it_pings_with_what_it_opened_before_it_gave_all_up(running: Running) -> None:
    given = icmp.open_ping_sockets()
    for sock in given.values():
        sock.close()
    if len(given) < len(icmp.FAMILIES):
        pytest.skip("this machine gives no ping sockets")
    director = running.director
    director.accept()
    pinged = [AssignedCheck(host, Target(host, 0), PingCheck(), SOON) for host in (HOST, "::1")]
    director.assign(1, pinged)
    director.until(lambda: len(director.known) == 2 and all(v.probes > 0 for v in director.known.values()))
    assert {verdict.state for verdict in director.known.values()} == {State.UP}, director.known


def test_a_garbled_packet_costs_the_connection_and_no_more(running: Running, open_port: int) -> None:
    director = running.director
    director.accept()
    director.assign(1, [check("a", open_port)])
    director.until(lambda: "a" in director.known and director.known["a"].state is State.UP)
    assert director._connection is not None
    director._connection.send(b"\x93nonsense")
    director.known.clear()
    director.accept()
    director.until(lambda: "a" in director.known)
    assert director.known["a"].state is State.UP
    assert running.process.poll() is None


def test_a_director_that_does_not_listen_costs_nothing_and_hears_the_last_level(
    running: Running, open_port: int
) -> None:
    """The socket fills up; the checks go on; when the director listens again, it hears how it is by then."""
    director = running.director
    director.accept()
    director.assign(1, [check(f"c{number}", open_port, timing=Timing(interval=0.05)) for number in range(64)])
    director.until(lambda: len(director.known) == 64 and all(v.probes > 0 for v in director.known.values()))

    def memory() -> int:
        [line] = [line for line in running.status().splitlines() if line.startswith("VmRSS:")]
        return int(line.split()[1])

    before = memory()
    flapping = closed_port()
    for generation in range(2, 60):  # each makes it say all there is
        port = flapping if generation % 2 else open_port
        checks = [check(f"c{number}", port, timing=Timing(interval=0.05)) for number in range(64)]
        director.assign(generation, checks)
    time.sleep(2.5)  # neither a wait for something nor a timing: the time in which a queue would grow
    assert memory() < before + 8192
    os.read(running.notices, 4096)  # what it said before
    running.alive(2)
    director.until(lambda: director.generation == 59)
    director.until(lambda: all(verdict.state is State.DOWN for verdict in director.known.values()))


def test_what_it_says_is_numbered_and_it_says_something_though_there_is_nothing(running: Running) -> None:
    director = running.director
    director.accept()
    director.assign(1, [])
    director.until(lambda: len(director.numbers) == 3)
    assert director.numbers == [1, 2, 3]
    assert director.sizes == [0, 0, 0]


def test_asked_for_all_it_says_all(running: Running, open_port: int) -> None:
    director = running.director
    director.accept()
    director.assign(1, [check(f"c{number}", open_port, timing=Timing(interval=60.0)) for number in range(100)])
    director.until(lambda: len(director.known) == 100 and all(one.probes > 0 for one in director.known.values()))
    director.known.clear()
    director.say(Resend())
    director.until(lambda: len(director.known) == 100)


def test_a_hurried_check_is_probed_now(running: Running) -> None:
    director = running.director
    director.accept()
    rarely = Timing(interval=NEVER, timeout=1.0, rise=1, fall=1)
    known = [AssignedCheck(name, Target(HOST, closed_port()), TcpCheck(), rarely, State.UP) for name in ("a", "b")]
    director.assign(1, known)
    director.until(lambda: len(director.known) == 2)
    director.say(Hurry(("a", "nobody")))
    director.until(lambda: director.known["a"].state is State.DOWN)
    assert director.known["b"].probes == 0


@pytest.mark.parametrize("assigned", [False, True])
def test_sigterm_ends_it_in_good_order(running: Running, open_port: int, assigned: bool) -> None:
    director = running.director
    director.accept()
    if assigned:
        stuck = ExternalCheck(("/bin/sleep", "60"))
        director.assign(1, [check("a", open_port), check("b", 1, stuck, Timing(interval=0.2, timeout=60.0))])
        director.until(lambda: "a" in director.known and director.known["a"].probes > 1)
    running.process.send_signal(signal.SIGTERM)
    assert running.process.wait(WAIT_SECONDS) == 0


def test_without_a_director_it_waits_for_one(folder: Path) -> None:
    director = Director(folder)
    director.hang_up()
    running = Running(director)
    try:
        while b"ALIVE" not in os.read(running.notices, 100):
            pass
        director.listen()
        director.accept()
    finally:
        running.end()
        director.hang_up()


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_a_worker_that_may_not_start_says_why_and_ends() -> None:
    command = [sys.executable, "-I", "-m", "checkers.runtime.worker", "--socket", "/nowhere", "--user", "root"]
    found = subprocess.run(command, capture_output=True, text=True, timeout=30)
    assert found.returncode == 70
    [line] = found.stderr.splitlines()
    assert " error worker_refused reason=" in line


@pytest.mark.skipif(os.geteuid() != 0, reason="becoming another user needs root")
def test_libraries_that_its_user_cannot_reach_are_loaded_before(folder: Path, open_port: int) -> None:
    """An environment below a folder that only root may enter, as in root's home."""
    private = folder / "private"
    private.mkdir(mode=0o700)
    (private / "venv").symlink_to(sys.prefix)
    director = Director(folder)
    python = str(private / "venv/bin/python")
    command = [python, "-I", "-m", "checkers.runtime.worker", "--socket", str(director.path), "--user", USER]
    with subprocess.Popen(command, stderr=subprocess.DEVNULL) as process:
        try:
            director.accept()
            kinds: list[AnyCheck] = [
                HttpCheck(),
                HttpCheck(tls=Tls()),
                MysqlCheck(LOGIN),
                ImapCheck(),
                PopCheck(),
                SmtpCheck(),
                DnsCheck("bücher.example."),
                RadiusCheck(LOGIN, Secret("shared")),
                SipCheck(),
                UdpCheck(reply_needed=True),
                SimpleTcpCheck(),
            ]
            director.assign(1, [check(str(number), open_port, kind) for number, kind in enumerate(kinds)])
            director.until(lambda: len(director.known) == 11 and all(v.probes > 0 for v in director.known.values()))
            assert all(isinstance(verdict.outcome, Unhealthy) for verdict in director.known.values()), str(
                director.known
            )
        finally:
            process.kill()
            director.hang_up()
