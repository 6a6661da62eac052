"""How long clients miss the virtual address: pairs of keepalived and pairs of lvsd, in the lab, event by event.

Two balancers and a client on one network. Whoever holds the address answers a UDP echo on it; the client asks every two
milliseconds and listens for gratuitous ARP. Its own jitter on one emulated core is 10 to 40 ms: gaps below are noise.
"""

from __future__ import annotations

import itertools
import math
import select
import signal
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from typing import Final, Self

from tests.lab.balancer import Balancer
from tests.lab.daemons import process
from tests.lab.daemons.balancers import Keepalived
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

VIP: Final = "192.0.2.100"
PORT: Final = 7
POLL_SECONDS: Final = 0.002
SETTLE_SECONDS: Final = 1.0
RUNS: Final = 3
IP_FREEBIND: Final = 15
BALANCERS: Final = ("lb1", "lb2")
PRIORITIES: Final = {"lb1": 150, "lb2": 100}

TOPOLOGY: Final = Topology(
    "failover",
    (Network("public", "192.0.2.0/24"),),
    tuple(
        Host(name, (Attachment("public", (f"192.0.2.{last}/24",)),))
        for name, last in (("client", 50), ("lb1", 12), ("lb2", 13))
    ),
)


@dataclass(frozen=True, slots=True)
class Setting:
    """A version of VRRP and its interval in seconds."""

    version: int
    interval: float

    def __str__(self) -> str:
        """As a row says it."""
        return f"v{self.version} {self.interval:g} s"

    def keepalived(self, name: str) -> str:
        """The balancer's keepalived.conf."""
        return f"""
vrrp_instance lb0 {{
    state BACKUP
    interface eth0
    virtual_router_id 51
    priority {PRIORITIES[name]}
    version {self.version}
    advert_int {self.interval:g}
    virtual_ipaddress {{
        {VIP}/24
    }}
}}
"""

    def lvsd(self, name: str) -> str:
        """The balancer's lvsd.yaml."""
        return f"""
vrrp:
  lb0: {{interface: eth0, virtual_router_id: 51, priority: {PRIORITIES[name]}, version: {self.version},
        advertisement_interval: {round(self.interval * 1000)}ms, addresses: [{VIP}/24]}}
"""


SETTINGS: Final = (Setting(2, 1.0), Setting(3, 0.1), Setting(3, 0.01))


class Echo:
    """Answers on the virtual address with the host's name, while the address is the host's."""

    def __init__(self, host: LiveHost) -> None:
        self._socket = host.call(_bound)
        self._name = host.name.encode()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def _serve(self) -> None:
        while not self._ended.is_set():
            try:
                asked, sender = self._socket.recvfrom(64)
                self._socket.sendto(asked + self._name, sender)
            except TimeoutError:
                continue
            except OSError:
                time.sleep(POLL_SECONDS)

    def close(self) -> None:
        """End."""
        self._ended.set()
        self._thread.join(2)
        self._socket.close()


def _bound() -> socket.socket:
    answering = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
    answering.setsockopt(socket.SOL_IP, IP_FREEBIND, 1)
    answering.bind((VIP, PORT))
    answering.settimeout(0.2)
    return answering


class Client:
    """Asks all the time; knows when it was answered, and when it heard gratuitous ARP."""

    def __init__(self, host: LiveHost) -> None:
        self._asking = host.call(lambda: socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        self._asking.setblocking(False)
        self._arp = host.call(lambda: socket.socket(socket.AF_PACKET, socket.SOCK_RAW, socket.htons(0x0806)))
        self._arp.setblocking(False)
        self.answers: list[tuple[float, str]] = []
        self.arps: list[float] = []
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        self._thread.join(5)
        self._asking.close()
        self._arp.close()

    def _run(self) -> None:
        next_at = time.monotonic()
        while not self._ended.is_set():
            now = time.monotonic()
            if now >= next_at:
                next_at = max(next_at + POLL_SECONDS, now)
                with suppress(OSError):  # nobody answers ARP just now
                    self._asking.sendto(b"?", (VIP, PORT))
            ready, _, _ = select.select([self._asking, self._arp], [], [], max(0.0, next_at - time.monotonic()))
            self._take(ready)

    def _take(self, ready: list[socket.socket]) -> None:
        now = time.monotonic()
        if self._asking in ready:
            with suppress(OSError):
                self.answers.append((now, self._asking.recv(64)[1:].decode()))
        if self._arp in ready:
            frame = self._arp.recv(128)
            if frame[28:32] == frame[38:42] == socket.inet_aton(VIP):
                self.arps.append(now)

    def whom(self) -> str:
        """Who answered last."""
        return self.answers[-1][1] if self.answers else ""

    def outage(self, began: float) -> float:
        """The longest time without an answer since then, seconds."""
        moments = [at for at, _ in self.answers if at >= began - SETTLE_SECONDS]
        return max((later - earlier for earlier, later in itertools.pairwise(moments)), default=float("inf"))

    def first_arp(self, began: float) -> float:
        """From then to the first gratuitous ARP, seconds."""
        return next((at - began for at in self.arps if at >= began), float("inf"))


class Theirs:
    """A pair of keepalived."""

    name = "keepalived"

    def __init__(self, world: World, setting: Setting) -> None:
        self.world, self.setting = world, setting

    def start(self, name: str) -> None:
        """One of them."""
        self.world[name].start(Keepalived(self.setting.keepalived(name)))

    def stop(self, name: str) -> None:
        """In good order."""
        self.world[name].stop(Keepalived(""))

    def ask_to_stop(self, name: str) -> None:
        """In good order, without waiting."""
        self.world[name].processes["keepalived"].send_signal(signal.SIGTERM)

    def await_end(self, name: str) -> None:
        """After that."""
        process.await_end(self.world[name], "keepalived")

    def kill_workers(self, name: str) -> None:
        """The daemon's child that speaks VRRP, killed."""
        parent = self.world[name].processes["keepalived"].pid
        self.world[name].run(["pkill", "-9", "-f", "keepalived", "--parent", _inside(self.world[name], parent)])


def _inside(host: LiveHost, _pid: int) -> str:
    """The process id of keepalived's parent process as its host knows it."""
    found = host.run(["pgrep", "-o", "-x", "keepalived"]).stdout.split()
    return found[0]


class Ours:
    """A pair of lvsd."""

    name = "lvsd"

    def __init__(self, world: World, setting: Setting) -> None:
        self.world, self.setting = world, setting
        self.running: dict[str, Balancer] = {}

    def start(self, name: str) -> None:
        """One of them."""
        self.running[name] = Balancer(self.world[name], self.setting.lvsd(name)).start()

    def stop(self, name: str) -> None:
        """In good order."""
        self.running.pop(name).stop()

    def ask_to_stop(self, name: str) -> None:
        """In good order, without waiting."""
        if (found := self.running[name].process) is not None:
            found.send_signal(signal.SIGTERM)

    def await_end(self, name: str) -> None:
        """After that."""
        if (found := self.running.pop(name).process) is not None:
            found.wait(15)

    def kill_workers(self, name: str) -> None:
        """Director, checker and vrrp, killed."""
        for part in ("director", "checker", "vrrp"):
            self.running[name].kill(part)


Pair = Theirs | Ours


@contextmanager
def settled(world: World, pair: Pair) -> Iterator[Client]:
    """Both run, lb1 holds the address, and a client asks."""
    echoes = {name: Echo(world[name]) for name in BALANCERS}
    try:
        for name in BALANCERS:
            pair.start(name)
        with Client(world["client"]) as client:
            wait_until(lambda: client.whom() == "lb1", 30, "lb1 answers")
            # Those who stand by are known, and the second burst of gratuitous ARP is over.
            time.sleep(max(6.0, 4 * pair.setting.interval))
            yield client
    finally:
        for echo in echoes.values():
            echo.close()


def death(world: World, pair: Pair) -> tuple[float, float]:
    """lb1 loses its power: outage, first gratuitous ARP."""
    with settled(world, pair) as client:
        began = time.monotonic()
        world["lb1"].kill()
        wait_until(lambda: client.whom() == "lb2", 20, "lb2 answers")
        time.sleep(SETTLE_SECONDS)
        found = client.outage(began), client.first_arp(began)
    world["lb1"].revive()
    if isinstance(pair, Ours):
        pair.running.pop("lb1")
    pair.stop("lb2")
    return found


def graceful(world: World, pair: Pair) -> tuple[float, float]:
    """lb1 is stopped: outage, first gratuitous ARP."""
    with settled(world, pair) as client:
        began = time.monotonic()
        pair.ask_to_stop("lb1")
        wait_until(lambda: client.whom() == "lb2", 20, "lb2 answers")
        time.sleep(SETTLE_SECONDS)
        found = client.outage(began), client.first_arp(began)
    pair.await_end("lb1")
    pair.stop("lb2")
    return found


def workers(world: World, pair: Pair) -> tuple[float, float]:
    """lb1's working processes are killed, their parent lives: outage."""
    with settled(world, pair) as client:
        began = time.monotonic()
        pair.kill_workers("lb1")
        time.sleep(6.0)
        found = client.outage(began), float("nan")
    for name in BALANCERS:
        pair.stop(name)
    return found


EVENTS: Final[dict[str, Callable[[World, Pair], tuple[float, float]]]] = {
    "host death": death,
    "graceful stop": graceful,
    "workers killed": workers,
}


def main() -> None:
    """Print the table, a row as soon as it is known."""
    print(
        f"{'setting':12} {'event':15} {'program':11} {'outage ms (of each run)':30} first gratuitous ARP ms", flush=True
    )
    for setting in SETTINGS:
        for event, happens in EVENTS.items():
            for make in (Theirs, Ours):
                row(setting, event, make, happens)


def row(
    setting: Setting,
    event: str,
    make: type[Theirs | Ours],
    happens: Callable[[World, Pair], tuple[float, float]],
) -> None:
    """One line: every run, its median first."""
    found = []
    for _ in range(RUNS):
        with World(TOPOLOGY) as world:
            found.append(happens(world, make(world, setting)))
    outages, arps = [one for one, _ in found], [one for _, one in found]
    print(f"{setting!s:12} {event:15} {make.name:11} {_figures(outages):30} {_figures(arps)}", flush=True)


def _figures(seconds: list[float]) -> str:
    if any(map(math.isnan, seconds)):
        return "-"
    shown = " ".join(f"{one * 1000:.0f}" for one in seconds)
    return f"{statistics.median(seconds) * 1000:.1f} ({shown})"


if __name__ == "__main__":
    main()
