"""Host side of the lab: one call boots a kernel with IPVS, runs a command in it and leaves nothing behind.

    result = boot(["python", "-c", "print(1)"], timeout_seconds=60)

The runner (this process) starts a box (`box.py`), reads the guest's frames and ends the box. The box dies with the
runner, the guest with the box. A boot takes 2 s in User-Mode Linux, most of it the kernel's own.
"""

from __future__ import annotations

import contextlib
import os
import select
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.lab.backend import LabError, choose, pinned_cpu
from tests.lab.frames import STATUS, WINDOW, Frame, FrameError, Kind, Reader, pack
from tests.lab.job import Job, dump

CHECKOUT = Path(__file__).resolve().parents[2]
BOOT_SECONDS = 60.0
END_SECONDS = 10.0
LOG_TAIL_BYTES = 4096
_CHUNK_BYTES = 65536
_POLL_SECONDS = 0.25
_BACKLOG_BYTES = 262144

Sink = Callable[[bytes], None]


class LabTimeout(LabError):
    """The command was not done in its time; the lab was ended."""


@dataclass(frozen=True, slots=True)
class Result:
    """How the command ended: its own exit status (128 + n for signal n), and all it wrote."""

    status: int
    output: str


def to_stdout(data: bytes) -> None:
    """Pass the command's output on as it comes."""
    sys.stdout.flush()
    view = memoryview(data)
    while view:
        view = view[os.write(1, view) :]


def discard(data: bytes) -> None:
    """A sink for callers who want `Result.output` only."""


def boot(
    command: Sequence[str],
    *,
    timeout_seconds: float,
    memory_mib: int = 4096,
    cpu: int | None = 0,
    out: Path | None = None,
    interactive: bool = False,
    env: Mapping[str, str] | None = None,
    sink: Sink = to_stdout,
    stdin: int | None = None,
) -> Result:
    """Boot the lab, run `command` in it from the checkout's root, and return how it ended.

    `out` (created if missing) is mounted read-write at /out inside. `stdin` is a descriptor to feed the command
    from; with `interactive` the command gets a terminal as large as that one. Call it from a thread that lives as
    long as the call. Raises `LabTimeout`, or `LabError` with the kernel's last words.
    """
    box = _start(_Order(tuple(command), memory_mib, cpu, out, interactive, dict(env or {})))
    session = _Session(box, sink, stdin, interactive, time.monotonic() + timeout_seconds)
    try:
        return session.run()
    finally:
        box.end()


@dataclass(frozen=True, slots=True)
class _Order:
    command: tuple[str, ...]
    memory_mib: int
    cpu: int | None
    out: Path | None
    interactive: bool
    environment: dict[str, str]


@dataclass(slots=True)
class _Box:
    """The box's outer process and our ends of its pipes."""

    process: subprocess.Popen[bytes]
    to_guest: int
    from_guest: int
    log: int

    def end(self) -> None:
        """Kill all of it and wait until it is gone. SIGTERM lets the outer process wait for the inner ones."""
        self.process.terminate()
        try:
            self.process.wait(END_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        for fd in (self.to_guest, self.from_guest, self.log):
            with contextlib.suppress(OSError):
                os.close(fd)


def _start(order: _Order) -> _Box:
    from_host, to_guest = os.pipe()
    from_guest, to_host = os.pipe()
    log_read, log_write = os.pipe()
    job = _job(order, from_host, to_host)
    process = subprocess.Popen(
        [sys.executable, "-S", "-P", "-m", "tests.lab.box"],
        env={**os.environ, "PYTHONPATH": str(CHECKOUT), "PYTHONDONTWRITEBYTECODE": "1"},
        stdin=subprocess.PIPE,
        stdout=log_write,
        stderr=log_write,
        pass_fds=(from_host, to_host),
        start_new_session=True,  # a Ctrl-C at the terminal is ours alone to act upon
    )
    for fd in (from_host, to_host, log_write):
        os.close(fd)
    with process.stdin or contextlib.nullcontext() as pipe:
        if pipe is not None:
            pipe.write(dump(job).encode())
    for fd in (to_guest, from_guest, log_read):
        os.set_blocking(fd, False)
    return _Box(process, to_guest, from_guest, log_read)


def _job(order: _Order, from_host: int, to_host: int) -> Job:
    if order.out is not None:
        order.out.mkdir(parents=True, exist_ok=True)
    backend = choose()
    return Job(
        command=order.command,
        environment=order.environment,
        checkout=str(CHECKOUT),
        backend=backend,
        memory_mib=order.memory_mib,
        cpu=pinned_cpu(order.cpu) if backend == "uml" else None,
        out="" if order.out is None else str(order.out.resolve()),
        interactive=order.interactive,
        from_host_fd=from_host,
        to_host_fd=to_host,
        parent=os.getpid(),
    )


@dataclass(slots=True)
class _Session:
    """One conversation with the guest, from boot to status."""

    box: _Box
    sink: Sink
    stdin: int | None
    interactive: bool
    deadline: float
    reader: Reader = field(default_factory=Reader)
    output: bytearray = field(default_factory=bytearray)
    log: bytearray = field(default_factory=bytearray)
    backlog: bytearray = field(default_factory=bytearray)
    window: os.terminal_size | None = None
    ready: bool = False
    status: int | None = None

    def run(self) -> Result:
        """Until the status is in."""
        boot_deadline = min(self.deadline, time.monotonic() + BOOT_SECONDS)
        while self.status is None:
            now = time.monotonic()
            if now >= self.deadline:
                raise LabTimeout(f"the lab was ended: {self._progress()} at its time-out")
            if not self.ready and now >= boot_deadline:
                raise LabError(self._with_log("the lab did not boot"))
            self._turn(min(self.deadline - now, _POLL_SECONDS))
        self._send(Kind.BYE)
        self._flush()
        return Result(self.status, self.output.decode(errors="replace"))

    def _progress(self) -> str:
        return "the command still ran" if self.ready else self._with_log("it had not booted")

    def _with_log(self, what: str) -> str:
        tail = bytes(self.log[-LOG_TAIL_BYTES:]).decode(errors="replace").strip()
        return f"{what}\n{tail}" if tail else what

    def _turn(self, wait_seconds: float) -> None:
        reads = [self.box.from_guest, self.box.log]
        if self.stdin is not None and self.ready and len(self.backlog) < _BACKLOG_BYTES:
            reads.append(self.stdin)
        writes = [self.box.to_guest] if self.backlog else []
        readable, writable, _ = select.select(reads, writes, [], wait_seconds)
        if self.box.log in readable:
            self._read_log()
        if self.box.from_guest in readable:
            self._read_guest()
        if self.stdin is not None and self.stdin in readable:
            self._read_stdin(self.stdin)
        if writable:
            self._flush()
        if self.interactive and self.ready:
            self._follow_window()
        if not readable and self.box.process.poll() is not None and self.status is None:
            raise LabError(self._with_log("the lab stopped by itself"))

    def _read_log(self) -> None:
        self.log += _read(self.box.log)
        del self.log[: -16 * LOG_TAIL_BYTES]

    def _read_guest(self) -> None:
        data = _read(self.box.from_guest)
        if not data:
            self._hung_up()
        try:
            frames = self.reader.feed(data)
        except FrameError as error:
            raise LabError(self._with_log(f"the guest's console is garbled: {error}")) from error
        for frame in frames:
            self._obey(frame)

    def _hung_up(self) -> None:
        with contextlib.suppress(subprocess.TimeoutExpired):
            self.box.process.wait(END_SECONDS)
        self._read_log()
        raise LabError(self._with_log("the lab stopped by itself"))

    def _obey(self, frame: Frame) -> None:
        match frame.kind:
            case Kind.READY:
                self.ready = True
                if self.stdin is None:
                    self._send(Kind.INPUT_ENDED)
            case Kind.OUTPUT:
                self.output += frame.payload
                self.sink(frame.payload)
            case Kind.STATUS:
                self.status = STATUS.unpack(frame.payload)[0]
            case Kind.FAILED:
                self._send(Kind.BYE)
                raise LabError(self._with_log(frame.payload.decode(errors="replace")))
            case _:
                raise LabError(f"the guest sent a {frame.kind.name} frame")

    def _read_stdin(self, source: int) -> None:
        data = os.read(source, _CHUNK_BYTES)
        if data:
            self._send(Kind.INPUT, data)
            return
        self.stdin = None
        self._send(Kind.INPUT_ENDED)

    def _follow_window(self) -> None:
        """Polled, four times a second: SIGWINCH would need the main thread and a handler to put back."""
        if self.stdin is None:
            return
        with contextlib.suppress(OSError):
            size = os.get_terminal_size(self.stdin)
            if size != self.window:
                self.window = size
                self._send(Kind.WINDOW, WINDOW.pack(size.lines, size.columns))

    def _send(self, kind: Kind, payload: bytes = b"") -> None:
        self.backlog += pack(kind, payload)
        self._flush()

    def _flush(self) -> None:
        with contextlib.suppress(BlockingIOError, BrokenPipeError):
            while self.backlog:
                del self.backlog[: os.write(self.box.to_guest, self.backlog[:_CHUNK_BYTES])]


def _read(fd: int) -> bytes:
    try:
        return os.read(fd, _CHUNK_BYTES)
    except BlockingIOError:
        return b""


@contextlib.contextmanager
def raw_terminal(fd: int) -> Iterator[None]:
    """Every key goes to the lab, Ctrl-C too; the terminal is put back at the end."""
    import termios
    import tty

    before = termios.tcgetattr(fd)
    tty.setraw(fd)
    try:
        yield
    finally:
        termios.tcsetattr(fd, termios.TCSAFLUSH, before)
