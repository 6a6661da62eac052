"""Programming and reading back 1,000 services of 10 destinations: our netlink socket beside ipvsadm, in the lab."""

from __future__ import annotations

import statistics
import subprocess
import time
from collections.abc import Callable

from lvsd.core.reconcile import plan
from netlink.ipvs_socket import IpvsSocket, read_proc_ip_vs
from netlink.operations import SetDestination
from netlink.proc_ip_vs import fingerprint
from netlink.table import Destination, DestinationKey, Entry, Family, Service, ServiceKey, Table

SERVICES, DESTINATIONS, RUNS, SMALL_RUNS = 1000, 10, 5, 200


def main() -> None:
    """Print medians and ratios."""
    table = wanted()
    kernel = IpvsSocket()
    operations = plan(table, {}, frozenset(table))
    rules = "".join(
        f"-A -t {key.address}:{key.port} -s wrr\n"
        + "".join(f"-a -t {key.address}:{key.port} -r {one.address}:{one.port} -g -w 1\n" for one in entry.destinations)
        for key, entry in table.items()
    )
    theirs = measured(RUNS, lambda: subprocess.run(["ipvsadm", "-R"], input=rules, text=True, check=True), clear)
    ours = measured(RUNS, lambda: refuse_none(kernel.apply(operations)), clear)
    row(f"program {SERVICES} x {DESTINATIONS}", ours, "ipvsadm -R", theirs)
    listing = ["ipvsadm", "-L", "-n"]
    theirs = measured(RUNS, lambda: subprocess.run(listing, stdout=subprocess.DEVNULL, check=True))
    row("read it back", measured(RUNS, kernel.read_table), "ipvsadm -Ln", theirs)
    row("look for drift", measured(RUNS, lambda: fingerprint(read_proc_ip_vs())), "ipvsadm -Ln", theirs)
    row("plan when nothing differs", measured(RUNS, lambda: plan(table, table, frozenset(table))), "", None)
    weight_change(table, kernel)
    clear()


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


def wanted() -> Table:
    """The table to program."""
    entries: dict[ServiceKey, Entry] = {}
    for number in range(SERVICES):
        key = ServiceKey(Family.INET, 6, f"10.1.{number // 250}.{number % 250 + 1}", 80)
        keys = [DestinationKey(f"10.{2 + last}.{number // 250}.{number % 250 + 1}", 80) for last in range(DESTINATIONS)]
        entries[key] = Entry(Service(key, "wrr"), {one: Destination(one, 3, 1) for one in keys})
    return entries


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


def row(what: str, ours: list[float], peer: str, theirs: list[float] | None) -> None:
    """Median, and how it compares."""
    mine = statistics.median(ours)
    line = f"{what:28} lvsd {mine * 1000:9.3f} ms (of {len(ours)})"
    if theirs is not None:
        other = statistics.median(theirs)
        line += f"   {peer} {other * 1000:9.1f} ms (of {len(theirs)})   ratio {mine / other:.4f}"
    print(line, flush=True)


if __name__ == "__main__":
    main()
