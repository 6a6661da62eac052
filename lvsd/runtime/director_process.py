"""The director process: events in, effects out. What is decided is decided in `lvsd.core.director`."""

from __future__ import annotations

import argparse
import asyncio
import os
import pwd
import signal
import socket
import sys
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Any

from checkers.core import messages as checker_messages
from config.changes import changes
from config.load import Loaded, load
from config.model import Config
from config.problems import Severity
from lvsd.control.messages import (
    ChangeReply,
    ErrorReply,
    PlanRequest,
    ReloadRequest,
    Reply,
    Request,
    StatusRequest,
    VrrpRequest,
)
from lvsd.core import views
from lvsd.core.director import step
from lvsd.core.effects import (
    AppendLine,
    Apply,
    AssignChecks,
    ConfigureVrrp,
    Effect,
    ReadTable,
    RememberOwned,
    RunCommand,
    SendMail,
    Tell,
)
from lvsd.core.events import (
    ConfigChanged,
    Event,
    PlanApplied,
    Started,
    StopAsked,
    TableRead,
    TableSuspected,
    TableUnreadable,
    Ticked,
    VerdictsHeard,
    VrrpCame,
    VrrpHeard,
    VrrpWent,
    WorkerCame,
    WorkerWent,
)
from lvsd.core.state import Director
from lvsd.core.wording import operation_text
from lvsd.runtime.channel import PacketListener, PacketPeer, bind_unix
from lvsd.runtime.control_server import ControlServer
from lvsd.runtime.files import SystemFiles
from lvsd.runtime.journal import tell
from lvsd.runtime.process import (
    CAP_NET_ADMIN,
    PARENT_ENV,
    PERMANENT_EXIT,
    Notifier,
    ParentGone,
    die_with_parent,
    keep_capabilities,
    name_process,
    origin,
    settle_memory,
)
from lvsd.runtime.store import Recorder, Replay, Snapshot, Store
from lvsd.vrrp import messages as vrrp_messages
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket, read_proc_ip_vs
from netlink.operations import Operation
from netlink.proc_ip_vs import Fingerprint, fingerprint, fingerprint_of
from netlink.table import Table

TICK_SECONDS = 1.0
SMALL_TABLE = 500  # services and destinations: read whole in some milliseconds
WHOLE_LOOK_TICKS = 30


class Runtime:
    """Holds the belief, feeds it events, carries out its effects."""

    def __init__(self, store: Store, paths: tuple[str, ...], kernel: IpvsSocket) -> None:
        """Begin with nothing believed."""
        self._store = store
        self._paths = paths
        self._kernel = kernel
        self._belief = Director()
        self._events: deque[Event] = deque()
        self._workers: PacketListener | None = None
        self._vrrp: PacketListener | None = None
        self._believed: tuple[Table, Fingerprint] | None = None
        self._ticks = 0
        self._reloading = asyncio.Lock()
        self._feeding = False
        self._record: list[PlanApplied] | None = None  # while a reload wants to know what it led to

    def feed(self, event: Event) -> None:
        """One event, and all that follows from it. A fault of ours costs that event, never the ones to come."""
        self._events.append(event)
        if self._feeding:
            return  # an effect of the event at work: its turn comes in the loop below
        self._feeding = True
        try:
            while self._events:
                self._belief, effects = step(self._belief, self._events.popleft(), time.monotonic())
                for effect in effects:
                    self._carry_out(effect)
        finally:
            self._feeding = False

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Tell(level, event, fields):
                tell(level.value, event, **fields)
            case Apply(operations):
                self._apply(operations)
            case ReadTable():
                self._events.append(self._read())
            case RememberOwned(owned):
                self._remember(lambda: self._store.remember_owned(owned))
            case AssignChecks(generation, checks):
                self._assign(generation, checks)
            case RunCommand() | SendMail() | AppendLine():
                tell("error", "not_built", effect=type(effect).__name__)
            case ConfigureVrrp(generation, instances):
                if self._vrrp is not None and self._vrrp.peer is not None:
                    self._vrrp.peer.send(vrrp_messages.encode(vrrp_messages.Configure(generation, instances)))

    def _apply(self, operations: tuple[Operation, ...]) -> None:
        try:
            refusals = self._kernel.apply(operations)
        except NetlinkError as error:
            self._events.append(TableUnreadable(str(error)))
            return
        answer = PlanApplied(operations, refusals)
        self._events.append(answer)
        if self._record is not None:
            self._record.append(answer)

    def _read(self) -> Event:
        try:
            return TableRead(self._kernel.read_table())
        except NetlinkError as error:
            return TableUnreadable(str(error))

    def _remember(self, write: Callable[[], None]) -> None:
        try:
            write()
        except OSError as error:
            tell("error", "state_not_written", error=str(error))

    def _assign(self, generation: int, checks: tuple[checker_messages.AssignedCheck, ...]) -> None:
        if self._workers is None or self._workers.peer is None:
            return
        for packet in checker_messages.assignment(generation, checks):
            self._workers.peer.send(packet)

    # What comes in.

    def listen(self, workers: socket.socket, vrrp: socket.socket, worker_uid: int) -> None:
        """Admit the worker and the vrrp process."""
        own = frozenset({os.geteuid()})
        self._workers = PacketListener(workers, own | {worker_uid}, self._worker_peer, _refused)
        self._vrrp = PacketListener(vrrp, own, self._vrrp_peer, _refused)

    def _worker_peer(self, connection: socket.socket) -> PacketPeer:
        limit = checker_messages.PACKET_LIMIT_BYTES
        return PacketPeer(connection, limit, self._from_worker, lambda _: self.feed(WorkerWent()))

    def _from_worker(self, peer: PacketPeer, packet: bytes) -> None:
        try:
            message = checker_messages.decode_from_worker(packet)
        except checker_messages.Garbled as error:
            tell("error", "worker_garbled", error=str(error)[:200])
            peer.close()
            return
        match message:
            case checker_messages.Hello():
                self.feed(WorkerCame(message))
            case checker_messages.Verdicts():
                self.feed(VerdictsHeard(message))

    def _vrrp_peer(self, connection: socket.socket) -> PacketPeer:
        limit = vrrp_messages.PACKET_LIMIT_BYTES
        peer = PacketPeer(connection, limit, self._from_vrrp, lambda _: self.feed(VrrpWent()))
        asyncio.get_running_loop().call_soon(self.feed, VrrpCame())  # once the listener knows the peer
        return peer

    def _from_vrrp(self, peer: PacketPeer, packet: bytes) -> None:
        try:
            self.feed(VrrpHeard(vrrp_messages.decode_status(packet)))
        except vrrp_messages.Garbled as error:
            tell("error", "vrrp_garbled", error=str(error)[:200])
            peer.close()

    def tick(self) -> None:
        """Once a second: look whether a stranger changed the table, and at what is due."""
        self.feed(Ticked())
        self._ticks += 1
        try:
            if self._whole_look_due():
                table = self._kernel.read_table()
                if table != self._belief.kernel.table:
                    self.feed(TableRead(table))
            elif fingerprint(read_proc_ip_vs()) != self._believed_fingerprint():
                self.feed(TableSuspected())
        except NetlinkError as error:
            self.feed(TableUnreadable(str(error)))

    def _whole_look_due(self) -> bool:
        """A small table is read whole; of a large one /proc tells, which knows no flags and no thresholds."""
        held = sum(1 + len(entry.destinations) for entry in self._belief.kernel.table.values())
        return held <= SMALL_TABLE or self._ticks % WHOLE_LOOK_TICKS == 0

    def _believed_fingerprint(self) -> Fingerprint:
        table = self._belief.kernel.table
        if self._believed is None or self._believed[0] is not table:
            self._believed = (table, fingerprint_of(table))
        return self._believed[1]

    # Configuration.

    def start(self, config: Config, snapshot: Snapshot, *, restarted: bool) -> None:
        """Begin with a configuration that is right. Raises NetlinkError when the table cannot be read."""
        try:
            owned = self._store.owned()
        except (OSError, ValueError) as error:
            tell("error", "state_not_read", error=str(error))
            owned = frozenset()
        self._remember(lambda: self._store.remember_good(snapshot))
        self.feed(Started(config, owned, self._kernel.read_table(), restarted))

    async def reload(self) -> ChangeReply:
        """Read the files again; take them over if they are right, else stay as we are."""
        async with self._reloading:
            recorder = Recorder(SystemFiles())
            loaded = await asyncio.to_thread(load, self._paths, recorder)
            problems = tuple(str(problem) for problem in loaded.problems)
            if loaded.config is None:
                for problem in problems:
                    tell("error", "config_refused", problem=problem)
                return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
            told = tuple(changes(self._belief.config, loaded.config))
            self._remember(lambda: self._store.remember_good(recorder.snapshot(self._paths)))
            applied = self._recorded(ConfigChanged(loaded.config))
            operations = tuple(operation_text(one) for answer in applied for one in answer.operations)
            refusals = tuple(
                f"{operation_text(one.operation)}: {one.meaning}" for answer in applied for one in answer.refusals
            )
            return ChangeReply(True, told, operations, problems, refusals)

    def _recorded(self, event: Event) -> list[PlanApplied]:
        """Feed an event: what went to the kernel because of it."""
        record = self._record = []
        try:
            self.feed(event)
        finally:
            self._record = None
        return record

    async def plan(self, files: tuple[str, ...]) -> ChangeReply:
        """What a reload would do, undone: `step` is pure, so it is simply asked."""
        loaded = await asyncio.to_thread(load, files or self._paths, SystemFiles())
        problems = tuple(str(problem) for problem in loaded.problems)
        if loaded.config is None:
            return ChangeReply(accepted=False, changes=(), operations=(), problems=problems)
        _, effects = step(self._belief, ConfigChanged(loaded.config), time.monotonic())
        operations = [one for effect in effects if isinstance(effect, Apply) for one in effect.operations]
        told = tuple(changes(self._belief.config, loaded.config))
        return ChangeReply(True, told, tuple(operation_text(one) for one in operations), problems)

    async def answer(self, request: Request) -> Reply:
        """The reply to a request of lvsctl."""
        now = time.monotonic()
        match request:
            case StatusRequest(service):
                return self._status(service, now)
            case VrrpRequest():
                return views.vrrp(self._belief, now)
            case ReloadRequest():
                return await self.reload()
            case PlanRequest(files):
                return await self.plan(files)

    def _status(self, service: str, now: float) -> Reply:
        reply = views.status(self._belief, now, service)
        if service and not reply.services:
            known = ", ".join(virtual.name for virtual in self._belief.config.services[:20])
            return ErrorReply(f"no virtual service {service!r}", f"there are: {known}")
        return reply

    def stop(self, *, in_good_order: bool) -> None:
        """End. The table is touched only when we are asked to end, not when our supervisor died."""
        if in_good_order:
            self.feed(StopAsked())
        self._kernel.close()


def _refused(uid: int) -> None:
    tell("warning", "peer_refused", uid=uid)


def first_configuration(store: Store, paths: tuple[str, ...], *, restarted: bool) -> tuple[Loaded, Snapshot]:
    """The files; after a crash, if the files have become wrong since, what they were when they were right."""
    recorder = Recorder(SystemFiles())
    loaded = load(paths, recorder)
    if loaded.config is not None or not restarted:
        return loaded, recorder.snapshot(paths)
    try:
        snapshot = store.last_good()
    except (OSError, ValueError) as error:
        tell("error", "state_not_read", error=str(error))
        return loaded, recorder.snapshot(paths)
    if snapshot is None or snapshot.paths != paths:  # another lvsd keeps its state in the same directory
        return loaded, recorder.snapshot(paths)
    for problem in loaded.problems:
        tell("error", "config_refused", problem=str(problem))
    tell("warning", "last_good_configuration_used", because="the files are wrong")
    return load(snapshot.paths, Replay(snapshot)), snapshot


async def serve(arguments: argparse.Namespace, parent: int) -> int:
    """The process's life. The exit status."""
    store = Store(arguments.state_dir)
    paths = tuple(arguments.config)
    loaded, snapshot = first_configuration(store, paths, restarted=arguments.restarted)
    for problem in loaded.problems:
        tell("error" if problem.severity is Severity.ERROR else "warning", "config_problem", problem=str(problem))
    if loaded.config is None:
        return PERMANENT_EXIT
    kernel = IpvsSocket()
    runtime = Runtime(store, paths, kernel)
    run: Path = arguments.run_dir
    account = pwd.getpwnam(arguments.checker_user)
    workers = bind_unix(run / "checkers.sock", socket.SOCK_SEQPACKET, 0o660, account.pw_gid)
    vrrp = bind_unix(run / "vrrp.sock", socket.SOCK_SEQPACKET, 0o600)
    control = bind_unix(run / "control.sock", socket.SOCK_STREAM, 0o660)
    keep_capabilities({CAP_NET_ADMIN})
    die_with_parent()
    runtime.start(loaded.config, snapshot, restarted=arguments.restarted)
    runtime.listen(workers, vrrp, account.pw_uid)
    server = ControlServer(runtime.answer, _refused)
    await server.start(control)
    told = await _until_told(runtime, run / "control.sock")
    server.close()
    runtime.stop(in_good_order=told and os.getppid() == parent)
    return 0 if told else 1


def _is_gone(path: Path) -> bool:
    """Whether there is nothing at the path, for certain: what may not be looked at may well be there."""
    try:
        path.stat()
    except FileNotFoundError:
        return True
    except OSError:
        return False
    return False


async def _until_told(runtime: Runtime, reachable_at: Path) -> bool:
    """Tick until SIGTERM; SIGHUP reloads. False when nobody can reach us any more: a successor will be found."""
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(_fault)
    ended = asyncio.Event()
    loop.add_signal_handler(signal.SIGTERM, ended.set)
    loop.add_signal_handler(signal.SIGINT, ended.set)
    reloads: set[asyncio.Task[ChangeReply]] = set()

    def reload() -> None:
        task = loop.create_task(runtime.reload())
        reloads.add(task)
        task.add_done_callback(reloads.discard)

    loop.add_signal_handler(signal.SIGHUP, reload)
    settle_memory()
    notifier = Notifier.from_environment()
    notifier.ready()
    next_tick = time.monotonic()
    while not ended.is_set():
        notifier.alive()
        runtime.tick()
        next_tick = max(next_tick + TICK_SECONDS, time.monotonic() + TICK_SECONDS / 10)
        try:
            async with asyncio.timeout(max(0.0, next_tick - time.monotonic())):
                await ended.wait()
        except TimeoutError:
            if _is_gone(reachable_at):
                tell("error", "run_directory_lost", path=str(reachable_at))
                return False
    return True


def main() -> int:
    """`python -I -m lvsd.runtime.director_process`, started by the supervisor."""
    parser = argparse.ArgumentParser(prog="lvsd-director")
    parser.add_argument("--run-dir", type=Path, required=True)
    parser.add_argument("--state-dir", type=Path, required=True)
    parser.add_argument("--checker-user", default="nobody")
    parser.add_argument("--config", action="append", required=True)
    parser.add_argument("--restarted", action="store_true")
    arguments = parser.parse_args()
    name_process("lvsd-director")
    parent = int(os.environ.get(PARENT_ENV) or os.getppid())
    try:
        arguments.run_dir.mkdir(mode=0o755, exist_ok=True)  # somebody may have removed it since the start
        return asyncio.run(serve(arguments, parent))
    except ParentGone:
        return 1
    except (NetlinkError, OSError, KeyError) as error:
        tell("error", "director_cannot_run", error=str(error))
        return 1 if arguments.restarted else PERMANENT_EXIT
    except Exception as error:  # noqa: BLE001 (the outermost guard: the supervisor starts another)
        tell("error", "director_crashed", error=type(error).__name__, where=origin(error))
        return 1


def _fault(_loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
    """A fault of ours in one event. Its words are not told: they may hold a password."""
    error = context.get("exception")
    if isinstance(error, Exception):
        tell("error", "director_fault", error=type(error).__name__, where=origin(error))
    else:
        tell("error", "director_fault", error=context.get("message", ""))


if __name__ == "__main__":
    sys.exit(main())
