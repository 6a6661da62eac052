"""From a closed port to a table without the real server, in the lab: keepalived, ldirectord and lvsd, at one interval.

One host plays all real servers, each a listening socket on an address of its own. A socket is closed at a random moment
of the interval; the kernel's table is read every two milliseconds until the real server is out of it.
"""

from __future__ import annotations

import random
import select
import socket
import statistics
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from netlink.ipvs_socket import IpvsSocket
from netlink.table import Family, ServiceKey
from tests.lab.daemons import process
from tests.lab.daemons.balancers import Ldirectord, Lvsd, has_table
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import Daemon, LiveHost, World

SAMPLES: Final = 30
WAIT_SECONDS: Final = 60.0
POLL_SECONDS: Final = 0.002
VIP: Final = "192.0.2.100"
PORT: Final = 80
SERVICE: Final = ServiceKey(Family.INET, 6, VIP, PORT)
SEED: Final = 20261122  # of the moments at which sockets are closed: the same in every run


def addresses(count: int) -> list[str]:
    """Those of the real servers."""
    return [f"192.0.2.{101 + place}" for place in range(count)]


def topology(count: int) -> Topology:
    """A balancer, and a host with so many addresses."""
    farm = tuple(f"{address}/24" for address in ("192.0.2.20", *addresses(count)))
    hosts = (
        Host("lb1", (Attachment("public", ("192.0.2.12/24",)),)),
        Host("farm", (Attachment("public", farm),)),
    )
    return Topology("detection", (Network("public", "192.0.2.0/24"),), hosts)


class Farm:
    """Listening sockets that take every connection and end it when the other side does."""

    def __init__(self, host: LiveHost, count: int) -> None:
        self._host = host
        self._epoll = select.epoll()
        self._listening: dict[str, socket.socket] = {}
        self._by_number: dict[int, socket.socket] = {}
        self._full: list[socket.socket] = []
        self._ended = threading.Event()
        for address in addresses(count):
            self.open(address)
        self._thread = threading.Thread(target=self._serve, daemon=True)
        self._thread.start()

    def open(self, address: str) -> None:
        """Listen there (again)."""
        sock = self._host.call(lambda: socket.create_server((address, PORT), backlog=64))
        sock.setblocking(False)
        self._listening[address] = self._by_number[sock.fileno()] = sock
        self._epoll.register(sock.fileno(), select.EPOLLIN)

    def close(self, address: str) -> None:
        """Listen there no more: who tries is refused."""
        sock = self._listening.pop(address)
        self._by_number.pop(sock.fileno())
        self._epoll.unregister(sock.fileno())
        sock.close()

    def hang(self, address: str) -> None:
        """Listen there with no room left: a SYN gets no answer."""
        self.close(address)
        self._full.append(self._host.call(lambda: socket.create_server((address, PORT), backlog=0)))
        for _ in range(2):
            caller = self._host.call(socket.socket)
            caller.setblocking(False)
            caller.connect_ex((address, PORT))
            self._full.append(caller)

    def end(self) -> None:
        """Close all."""
        self._ended.set()
        self._thread.join(2)
        for address in tuple(self._listening):
            self.close(address)
        for sock in self._full:
            sock.close()
        self._epoll.close()

    def _serve(self) -> None:
        while not self._ended.is_set():
            for number, _ in self._epoll.poll(0.1):
                sock = self._by_number.get(number)
                try:
                    if sock is not None:
                        sock.accept()[0].close()
                except OSError:
                    continue


@dataclass(frozen=True, slots=True)
class Case:
    """A row: who checks how, so many real servers, of which the last ones hang."""

    words: str
    program: Callable[[int], Daemon]
    count: int = 100
    hanging: int = 0
    samples: int = SAMPLES


@dataclass(frozen=True, slots=True)
class Checker:
    """keepalived's checker alone."""

    configuration: str
    name: str = "keepalived"

    def start(self, host: LiveHost) -> None:
        """Ready when its first virtual service is in the table."""
        host.write("/etc/keepalived/keepalived.conf", self.configuration)
        command = ["keepalived", "--dont-fork", "--log-console", "--check"]
        process.start(host, self.name, command, lambda: has_table(host))

    def stop(self, host: LiveHost) -> None:
        """SIGTERM: it clears its services."""
        process.stop(host, self.name)


def keepalived(retries: str) -> Callable[[int], Daemon]:
    """One TCP_CHECK for each, every second."""

    def made(count: int) -> Daemon:
        servers = "".join(
            f"real_server {one} {PORT} {{ weight 1\nTCP_CHECK {{ connect_timeout 1\n{retries} }} }}\n"
            for one in addresses(count)
        )
        head = f"virtual_server {VIP} {PORT} {{\ndelay_loop 1\nlb_algo wrr\nlb_kind DR\nprotocol TCP\n"
        return Checker(f"{head}{servers}}}\n")

    return made


def lvsd(timing: str) -> Callable[[int], Lvsd]:
    """The same; the file is written by `written`."""
    _TIMINGS[timing] = timing
    return lambda _: Lvsd(configurations=(f"/etc/lvsd/{timing.replace(' ', '')}.yaml",))


_TIMINGS: dict[str, str] = {}


def written(host: LiveHost, count: int) -> None:
    """lvsd's files, one a timing."""
    for timing in _TIMINGS:
        text = (
            f"defaults: {{check: {{type: tcp, timeout: 1s, {timing}}}, scheduler: wrr}}\n"
            f'services: {{s: {{virtual: "{VIP}:{PORT}", real_servers: [{", ".join(addresses(count))}]}}}}\n'
        )
        host.write(f"/etc/lvsd/{timing.replace(' ', '')}.yaml", text, 0o600)


def ldirectord(count: int) -> Daemon:
    """checktype=connect, one after the other."""
    servers = "".join(f"\treal={one}:{PORT} gate\n" for one in addresses(count))
    head = "checktimeout=1\ncheckinterval=1\nquiescent=no\nautoreload=no\nfork=no\n"
    return Ldirectord(f"{head}virtual={VIP}:{PORT}\n\tchecktype=connect\n\tscheduler=wrr\n\tprotocol=tcp\n{servers}")


FALL_1: Final = "interval: 1s, fall: 1, rise: 1"
CASES: Final = (
    Case("keepalived, retry 0", keepalived("retry 0\ndelay_before_retry 1")),
    Case("lvsd, fall 1", lvsd(FALL_1)),
    Case("keepalived, its own retries", keepalived(""), samples=10),
    Case("lvsd, fall 3, fast_interval 200 ms", lvsd("interval: 1s, fast_interval: 200ms, fall: 3, rise: 1")),
    Case("ldirectord, 20, none hangs", ldirectord, 20, samples=8),
    Case("ldirectord, 20, 3 of them hang", ldirectord, 20, 3, samples=8),
    Case("lvsd, fall 1, 20, none hangs", lvsd(FALL_1), 20),
    Case("lvsd, fall 1, 20, 3 of them hang", lvsd(FALL_1), 20, 3),
)


@contextmanager
def scene(case: Case) -> Iterator[tuple[LiveHost, Farm]]:
    """The balancer with its program running, every real server that answers in its table."""
    with World(topology(case.count)) as world:
        host, farm = world["lb1"], Farm(world["farm"], case.count)
        host.run(["modprobe", "--all", "ip_vs", "ip_vs_wrr"])
        for address in addresses(case.count)[case.count - case.hanging :]:
            farm.hang(address)
        written(host, case.count)
        program = case.program(case.count)
        host.start(program)
        try:
            yield host, farm
        finally:
            host.stop(program)
            farm.end()


def measured(case: Case) -> list[float]:
    """Seconds from each closing to the table without that real server."""
    chance = random.Random(SEED)  # noqa: S311 - moments, not secrets
    answering = addresses(case.count)[: case.count - case.hanging]
    with scene(case) as (host, farm):
        kernel = host.call(IpvsSocket)

        def serving() -> set[str]:
            entry = kernel.read_entry(SERVICE)
            found = entry.destinations.items() if entry is not None else ()
            return {key.address for key, destination in found if destination.weight > 0}

        def until(reached: Callable[[], bool], what: str) -> None:
            wait_until(reached, WAIT_SECONDS, what, every_seconds=POLL_SECONDS)

        until(lambda: set(answering) <= serving(), "a full table")

        def sample(victim: str) -> float:
            time.sleep(chance.random())
            farm.close(victim)
            closed_at = time.monotonic()
            until(lambda: victim not in serving(), "the table without it")
            seconds = time.monotonic() - closed_at
            farm.open(victim)
            until(lambda: victim in serving(), "the table with it")
            return seconds

        found = [sample(chance.choice(answering)) for _ in range(case.samples)]
        kernel.close()
        return sorted(found)


def main() -> None:
    """A row for each case."""
    print("a port closes: ms until its real server is out of the table, interval 1 s")
    for case in CASES:
        found = [one * 1000 for one in measured(case)]
        most = statistics.quantiles(found, n=10)[-1]
        print(
            f"  {case.words:36} median {statistics.median(found):6.0f}   p90 {most:6.0f}   most {found[-1]:6.0f}"
            f"   (of {len(found)}, {case.count} real servers)",
            flush=True,
        )


if __name__ == "__main__":
    main()
