"""The checker workers' connections: who may have one, one for each worker, none that is said to be another's."""

from __future__ import annotations

import asyncio
import socket
import time
from collections.abc import Callable

from checkers.core.messages import (
    PACKET_LIMIT_BYTES,
    RAW_WORKER,
    Garbled,
    Hello,
    Pages,
    ShowBooks,
    Verdicts,
    decode_from_worker,
    encode,
)
from lvsd.core.crew import WORKERS_LIMIT
from lvsd.runtime.channel import PacketPeer
from lvsd.runtime.journal import Word
from lvsd.runtime.sparingly import Sparingly
from lvsd.runtime.unix_socket import peer_pid, peer_uid

UNNAMED_LIMIT = 8  # connections without a Hello
HELLO_SECONDS = 5.0  # until which it must come
AGAIN_SECONDS = 0.25  # a worker that comes back waits longer; one that comes again and again, twice as long each time
AGAIN_LIMIT_SECONDS = 8.0
CALM_SECONDS = 10.0  # who stayed that long begins anew


class WorkerLinks:
    """Admits workers and tells of what they say, by number."""

    def __init__(
        self,
        listener: socket.socket,
        uids: frozenset[int],
        came: Callable[[Hello], None],
        said: Callable[[int, Verdicts], None],
        went: Callable[[int], None],
        shown: Callable[[int, Pages], None] = lambda *_: None,
    ) -> None:
        """Accept on `listener` in the running loop. `shown`: what a worker's books hold, when they were asked for."""
        self._listener = listener
        self._uids = uids
        self._came = came
        self._said = said
        self._went = went
        self._shown = shown
        self._asked: dict[int, int] = {}  # books that were asked for and have not been shown
        self._unnamed: dict[PacketPeer, tuple[int, asyncio.TimerHandle]] = {}
        self._names: dict[PacketPeer, int] = {}
        self._peers: dict[int, PacketPeer] = {}
        self._visits: dict[int, tuple[float, float]] = {}  # when it came last, after how long it may again
        self._troubles = Sparingly()
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(listener, self._accept)

    def send(self, number: int, packet: bytes) -> None:
        """Tell that worker, if it is there."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.send(packet)

    def ask_books(self, number: int, request: ShowBooks) -> bool:
        """Have that worker show its books; False when it is not there."""
        if number not in self._peers:
            return False
        self._asked[number] += 1
        self.send(number, encode(request))
        return True

    def cut(self, number: int) -> None:
        """End that worker's connection."""
        peer = self._peers.get(number)
        if peer is not None:
            peer.close()

    def close(self) -> None:
        """Stop listening and let all go."""
        self._loop.remove_reader(self._listener)
        self._listener.close()
        for peer in (*self._unnamed, *self._names):
            peer.close()

    def _accept(self) -> None:
        try:
            connection, _ = self._listener.accept()
        except OSError:
            return
        connection.setblocking(False)
        uid, pid = peer_uid(connection), peer_pid(connection)
        if uid not in self._uids or len(self._unnamed) >= UNNAMED_LIMIT:
            connection.close()
            if uid not in self._uids:
                self._tell("refused", "warning", "peer_refused", uid=uid)
            return
        peer = PacketPeer(connection, PACKET_LIMIT_BYTES, self._heard, self._ended)
        self._unnamed[peer] = pid, self._loop.call_later(HELLO_SECONDS, peer.close)

    def _heard(self, peer: PacketPeer, packet: bytes) -> None:
        number = self._names.get(peer)
        try:
            message = decode_from_worker(packet)
        except Garbled as error:
            self._tell(f"garbled {number}", "error", "worker_garbled", error=str(error)[:200])
            peer.close()
            return
        match message:
            case Verdicts() if number is not None:
                self._said(number, message)
            case Pages() if number is not None and self._asked[number]:
                self._asked[number] -= 1
                self._shown(number, message)
            case Hello() if number is None:
                self._greeted(peer, message)
            case _:
                self._tell(f"turn {number}", "error", "worker_garbled", error=f"a {type(message).__name__} out of turn")
                peer.close()

    def _greeted(self, peer: PacketPeer, hello: Hello) -> None:
        if self._admitted(peer, hello):
            self._name(peer, hello)
            return
        self._tell(f"hello {hello.worker}", "warning", "worker_turned_away", worker=hello.worker, pid=hello.pid)
        peer.close()

    def _admitted(self, peer: PacketPeer, hello: Hello) -> bool:
        """Whether it may be the worker that it says it is: it tells its true process id, and nobody else is that one.

        A worker that died has left; one that hangs is killed by the supervisor, and leaves then.
        """
        came_at, pause = self._visits.get(hello.worker, (0.0, 0.0))
        return (
            RAW_WORKER <= hello.worker <= WORKERS_LIMIT
            and hello.pid == self._unnamed[peer][0]
            and hello.worker not in self._peers
            and time.monotonic() - came_at >= pause
        )

    def _name(self, peer: PacketPeer, hello: Hello) -> None:
        self._unnamed.pop(peer)[1].cancel()
        self._names[peer], self._peers[hello.worker], self._asked[hello.worker] = hello.worker, peer, 0
        self._visited(hello.worker, time.monotonic())
        self._came(hello)

    def _visited(self, number: int, now: float) -> None:
        came_at, pause = self._visits.get(number, (-CALM_SECONDS, 0.0))
        calm = now - came_at >= CALM_SECONDS
        self._visits[number] = now, AGAIN_SECONDS if calm else min(AGAIN_LIMIT_SECONDS, 2 * pause)

    def _ended(self, peer: PacketPeer) -> None:
        waiting = self._unnamed.pop(peer, None)
        if waiting is not None:
            waiting[1].cancel()
        number = self._names.pop(peer, None)
        if number is not None:
            del self._peers[number]
            self._went(number)

    def _tell(self, key: str, level: Word, event: str, **fields: str | int) -> None:
        self._troubles.tell(key, time.monotonic(), level, event, **fields)
