"""What strangers may send to the raw sockets: none of it hides an answer."""

from __future__ import annotations

import asyncio
import ctypes
import errno
import select
import socket
from collections.abc import Callable
from contextlib import closing

import pytest
from scapy.layers.inet import ICMP, IP, TCP

from checkers.core.messages import AssignedCheck, State, Target
from checkers.syn import engine as engine_module
from checkers.syn import mailbox as mailbox_module
from checkers.syn.channel import Channel, Line
from checkers.syn.packet import Form
from checkers.syn.vectors import HEADER_BYTES
from checkers.syn.watch import SynWatch
from config.checks import SynCheck, Timing
from tests.unit.syn.network import NEEDS_ROOT, apart

pytestmark = NEEDS_ROOT

OURS = "10.77.0.1"
LOOPBACK = "127.0.0.1"  # from where this machine asks itself
FORGED = 600


class Stranger:
    """Sends ICMP errors about connections that this machine may have: the ports need not be ours."""

    def __init__(self, source: str = OURS) -> None:
        """`source`: where those connections come from."""
        quoted = bytes(IP(src=source, dst="192.0.2.9") / TCP(sport=1, dport=80, seq=7))[:28]
        self._packet = bytes(IP(src=source, dst=source) / ICMP(type=3, code=1) / quoted)
        self._target = (source, 0)
        self._sender = socket.socket(socket.AF_INET, socket.SOCK_RAW, socket.IPPROTO_RAW)

    def object(self, times: int) -> None:
        for _ in range(times):
            self._sender.sendto(self._packet, self._target)

    def close(self) -> None:
        self._sender.close()


def test_objections_do_not_keep_answers_back() -> None:
    async def work() -> None:
        with closing(Stranger()) as stranger, closing(Channel(Line(socket.AF_INET, OURS, 0, 0))) as channel:
            form = Form(socket.inet_aton(OURS), socket.inet_aton(OURS), 80)
            for number in (100, 200):
                stranger.object(FORGED)
                channel.ask([form], [channel.first_port], [number])
                assert select.select([channel.receiver], [], [], 10)[0]
                heard = [answer[3] for answer in channel.hears()[0] if answer is not None]
                assert heard == [number + 1]
                assert len(list(channel.objections(9))) == 9  # and as many more lie there

    apart(work)


def flooded(stranger: Stranger) -> Callable[[Channel], tuple[bool, bool]]:
    """More comes whenever somebody looks whether there is something."""
    state = Channel.state

    def object_first(channel: Channel) -> tuple[bool, bool]:
        stranger.object(8)
        return state(channel)

    return object_first


def test_reading_goes_on_behind_an_objection(monkeypatch: pytest.MonkeyPatch) -> None:
    told = iter([(-1, errno.EHOSTUNREACH), (2, 0), (-1, errno.EHOSTUNREACH), (3, 0), (-1, errno.EAGAIN)])
    begins: list[int] = []

    class Kernel:
        def recvmmsg(self, _socket: int, begin: ctypes.c_void_p, *_: object) -> int:
            begins.append(begin.value or 0)
            count, why = next(told)
            ctypes.set_errno(why)
            return count

    monkeypatch.setattr(mailbox_module, "libc", Kernel())
    with socket.socket() as sock:
        assert len(mailbox_module.Mailbox(sock).collect()[0]) == 5
    assert [(begin - begins[0]) // HEADER_BYTES for begin in begins] == [0, 0, 2, 2, 5]


def test_a_flood_of_objections_takes_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(engine_module, "OBJECTIONS_A_TURN", 4)

    async def work() -> None:
        crashes: list[str] = []
        watch = SynWatch(lambda *_: None, lambda name, _: crashes.append(name))
        with closing(Stranger(LOOPBACK)) as stranger, socket.create_server((OURS, 80)):
            monkeypatch.setattr(Channel, "state", flooded(stranger))
            timing = Timing(interval=0.1, timeout=0.1, fall=1)
            watch.assign([AssignedCheck("a", Target(OURS, 80), SynCheck(), timing, State.UP)])
            async with asyncio.timeout(20):
                while (health := watch.belief("a")) is None or health.probes < 10:
                    await asyncio.sleep(0.005)
            await watch.stop(1.0)
        assert (health.failures, health.state, crashes) == (0, State.UP, [])

    apart(work)
