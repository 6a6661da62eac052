"""The vrrp process: one poll loop around the virtual routers.

    python -I -m lvsd.runtime.vrrp_process --socket PATH [--held-file PATH] [--restarted]
    python -I -m lvsd.runtime.vrrp_process --release --held-file PATH

It is small and light to import, so that it is back at once after a crash, and it needs nobody: without the
director it goes on as it was last told. SIGTERM and SIGINT end it in good order (priority 0, addresses released); a
fault of our own ends it with status 1 and leaves the addresses to the successor, which --restarted makes resume.
"""

from __future__ import annotations

import getopt
import os
import selectors
import signal
import socket
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from lvsd.runtime import process
from lvsd.runtime.journal import tell
from lvsd.runtime.timerfd import TimerFd
from lvsd.runtime.vrrp_channel import Channel
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_macs import VirtualMacs
from lvsd.runtime.vrrp_network import SystemNetwork
from lvsd.runtime.vrrp_router import Place
from lvsd.runtime.vrrp_routers import Routers
from lvsd.runtime.vrrp_socket import VrrpSocket
from lvsd.vrrp.messages import Configure, Failover, Weights
from netlink.errors import NetlinkError
from netlink.route_socket import RouteMonitor

TICK_SECONDS = 1.0
"""So often a report goes to the director and a sign of life to the supervisor."""

HELD_UP_SECONDS = 0.005
"""A timer so late says that the process stood still between hearing and acting: what came meanwhile counts first."""

USAGE_EXIT = 2
_SIGNALS_LIMIT_BYTES = 64


@dataclass(frozen=True, slots=True)
class Options:
    """The command line."""

    socket: Path = Path()
    held_file: Path | None = None
    restarted: bool = False
    release: bool = False


def options_of(arguments: list[str]) -> Options:
    """Raises GetoptError."""
    pairs, rest = getopt.getopt(arguments, "", ["socket=", "held-file=", "restarted", "release"])
    said = dict(pairs)
    options = Options(
        socket=Path(said.get("--socket", "")),
        held_file=Path(said["--held-file"]) if "--held-file" in said else None,
        restarted="--restarted" in said,
        release="--release" in said,
    )
    if rest or ("--held-file" if options.release else "--socket") not in said:
        text = "--socket PATH is needed, with --release --held-file PATH"
        raise getopt.GetoptError(text)
    return options


class Loop:
    """Whatever has come is looked at before what has become due: after a long pause, what the others sent counts."""

    def __init__(self, options: Options, notifier: process.Notifier) -> None:
        """Open everything that needs privileges. Raises OSError, NetlinkError."""
        self._selector = selectors.DefaultSelector()
        self._notifier = notifier
        self._timer = TimerFd()
        self._monitor = RouteMonitor()
        network = SystemNetwork(self._listen, self._forget)
        self._watch = network.watch
        network.look()
        now = time.monotonic()
        self._routers = Routers(network, HeldFile(options.held_file), now, restarted=options.restarted)
        self._channel = Channel(options.socket, self._attend, self._forget)
        self._wake_read, self._wake_write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self._stopping = False
        self._tick_at = now
        self._register(self._timer.fileno(), self._timer.read)
        self._register(self._monitor.fileno(), self._links_changed)
        self._register(self._watch.fileno(), self._routes_changed)
        self._register(self._wake_read, self._signalled)

    def _register(self, descriptor: int, callback: Callable[[], None]) -> None:
        self._selector.register(descriptor, selectors.EVENT_READ, callback)

    def _attend(self, connection: socket.socket) -> None:
        self._selector.register(connection, selectors.EVENT_READ, self._configured)

    def _forget(self, one: socket.socket | VrrpSocket) -> None:
        self._selector.unregister(one)

    def _listen(self, place: Place, opened: VrrpSocket) -> None:
        def receive() -> None:
            for datagram in opened.receive():
                self._routers.heard(place, datagram, time.monotonic())

        self._selector.register(opened, selectors.EVENT_READ, receive)

    def run(self) -> None:
        """Until a signal says to end; then give up in good order."""
        self._take_signals()
        self._notifier.ready()
        while not self._stopping:
            if time.monotonic() - self._routers.wake_at > HELD_UP_SECONDS:
                self._attend_to_all(0)
            self._due(time.monotonic())
            self._timer.set(min(self._routers.wake_at, self._channel_at(), self._tick_at))
            self._attend_to_all(None)
        self._routers.stop(time.monotonic())
        self._channel.send(self._routers.status(time.monotonic(), ending=True))

    def _attend_to_all(self, patience: float | None) -> None:
        """Whatever has come, or comes within that time (seconds; None: whenever)."""
        ready = self._selector.select(patience)
        self._routers.look_at_timers(time.monotonic())
        for key, _ in ready:
            key.data()

    def _take_signals(self) -> None:
        signal.set_wakeup_fd(self._wake_write, warn_on_full_buffer=False)
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: None)
        signal.signal(signal.SIGHUP, signal.SIG_IGN)

    def _channel_at(self) -> float:
        return self._tick_at if self._channel.connected else self._channel.retry_at

    def _due(self, now: float) -> None:
        self._routers.wake(now)
        report = self._channel.connect(now) or self._routers.changed
        if now >= self._tick_at:
            self._tick_at, report = now + TICK_SECONDS, True
            self._notifier.alive()
            self._routers.remember()
            if self._watch.unread:
                self._routers.look(now)
        if report:
            self._routers.changed = False
            self._channel.send(self._routers.status(time.monotonic()))

    def _configured(self) -> None:
        for order in self._channel.receive():
            now = time.monotonic()
            match order:
                case Configure():
                    self._routers.configure(order, now)
                case Weights():
                    self._routers.weigh(order, now)
                case Failover():
                    self._routers.fail_over(order, now)

    def _links_changed(self) -> None:
        events = self._monitor.read()
        if events:
            self._watch.shake(events)
            self._routers.look(time.monotonic())

    def _routes_changed(self) -> None:
        if self._watch.read():
            self._routers.look(time.monotonic())

    def _signalled(self) -> None:
        numbers = os.read(self._wake_read, _SIGNALS_LIMIT_BYTES)
        self._stopping |= signal.SIGTERM in numbers or signal.SIGINT in numbers


def serve(options: Options) -> None:
    """Run until told to end. Raises OSError, NetlinkError at the start; ParentGone."""
    process.name_process("lvsd-vrrp")
    loop = Loop(options, process.Notifier.from_environment())
    real_time = process.run_in_real_time()
    if os.geteuid() == 0:
        process.keep_capabilities((process.CAP_NET_ADMIN, process.CAP_NET_RAW))
    process.die_with_parent()
    process.settle_memory()
    tell("info", "vrrp_process_began", pid=os.getpid(), real_time=real_time, restarted=options.restarted)
    loop.run()
    tell("info", "vrrp_process_ended", pid=os.getpid())


def release(path: Path) -> None:
    """Take off every address that the file names, and our interfaces. Raises OSError, NetlinkError."""
    network = SystemNetwork(lambda *_: None, lambda _: None)
    network.look()
    held = HeldFile(path)
    for address in sorted(held.inherited, key=lambda one: (one.interface, one.address)):
        tell("info", "virtual_address_released", address=address.address, there=network.delete(address))
    held.write(frozenset())
    VirtualMacs(network).prune(())


def main(arguments: list[str]) -> int:
    """The exit status. The outermost guard: whatever goes wrong is told, and the supervisor starts another."""
    try:
        options = options_of(arguments)
    except getopt.GetoptError as error:
        sys.stderr.write(f"lvsd-vrrp: {error}\n")
        return USAGE_EXIT
    try:
        if options.release and options.held_file is not None:
            release(options.held_file)
        else:
            serve(options)
    except process.ParentGone:
        return 1
    except PermissionError as error:
        tell("error", "vrrp_process_not_allowed", error=str(error), hint="CAP_NET_ADMIN and CAP_NET_RAW are needed")
        return process.PERMANENT_EXIT
    except (OSError, NetlinkError) as error:
        tell("error", "vrrp_process_failed", error=str(error), where=process.origin(error))
        return 1
    except Exception as error:  # noqa: BLE001 (the outermost guard)
        tell("error", "vrrp_process_crashed", error=repr(error), where=process.origin(error))
        return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
