"""What clients' packets tell of a real server: whether it answers anybody. Pure.

With direct routing and tunnels IPVS sees the clients' half alone. Of a connection that is never answered that is the
SYN and its repeats: packets of a SYN's size. Those of a short conversation are no larger on average (and the kernel
counts connections that wait in SYN_RECV among the active ones), so where the counters leave a doubt the connection
table has the last word: as many connections wait in SYN_RECV, which a client's ACK would have ended
(net/netfilter/ipvs/ip_vs_proto_tcp.c, the table of IP_VS_DIR_INPUT_ONLY), as were made. With masquerading the server's
half is seen, and nothing from it is proof enough.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from enum import Enum

from config.pool_rules import Passive

SYN_BYTES = (48, 68)  # of IPv4: headers of 40, and the options that systems send with a SYN
IPV6_MORE = 20  # bytes of header
SYN_RECV_SECONDS = 60.0  # how long a connection waits in that state from its last packet (tcp_timeouts)
WAITING_SHARE = 0.9  # of the new connections must wait for an answer: the oldest may be gone
ANSWERED_SHARE = 0.5  # of them at most may, for the others to have been answered; between the two nothing is known
SPAN_LEAST, SPAN_MOST = 0.75, 2.0  # windows between two samples that are compared
SAMPLES_KEPT = 4


@dataclass(frozen=True, slots=True)
class Sample:
    """The kernel's counters of a destination at a moment, in seconds."""

    at: float
    connections: int
    packets_in: int
    packets_out: int
    bytes_in: int


class Finding(Enum):
    """What two samples tell."""

    QUIET = "quiet"  # too little to tell
    ANSWERED = "answered"
    DOUBTFUL = "doubtful"  # nothing went on, as far as the counters tell
    UNANSWERED = "unanswered"


@dataclass(frozen=True, slots=True)
class Seen:
    """A finding, and the new connections behind it, made within so many `seconds`."""

    finding: Finding
    connections: int
    seconds: float = field(default=0.0, compare=False)


_QUIET = Seen(Finding.QUIET, 0)


def kept(samples: Sequence[Sample], sample: Sample) -> tuple[Sample, ...]:
    """With one more; without all before, where a counter went back: the destination was made anew."""
    if samples and not _follows(samples[-1], sample):
        return (sample,)
    return (*samples, sample)[-SAMPLES_KEPT:]


def _follows(before: Sample, after: Sample) -> bool:
    return (
        after.at > before.at
        and after.connections >= before.connections
        and after.packets_in >= before.packets_in
        and after.packets_out >= before.packets_out
        and after.bytes_in >= before.bytes_in
    )


def seen(rule: Passive, samples: Sequence[Sample], *, masquerade: bool, ipv6: bool) -> Seen:
    """What the last window tells."""
    if not samples:
        return _QUIET
    last = samples[-1]
    spans = [one for one in samples if SPAN_LEAST <= (last.at - one.at) / rule.window <= SPAN_MOST]
    if not spans:
        return _QUIET
    return _compared(rule, spans[-1], last, masquerade=masquerade, ipv6=ipv6)


def _compared(rule: Passive, before: Sample, after: Sample, *, masquerade: bool, ipv6: bool) -> Seen:
    connections = after.connections - before.connections
    packets = after.packets_in - before.packets_in
    if not connections or packets < connections:
        return _QUIET
    if masquerade:
        went_on = after.packets_out > before.packets_out
    else:
        mean = (after.bytes_in - before.bytes_in) / packets - (IPV6_MORE if ipv6 else 0)
        went_on = not SYN_BYTES[0] <= mean <= SYN_BYTES[1]
    if went_on:
        return Seen(Finding.ANSWERED, connections)
    if connections < rule.connections:
        return Seen(Finding.QUIET, connections)
    return Seen(Finding.UNANSWERED if masquerade else Finding.DOUBTFUL, connections, after.at - before.at)


def confirmed(doubtful: Seen, waiting: int) -> Seen:
    """With the connections of it that wait in SYN_RECV. Who is to prove that others are answered takes more than some
    that could not be found: the table is read a little behind the counters.
    """
    if waiting >= doubtful.connections * WAITING_SHARE:
        return Seen(Finding.UNANSWERED, doubtful.connections)
    sure = waiting <= doubtful.connections * ANSWERED_SHARE
    return Seen(Finding.ANSWERED if sure else Finding.QUIET, doubtful.connections)
