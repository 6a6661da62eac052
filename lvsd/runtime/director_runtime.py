"""The director's runtime: events in, effects out. What is decided is decided in `lvsd.core.director`."""

from __future__ import annotations

import asyncio
import contextlib
import os
import socket
import time
from collections import deque
from collections.abc import Callable, Iterable

from checkers.core import messages as checker_messages
from config.model import Config, VirtualService
from lvsd.control.hooks import Instruct, ScriptEnded
from lvsd.control.messages import ProcessRow
from lvsd.core import override_views, slices
from lvsd.core.assignment import hurried
from lvsd.core.book_views import Parcels
from lvsd.core.crew import orders
from lvsd.core.director import step
from lvsd.core.effects import (
    AppendLine,
    Apply,
    ApplySettings,
    ApplySysctls,
    AskAll,
    AssignChecks,
    ConfigureVrrp,
    Effect,
    HurryChecks,
    InstructNotify,
    ReadSettings,
    ReadSysctls,
    ReadTable,
    RememberDaemons,
    RememberOverrides,
    RememberOwned,
    RememberRoles,
    RestartWorker,
    RunCommand,
    SendMail,
    Tell,
    WeighVrrp,
    WriteFifo,
    Yield,
)
from lvsd.core.events import (
    Event,
    MaintenanceSeen,
    PlanApplied,
    Resumed,
    ScriptHeard,
    SettingsApplied,
    SettingsRead,
    SettingsUnreadable,
    Started,
    StopAsked,
    TableRead,
    TableUnreadable,
    Ticked,
    VerdictsHeard,
    VrrpCame,
    VrrpHeard,
    VrrpWent,
    WorkerCame,
    WorkerWent,
)
from lvsd.core.identity import service_key
from lvsd.core.pool_state import Connections, Override
from lvsd.core.state import Director
from lvsd.runtime import sysctls
from lvsd.runtime.book_desk import BookDesk, Found
from lvsd.runtime.channel import PacketListener, PacketPeer
from lvsd.runtime.counters import Counters
from lvsd.runtime.handing import Handing
from lvsd.runtime.history import History
from lvsd.runtime.journal import tell
from lvsd.runtime.maintenance import Maintenance
from lvsd.runtime.notify_link import NotifyLink, request_of
from lvsd.runtime.store import Snapshot, Store
from lvsd.runtime.table_look import TableLook
from lvsd.runtime.track_watch import TrackWatch
from lvsd.runtime.worker_links import WorkerLinks
from lvsd.vrrp import messages as vrrp_messages
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket, proc_ip_vs_pieces
from netlink.operations import Operation
from netlink.settings import Setting
from netlink.table import Entry, ServiceKey, Table


class Runtime:
    """Holds the belief, feeds it events, carries out its effects."""

    def __init__(self, store: Store, kernel: IpvsSocket, reader: IpvsSocket | None = None) -> None:
        """Begin with nothing believed. `reader`: another socket, to look at a large table beside all the rest."""
        self._store = store
        self._kernel = kernel
        self._belief = Director()
        self.history = History()
        self._events: deque[Event] = deque()
        self._workers: WorkerLinks | None = None
        self._handing = Handing(self._tell_worker)
        self._books = BookDesk(self._ask_books)
        self._restarts: list[int] = []
        self._vrrp: PacketListener | None = None
        self._notify: NotifyLink | None = None
        self._maintenance = Maintenance()
        self._tracks = TrackWatch()
        self._look = TableLook(reader or kernel, proc_ip_vs_pieces, lambda: self._belief.kernel.table, self.feed)
        self._counters = Counters(kernel, lambda: self._belief, self.feed)
        self._feeding = False
        self._settled = asyncio.Event()
        self._settled.set()
        self._reported = asyncio.Event()
        self._record: list[PlanApplied | SettingsApplied] | None = None  # while a reload wants to know what it led to

    @property
    def belief(self) -> Director:
        """What is believed now."""
        return self._belief

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
        except BaseException:
            self._belief = slices.due(self._belief, None)  # who knows what was carried out: look at all of it again
            raise
        finally:
            self._feeding = False

    def _carry_out(self, effect: Effect) -> None:
        match effect:
            case Tell(level, event, fields):
                tell(level.value, event, **fields)
                self.history.note(level.value, event, fields)
            case Apply() | ReadTable() | ApplySettings() | ReadSettings() | ApplySysctls() | ReadSysctls():
                self._ask_kernel(effect)
            case RememberDaemons() | RememberOverrides() | RememberOwned() | RememberRoles():
                self._write_down(effect)
            case Yield():
                self._resume_soon()
            case AssignChecks() | HurryChecks() | AskAll() | RestartWorker():
                self._order_workers(effect)
            case RunCommand() | SendMail() | AppendLine() | WriteFifo() | InstructNotify():
                self.ask(effect)
            case WeighVrrp(weights):
                self.order(vrrp_messages.Weights(weights))
            case ConfigureVrrp(generation, instances):
                if self._vrrp is not None and self._vrrp.peer is not None:
                    self._vrrp.peer.send(vrrp_messages.encode(vrrp_messages.configuration(generation, instances)))

    def _resume_soon(self) -> None:
        """Once, however many events wait for it: what came in meanwhile has its turn first."""
        if self._settled.is_set():
            self._settled.clear()
            asyncio.get_running_loop().call_soon(self._resume)

    def _resume(self) -> None:
        self._settled.set()  # unless more is asked for
        self.feed(Resumed())

    def order(self, order: vrrp_messages.ToVrrp) -> None:
        """Tell the vrrp process, if it is there."""
        if self._vrrp is not None and self._vrrp.peer is not None:
            self._vrrp.peer.send(vrrp_messages.encode(order))

    async def next_report(self) -> None:
        """Wait until the vrrp process reports again."""
        await self._reported.wait()

    def table_with_connections(self, keys: Iterable[ServiceKey]) -> tuple[Table, dict[ServiceKey, int]]:
        """These services as the kernel has them, and the active connections of each. Raises NetlinkError."""
        status = [one for key in keys for one in self._kernel.read_status(key)]
        table = {
            one.service.key: Entry(
                one.service, {found.destination.key: found.destination for found in one.destinations}
            )
            for one in status
        }
        return table, {one.service.key: sum(found.active for found in one.destinations) for one in status}

    def destination_connections(self, virtual: VirtualService) -> override_views.Counted:
        """What the kernel counts in this service. Raises NetlinkError."""
        return {
            (one.service.key, found.destination.key): Connections(found.active, found.inactive, found.persistent)
            for one in self._kernel.read_status(service_key(virtual.virtual))
            for found in one.destinations
        }

    def ask(self, effect: RunCommand | SendMail | AppendLine | WriteFifo | InstructNotify) -> None:
        """Have the notify process do it."""
        if self._notify is None:
            return
        if isinstance(effect, InstructNotify):
            self._notify.instruct(Instruct(effect.scripts, effect.fifos))
        else:
            self._notify.send(request_of(effect, self._belief.config.daemon))

    def _ask_kernel(
        self, effect: Apply | ReadTable | ApplySettings | ReadSettings | ApplySysctls | ReadSysctls
    ) -> None:
        match effect:
            case Apply(operations):
                self._apply(operations)
            case ReadTable():
                if not self._look.wanted():
                    self._events.append(self._read())
            case ApplySettings(settings):
                self._apply_settings(settings)
            case ReadSettings():
                self._events.append(self._read_settings())
            case ReadSysctls(names):
                self._events.append(sysctls.read(names))
            case ApplySysctls(values):
                self._events.append(sysctls.apply(values))

    def _apply(self, operations: tuple[Operation, ...]) -> None:
        try:
            self._look.sent(operations)
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

    def _read_settings(self) -> Event:
        try:
            return SettingsRead(self._kernel.timeouts(), self._kernel.daemons())
        except NetlinkError as error:
            return SettingsUnreadable(str(error))

    def _apply_settings(self, settings: tuple[Setting, ...]) -> None:
        try:
            refusals = self._kernel.apply_settings(settings)
        except NetlinkError as error:
            self._events.append(SettingsUnreadable(str(error)))
            return
        answer = SettingsApplied(settings, refusals)
        self._events.append(answer)
        if self._record is not None:
            self._record.append(answer)

    def _write_down(self, effect: RememberDaemons | RememberOverrides | RememberOwned | RememberRoles) -> None:
        match effect:
            case RememberDaemons(started):
                self.remember(lambda: self._store.remember_daemons(started))
            case RememberOverrides(overrides):
                self.remember(lambda: self._store.remember_overrides(overrides))
            case RememberOwned(owned):
                self.remember(lambda: self._store.remember_owned(owned))
            case RememberRoles(roles):
                self.remember(lambda: self._store.remember_roles(roles))

    def remember(self, write: Callable[[], None]) -> None:
        """Write to the state directory; what cannot be written is told."""
        try:
            write()
        except OSError as error:
            tell("error", "state_not_written", error=str(error))

    def _order_workers(self, effect: AssignChecks | HurryChecks | AskAll | RestartWorker) -> None:
        if self._workers is None:
            return
        match effect:
            case AssignChecks():
                self._handing.give(effect)
            case HurryChecks(checks):
                for worker, probes in hurried(self._belief, checks):
                    self._workers.send(worker, checker_messages.encode(checker_messages.Hurry(probes)))
            case AskAll(worker):
                self._workers.send(worker, checker_messages.encode(checker_messages.Resend()))
            case RestartWorker(worker):
                self._restarts.append(worker)
                self._workers.cut(worker)

    def _tell_worker(self, number: int, packet: bytes) -> None:
        if self._workers is not None:
            self._workers.send(number, packet)

    def _ask_books(self, number: int, request: checker_messages.ShowBooks) -> bool:
        return self._workers is not None and self._workers.ask_books(number, request)

    async def books(self, parcels: Parcels) -> Found:
        """What the workers' books hold, as far as they answer."""
        return await self._books.collect(parcels)

    def orders(self) -> bytes:
        """What the supervisor is to do about workers."""
        restarts, self._restarts = tuple(dict.fromkeys(self._restarts)), []
        workers = self._belief.workers
        return orders(workers.kept, raw=workers.raw, restarts=restarts)

    # What comes in.

    def listen(self, workers: socket.socket, vrrp: socket.socket, worker_uid: int) -> None:
        """Admit the workers and the vrrp process."""
        own = frozenset({os.geteuid()})
        self._workers = WorkerLinks(
            workers,
            own | {worker_uid},
            lambda hello: self.feed(WorkerCame(hello)),
            lambda number, said: self.feed(VerdictsHeard(said, number)),
            self._worker_went,
            self._books.shown,
        )
        self._vrrp = PacketListener(vrrp, own, self._vrrp_peer, refused)

    def attach(self, notify: NotifyLink) -> None:
        """Have commands run and mails sent by the notify process."""
        self._notify = notify

    def notify_row(self, now: float) -> ProcessRow | None:
        """How the notify process fares; None where it was never there."""
        return self._notify.row(now) if self._notify is not None else None

    def script_ended(self, result: ScriptEnded) -> None:
        """What lvsd-notify says of a tracked script."""
        self.feed(ScriptHeard(result.id, result.status, result.at, timed_out=result.timed_out))

    def _worker_went(self, number: int) -> None:
        self._handing.forget(number)
        self.feed(WorkerWent(number))

    def _vrrp_peer(self, connection: socket.socket) -> PacketPeer:
        limit = vrrp_messages.PACKET_LIMIT_BYTES
        peer = PacketPeer(connection, limit, self._from_vrrp, lambda _: self.feed(VrrpWent()))
        asyncio.get_running_loop().call_soon(self.feed, VrrpCame())  # once the listener knows the peer
        return peer

    def _from_vrrp(self, peer: PacketPeer, packet: bytes) -> None:
        try:
            self.feed(VrrpHeard(vrrp_messages.decode_status(packet)))
            self._reported.set()
            self._reported.clear()  # whoever waits has been woken
        except vrrp_messages.Garbled as error:
            tell("error", "vrrp_garbled", error=str(error)[:200])
            peer.close()

    def tick(self) -> None:
        """Once a second: look whether a stranger changed the table, and at what is due."""
        if self._notify is not None:
            self._notify.tick()
        self._look_for_maintenance(self._belief.config)
        tracks = self._tracks.look(self._belief.config)
        if tracks is not None:
            self.feed(tracks)
        self.feed(Ticked())
        self._look.tick()
        self._counters.tick()

    def _look_for_maintenance(self, config: Config) -> None:
        names = self._maintenance.look(config.daemon.maintenance_directory)
        if names != self._belief.maintenance:
            self.feed(MaintenanceSeen(names))

    # Beginning, changing and ending.

    def start(self, config: Config, snapshot: Snapshot, *, restarted: bool) -> None:
        """Begin with a configuration that is right. Raises NetlinkError when the table cannot be read."""
        try:
            owned, daemons, roles = self._store.owned(), self._store.daemons(), self._store.roles()
        except (OSError, ValueError) as error:
            tell("error", "state_not_read", error=str(error))
            owned, daemons, roles = frozenset(), frozenset(), {}
        self._look_for_maintenance(config)  # before anything is put into service
        said = self._overrides()
        cores = len(os.sched_getaffinity(0))
        self.feed(Started(config, owned, self._kernel.read_table(), restarted, daemons, roles, said, cores))
        self.remember(lambda: self._store.remember_good(snapshot))  # the disk may take its time

    def _overrides(self) -> dict[str, Override]:
        """What people said of real servers; what cannot be read costs nothing else."""
        try:
            return self._store.overrides()
        except (OSError, ValueError) as error:
            tell("error", "overrides_not_read", error=str(error))
            return {}

    async def recorded(self, event: Event) -> list[PlanApplied | SettingsApplied]:
        """Feed an event: what went to the kernel until all services are settled."""
        record = self._record = []
        try:
            self.feed(event)
            while not self._settled.is_set():
                await self._settled.wait()  # wakes after each slice
        finally:
            self._record = None
        return record

    async def settled(self, limit_seconds: float) -> None:
        """Until all services have been decided and sent, at most that long."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(limit_seconds):
                while not self._settled.is_set():
                    await self._settled.wait()  # wakes after each slice

    def stop(self, *, in_good_order: bool) -> None:
        """End. The table is touched only when we are asked to end, not when our supervisor died."""
        if in_good_order:
            self.feed(StopAsked())
        if self._notify is not None:
            self._notify.close()
        self._look.close()
        self._counters.close()
        self._kernel.close()


def refused(uid: int) -> None:
    """Tell of a process that may not speak to us."""
    tell("warning", "peer_refused", uid=uid)
