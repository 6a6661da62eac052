"""Programming and reading back a table: our netlink socket beside ipvsadm, and the director's part of it, in the lab.

Programming begins in a network namespace that is new: the kernel keeps deleted destinations for two minutes and
searches all of them at each one that is added (ip_vs_trash_get_dest), so that whoever programs after a clearing
measures that search. It has a row of its own.
"""

from __future__ import annotations

import asyncio
import ctypes
import statistics
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial

from bench.director import Farm
from lvsd.core.reconcile import plan
from lvsd.runtime.process import settle_memory
from lvsd.runtime.table_look import TableLook
from netlink import ipvs_codec
from netlink.ipvs_socket import IpvsSocket, open_generic, proc_ip_vs_pieces, read_proc_ip_vs, resolve_family
from netlink.kernel_socket import KernelSocket
from netlink.operations import SetDestination
from netlink.proc_ip_vs import fingerprint
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

SERVICES, DESTINATIONS, RUNS, SMALL_RUNS = 1000, 10, 5, 500
LARGE = 10_000
CLONE_NEWNET = 0x40000000
ROOMS_KEPT: list[IpvsSocket] = []  # a socket keeps its namespace: tearing a full one down would disturb the next run


def main() -> None:
    """Print medians and ratios."""
    table = wanted(SERVICES)
    programming(table)
    with room() as kernel:
        refuse_none(kernel.apply(plan(table, {}, frozenset(table))))
        reading(table, kernel)
        weight_change(table, kernel)
    large()
    deciding()


def programming(table: Table) -> None:
    """Fill an empty table."""
    operations = plan(table, {}, frozenset(table))
    rules = "".join(
        f"-A -t {key.address}:{key.port} -s wrr\n"
        + "".join(f"-a -t {key.address}:{key.port} -r {one.address}:{one.port} -g -w 1\n" for one in entry.destinations)
        for key, entry in table.items()
    )

    def theirs() -> None:
        subprocess.run(["ipvsadm", "-R"], input=rules, text=True, check=True)

    ours, peer = [], []
    for _ in range(RUNS):
        with room():
            peer += measured(1, theirs)
        with room() as kernel:
            ours += measured(1, partial(kernel.apply, operations))
    row(f"program {SERVICES} x {DESTINATIONS}", ours, "ipvsadm -R", peer)
    with room() as kernel:
        refuse_none(kernel.apply(operations))
        peer = measured(1, theirs, clear)
        row("the same after a clearing", measured(3, lambda: kernel.apply(operations), clear), "ipvsadm -R", peer)


def reading(table: Table, kernel: IpvsSocket) -> None:
    """Read all of it, and look for drift."""
    listing = ["ipvsadm", "-L", "-n"]
    theirs = measured(RUNS, lambda: subprocess.run(listing, stdout=subprocess.DEVNULL, check=True))
    row("read it back", measured(RUNS, kernel.read_table), "ipvsadm -Ln", theirs)
    line = KernelSocket(open_generic())
    family = resolve_family(line, b"IPVS\0")
    requests = [ipvs_codec.dump_destinations(key) for key in table]
    bare = measured(RUNS, lambda: [line.dump(family, request) for request in requests])
    row("of that the kernel and its dumps", bare, "ipvsadm -Ln", theirs)
    line.close()
    row("look for drift", measured(RUNS, lambda: fingerprint(read_proc_ip_vs())), "ipvsadm -Ln", theirs)
    looking(kernel)


def weight_change(table: Table, kernel: IpvsSocket) -> None:
    """One weight, set in the full table."""
    key = next(iter(table))
    one = next(iter(table[key].destinations))
    turns = iter(range(1, 10**6))
    ours = measured(
        SMALL_RUNS, lambda: refuse_none(kernel.apply((SetDestination(key, Destination(one, 3, next(turns))),)))
    )
    command = ["ipvsadm", "-e", "-t", f"{key.address}:{key.port}", "-r", f"{one.address}:{one.port}", "-g", "-w"]
    theirs = measured(RUNS, lambda: subprocess.run([*command, str(next(turns))], check=True))
    row("one weight", ours, "ipvsadm -e", theirs)
    row("one weight, 99th percentile", [percentile(ours)])


def large() -> None:
    """Ten times as much; ipvsadm is not asked to, it would take half a minute."""
    table = wanted(LARGE)
    with room() as kernel:
        operations = plan(table, {}, frozenset(table))
        row(f"program {LARGE} x {DESTINATIONS}", measured(1, lambda: refuse_none(kernel.apply(operations))))
        row("read it back", measured(1, kernel.read_table))
        looking(kernel)
        row("look for drift", measured(1, lambda: fingerprint(read_proc_ip_vs())))


def deciding() -> None:
    """The whole way of a verdict: heard, decided, sent, answered; and the longest time the director was held up."""
    for services in (SERVICES, LARGE):
        with room() as kernel:
            farm = Farm(services, DESTINATIONS, kernel.apply)
            farm.start()
            row(f"start, {services} x {DESTINATIONS}, all told", [sum(farm.taken)])
            farm.all_up()
            farm.taken.clear()
            single = [farm.one_turns(number) for number in range(SMALL_RUNS)]
            row("one verdict to the kernel", single)
            row("the same, 99th percentile", [percentile(single)])
            farm.taken.clear()
            farm.maintenance()
            row("all decided anew: longest step", [max(farm.taken)])
            row("all decided anew: 99th percentile", [percentile(farm.taken)])
            farm.reload()
            row("reload, in its thread", farm.held["reload, in its thread"])
            row("reload, the step of it", farm.held["ConfigChanged"])
            farm.status()
            row("status: longest step", [max(farm.held["status"])])


def wanted(services: int) -> Table:
    """The table to program."""
    entries: dict[ServiceKey, Entry] = {}
    for number in range(services):
        key = ServiceKey(Family.INET, 6, f"10.1.{number // 250}.{number % 250 + 1}", 80)
        keys = [DestinationKey(f"10.{2 + last}.{number // 250}.{number % 250 + 1}", 80) for last in range(DESTINATIONS)]
        entries[key] = Entry(Service(key, "wrr"), {one: Destination(one, 3, 1) for one in keys})
    return entries


@contextmanager
def room() -> Iterator[IpvsSocket]:
    """A network namespace that is new, with an empty table, for this process and those it starts."""
    if ctypes.CDLL(None, use_errno=True).unshare(CLONE_NEWNET) != 0:
        raise SystemExit("no network namespace: run this in the lab")
    subprocess.run(["ip", "link", "set", "lo", "up"], check=True)  # before that no address is unicast
    kernel = IpvsSocket()
    ROOMS_KEPT.append(kernel)
    yield kernel


def clear() -> None:
    """The lab's own table, emptied between runs."""
    subprocess.run(["ipvsadm", "-C"], check=True)


def refuse_none(refusals: tuple[object, ...]) -> None:
    """A run in which the kernel refused something measures nothing."""
    if refusals:
        raise SystemExit(f"refused: {refusals[0]}")


def measured(runs: int, action: Callable[[], object], before: Callable[[], None] | None = None) -> list[float]:
    """Seconds of each run."""
    seconds = []
    for _ in range(runs):
        if before is not None:
            before()
        began = time.perf_counter()
        action()
        seconds.append(time.perf_counter() - began)
    return seconds


def looking(kernel: IpvsSocket) -> None:
    """How long the director's loop is held up while the table is looked at beside all else."""
    belief = kernel.read_table()
    settle_memory()  # as the director does
    look = TableLook(IpvsSocket(), proc_ip_vs_pieces, lambda: belief, lambda _: None)
    for name, begin in (("/proc is looked at", look.tick), ("it is read whole", look.wanted)):
        row(f"held while {name}: longest", [max(asyncio.run(held(look, begin)))])


async def held(look: TableLook, begin: Callable[[], object]) -> list[float]:
    """The seconds from turn to turn of the loop, until the look is over."""
    seconds: list[float] = []
    begin()
    while look.is_busy():
        began = time.perf_counter()
        await asyncio.sleep(0)
        seconds.append(time.perf_counter() - began)
    return seconds


def percentile(seconds: list[float]) -> float:
    """The 99th."""
    return sorted(seconds)[int(len(seconds) * 0.99)]


def row(what: str, ours: list[float], peer: str = "", theirs: list[float] | None = None) -> None:
    """Median, and how it compares."""
    mine = statistics.median(ours)
    line = f"{what:40} lvsd {mine * 1000:9.3f} ms (of {len(ours)})"
    if theirs is not None:
        other = statistics.median(theirs)
        line += f"   {peer} {other * 1000:9.1f} ms (of {len(theirs)})   ratio {mine / other:.4f}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
