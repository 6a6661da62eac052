"""Everything that can happen to the director, one frozen class each. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from checkers.core.messages import Hello, Verdicts
from config.model import Config
from lvsd.core.groundwork import Groundwork
from lvsd.core.passive import Seen
from lvsd.core.pool_state import Connections, Override
from lvsd.vrrp.messages import VrrpStatus
from netlink.errors import Refusal, SettingRefusal
from netlink.operations import Operation
from netlink.settings import Setting, StartDaemon
from netlink.table import DestinationKey, ServiceKey, SyncDaemon, Table, Timeouts


@dataclass(frozen=True, slots=True)
class Started:
    """The director begins: its configuration, the services earlier configurations made, the kernel's table.

    `restarted`: its predecessor died, the service never stopped. `daemons`: sync daemons earlier ones started. `roles`:
    those of VRRP that were told last. `overrides`: what people said of real servers. `cores`: those that we may use.
    """

    config: Config
    owned: frozenset[ServiceKey]
    table: Table
    restarted: bool = False
    daemons: frozenset[StartDaemon] = frozenset()
    roles: Mapping[str, str] = field(default_factory=dict)
    overrides: Mapping[str, Override] = field(default_factory=dict)
    cores: int = 1


@dataclass(frozen=True, slots=True)
class ConfigChanged:
    """A valid configuration was read on request (SIGHUP, `lvsctl reload`). `groundwork`: done for it already."""

    config: Config
    groundwork: Groundwork | None = None


@dataclass(frozen=True, slots=True)
class WorkerCame:
    """A checker worker said Hello over a new connection."""

    hello: Hello


@dataclass(frozen=True, slots=True)
class WorkerWent:
    """The connection to a checker worker ended."""

    worker: int = 1


@dataclass(frozen=True, slots=True)
class VerdictsHeard:
    """A worker reports levels."""

    message: Verdicts
    worker: int = 1


@dataclass(frozen=True, slots=True)
class VrrpCame:
    """The vrrp process connected."""


@dataclass(frozen=True, slots=True)
class VrrpWent:
    """The connection to the vrrp process ended."""


@dataclass(frozen=True, slots=True)
class VrrpHeard:
    """The vrrp process reports its instances."""

    status: VrrpStatus


@dataclass(frozen=True, slots=True)
class TableSuspected:
    """The cheap look at the table (/proc/net/ip_vs) shows something else than we believe."""


@dataclass(frozen=True, slots=True)
class TableRead:
    """The kernel's table, as it is."""

    table: Table


@dataclass(frozen=True, slots=True)
class TableUnreadable:
    """The kernel's table could not be read."""

    error: str


@dataclass(frozen=True, slots=True)
class PlanApplied:
    """A plan went to the kernel; these of its operations were refused."""

    operations: tuple[Operation, ...]
    refusals: tuple[Refusal, ...]


@dataclass(frozen=True, slots=True)
class Resumed:
    """Others have had their turn: the next of the services that are unsettled."""


@dataclass(frozen=True, slots=True)
class SettingsRead:
    """IPVS's timeouts and the sync daemons that run, as they are."""

    timeouts: Timeouts
    daemons: tuple[SyncDaemon, ...]


@dataclass(frozen=True, slots=True)
class SettingsUnreadable:
    """They could not be read."""

    error: str


@dataclass(frozen=True, slots=True)
class SettingsApplied:
    """Changes of them went to the kernel; these were refused."""

    settings: tuple[Setting, ...]
    refusals: tuple[SettingRefusal, ...]


@dataclass(frozen=True, slots=True)
class SysctlsRead:
    """Sysctls of net.ipv4.vs as they are, by name, and why others could not be read."""

    values: Mapping[str, int]
    errors: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SysctlsApplied:
    """Sysctls of net.ipv4.vs were set, all but those that were refused, and why."""

    values: Mapping[str, int]
    refusals: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class MaintenanceSeen:
    """The names of the files in the maintenance directory, whenever they change: each takes a real server out."""

    names: frozenset[str]


@dataclass(frozen=True, slots=True)
class ScriptHeard:
    """A tracked script has ended at this moment, or was ended at its time limit. `status` is negative for a signal."""

    script: str
    status: int
    at: float
    timed_out: bool = False


@dataclass(frozen=True, slots=True)
class TracksSeen:
    """Tracked files (None: not readable) and how many processes of a name run, whenever that changes."""

    files: Mapping[str, str | None]
    processes: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class OverridesSet:
    """A person said something of real servers, by `real_id`; None takes an earlier word back."""

    changes: Mapping[str, Override | None]


@dataclass(frozen=True, slots=True)
class ConnectionsCounted:
    """What the kernel counts for the destinations of some services, one of which drains."""

    counts: Mapping[ServiceKey, Mapping[DestinationKey, Connections]]


@dataclass(frozen=True, slots=True)
class ClientsSeen:
    """What clients' packets tell of real servers, by `real_id`, of services that want to know."""

    found: Mapping[ServiceKey, Mapping[str, Seen]]


@dataclass(frozen=True, slots=True)
class Ticked:
    """A second has passed."""


@dataclass(frozen=True, slots=True)
class StopAsked:
    """The service is to end in good order (SIGTERM from the supervisor)."""


Event = (
    Started
    | ConfigChanged
    | WorkerCame
    | WorkerWent
    | VerdictsHeard
    | VrrpCame
    | VrrpWent
    | VrrpHeard
    | TableSuspected
    | TableRead
    | TableUnreadable
    | PlanApplied
    | Resumed
    | SettingsRead
    | SettingsUnreadable
    | SettingsApplied
    | SysctlsRead
    | SysctlsApplied
    | MaintenanceSeen
    | OverridesSet
    | ConnectionsCounted
    | ClientsSeen
    | ScriptHeard
    | TracksSeen
    | Ticked
    | StopAsked
)
