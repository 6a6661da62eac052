"""The notify process: runs hooks' commands and tracked scripts, sends mails, adds lines to files and pipes.

Nobody else ever waits for any of it.

    python -I -m lvsd.runtime.notify_process --socket PATH

It keeps the rights it is started with: administrators' commands may need them. It takes requests from processes of
its own user alone, and reads nobody else's bytes; results of scripts go to who instructed it last. SIGTERM and SIGINT
end it after what waits has been done, within DRAIN_SECONDS.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
import time
from pathlib import Path

from lvsd.control.hooks import (
    PACKET_LIMIT_BYTES,
    AppendLine,
    Garbled,
    Instruct,
    RunCommand,
    ScriptEnded,
    SendMail,
    ToNotify,
    WriteFifo,
    decode,
    encode,
)
from lvsd.runtime import process
from lvsd.runtime.child_group import GRACE_SECONDS
from lvsd.runtime.commands import Commands
from lvsd.runtime.fifos import Fifos
from lvsd.runtime.journal import tell
from lvsd.runtime.lines import Lines
from lvsd.runtime.mails import Mails
from lvsd.runtime.poll import Poll
from lvsd.runtime.scripts import Scripts
from lvsd.runtime.unix_socket import PEERS_LIMIT, bind_unix, is_gone, peer_uid

TICK_SECONDS = 1.0
DRAIN_SECONDS = 3.0
USAGE_EXIT = 2
READS_A_WAKE = 32
LAST_READS = 4096
_SIGNALS_LIMIT_BYTES = 64


class Loop:
    """One poll loop around the requests, the commands and the mails."""

    def __init__(self, path: Path, notifier: process.Notifier) -> None:
        """Listen at `path`. Raises OSError."""
        self._path = path
        self._notifier = notifier
        self._poll = Poll()
        self._commands = Commands(self._poll)
        self._mails = Mails(self._poll)
        self._lines = Lines()
        self._fifos = Fifos()
        self._scripts = Scripts(self._poll, self._report)
        self._director: socket.socket | None = None  # who instructed us last
        self._owed = False  # a result that found no room
        self._peers: list[socket.socket] = []
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._take_signals()  # before anybody can ask for something
        self._listener = bind_unix(path, socket.SOCK_SEQPACKET, 0o600)
        self._poll.watch(self._listener.fileno(), self._accept)
        self._poll.watch(self._wake_read, self._signalled)

    def run(self) -> bool:
        """Until a signal says to end. False when nobody can reach us any more: a successor will be found."""
        self._notifier.ready()
        tick_at = 0.0
        while not self._stopping:
            now = time.monotonic()
            if now >= tick_at:
                tick_at = now + TICK_SECONDS
                self._notifier.alive()
                self._repeat()
                if is_gone(self._path):
                    tell("error", "run_directory_lost", path=str(self._path))
                    break
            self._turn(now, tick_at)
        self._drain()
        return self._stopping

    def _take_signals(self) -> None:
        """Handlers, not SIG_IGN: a command would inherit that."""
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
            signal.signal(number, lambda *_: None)

    def _signalled(self) -> None:
        numbers = os.read(self._wake_read, _SIGNALS_LIMIT_BYTES)
        self._stopping |= signal.SIGTERM in numbers or signal.SIGINT in numbers

    def _turn(self, now: float, until: float) -> None:
        """Do what is due, then wait for what comes."""
        self._commands.wake(now)
        self._mails.wake(now)
        self._scripts.wake(now)
        self._poll.wait(min(until, self._commands.wake_at, self._mails.wake_at, self._scripts.wake_at) - now)

    def _drain(self) -> None:
        """The requests that have come, then what waits, within bounds; what is not done by then is told to end."""
        self._accept()  # who has connected and gone meanwhile: what it asked for is still there
        for peer in tuple(self._peers):
            self._receive(peer, LAST_READS)
        now = time.monotonic()
        self._scripts.arrange((), now)
        self._mails.hurry(now)
        self._work_until(now + DRAIN_SECONDS)
        now = time.monotonic()
        self._commands.give_up(now)
        self._mails.give_up(now)
        self._work_until(now + GRACE_SECONDS + TICK_SECONDS)

    def _work_until(self, deadline: float) -> None:
        while (
            not (self._commands.idle and self._mails.idle and self._scripts.idle)
            and (now := time.monotonic()) < deadline
        ):
            self._notifier.alive()
            self._turn(now, min(deadline, now + TICK_SECONDS))

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        uid = peer_uid(connection)
        if uid != os.geteuid() or len(self._peers) >= PEERS_LIMIT:
            tell("warning", "peer_refused", uid=uid)
            connection.close()
            return
        connection.setblocking(False)
        self._peers.append(connection)
        self._poll.watch(connection.fileno(), lambda: self._receive(connection, READS_A_WAKE))

    def _receive(self, peer: socket.socket, limit: int) -> None:
        for _ in range(limit):
            try:
                packet, _, flags, _ = peer.recvmsg(PACKET_LIMIT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet, flags = b"", 0
            if not packet or flags & socket.MSG_TRUNC or not self._asked(peer, packet):
                self._close(peer)
                return

    def _asked(self, peer: socket.socket, packet: bytes) -> bool:
        """Whether it was understood."""
        try:
            self._take(peer, decode(packet), time.monotonic())
        except Garbled as error:
            tell("error", "request_garbled", error=str(error)[:200])
            return False
        return True

    def _take(self, peer: socket.socket, message: ToNotify, now: float) -> None:
        match message:
            case RunCommand():
                self._commands.add(message, now)
            case SendMail():
                self._mails.add(message, now)
            case AppendLine(path, line):
                self._lines.append(path, line, now)
            case WriteFifo(path, line):
                self._fifos.write(path, line, now)
            case Instruct(scripts, fifos):
                self._director = peer
                self._fifos.keep(fifos, now)
                self._scripts.arrange(scripts, now)
                self._scripts.repeat()

    def _report(self, result: ScriptEnded) -> None:
        """Whoever is not there, or has no room, hears the last result of each later."""
        if self._director is None:
            return
        try:
            self._director.send(encode(result), socket.MSG_NOSIGNAL)
        except BlockingIOError:
            self._owed = True
        except OSError:
            self._director = None

    def _repeat(self) -> None:
        if self._owed:
            self._owed = False
            self._scripts.repeat()

    def _close(self, peer: socket.socket) -> None:
        if peer is self._director:
            self._director = None
        self._peers.remove(peer)
        self._poll.forget(peer.fileno())
        peer.close()


def serve(path: Path) -> int:
    """Run until told to end: the exit status. Raises OSError at the start; ParentGone."""
    process.name_process("lvsd-notify")
    loop = Loop(path, process.Notifier.from_environment())
    process.die_with_parent()
    process.settle_memory()
    return 0 if loop.run() else 1


def main(arguments: list[str]) -> int:
    """The exit status. The outermost guard: whatever goes wrong is told, and the supervisor starts another."""
    match arguments:
        case ["--socket", path]:
            pass
        case _:
            sys.stderr.write("lvsd-notify: --socket PATH is needed\n")
            return USAGE_EXIT
    try:
        return serve(Path(path))
    except process.ParentGone:
        return 1
    except OSError as error:
        tell("error", "notify_process_failed", error=str(error), where=process.origin(error))
        return 1
    except Exception as error:  # noqa: BLE001 (the outermost guard)
        tell("error", "notify_process_crashed", error=type(error).__name__, where=process.origin(error))
        return 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
