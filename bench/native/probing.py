"""A worker's probing without the worker: one engine, so many real servers, its cost and its books as a line of JSON.

`python -m bench.native.probing syn|connects|packets COUNT INTERVAL SECONDS`. `packets` is what the kernel takes for the
packets alone: SYNs that were made before, sent in bursts, their answers read and not looked at.
"""

from __future__ import annotations

import asyncio
import gc
import json
import socket
import sys
import time

from checkers.core.books import Histogram
from checkers.core.messages import AssignedCheck, State, Target
from checkers.lean.watch import LeanWatch
from checkers.probes.session import numeric
from checkers.syn.channel import Channel, line_to
from checkers.syn.mailbox import PACKETS
from checkers.syn.packet import Form
from checkers.syn.post import Post
from checkers.syn.watch import SynWatch
from config.checks import Dial, SynCheck, TcpCheck, Timing

PORT = 8001
WARM_SECONDS = 3.0
LOOKED_AT_ONCE = 50
BURST_SECONDS = 0.02
FEW = 50  # SYNs in one call


def address(number: int) -> str:
    """Of one real server."""
    return f"10.2.{number // 250}.{1 + number % 250}"


def packed(ipv4: str) -> bytes:
    """Its four bytes."""
    return bytes(map(int, ipv4.split(".")))


async def engine(kind: str, count: int, interval: float, seconds: float) -> dict[str, float]:
    """The syn engine, or the lean one with plain connections."""
    crashes: list[str] = []
    make = SynWatch if kind == "syn" else LeanWatch
    watch: SynWatch | LeanWatch = make(lambda _name, _told: None, lambda name, _: crashes.append(name))
    check = SynCheck() if kind == "syn" else TcpCheck()
    timing = Timing(interval=interval, timeout=interval)
    watch.assign([AssignedCheck(str(at), Target(address(at), PORT), check, timing, State.UP) for at in range(count)])
    await asyncio.sleep(WARM_SECONDS)
    gc.collect()
    gc.freeze()
    await asyncio.sleep(interval)
    lateness = watch.lateness
    await asyncio.sleep(2 * interval)  # that put all into the books in one go, which made everybody late
    counted_from = time.monotonic()
    (probes, failures), late = await sums(watch), lateness.counts[:]
    cpu, began_at = time.process_time(), time.monotonic()
    await asyncio.sleep(seconds)
    cpu, took = time.process_time() - cpu, time.monotonic() - began_at
    counted_to = time.monotonic()
    more, lost = await sums(watch)
    found_late = Histogram()
    found_late.counts = [after - before for after, before in zip(lateness.counts, late, strict=True)]
    found_late.longest = lateness.longest
    found = {
        "cpu": cpu / took,
        "probes": (more - probes) / (counted_to - counted_from),
        "lost": lost - failures,
        "late_p50_ms": found_late.within(0.5) * 1000,
        "late_p99_ms": found_late.within(0.99) * 1000,
        "crashes": len(crashes),
    }
    await watch.stop(1.0)
    return found


async def sums(watch: SynWatch | LeanWatch) -> tuple[int, int]:
    """Probes and failures of all checks, a few at a time: what it takes to look must make nobody late."""
    probes = failures = 0
    for number, identity in enumerate(watch.identities):
        belief = watch.belief(identity)
        if belief is not None:
            probes, failures = probes + belief.probes, failures + belief.failures
        if number % LOOKED_AT_ONCE == 0:
            await asyncio.sleep(0)
    return probes, failures


def packets(count: int, interval: float, seconds: float) -> dict[str, float]:
    """As many SYNs a second as the checks would need."""
    family, first = numeric(Target(address(0), PORT))
    line = line_to(family, first, Dial())
    channel = Channel(line)
    posts = [made(family, line.source, at, channel.first_port) for at in range(0, count, FEW)]
    burst = int(count * BURST_SECONDS / interval) // FEW
    with socket.socket(family, socket.SOCK_RAW, socket.IPPROTO_RAW) as sender:
        cpu, began_at, sent = time.process_time(), time.monotonic(), 0
        while (now := time.monotonic()) < began_at + seconds:
            for at in range(sent, sent + burst):
                posts[at % len(posts)].send(sender, 0, FEW)
            sent += burst
            time.sleep(max(0.0, began_at + sent / burst * BURST_SECONDS - now))
            while len(channel.hears()[0]) == PACKETS:
                pass
    took = time.monotonic() - began_at
    channel.close()
    return {"cpu": (time.process_time() - cpu) / took, "probes": sent * FEW / took}


def made(family: int, source: str, first: int, our_port: int) -> Post:
    """SYNs to FEW real servers."""
    post = Post(family)
    forms = [Form(packed(source), packed(address(at)), PORT) for at in range(first, first + FEW)]
    post.write(forms, [our_port] * FEW, range(first, first + FEW))
    return post


def main() -> None:
    """Print what was found."""
    kind, count, interval, seconds = sys.argv[1], int(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4])
    if kind == "packets":
        print(json.dumps(packets(count, interval, seconds)))
    else:
        print(json.dumps(asyncio.run(engine(kind, count, interval, seconds))))


if __name__ == "__main__":
    main()
