"""From a start to a full table, from a reload to its one change in the kernel: lvsd beside keepalived, in the lab."""

from __future__ import annotations

import signal
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from functools import partial
from typing import Final, Protocol

from netlink.ipvs_socket import IpvsSocket
from netlink.table import Family, ServiceKey
from tests.lab.balancer import CONFIG, Balancer
from tests.lab.daemons.balancers import LVSD
from tests.lab.topology import Attachment, Host, Network, Topology
from tests.lab.waiting import wait_until
from tests.lab.world import LiveHost, World

SIZES: Final = ((1000, 1), (1000, 10), (10_000, 1))
RUNS: Final = 3
SETTLE_SECONDS: Final = 3.0
WAIT_SECONDS: Final = 120.0
POLL_SECONDS: Final = 0.005  # one service is read each time: that hardly slows whom it waits for
TOPOLOGY: Final = Topology(
    "reload", (Network("public", "192.0.2.0/24"),), (Host("lb1", (Attachment("public", ("192.0.2.12/24",)),)),)
)


class Program(Protocol):
    """One balancer's program with services of so many real servers that no check holds back."""

    name: str

    def begin(self) -> None:
        """Start it, without waiting."""

    def reload(self, weight: int) -> None:
        """Give the first service's real servers another weight; have it read the file again."""

    def end(self) -> None:
        """Stop it."""


class Ours:
    """lvsd."""

    name = "lvsd"

    def __init__(self, host: LiveHost, services: int, real_servers: int) -> None:
        self._size = services, real_servers
        self._balancer = Balancer(host, self._text(1))

    def begin(self) -> None:
        """Its start includes Python's."""
        host = self._balancer.host
        self._balancer.process = host.popen([LVSD, "run", "-c", CONFIG], log="/var/log/lvsd.log")

    def reload(self, weight: int) -> None:
        """As `lvsctl reload` does."""
        self._balancer.configure(self._text(weight))
        operations = self._balancer.reload().operations
        if len(operations) != 1:
            raise SystemExit(f"one operation expected: {operations}")

    def end(self) -> None:
        """The table stays."""
        self._balancer.stop()

    def _text(self, weight: int) -> str:
        lines = ["defaults: {check: {type: none}, scheduler: wrr}", "services:"]
        for number, (virtual, reals) in enumerate(addresses(*self._size)):
            servers = [
                f"{{address: {one}, weight: {weight if number + place == 0 else 1}}}" for place, one in enumerate(reals)
            ]
            lines.append(f'  s{number}: {{virtual: "{virtual}:80", real_servers: [{", ".join(servers)}]}}')
        return "\n".join(lines) + "\n"


class Theirs:
    """keepalived."""

    name = "keepalived"

    def __init__(self, host: LiveHost, services: int, real_servers: int) -> None:
        self._host = host
        self._size = services, real_servers
        self._started: list[subprocess.Popen[str]] = []
        self._write(1)

    def begin(self) -> None:
        """In the foreground."""
        command = ["keepalived", "--dont-fork", "--log-console", "--check"]
        self._started.append(self._host.popen(command, log="/var/log/keepalived.log"))

    def reload(self, weight: int) -> None:
        """A signal, as its unit does it."""
        self._write(weight)
        self._started[-1].send_signal(signal.SIGHUP)

    def end(self) -> None:
        """The table goes."""
        self._started[-1].send_signal(signal.SIGTERM)
        self._started[-1].wait(WAIT_SECONDS)

    def _write(self, weight: int) -> None:
        blocks = []
        for number, (virtual, reals) in enumerate(addresses(*self._size)):
            servers = "".join(
                f"real_server {one} 80 {{ weight {weight if number + place == 0 else 1} }}\n"
                for place, one in enumerate(reals)
            )
            blocks.append(f"virtual_server {virtual} 80 {{\nlb_algo wrr\nlb_kind DR\nprotocol TCP\n{servers}}}\n")
        self._host.write("/etc/keepalived/keepalived.conf", "".join(blocks))


def addresses(services: int, real_servers: int) -> Iterator[tuple[str, list[str]]]:
    """Virtual addresses with their real servers' ones."""
    for number in range(services):
        last = f"{number // 250}.{number % 250 + 1}"
        yield f"10.1.{last}", [f"10.{2 + place}.{last}" for place in range(real_servers)]


def main() -> None:
    """Print both, with their ratio."""
    for size in SIZES:
        ours, theirs = measured(Ours, *size), measured(Theirs, *size)
        for what, mine, other in zip(("start to a full table", "reload, one change"), ours, theirs, strict=True):
            name = f"{what}, {size[0]} x {size[1]}"
            print(f"{name:37} lvsd {mine:7.3f} s   keepalived {other:7.3f} s   ratio {mine / other:.2f}", flush=True)


def measured(make: Callable[[LiveHost, int, int], Program], services: int, real_servers: int) -> tuple[float, float]:
    """The medians of both."""
    starts, reloads = [], []
    (first, _), *_, (last, _) = addresses(services, real_servers)
    for _ in range(RUNS):
        with World(TOPOLOGY) as world:
            host = world["lb1"]
            program = make(host, services, real_servers)
            host.run(["modprobe", "--all", "ip_vs", "ip_vs_wrr"])
            with host.call(IpvsSocket) as kernel:
                # both programs send the services in the file's order
                starts.append(after(program.begin, lambda: len(weights(kernel, last)) == real_servers))
                time.sleep(SETTLE_SECONDS)  # neither is judged by what its start still has to do
                for weight in (7, 8):
                    change = partial(program.reload, weight)
                    reloads.append(after(change, partial(has_weight, kernel, first, weight)))
            program.end()
    return statistics.median(starts), statistics.median(reloads)


def after(action: Callable[[], None], reached: Callable[[], bool]) -> float:
    """Seconds from the action's beginning until that is reached."""
    began = time.perf_counter()
    action()
    wait_until(reached, WAIT_SECONDS, "the table", every_seconds=POLL_SECONDS)
    return time.perf_counter() - began


def has_weight(kernel: IpvsSocket, address: str, weight: int) -> bool:
    """Whether a service has a real server of that weight."""
    return weight in weights(kernel, address)


def weights(kernel: IpvsSocket, address: str) -> list[int]:
    """What the kernel holds of a service, through a socket of the host whose kernel is asked."""
    entry = kernel.read_entry(ServiceKey(Family.INET, 6, address, 80))
    return [one.weight for one in entry.destinations.values()] if entry is not None else []


if __name__ == "__main__":
    main()
