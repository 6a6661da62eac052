"""Real workers, a real director's runtime: one is killed, frozen, lies or floods, and the others' checks go on."""

from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Self

import pytest
from msgspec.structs import replace

from checkers.core.messages import (
    CHECKS_A_PACKET,
    PACKET_LIMIT_BYTES,
    PROTOCOL,
    Assign,
    Hello,
    State,
    Verdict,
    Verdicts,
    decode_to_worker,
    encode,
)
from checkers.core.outcome import Healthy, Reason, Unhealthy
from checkers.core.proof import Standing, standing
from lvsd.core import crew
from lvsd.core.assignment import assigned_checks
from lvsd.core.events import ConfigChanged
from lvsd.core.state import Worker
from lvsd.runtime.unix_socket import bind_unix
from tests.unit.runtime.test_director_runtime import Bench

USER = "nobody"
WAIT_SECONDS = 30.0
HOSTS = [f"127.0.9.{number}" for number in range(1, 25)]
CONFINED = "0000000000000000"


def text(workers: int, port: int, hosts: list[str] = HOSTS, kind: str = "tcp") -> str:
    return f"""
daemon: {{workers: {workers}}}
services:
  web:
    virtual: 192.0.2.100:80
    check: {{type: {kind}, interval: 200ms, timeout: 1s, fall: 2, port: {port}}}
    real_servers: [{", ".join(hosts)}]
"""


class World(Bench):
    """The director's part, driven every so often; workers as its supervisor would have them."""

    def __init__(self, folder: Path) -> None:
        self.processes: dict[int, subprocess.Popen[bytes]] = {}
        self.listeners: dict[str, socket.socket] = {}
        self.folder = folder
        super().__init__(folder)
        self.path = folder / "checkers.sock"
        self.restarts: list[int] = []
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = int(free.getsockname()[1])
        for host in HOSTS:
            self.open(host)

    def open(self, host: str) -> None:
        self.listeners[host] = socket.create_server((host, self.port), backlog=256)
        self.listeners[host].setblocking(False)
        asyncio.get_running_loop().add_reader(self.listeners[host], self._accept, self.listeners[host])

    @staticmethod
    def _accept(listener: socket.socket) -> None:
        with contextlib.suppress(OSError):
            listener.accept()[0].close()

    def shut(self, host: str) -> None:
        listener = self.listeners.pop(host)
        asyncio.get_running_loop().remove_reader(listener)
        listener.close()

    def listen(self) -> None:
        workers = bind_unix(self.path, socket.SOCK_SEQPACKET, 0o666)
        vrrp = bind_unix(self.folder / "vrrp.sock", socket.SOCK_SEQPACKET, 0o600)
        self.runtime.listen(workers, vrrp, 65534)

    def hang_up(self) -> None:
        for listening in (self.runtime._workers, self.runtime._vrrp):
            assert listening is not None
            listening.close()

    def run_worker(self, number: int) -> None:
        command = [sys.executable, "-I", "-m", "checkers.runtime.worker", "--socket", str(self.path), "--user", USER]
        self.processes[number] = subprocess.Popen(
            [*command, "--number", str(number)], stdin=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )

    async def drive(self) -> None:
        while True:
            self.runtime.tick()
            self.restarts += crew.read_orders(self.runtime.orders()).restarts
            await asyncio.sleep(0.2)

    def standing(self, number: int) -> Standing:
        return standing(Path(f"/proc/{self.processes[number].pid}/status").read_text())

    def worker(self, number: int) -> Worker:
        return self.runtime.belief.workers.known.get(number, Worker())

    def hosts_of(self, number: int) -> list[str]:
        belief = self.runtime.belief
        return [one.target.address for one in assigned_checks(belief, number)]

    def probes(self, host: str) -> int:
        found = [one for name, one in self.runtime.belief.verdicts.items() if f"> {host}:" in name]
        return found[0].probes if found else 0

    def probed_at(self, host: str) -> float:
        found = [one for name, one in self.runtime.belief.verdicts.items() if f"> {host}:" in name]
        return found[0].probed_at if found else 0.0

    def serving(self) -> set[str]:
        return {key.address for entry in self.kernel.read_table().values() for key in entry.destinations}


@contextlib.asynccontextmanager
async def a_world(*numbers: int, wanted: int = 2) -> AsyncIterator[World]:
    folder = Path(tempfile.mkdtemp(prefix="lvsd-workers-"))
    os.chmod(folder, 0o755)  # noqa: PTH101, S103 - a coroutine; another user is to enter
    world = World(folder)
    world.begin(text(wanted, world.port))
    world.listen()
    driven = asyncio.create_task(world.drive())
    try:
        for number in numbers:
            world.run_worker(number)
        await until(lambda: all(world.worker(number).connected for number in numbers))
        yield world
    finally:
        driven.cancel()
        for process in world.processes.values():
            process.kill()
            process.wait(10)
        for host in tuple(world.listeners):
            world.shut(host)
        world.hang_up()
        shutil.rmtree(folder)


async def until(condition: Callable[[], bool]) -> None:
    async with asyncio.timeout(WAIT_SECONDS):
        while not condition():
            await asyncio.sleep(0.02)


async def goes_on(world: World, hosts: list[str]) -> None:
    """These are probed, and what happens to them is seen."""
    before = {host: world.probed_at(host) for host in hosts}
    await until(lambda: all(world.probed_at(host) > before[host] for host in hosts))
    world.shut(hosts[0])
    await until(lambda: hosts[0] not in world.serving())
    world.open(hosts[0])
    await until(lambda: hosts[0] in world.serving())


async def test_one_is_killed_another_frozen_and_the_others_go_on() -> None:
    async with a_world(1, 2) as world:
        await until(lambda: all(world.probes(host) > 0 for host in HOSTS))
        first, second = world.hosts_of(1), world.hosts_of(2)
        assert set(first) | set(second) == set(HOSTS)
        assert len(first) > 2
        assert len(second) > 2
        world.processes[2].kill()
        await until(lambda: not world.worker(2).connected)
        await goes_on(world, first)
        world.processes[2].wait(10)
        world.run_worker(2)
        await until(lambda: world.worker(2).connected and world.hosts_of(2) == second)
        await goes_on(world, second)
        world.processes[1].send_signal(signal.SIGSTOP)
        await goes_on(world, second)
        await until(lambda: world.hosts_of(2) == HOSTS)  # it has been silent for so long
        await goes_on(world, first)
        world.processes[1].send_signal(signal.SIGCONT)
        await until(lambda: world.hosts_of(1) == first and world.hosts_of(2) == second)
        await goes_on(world, first)
        assert world.restarts == []


async def test_a_reload_that_wants_more_or_fewer() -> None:
    async with a_world(1, wanted=1) as world:
        await until(lambda: all(world.probes(host) > 0 for host in HOSTS))
        world.runtime.feed(ConfigChanged(world.configured(text(3, world.port))))
        assert crew.read_orders(world.runtime.orders()).workers == (1, 2, 3)
        assert world.hosts_of(1) == HOSTS
        for number in (2, 3):
            world.run_worker(number)
        await until(lambda: world.runtime.belief.workers.sharing == (1, 2, 3))
        shares = [world.hosts_of(number) for number in (1, 2, 3)]
        assert sorted(host for share in shares for host in share) == sorted(HOSTS)
        for share in shares:
            await goes_on(world, share)
        world.runtime.feed(ConfigChanged(world.configured(text(1, world.port))))
        await until(lambda: crew.read_orders(world.runtime.orders()).workers == (1,))
        for number in (2, 3):
            world.processes[number].send_signal(signal.SIGTERM)
            assert world.processes[number].wait(10) == 0
        await goes_on(world, HOSTS)


class Rogue:
    """A worker in the test's own hands."""

    def __init__(self, world: World) -> None:
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.setblocking(False)
        self.socket.connect(os.fspath(world.path))
        self.loop = asyncio.get_running_loop()

    async def greet(self, number: int, pid: int | None = None) -> None:
        hello = Hello(
            os.getpid() if pid is None else pid, 65534, CONFINED, no_new_privs=True, worker=number, protocol=PROTOCOL
        )
        await self.say(encode(hello))

    async def say(self, packet: bytes) -> None:
        await self.loop.sock_sendall(self.socket, packet)

    async def assigned(self) -> Assign:
        order = decode_to_worker(await self.loop.sock_recv(self.socket, PACKET_LIMIT_BYTES))
        assert isinstance(order, Assign)
        return order

    async def cut_off(self) -> bool:
        async with asyncio.timeout(WAIT_SECONDS):
            while True:
                try:
                    if not await self.loop.sock_recv(self.socket, PACKET_LIMIT_BYTES):
                        return True
                except ConnectionError:
                    return True

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.socket.close()


def down(name: str) -> Verdict:
    return Verdict(name, State.DOWN, 0.0, Unhealthy(Reason.REFUSED, ""), 0.0, 0.0, 0, 1, 1)


async def test_a_flood_is_cut_off_and_the_others_go_on() -> None:
    async with a_world(1) as world:
        with Rogue(world) as rogue:
            await rogue.greet(2)
            given = await rogue.assigned()
            verdicts = Verdicts(given.generation, (down(given.checks[0].id),) * CHECKS_A_PACKET)
            packet = encode(verdicts)

            async def flood() -> None:
                with contextlib.suppress(OSError):
                    while True:
                        await rogue.say(packet)
                        await asyncio.sleep(0)

            flooding = asyncio.create_task(flood())
            await until(lambda: world.restarts == [2])
            await flooding
            assert not world.worker(2).connected
        await goes_on(world, world.hosts_of(1))


async def test_garbage_costs_the_connection() -> None:
    async with a_world(1) as world:
        again = encode(Hello(os.getpid(), 65534, CONFINED, no_new_privs=True, worker=2, protocol=PROTOCOL))
        for pause, noise in ((0.3, b"\xc1"), (0.6, os.urandom(2000)), (0.0, again)):
            with Rogue(world) as rogue:
                await rogue.greet(2)
                await rogue.assigned()
                await rogue.say(noise)
                assert await rogue.cut_off()
            await asyncio.sleep(pause)  # sooner it is not let in again
        await goes_on(world, world.hosts_of(1))


async def test_nobody_is_a_worker_that_is_there_or_somebody_else(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvsd.runtime.worker_links.AGAIN_SECONDS", 0.0)  # it is not for coming too soon
    async with a_world(1) as world:
        for number, pid in ((1, None), (2, 1), (65, None), (-1, None)):
            with Rogue(world) as rogue:
                await rogue.greet(number, pid)
                assert await rogue.cut_off()
        with Rogue(world) as rogue:
            await rogue.say(encode(Verdicts(1, ())))
            assert await rogue.cut_off()
        assert world.worker(1).connected
        assert not world.worker(2).connected


async def test_who_speaks_of_anothers_check_is_not_heard() -> None:
    async with a_world(1) as world:
        with Rogue(world) as rogue:
            await rogue.greet(2)
            given = await rogue.assigned()
            foreign = world.hosts_of(1)
            names = [name for name in world.runtime.belief.checks if any(f"> {host}:" in name for host in foreign)]
            own = given.checks[0]
            up = replace(down(own.id), state=State.UP, outcome=Healthy())
            await rogue.say(encode(Verdicts(given.generation, (up,))))
            await until(lambda: {own.target.address, *foreign} <= world.serving())
            await rogue.say(encode(Verdicts(given.generation, (*map(down, names), down(own.id)))))
            await until(lambda: own.target.address not in world.serving())
            assert set(foreign) <= world.serving()


async def test_connections_that_say_nothing_crowd_nobody_out(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("lvsd.runtime.worker_links.HELLO_SECONDS", 0.5)
    async with a_world() as world:
        with contextlib.ExitStack() as stack:
            for _ in range(20):
                stack.enter_context(Rogue(world))
                await asyncio.sleep(0.01)  # to be accepted
            world.run_worker(1)
            await until(lambda: world.worker(1).connected)


@pytest.mark.skipif(os.geteuid() != 0, reason="only root has the capability to keep")
async def test_the_raw_worker_bears_one_capability_and_has_its_checks_alone() -> None:
    async with a_world(1, wanted=1) as world:
        raw = text(1, world.port, HOSTS[:3], "syn").replace("\n  web:", "\n  raw:").split("services:\n")[1]
        both = text(1, world.port, HOSTS[3:]) + raw.replace(":80\n", ":81\n")
        world.runtime.feed(ConfigChanged(world.configured(both)))
        assert crew.read_orders(world.runtime.orders()).workers == (1, 0)
        world.run_worker(0)
        await until(lambda: world.worker(0).connected)
        held = world.standing(0)
        assert held.capabilities == {"CapInh": 0, "CapPrm": 1 << 13, "CapEff": 1 << 13, "CapBnd": 0, "CapAmb": 0}
        assert held.no_new_privs
        assert held.uids[0] != 0
        assert not any(world.standing(1).capabilities.values())
        assert world.hosts_of(0) == HOSTS[:3]
        assert world.hosts_of(1) == HOSTS[3:]
        await goes_on(world, HOSTS[:3])
