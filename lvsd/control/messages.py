"""What lvsctl and the director say to each other over the control socket. Pure.

A stream of frames: four bytes of length in network order, then JSON. A request is at most
`REQUEST_LIMIT_BYTES` long, a reply `REPLY_LIMIT_BYTES`. Moments are ages in seconds, so that no clock has
to be shared. One error type: Garbled.
"""

from __future__ import annotations

import struct
from collections.abc import Iterator, Sequence

import msgspec

from lvsd.control.portrait import Portrait

REQUEST_LIMIT_BYTES = 64 * 1024
REPLY_LIMIT_BYTES = 64 * 1024 * 1024
LENGTH = struct.Struct("!I")
ROWS_A_PIECE = 64
_NO_SERVICES = b'"services":[]'


class StatusRequest(msgspec.Struct, frozen=True, tag="status"):
    """The health of everything, or of one virtual service (its name or its address), or of one real server.

    `real` as OverrideRequest has it. `books`: with what the checks' books hold, which the workers are asked for.
    """

    service: str = ""
    books: bool = False
    real: str = ""


class VrrpRequest(msgspec.Struct, frozen=True, tag="vrrp"):
    """The VRRP instances."""


class ReloadRequest(msgspec.Struct, frozen=True, tag="reload"):
    """Read the configuration files again and take them over, if they are right."""


class PlanRequest(msgspec.Struct, frozen=True, tag="plan"):
    """What a reload would change, without doing it. `files`: others than the running ones, absolute paths."""

    files: tuple[str, ...] = ()


class FailoverRequest(msgspec.Struct, frozen=True, tag="failover"):
    """Hand these VRRP instances over (none named: all that are active), or with `back` let them preempt again.

    The reply comes when another router serves (with `back`: this one), or after `timeout` seconds.
    """

    instances: tuple[str, ...] = ()
    back: bool = False
    timeout: float = 10.0


class OverrideRequest(msgspec.Struct, frozen=True, tag="override"):
    """A person's word on a real server (`ADDRESS` or `ADDRESS:PORT`): drain, disable, weight, or enable to end it.

    In `service` alone, or in all services that have it; for `seconds`, or until enabled. `force`: below the floor, too.
    `deadline`: seconds until a drain ends with what is left.
    """

    real: str
    action: str
    weight: int = 0
    service: str = ""
    seconds: float | None = None
    reason: str = ""
    force: bool = False
    deadline: float | None = None


class OverridesRequest(msgspec.Struct, frozen=True, tag="overrides"):
    """All that people said of real servers, with the connections that are left."""


class EventsRequest(msgspec.Struct, frozen=True, tag="events"):
    """What the director told after the event of that number; of one real server where one is given."""

    after: int = 0
    real: str = ""


class SourcesRequest(msgspec.Struct, frozen=True, tag="sources"):
    """What the director runs on."""


class PortraitsRequest(msgspec.Struct, frozen=True, tag="portraits"):
    """Portraits of this balancer and of its peers, to be compared; with `peers` (address, port) of these alone."""

    peers: tuple[tuple[str, int], ...] = ()


Request = (
    StatusRequest
    | VrrpRequest
    | ReloadRequest
    | PlanRequest
    | FailoverRequest
    | OverrideRequest
    | OverridesRequest
    | EventsRequest
    | PortraitsRequest
    | SourcesRequest
)


class PhaseRow(msgspec.Struct, frozen=True):
    """What one phase of a check's probes took: how many, seconds that half and 99 of 100 did not exceed, the longest.

    `counts`: how many in each step from step `first` on; the upper edges of all steps are StatusReply's `edges`. Long
    series are halved now and then: what is long ago weighs less.
    """

    count: int
    p50: float
    p99: float
    longest: float
    first: int
    counts: tuple[int, ...]


class BooksRow(msgspec.Struct, frozen=True):
    """A check's books since its worker runs it: failures by reason, probes that found nothing out, its phases."""

    reasons: dict[str, int]
    inconclusive: int
    phases: dict[str, PhaseRow]


class CheckRow(msgspec.Struct, frozen=True, gc=False):
    """One of several checks of a real server; the fields mean what they mean there."""

    check: str
    state: str
    state_age: float | None
    result: str
    detail: str
    probe_age: float | None
    latency: float | None
    streak: int
    needed: int
    interval: float
    timeout: float
    probes: int
    failures: int
    shared: tuple[str, ...] = ()  # the services it is probed once for, where these are several
    books: BooksRow | None = None  # where they were asked for
    about: str = ""  # what tells it from others of its type: /path, port 8080; the service that it follows


class OverrideMark(msgspec.Struct, frozen=True):
    """A person's word on a real server (drain, drained, disable, weight), or the wait for one (await).

    Who said it (user id), seconds ago, seconds to go. `deadline`: seconds until a drain ends in any case;
    `connections_left`: what it left at its end.
    """

    kind: str
    weight: int
    reason: str
    uid: int
    age: float
    left: float | None
    deadline: float | None = None
    connections_left: int = 0


class RealServerRow(msgspec.Struct, frozen=True, gc=False):
    """One real server of one virtual service. Of several checks the worst speaks; `checks` has all of them then."""

    real_server: str  # address:port
    check: str  # kind; `none` and `fallback` are never probed
    standing: str  # serving, quiesced, standby, out, unknown; of a fallback server: serving, spare, out
    state: str  # up, down, unknown
    state_age: float | None  # seconds since it entered `state`
    result: str  # reason of the last probe: ok, or one of the closed list
    detail: str  # the server's own words
    probe_age: float | None
    latency: float | None  # seconds
    streak: int  # outcomes in a row against `state`
    needed: int  # how many it takes to change it
    interval: float
    timeout: float
    weight_configured: int
    weight_wanted: int | None  # None: not in the table
    weight_held: int | None
    probes: int
    failures: int
    weight_asked: int | None = None  # by the real server itself; it counts while it is up
    maintenance: bool = False  # a person took it out by a file in the maintenance directory
    checks: tuple[CheckRow, ...] = ()
    checks_up: int = 0  # of several checks; so many are needed
    checks_needed: int = 0
    override: OverrideMark | None = None
    slow_start: int | None = None  # per cent of its weight, while it came back only now
    hold: str = ""  # why it stands otherwise than its checks say: floor, suspected, flapping, unanswered
    fallback: bool = False
    priority_group: int = 1
    latency_share: int | None = None  # per cent of its weight, while it is slower than the others
    unanswered: bool = False  # its clients' packets say that it answers nobody
    shared: tuple[str, ...] = ()  # the services its one check is probed once for, where these are several
    books: BooksRow | None = None  # of its one check
    checked: str = ""  # what its checks say, where a person has it out and that is otherwise than `state`
    about: str = ""  # of one check that follows: the service


class ServiceRow(msgspec.Struct, frozen=True, gc=False):
    """One virtual service. `weight_up` is the sum of the weights of the real servers that are up."""

    name: str
    virtual: str  # tcp address:port or fwmark N
    scheduler: str
    in_kernel: bool
    real_servers: tuple[RealServerRow, ...]
    quorum: int = 1
    hysteresis: int = 0
    quorum_state: str = "unknown"  # gained, lost, unknown
    weight_up: int = 0
    floor: str = ""  # so many must be left in service: a number or a share
    floor_broken: str = ""  # what is done about it: keep, fail-open, sorry, withdraw


class ProcessRow(msgspec.Struct, frozen=True):
    """One process of ours. `age` tells since when it is connected, or gone (a process id of 0: it was never there);
    `probes`, how many a worker runs.
    """

    name: str
    pid: int
    connected: bool
    age: float
    probes: int | None = None
    late: PhaseRow | None = None  # of a worker whose books were asked for: how late its probes began
    outdated: str = ""  # the version that runs there, where it is older than the director's (`unknown`: not said)


class StatusReply(msgspec.Struct, frozen=True, tag="status"):
    """Health, and how well the daemon itself fares."""

    generation: int
    config_age: float
    services: tuple[ServiceRow, ...]
    processes: tuple[ProcessRow, ...]
    refusals: tuple[str, ...]  # what the kernel refused last
    repairs: int
    repair_age: float | None
    table_error: str
    edges: tuple[float, ...] = ()  # seconds; of the steps of all phases, where books were asked for


class TrackRow(msgspec.Struct, frozen=True):
    """Something a VRRP instance depends on."""

    kind: str  # interface, route, script, file, process, service
    name: str
    state: str  # good, bad, unknown, or the number of a file
    weight: int  # what it adds to the priority now
    fault: str  # why the instance cannot run, empty when it can


class VrrpRow(msgspec.Struct, frozen=True):
    """One VRRP instance."""

    name: str
    interface: str
    virtual_router_id: int
    version: int
    role: str
    priority: int
    interval: float
    active_router: str
    active_priority: int
    addresses: tuple[str, ...]
    addresses_held: tuple[str, ...]
    age: float | None  # seconds since the last transition
    cause: str
    transitions: int
    adverts_sent: int
    adverts_received: int
    dropped: dict[str, int]
    fault: str
    yielded: bool = False  # a person had it hand over, and it does not preempt
    standbys: tuple[str, ...] = ()  # as active router: who said that it stands by
    tracks: tuple[TrackRow, ...] = ()
    virtual_mac: str = ""  # the interface with the virtual router's MAC that the addresses live on, where there is one
    mac: str = ""  # that MAC
    accept: bool = True  # whether it answers on the addresses itself


class LatenessRow(msgspec.Struct, frozen=True):
    """How late the vrrp process served its timers since it began, seconds.

    `counts`: pairs of a bound and of how many were at most so late and later than the bound before; null: than all.
    """

    last: float = 0.0
    maximum: float = 0.0
    counts: tuple[tuple[float | None, int], ...] = ()


class VrrpReply(msgspec.Struct, frozen=True, tag="vrrp"):
    """The instances; `connected` tells whether the vrrp process is there, `age` since when."""

    connected: bool
    age: float
    instances: tuple[VrrpRow, ...]
    lateness: LatenessRow = LatenessRow()


class ChangeReply(msgspec.Struct, frozen=True, tag="change"):
    """A reload done or refused, or a plan: what a person reads, the operations, and what is wrong with the files."""

    accepted: bool
    changes: tuple[str, ...]
    operations: tuple[str, ...]
    problems: tuple[str, ...]  # errors and warnings, `file:line:column: ...`
    refusals: tuple[str, ...] = ()


class FailoverRow(msgspec.Struct, frozen=True):
    """What came of one instance: handed_over, taken_back, nobody; returned, released, not_returned."""

    name: str
    outcome: str
    active_router: str
    milliseconds: float  # from the order to this outcome


class FailoverReply(msgspec.Struct, frozen=True, tag="failover"):
    """A hand-over or a return; `done`: all went as asked."""

    done: bool
    instances: tuple[FailoverRow, ...]


class OverrideRow(msgspec.Struct, frozen=True):
    """One real server; without `override` it was enabled just now. The kernel's weight (None: not there), connections.

    `persistent`: templates, by which clients come back to it.
    """

    service: str
    real_server: str
    override: OverrideMark | None
    weight_held: int | None
    active: int
    inactive: int
    persistent: int


class OverridesReply(msgspec.Struct, frozen=True, tag="overrides"):
    """What people said of real servers."""

    overrides: tuple[OverrideRow, ...]


class EventRow(msgspec.Struct, frozen=True):
    """One event, as in the log; `at` in seconds of the epoch."""

    number: int
    at: float
    level: str
    event: str
    fields: dict[str, str | int | float]


class EventsReply(msgspec.Struct, frozen=True, tag="events"):
    """Events; `last` is the number of the last one there is."""

    last: int
    events: tuple[EventRow, ...]


class PeerPortrait(msgspec.Struct, frozen=True):
    """A peer as it describes itself, or why it could not be asked. `ahead`: its clock before ours, seconds."""

    peer: str
    portrait: Portrait | None = None
    error: str = ""
    ahead: float = 0.0


class Datagram(msgspec.Struct, frozen=True):
    """What a service over UDP answers to, or why nothing can be asked."""

    payload: bytes = b""
    why: str = ""


class PortraitsReply(msgspec.Struct, frozen=True, tag="portraits"):
    """Our own portrait and those of the peers; `datagrams` for a drill, by service over UDP."""

    own: Portrait
    peers: tuple[PeerPortrait, ...]
    datagrams: dict[str, Datagram] = {}


class SourcesReply(msgspec.Struct, frozen=True, tag="sources"):
    """The director's process id, its files, and the directory in which it keeps what it took over last."""

    pid: int
    files: tuple[str, ...]
    state_dir: str


class ErrorReply(msgspec.Struct, frozen=True, tag="error"):
    """The request could not be answered."""

    message: str
    hint: str = ""


Reply = (
    StatusReply
    | VrrpReply
    | ChangeReply
    | FailoverReply
    | OverridesReply
    | EventsReply
    | PortraitsReply
    | SourcesReply
    | ErrorReply
)


class Garbled(Exception):
    """Bytes that are not a frame of ours."""


_request: msgspec.json.Decoder[Request] = msgspec.json.Decoder(Request)
_reply: msgspec.json.Decoder[Reply] = msgspec.json.Decoder(Reply)


def frame(message: Request | Reply) -> bytes:
    """Length and message."""
    body = msgspec.json.encode(message)
    return LENGTH.pack(len(body)) + body


def encoded(row: ServiceRow) -> bytes:
    """A part of a long reply, encoded by itself."""
    return msgspec.json.encode(row)


def frame_of_rows(reply: StatusReply, rows: Sequence[bytes]) -> Iterator[bytes]:
    """The frame of a reply whose services are encoded already, in pieces."""
    whole = msgspec.json.encode(msgspec.structs.replace(reply, services=()))
    head, _, tail = whole.partition(_NO_SERVICES)  # before them there are numbers alone
    length = len(whole) + sum(map(len, rows)) + max(0, len(rows) - 1)
    yield LENGTH.pack(length) + head + _NO_SERVICES[:-1]
    for start in range(0, len(rows), ROWS_A_PIECE):
        piece = b",".join(rows[start : start + ROWS_A_PIECE])
        yield b"," + piece if start else piece
    yield _NO_SERVICES[-1:] + tail


def decode_request(body: bytes) -> Request:
    """A request's body. Raises Garbled and nothing else."""
    try:
        return _request.decode(body)
    except (msgspec.DecodeError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        raise Garbled(str(error)) from error


def decode_reply(body: bytes) -> Reply:
    """A reply's body. Raises Garbled and nothing else."""
    try:
        return _reply.decode(body)
    except (msgspec.DecodeError, RecursionError, OverflowError, UnicodeDecodeError) as error:
        raise Garbled(str(error)) from error
