"""Inside the lab: runs the one command and carries its terminal or its pipes over the console's frames."""

from __future__ import annotations

import contextlib
import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import termios
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tests.lab.frames import STATUS, WINDOW, Frame, Kind, Reader, pack

CHUNK_BYTES = 16384
INPUT_BACKLOG_BYTES = 262144
FAREWELL_SECONDS = 5.0
_EXIT_NOT_FOUND = 127


@dataclass(slots=True)
class Console:
    """The line to the host."""

    read_fd: int
    write_fd: int
    reader: Reader = field(default_factory=Reader)

    def send(self, kind: Kind, payload: bytes = b"") -> None:
        """Blocks until the host took it: the command waits with us, which is flow control."""
        data = memoryview(pack(kind, payload))
        while data:
            data = data[os.write(self.write_fd, data) :]

    def receive(self) -> list[Frame]:
        """What came. Raises `ConnectionResetError` when the host hung up: there is nobody left to work for."""
        data = os.read(self.read_fd, CHUNK_BYTES)
        if not data:
            raise ConnectionResetError("the host hung up")
        return self.reader.feed(data)

    def fail(self, reason: str) -> None:
        """Tell the host why there will be no command."""
        self.send(Kind.FAILED, reason.encode())
        self.await_farewell()

    def await_farewell(self) -> None:
        """The status must have arrived before the kernel under us stops: wait, but not for ever."""
        ready, _, _ = select.select([self.read_fd], [], [], FAREWELL_SECONDS)
        while ready and all(frame.kind is not Kind.BYE for frame in self.receive()):
            ready, _, _ = select.select([self.read_fd], [], [], FAREWELL_SECONDS)


@dataclass(slots=True)
class _Run:
    """The command and both directions of its data."""

    console: Console
    child: int
    output_fd: int
    input_fd: int
    interactive: bool
    pending: bytearray = field(default_factory=bytearray)
    ended: bool = False
    status: int | None = None


def quietly(command: Sequence[str]) -> None:
    """Run a helper whose failure the lab can live with, and whose words nobody needs."""
    with contextlib.suppress(FileNotFoundError):
        subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=False)


def run(
    command: Sequence[str], environment: Mapping[str, str], directory: str, console: Console, *, interactive: bool
) -> None:
    """Run `command` to its end as process 1's only charge, and send its exit status (128 + n for signal n)."""
    wake_read, wake_write = os.pipe()
    for fd in (wake_read, wake_write):
        os.set_blocking(fd, False)
    signal.set_wakeup_fd(wake_write)
    signal.signal(signal.SIGCHLD, lambda *_: None)
    start = _start_on_terminal if interactive else _start_on_pipes
    running = start(command, environment, directory, console)
    console.send(Kind.READY)
    while running.status is None:
        _turn(running, wake_read)
    _drain(running)
    console.send(Kind.STATUS, STATUS.pack(running.status))
    console.await_farewell()


def _turn(running: _Run, wake_fd: int) -> None:
    """Wait for one thing to happen and deal with it."""
    reads = [wake_fd]
    if running.output_fd >= 0:
        reads.append(running.output_fd)
    if len(running.pending) < INPUT_BACKLOG_BYTES:
        reads.append(running.console.read_fd)
    writes = [running.input_fd] if running.pending and running.input_fd >= 0 else []
    ready, writable, _ = select.select(reads, writes, [])
    if running.console.read_fd in ready:
        for frame in running.console.receive():
            _obey(running, frame)
    if writable:
        _write_input(running)
    if running.output_fd in ready:
        _forward_output(running)
    if wake_fd in ready:
        os.read(wake_fd, CHUNK_BYTES)
        _reap(running)


def _obey(running: _Run, frame: Frame) -> None:
    match frame.kind:
        case Kind.INPUT if running.input_fd >= 0:
            running.pending += frame.payload
            _write_input(running)
        case Kind.INPUT_ENDED:
            running.ended = True
            _write_input(running)
        case Kind.WINDOW:
            resize(running.output_fd, *WINDOW.unpack(frame.payload))
        case _:
            return


def resize(terminal: int, rows: int, columns: int) -> None:
    """Tell a terminal's program the size of the person's window."""
    with contextlib.suppress(OSError):
        fcntl.ioctl(terminal, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))


def _write_input(running: _Run) -> None:
    """As much as fits; a reader that went away is its own business."""
    try:
        while running.pending:
            del running.pending[: os.write(running.input_fd, running.pending[:CHUNK_BYTES])]
    except BlockingIOError:
        return
    except OSError:
        running.pending.clear()
        running.ended = True
    if running.ended and not running.interactive and running.input_fd >= 0:
        os.close(running.input_fd)
        running.input_fd = -1


def _forward_output(running: _Run) -> bool:
    """One chunk; False when there is none now or never again."""
    try:
        data = os.read(running.output_fd, CHUNK_BYTES)
    except BlockingIOError:
        return False
    except OSError:  # a terminal whose last program left answers EIO
        data = b""
    if not data:
        running.output_fd = -1
        return False
    running.console.send(Kind.OUTPUT, data)
    return True


def _drain(running: _Run) -> None:
    """What the command wrote before it ended; not what daemons it left behind may yet write."""
    while running.output_fd >= 0 and _forward_output(running):
        pass


def _reap(running: _Run) -> None:
    """Process 1 inherits every orphan."""
    with contextlib.suppress(ChildProcessError):
        while True:
            pid, status = os.waitpid(-1, os.WNOHANG)
            if pid == 0:
                return
            if pid == running.child:
                code = os.waitstatus_to_exitcode(status)
                running.status = code if code >= 0 else 128 - code


def _start_on_pipes(command: Sequence[str], environment: Mapping[str, str], directory: str, console: Console) -> _Run:
    """One pipe for output and errors, so that their order is kept."""
    child_input, input_fd = os.pipe()
    output_fd, child_output = os.pipe()
    child = os.fork()
    if child == 0:
        os.setsid()
        _become(command, environment, directory, (child_input, child_output, child_output))
    os.close(child_input)
    os.close(child_output)
    os.set_blocking(input_fd, False)
    os.set_blocking(output_fd, False)
    return _Run(console, child, output_fd, input_fd, interactive=False)


def _start_on_terminal(
    command: Sequence[str], environment: Mapping[str, str], directory: str, console: Console
) -> _Run:
    """A terminal of its own: line editing, job control and Ctrl-C are the guest kernel's."""
    child, terminal = pty.fork()
    if child == 0:
        _become(command, environment, directory, (0, 1, 2))
    os.set_blocking(terminal, False)
    return _Run(console, child, terminal, terminal, interactive=True)


def _become(
    command: Sequence[str], environment: Mapping[str, str], directory: str, streams: tuple[int, int, int]
) -> None:
    """In the child: never returns."""
    try:
        for target, source in enumerate(streams):
            if target != source:
                os.dup2(source, target)
        os.closerange(3, 256)
        for number in (signal.SIGPIPE, signal.SIGXFSZ, signal.SIGCHLD, signal.SIGINT, signal.SIGTERM):
            signal.signal(number, signal.SIG_DFL)
        os.chdir(directory)
        os.execvpe(command[0], list(command), dict(environment))  # noqa: S606 - no shell is the point
    except OSError as error:
        os.write(2, f"{command[0]}: {error.strerror}\n".encode())
    finally:
        os._exit(_EXIT_NOT_FOUND)
