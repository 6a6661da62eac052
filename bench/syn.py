"""What half-open probes cost: 10,000 a second over a cable, beside plain connections by the lean engine.

The real servers are thousands of addresses of another network namespace, and all of it is one machine: what the far
end's kernel does with a packet is done while it is sent, and counted here as the sender's. `packets` is what that and
the sender's own kernel take, without any engine: real servers elsewhere, and a network card, would take their share of
it away.
"""

from __future__ import annotations

import contextlib
import json
import os
import statistics
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from pathlib import Path

from bench.checks import CHECKOUT, INSIDE, NATIVE

SECONDS = 20.0
TURNS = 3  # of each kind, by turns: the median counts
SCENES = (("10,000 real servers, interval 1 s", 10000, 1.0), ("1,000 real servers, interval 100 ms", 1000, 0.1))
KINDS = ("packets", "syn", "connects")
LIMIT = 0.1
NEAR, FAR, FARM = "10.1.0.1", "10.1.0.2", "10.2.0.0/16"
START_SECONDS, STOP_SECONDS = 10.0, 10.0


def run(*words: str) -> None:
    """One command."""
    subprocess.run(words, check=True)


@contextlib.contextmanager
def farm(folder: Path) -> Iterator[None]:
    """All addresses of a network, behind a cable."""
    subprocess.run(["gcc", "-O2", "-o", folder / "farm", NATIVE / "farm.c"], check=True)
    command = ["unshare", "--net", "sh", "-c", f"echo up; read _; exec {folder}/farm 8001 8002"]
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    try:
        assert process.stdin is not None  # noqa: S101 - it was asked for
        assert process.stdout is not None  # noqa: S101 - so was it
        process.stdout.readline()
        there = ("nsenter", f"--net=/proc/{process.pid}/ns/net", "ip")
        run("ip", "link", "add", "near", "type", "veth", "peer", "name", "far", "netns", str(process.pid))
        for where, name, own in ((("ip",), "near", NEAR), (there, "far", FAR)):
            run(*where, "address", "add", f"{own}/24", "dev", name)
            run(*where, "link", "set", name, "up")
        run(*there, "link", "set", "lo", "up")
        run(*there, "route", "add", "local", FARM, "dev", "lo")
        run("ip", "route", "add", FARM, "via", FAR)
        process.stdin.write(b"\n")
        process.stdin.flush()
        yield
    finally:
        process.kill()
        process.communicate(timeout=STOP_SECONDS)


def measure(kind: str, count: int, interval: float) -> dict[str, float]:
    """One engine, in a process of its own."""
    command = [sys.executable, "-m", "bench.native.probing", kind, str(count), str(interval), str(SECONDS)]
    done = subprocess.run(command, cwd=CHECKOUT, check=True, capture_output=True, text=True, timeout=SECONDS * 3)
    found: dict[str, float] = json.loads(done.stdout)
    return found


def scene(name: str, count: int, interval: float) -> float:
    """A block of the report; the share of a core that half-open probes took."""
    print(f"{name}; share of a core (lowest to highest), probes a second, microseconds a probe")
    turns = [{kind: measure(kind, count, interval) for kind in KINDS} for _ in range(TURNS)]
    for kind in KINDS:
        rows = [turn[kind] for turn in turns]
        shares = [row["cpu"] for row in rows]
        middle = {key: statistics.median(row[key] for row in rows) for key in rows[0]}
        line = (
            f"  {kind:<9}{middle['cpu']:7.2%} ({min(shares):.2%} to {max(shares):.2%}) {middle['probes']:8.0f}/s "
            f"{middle['cpu'] / middle['probes'] * 1e6:6.2f} us"
        )
        if kind != "packets":
            line += f"   late p50 {middle['late_p50_ms']:.1f} ms, p99 {middle['late_p99_ms']:.1f} ms; lost " + " ".join(
                f"{row['lost']:.0f}" for row in rows
            )
        print(line, flush=True)
    return statistics.median(turn["syn"]["cpu"] for turn in turns)


def main() -> int:
    """All scenes. The status is 0 also where the aim is missed: a machine that does other work misses it."""
    if INSIDE not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "bench.syn", *sys.argv[1:]]
        return subprocess.run(command, env={**os.environ, INSIDE: "1"}, cwd=CHECKOUT, check=False).returncode
    run("ip", "link", "set", "lo", "up")
    with tempfile.TemporaryDirectory(prefix="lvsd-bench-") as name, farm(Path(name)):
        for title, count, interval in SCENES:
            share = scene(title, count, interval)
            print(f"  aim: under {LIMIT:.0%} of a core: {'kept' if share < LIMIT else 'missed'} ({share:.1%})")
    return 0


if __name__ == "__main__":
    sys.exit(main())
