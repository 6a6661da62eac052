"""Everything the director can ask of the world, one frozen class each. Pure."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from enum import Enum

from checkers.core.messages import PROBES_PER_HOST, AssignedCheck
from config.model import Argv, Mail, VrrpInstance
from lvsd.control.hooks import Script
from lvsd.core.pool_state import Override
from lvsd.vrrp.messages import Weight
from netlink.operations import Operation
from netlink.settings import Setting, StartDaemon
from netlink.table import ServiceKey


class Level(Enum):
    """How loud a told fact is."""

    DEBUG = "debug"
    INFO = "info"
    WARNING = "warning"
    ERROR = "error"


@dataclass(frozen=True, slots=True)
class ReadTable:
    """Read the kernel's table; the answer comes back as TableRead or TableUnreadable."""


@dataclass(frozen=True, slots=True)
class Apply:
    """Send these operations to the kernel, in this order; the answer comes back as PlanApplied."""

    operations: tuple[Operation, ...]


@dataclass(frozen=True, slots=True)
class Yield:
    """Let others have their turn, then go on with the services that are still unsettled: Resumed comes back."""


@dataclass(frozen=True, slots=True)
class AssignChecks:
    """Give a worker all its checks, of thousands some at a time. `generation` counts the assignments."""

    generation: int
    checks: Sequence[AssignedCheck]
    worker: int = 1
    probes_per_host: int = PROBES_PER_HOST


@dataclass(frozen=True, slots=True)
class AskAll:
    """Have a worker say all it knows: something of what it said did not arrive."""

    worker: int


@dataclass(frozen=True, slots=True)
class RestartWorker:
    """End this worker, whatever it does, and start another in its place."""

    worker: int


@dataclass(frozen=True, slots=True)
class HurryChecks:
    """Have these checks probed now: there is a doubt that should not wait for the next interval."""

    checks: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ConfigureVrrp:
    """Give the vrrp process all its instances."""

    generation: int
    instances: tuple[VrrpInstance, ...]


@dataclass(frozen=True, slots=True)
class RememberOwned:
    """Write down which services are ours, before the kernel hears of them: a crash must not orphan any."""

    owned: frozenset[ServiceKey]


@dataclass(frozen=True, slots=True)
class RememberOverrides:
    """Write down what people said of real servers, by `real_id`."""

    overrides: Mapping[str, Override]


@dataclass(frozen=True, slots=True)
class ReadSettings:
    """Read IPVS's timeouts and sync daemons; the answer comes back as SettingsRead or SettingsUnreadable."""


@dataclass(frozen=True, slots=True)
class ApplySettings:
    """Send these changes to the kernel, in this order; the answer comes back as SettingsApplied."""

    settings: tuple[Setting, ...]


@dataclass(frozen=True, slots=True)
class RememberDaemons:
    """Write down which sync daemons are ours, before the kernel hears of them."""

    started: frozenset[StartDaemon]


@dataclass(frozen=True, slots=True)
class ReadSysctls:
    """Read these sysctls of net.ipv4.vs; the answer comes back as SysctlsRead."""

    names: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class ApplySysctls:
    """Set sysctls of net.ipv4.vs; the answer comes back as SysctlsApplied."""

    values: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Tell:
    """A fact for the journal: a snake_case name in the past tense, and data."""

    level: Level
    event: str
    fields: Mapping[str, str | int | float]


@dataclass(frozen=True, slots=True)
class RunCommand:
    """Run a hook's command. Those of one `lane` run in their order, one at a time; other lanes do not wait.

    `environment` is added to a small clean one. What comes of it is told, and changes no decision.
    """

    lane: str
    argv: Argv
    environment: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class SendMail:
    """Tell people by mail. The balancer's name goes on top of the body, which is unknown here."""

    mail: Mail
    subject: str
    body: str


@dataclass(frozen=True, slots=True)
class WeighVrrp:
    """Tell the vrrp process what tracking means for all its instances."""

    weights: tuple[Weight, ...]


@dataclass(frozen=True, slots=True)
class InstructNotify:
    """Have these scripts run again and again, each with its results coming back as ScriptHeard, these pipes open."""

    scripts: tuple[Script, ...]
    fifos: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class WriteFifo:
    """Write a line (without its newline) into a named pipe."""

    path: str
    line: str


@dataclass(frozen=True, slots=True)
class RememberRoles:
    """Write down which roles were told, before anybody hears of them: a crash must rather lose one than repeat it."""

    roles: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class AppendLine:
    """Add a line (without its newline) to a file of outcomes, with the date and our process id in front of it."""

    path: str
    line: str


Effect = (
    ReadTable
    | Apply
    | Yield
    | AssignChecks
    | HurryChecks
    | AskAll
    | RestartWorker
    | ConfigureVrrp
    | RememberOwned
    | RememberOverrides
    | ReadSettings
    | ApplySettings
    | RememberDaemons
    | ReadSysctls
    | ApplySysctls
    | Tell
    | RunCommand
    | SendMail
    | AppendLine
    | WeighVrrp
    | InstructNotify
    | WriteFifo
    | RememberRoles
)
