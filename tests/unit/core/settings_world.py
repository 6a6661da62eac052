"""A director whose kernel has settings: effects on them are carried out at once, as the runtime does."""

from __future__ import annotations

from config.model import Config, ConnectionSync, Daemon, Ipvs, Timeouts, VrrpInstance
from config.words import SyncRole
from lvsd.core.director import step
from lvsd.core.effects import ApplySettings, Effect, ReadSettings, RememberDaemons, Tell
from lvsd.core.events import Event, SettingsApplied, SettingsRead, Started, Ticked, VrrpHeard
from lvsd.core.state import Director
from lvsd.vrrp.messages import Cause, InstanceStatus, Role, VrrpStatus
from netlink.memory import MemoryTable
from netlink.settings import Setting, StartDaemon
from netlink.table import SyncDaemon

ENDLESS = 20  # changes because of one event
INSTANCE = VrrpInstance("lb0", "eth0", 1, 100, 2, ())


def sync(role: SyncRole, *, port: int = 0, max_length: int = 0, interface: str = "eth0") -> ConnectionSync:
    instance = "lb0" if role is SyncRole.FOLLOW else ""
    return ConnectionSync(interface, role, instance, sync_id=7, max_length=max_length, port=port)


def config(
    wanted: ConnectionSync | None = None,
    timeouts: Timeouts | None = None,
    *,
    clear: bool = False,
    vrrp: tuple[VrrpInstance, ...] = (INSTANCE,),
) -> Config:
    return Config((), vrrp, Daemon(clear_table_on_stop=clear), Ipvs(timeouts, wanted))


def role_told(role: Role) -> VrrpHeard:
    status = InstanceStatus("lb0", role, 100, "", 0, 0.0, Cause.START, (), 0, 0, {}, 1)
    return VrrpHeard(VrrpStatus(1, 2, (status,)))


class SettingsBench:
    """`remembered` is what the state directory holds; `kernel` may be changed behind the director's back."""

    def __init__(
        self, configuration: Config, kernel: MemoryTable | None = None, remembered: frozenset[StartDaemon] = frozenset()
    ) -> None:
        self.kernel = kernel or MemoryTable()
        self.remembered = remembered
        self.now = 100.0
        self.director = Director()
        self.effects: list[Effect] = []
        self.sent: list[Setting] = []
        self.feed(Started(configuration, frozenset(), {}, daemons=remembered))

    def feed(self, event: Event) -> list[Setting]:
        """What went to the kernel because of it."""
        self.effects, self.sent = [], []
        waiting = [event]
        while waiting:
            self.director, effects = step(self.director, waiting.pop(0), self.now)
            self.effects.extend(effects)
            for effect in effects:
                waiting.extend(self._carry_out(effect))
        return self.sent

    def _carry_out(self, effect: Effect) -> list[Event]:
        if isinstance(effect, RememberDaemons):
            self.remembered = effect.started
        if isinstance(effect, ReadSettings):
            return [SettingsRead(self.kernel.timeouts(), self.kernel.daemons())]
        if isinstance(effect, ApplySettings):
            started = {one for one in effect.settings if isinstance(one, StartDaemon)}
            assert started <= self.remembered, "a crash here would orphan a daemon"
            self.sent.extend(effect.settings)
            assert len(self.sent) < ENDLESS, self.sent
            return [SettingsApplied(effect.settings, self.kernel.apply_settings(effect.settings))]
        return []

    def tick(self, seconds: float = 1.0) -> list[Setting]:
        """A second later, or so."""
        self.now += seconds
        return self.feed(Ticked())

    def roles(self) -> list[str]:
        return [daemon.role for daemon in self.kernel.daemons()]

    def told(self) -> list[str]:
        return [effect.event for effect in self.effects if isinstance(effect, Tell)]

    def running(self) -> tuple[SyncDaemon, ...]:
        return self.kernel.daemons()
