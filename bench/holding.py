"""The longest time that one step holds the director's loop, by what it is a step of: processor time, table in memory.

A reload has its groundwork done in a thread, which shares the interpreter: that holds nobody longer than the
interpreter's switch interval (5 ms). A start serves nobody yet.
"""

from __future__ import annotations

import time

from bench.director import Farm

SERVICES, REAL_SERVERS, SINGLE = (1_000, 10_000), 10, 500


def main() -> None:
    """Print the longest and the 99th percentile of each."""
    for services in SERVICES:
        print(f"{services} x {REAL_SERVERS}", flush=True)
        farm = Farm(services, REAL_SERVERS, lambda _: (), time.process_time)
        farm.start()
        rows(farm, "start: ")
        farm.all_up()
        rows(farm, "first verdicts: ")
        single = sorted(farm.one_turns(number) for number in range(SINGLE))
        farm.held.clear()
        row("one verdict to the kernel", single)
        farm.maintenance()
        rows(farm, "all decided anew: ")
        farm.second_worker()
        rows(farm, "one of two workers joins and falls silent: ")
        farm.mailed()
        rows(farm, "mails that are repeated for every service: ")
        farm.cleared()
        rows(farm, "a stranger clears the table: ")
        farm.reload()
        rows(farm, "reload of one weight: ")
        farm.status()
        rows(farm, "lvsctl ")


def rows(farm: Farm, name: str) -> None:
    """Of what was done last."""
    for what, seconds in farm.held.items():
        row(f"{name}{what}", sorted(seconds))
    farm.held.clear()


def row(what: str, seconds: list[float]) -> None:
    """One line."""
    middle, late = seconds[len(seconds) // 2], seconds[int(len(seconds) * 0.99)]
    print(
        f"  {what:48} longest {seconds[-1] * 1000:8.2f} ms   p99 {late * 1000:7.2f}   median {middle * 1000:7.3f}"
        f"   (of {len(seconds)})",
        flush=True,
    )


if __name__ == "__main__":
    main()
