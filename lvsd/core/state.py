"""What the director believes, one frozen snapshot. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import inf
from types import MappingProxyType

import msgspec

from checkers.core.messages import Hello, State, Verdict
from config.checks import Check
from config.model import Config, Mail, RealServer, VirtualService
from config.words import Initial
from lvsd.core.pool_state import Override, Pool
from lvsd.vrrp.messages import VrrpStatus, Weight
from netlink.errors import Refusal, SettingRefusal
from netlink.settings import Setting, StartDaemon
from netlink.table import ServiceKey, SyncDaemon, Table, Timeouts

_NO_VERDICTS: Mapping[str, Verdict] = MappingProxyType({})
_NO_TABLE: Table = MappingProxyType({})
_NO_QUORUM: Mapping[ServiceKey, bool] = MappingProxyType({})
_NO_STATES: Mapping[str, State] = MappingProxyType({})
_NO_POOLS: Mapping[ServiceKey, Pool] = MappingProxyType({})
_NO_OVERRIDES: Mapping[str, Override] = MappingProxyType({})


class Checked(msgspec.Struct, frozen=True, gc=False):
    """Whose health a check tells. There are as many as checks: made in C, and of no interest to the collector."""

    service: VirtualService
    real: RealServer
    check: Check


_NO_CHECKS: Mapping[str, Checked] = MappingProxyType({})
_NOTHING_PRESUMED: Mapping[str, Initial] = MappingProxyType({})

Followed = tuple[VirtualService, RealServer]
_NOBODY_FOLLOWED: Mapping[str, Followed] = MappingProxyType({})
_NOBODY_BEHIND: Mapping[str, tuple[Followed, ...]] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Following:
    """Whom a check of type follow looks at, by its identity; who is behind a real server, by `real_id`."""

    targets: Mapping[str, Followed] = field(default_factory=lambda: _NOBODY_FOLLOWED)
    behind: Mapping[str, tuple[Followed, ...]] = field(default_factory=lambda: _NOBODY_BEHIND)


_NO_OTHERS: Mapping[str, tuple[str, ...]] = MappingProxyType({})
_NO_NAMES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shared:
    """Checks that are probed once: by the check that names the probe all others, by each of those that name."""

    others: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: _NO_OTHERS)
    probe: Mapping[str, str] = field(default_factory=lambda: _NO_NAMES)


@dataclass(frozen=True, slots=True)
class Worker:
    """A checker worker: its last Hello, and whether it is connected, since when.

    `assignment` is the last it was given, with so many `probes`; `running` the one it runs, `packet` the number of the
    last it sent. `pace`: what it may say in a second, `credit` what it may say at once.
    """

    hello: Hello | None = None
    connected: bool = False
    changed_at: float = 0.0
    heard_at: float = 0.0
    assignment: int = 0
    probes: int = 0
    running: int = 0
    packet: int = 0
    pace: float = 0.0
    credit: float = 0.0
    overstepped: bool = False  # told since it connected: it spoke of what is not its own


@dataclass(frozen=True, slots=True)
class Share:
    """The names of a worker's probes, and how many of them there are in a second at most."""

    names: tuple[str, ...] = ()
    pace: float = 0.0


_NO_SHARES: Mapping[int, Share] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Shares:
    """Who probes what, of these checks, so shared, `among` these workers (the raw one has its own)."""

    checks: Mapping[str, Checked] = field(default_factory=lambda: _NO_CHECKS)
    shared: Shared = Shared()
    among: tuple[int, ...] = ()
    given: Mapping[int, Share] = field(default_factory=lambda: _NO_SHARES)


@dataclass(frozen=True, slots=True)
class Division:
    """Shares of these checks, so shared, as they are worked out: `among` others than now, the first `done` of `names`.

    `parts`: what was found each time.
    """

    checks: Mapping[str, Checked]
    shared: Shared
    among: tuple[int, ...]
    names: tuple[str, ...]
    done: int = 0
    parts: tuple[Mapping[int, Share], ...] = ()


_NO_WORKERS: Mapping[int, Worker] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Workers:
    """All checker workers, by number.

    `cores`: what the machine has. `wanted` are to share the probes, beside a raw one where `raw`; `sharing` do.
    `division`: how the probes will be shared soon, while that is worked out.
    `kept`: so many are to run: surplus ones until others do their work, which is not waited for beyond `kept_until`.
    """

    cores: int = 1
    wanted: int = 1
    raw: bool = False
    known: Mapping[int, Worker] = field(default_factory=lambda: _NO_WORKERS)
    sharing: tuple[int, ...] = (1,)
    division: Division | None = None
    assignments: int = 0  # given so far
    kept: int = 1
    kept_until: float = 0.0
    ticked_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Vrrp:
    """The vrrp process: its last report and when that came, and whether it is connected, since when.

    `held_back_until`: it is told of no instance before, or before every service can serve.
    """

    status: VrrpStatus | None = None
    heard_at: float = 0.0
    connected: bool = False
    changed_at: float = 0.0
    held_back_until: float | None = None


@dataclass(frozen=True, slots=True)
class Kernel:
    """The IPVS table as last read and changed since, and how well the kernel takes what we send."""

    table: Table = field(default_factory=lambda: _NO_TABLE)
    refusals: tuple[Refusal, ...] = ()
    retry_at: float | None = None  # when to read and try again after a refusal
    failures: int = 0  # in a row; sets the back-off
    repairs: int = 0  # times a stranger's change was undone
    repaired_at: float | None = None
    unreadable: str = ""  # why the table cannot be read, empty when it can


Services = Mapping[ServiceKey, VirtualService]
_NO_SERVICES: Services = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Unsettled:
    """Services whose decision is due, and whether services no longer configured are to be looked for at the end."""

    services: Services = field(default_factory=lambda: _NO_SERVICES)
    sweep: bool = False


@dataclass(frozen=True, slots=True)
class Settings:
    """IPVS as a whole as last read: timeouts, sync daemons; and which daemons are ours, as we asked for them.

    `fresh`: nothing was sent since. `tried` is what was sent last. `yielded_at`: since when the VRRP instance that the
    daemons follow is not active while a master still runs.
    """

    timeouts: Timeouts | None = None  # not read yet
    daemons: tuple[SyncDaemon, ...] = ()
    started: frozenset[StartDaemon] = frozenset()
    fresh: bool = False
    tried: tuple[Setting, ...] = ()
    refusals: tuple[SettingRefusal, ...] = ()
    retry_at: float | None = None
    failures: int = 0  # in a row; sets the back-off
    yielded_at: float | None = None
    unreadable: str = ""


@dataclass(frozen=True, slots=True)
class Sysctls:
    """How setting IPVS's sysctls went. `settled`: all were as wanted when last looked at. `tried` was sent last."""

    settled: bool = False
    tried: Mapping[str, int] = field(default_factory=lambda: _NO_NUMBERS)
    refused: frozenset[str] = frozenset()
    unreadable: frozenset[str] = frozenset()
    retry_at: float | None = None
    failures: int = 0  # in a row; sets the back-off


@dataclass(frozen=True, slots=True)
class Waiting:
    """Messages that wait to go out as one mail. `more` counts those beyond what one mail takes."""

    mail: Mail
    subjects: tuple[str, ...] = ()
    more: int = 0


_NONE_WAITING: Mapping[tuple[str, ...], Waiting] = MappingProxyType({})
_NEVER: Mapping[str, float] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Post:
    """The mails: how many left since the last tick, what waits for whom, who was told of when, by `real_id`.

    `first_round`: services that wait for a first verdict on all their real servers, as of the last look.
    `looked_at`: so many of the services with mails in the look that goes on, 0 between two of them.
    """

    sent: int = 0
    waiting: Mapping[tuple[str, ...], Waiting] = field(default_factory=lambda: _NONE_WAITING)
    told_at: Mapping[str, float] = field(default_factory=lambda: _NEVER)
    first_round: frozenset[ServiceKey] = frozenset()
    looked_at: int = 0


ScriptKey = tuple[str, int, int]
"""A tracked script's identity, and how many results in a row turn it to good and to bad."""


@dataclass(frozen=True, slots=True)
class Script:
    """What is believed of a tracked script. `good` is None before its first result, awaited since `since`."""

    good: bool | None
    since: float
    heard: bool = False
    streak: int = 0  # results in a row against `good`
    words: str = ""  # of the last result that counted
    at: float = -inf  # of the last result: one that is said again does not count again


@dataclass(frozen=True, slots=True)
class Damped:
    """What a tracked service adds to a priority, and since when it would be another number."""

    value: int
    otherwise_since: float | None = None


_NO_SCRIPTS: Mapping[ScriptKey, Script] = MappingProxyType({})
_NO_NUMBERS: Mapping[str, int] = MappingProxyType({})
_NOT_DAMPED: Mapping[tuple[str, str], Damped] = MappingProxyType({})
_NO_ROLES: Mapping[str, str] = MappingProxyType({})


@dataclass(frozen=True, slots=True)
class Tracking:
    """What VRRP instances depend on, as far as it is tracked here, and what that means for them.

    `held`: the vrrp process still knows what a predecessor of ours decided, and all is not known yet. `wrong`: files
    without a number that were told of. `watched`: whether anything is tracked at all.
    """

    scripts: Mapping[ScriptKey, Script] = field(default_factory=lambda: _NO_SCRIPTS)
    files: Mapping[str, int] = field(default_factory=lambda: _NO_NUMBERS)
    wrong: frozenset[str] = frozenset()
    processes: Mapping[str, int] = field(default_factory=lambda: _NO_NUMBERS)
    looked: bool = False  # at files and processes
    services: Mapping[tuple[str, str], Damped] = field(default_factory=lambda: _NOT_DAMPED)  # by instance and service
    weights: tuple[Weight, ...] = ()
    watched: bool = False
    held: bool = False
    began_at: float = 0.0


@dataclass(frozen=True, slots=True)
class Director:
    """Everything the director believes. Made by `Started`, changed by `step` alone."""

    config: Config = field(default_factory=Config)
    generation: int = 0  # of the configuration
    loaded_at: float = 0.0
    owned: frozenset[ServiceKey] = frozenset()
    checks: Mapping[str, Checked] = field(default_factory=lambda: _NO_CHECKS)
    verdicts: Mapping[str, Verdict] = field(default_factory=lambda: _NO_VERDICTS)
    presumed: Mapping[str, Initial] = field(default_factory=lambda: _NOTHING_PRESUMED)  # of checks without a verdict
    following: Following = field(default_factory=Following)
    kernel: Kernel = Kernel()
    settings: Settings = Settings()
    sysctls: Sysctls = field(default_factory=Sysctls)
    shared: Shared = Shared()
    shares: Shares = Shares()
    workers: Workers = Workers()
    vrrp: Vrrp = Vrrp()
    maintenance: frozenset[str] = frozenset()  # names of files: real servers that a person took out
    quorum: Mapping[ServiceKey, bool] = field(default_factory=lambda: _NO_QUORUM)  # gained or lost; absent: not known
    announced: Mapping[str, State] = field(default_factory=lambda: _NO_STATES)  # what was told last, by `real_id` or
    # `virtual_text` (the quorum); unknown: decided before a restart, nobody knows how
    post: Post = Post()
    pools: Mapping[ServiceKey, Pool] = field(default_factory=lambda: _NO_POOLS)  # of services with anything to remember
    overrides: Mapping[str, Override] = field(default_factory=lambda: _NO_OVERRIDES)  # by `real_id`
    unsettled: Unsettled = field(default_factory=Unsettled)
    tracking: Tracking = Tracking()
    roles: Mapping[str, str] = field(default_factory=lambda: _NO_ROLES)  # told last, by `INSTANCE name`, `GROUP name`
    stopping: bool = False
