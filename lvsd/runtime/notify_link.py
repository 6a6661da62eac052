"""The director's connection to lvsd-notify: what is asked is sent at once, or kept until it is there."""

from __future__ import annotations

import asyncio
import os
import socket
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from checkers.core.letter import Letter
from config.model import Daemon
from lvsd.control import hooks
from lvsd.control.hooks import PACKET_LIMIT_BYTES, Garbled, Instruct, ScriptEnded, ToNotify, decode_result, encode
from lvsd.control.messages import ProcessRow
from lvsd.core.effects import AppendLine, RunCommand, SendMail, WriteFifo
from lvsd.runtime.journal import tell
from lvsd.runtime.sparingly import Sparingly
from lvsd.runtime.unix_socket import peer_pid, peer_uid

QUEUE_LIMIT_PACKETS = 2048
FAREWELL_SECONDS = 1.0
READS_A_WAKE = 64


def request_of(effect: RunCommand | SendMail | AppendLine | WriteFifo, daemon: Daemon) -> ToNotify:
    """What the core asks, with the users whose rights it is done with."""
    match effect:
        case RunCommand(lane, argv, environment):
            return hooks.RunCommand(lane, argv, dict(environment), daemon.command_user)
        case SendMail(mail, subject, body):
            whole = f"lvsd host: {socket.gethostname()}\n{body}"
            return hooks.SendMail(Letter(mail.to, subject, whole, mail.sender, mail.smtp), daemon.checker_user)
        case AppendLine(path, line):
            return hooks.AppendLine(path, f"[{time.ctime()}] [{os.getpid()}] {line}")
        case WriteFifo(path, line):
            return hooks.WriteFifo(path, line)


class NotifyLink:
    """A client that comes back for ever and never waits. What it hears are results of scripts."""

    def __init__(self, path: Path, heard: Callable[[ScriptEnded], None] | None = None) -> None:
        """`path`: lvsd-notify's socket. Not connected yet."""
        self._path = path
        self._heard = heard
        self._instruction: Instruct | None = None
        self._queue: deque[bytes] = deque()
        self._socket: socket.socket | None = None
        self._troubles = Sparingly()
        self._pid = 0  # of the process that was there last
        self._changed_at = 0.0

    def row(self, now: float) -> ProcessRow | None:
        """How the process fares, once it has been there."""
        if not self._pid:
            return None
        return ProcessRow("notify", self._pid, self._socket is not None, now - self._changed_at)

    @property
    def waiting(self) -> int:
        """How many requests have not been handed over."""
        return len(self._queue)

    def send(self, message: ToNotify) -> None:
        """Ask for it. Where too much waits, the oldest is dropped and told."""
        now = time.monotonic()
        try:
            self._queue.append(encode(message))
        except Garbled as error:
            tell("error", "request_not_sent", request=type(message).__name__, error=str(error))
            return
        if len(self._queue) > QUEUE_LIMIT_PACKETS:
            self._queue.popleft()
            self._troubles.tell("dropped", now, "error", "request_dropped", because="lvsd-notify does not take them")
        if self._socket is not None and len(self._queue) == 1:
            self._write()

    def instruct(self, instruction: Instruct) -> None:
        """Have it do this all the time, also after it was started again."""
        self._instruction = instruction
        if self._socket is not None:
            self.send(instruction)

    def tick(self) -> None:
        """Connect, if there is no connection."""
        if self._socket is not None:
            return
        connection = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET | socket.SOCK_NONBLOCK)
        try:
            connection.connect(os.fspath(self._path))
            uid, pid = peer_uid(connection), peer_pid(connection)
        except OSError:
            connection.close()
            return
        if uid != os.geteuid():
            connection.close()
            now = time.monotonic()
            self._troubles.tell("refused", now, "warning", "peer_refused", uid=uid)
            return
        self._socket = connection
        self._pid, self._changed_at = pid, time.monotonic()
        asyncio.get_running_loop().add_reader(connection, self._readable)
        if self._instruction is not None:
            self.send(self._instruction)
        self._write()

    def close(self) -> None:
        """Hand over what is left, waiting a little for room, and part."""
        self.tick()
        if self._socket is not None and self._queue:
            self._socket.settimeout(FAREWELL_SECONDS)
            try:
                while self._queue:
                    self._socket.send(self._queue[0], socket.MSG_NOSIGNAL)
                    self._queue.popleft()
            except OSError as error:  # TimeoutError is one
                tell("error", "request_dropped", requests=len(self._queue), because=str(error))
        self._disconnect()

    def _write(self) -> None:
        if self._socket is None:
            return
        loop = asyncio.get_running_loop()
        while self._queue:
            try:
                self._socket.send(self._queue[0], socket.MSG_NOSIGNAL)
            except BlockingIOError:
                loop.add_writer(self._socket, self._write)
                return
            except OSError:
                self._disconnect()
                return
            self._queue.popleft()
        loop.remove_writer(self._socket)

    def _readable(self) -> None:
        """Results, or its end."""
        for _ in range(READS_A_WAKE):
            if self._socket is None:
                return
            try:
                packet = self._socket.recv(PACKET_LIMIT_BYTES)
            except BlockingIOError:
                return
            except OSError:
                packet = b""
            if not packet or not self._hear(packet):
                self._disconnect()
                return

    def _hear(self, packet: bytes) -> bool:
        """Whether it was understood."""
        try:
            result = decode_result(packet)
        except Garbled as error:
            self._troubles.tell("garbled", time.monotonic(), "error", "notify_garbled", error=str(error)[:200])
            return False
        if self._heard is not None:
            self._heard(result)
        return True

    def _disconnect(self) -> None:
        if self._socket is not None:
            loop = asyncio.get_running_loop()
            loop.remove_reader(self._socket)
            loop.remove_writer(self._socket)
            self._socket.close()
            self._socket = None
            self._changed_at = time.monotonic()
