"""IPVS's sysctls: only what is said is set, once; strangers and refusals are told."""

from __future__ import annotations

from config.model import Config, Ipvs
from lvsd.core.director import step
from lvsd.core.effects import ApplySysctls, Effect, ReadSysctls, Tell
from lvsd.core.events import ConfigChanged, Event, Started, SysctlsApplied, SysctlsRead, Ticked
from lvsd.core.kernel_settings import BACKOFF_SECONDS
from lvsd.core.state import Director

KERNEL = {"expire_nodest_conn": 0, "expire_quiescent_template": 0, "conn_reuse_mode": 1, "sloppy_tcp": 0}
SAID = Config(ipvs=Ipvs(expire_nodest_conn=True, conn_reuse_mode=1))


class Sysctls:
    """A director beside a kernel of a dict. `refuse`: names and why; `deaf`: what is taken and not kept."""

    def __init__(self, configuration: Config, kernel: dict[str, int] | None = None) -> None:
        self.kernel = dict(KERNEL if kernel is None else kernel)
        self.refuse: dict[str, str] = {}
        self.deaf: set[str] = set()
        self.now = 100.0
        self.director = Director()
        self.sent: list[dict[str, int]] = []
        self.told: list[str] = []
        self.read: list[tuple[str, ...]] = []
        self.feed(Started(configuration, frozenset(), {}))

    def feed(self, event: Event) -> list[dict[str, int]]:
        """What was set because of it."""
        self.sent, self.told, self.read = [], [], []
        waiting = [event]
        while waiting:
            self.director, effects = step(self.director, waiting.pop(0), self.now)
            for effect in effects:
                waiting.extend(self._carry_out(effect))
            assert len(self.sent) < 5
        return self.sent

    def _carry_out(self, effect: Effect) -> list[Event]:
        match effect:
            case ReadSysctls(names):
                self.read.append(names)
                found = {name: self.kernel[name] for name in names if name in self.kernel}
                return [SysctlsRead(found, {name: "No such file" for name in names if name not in found})]
            case ApplySysctls(values):
                self.sent.append(dict(values))
                taken = {k: v for k, v in values.items() if k not in self.refuse and k not in self.deaf}
                self.kernel |= taken
                return [SysctlsApplied(values, {name: self.refuse[name] for name in values if name in self.refuse})]
            case Tell(_, event, _):
                self.told.append(event)
            case _:
                pass
        return []

    def tick(self, seconds: float = 1.0) -> list[dict[str, int]]:
        self.now += seconds
        return self.feed(Ticked())


def test_only_what_is_said_is_read_and_set() -> None:
    world = Sysctls(SAID)
    assert world.kernel == {**KERNEL, "expire_nodest_conn": 1}
    assert world.sent == [{"expire_nodest_conn": 1}]
    assert set(world.read) == {("expire_nodest_conn", "conn_reuse_mode")}
    assert "sysctl_changed" in world.told
    assert world.tick() == []
    assert world.told == []


def test_nothing_said_nothing_touched() -> None:
    world = Sysctls(Config())
    world.tick()
    assert (world.read, world.sent, world.kernel) == ([], [], KERNEL)


def test_what_a_stranger_changes_is_mended_and_told() -> None:
    world = Sysctls(SAID)
    world.tick()
    world.kernel["expire_nodest_conn"] = 0
    assert world.tick() == [{"expire_nodest_conn": 1}]
    assert world.told == ["sysctl_changed_by_stranger", "sysctl_changed"]


def test_a_reload_sets_the_rest_and_leaves_what_is_said_no_longer() -> None:
    world = Sysctls(SAID)
    world.feed(ConfigChanged(Config(ipvs=Ipvs(sloppy_tcp=True, expire_quiescent_template=False))))
    assert world.kernel == {**KERNEL, "expire_nodest_conn": 1, "sloppy_tcp": 1}
    assert world.told.count("sysctl_changed_by_stranger") == 0


def test_a_refusal_is_told_once_and_tried_again_ever_more_seldom() -> None:
    world = Sysctls(SAID, {**KERNEL, "conn_reuse_mode": 0})
    world.tick()
    world.refuse = {"expire_nodest_conn": "Read-only file system"}
    world.kernel |= {"expire_nodest_conn": 0, "conn_reuse_mode": 0}
    world.tick()
    assert world.told == ["sysctl_changed_by_stranger", "sysctl_changed", "sysctl_refused"]
    assert world.kernel["conn_reuse_mode"] == 1  # the other is set all the same
    assert world.tick(0.5) == []
    tried, told = [], []
    for _ in range(100):
        tried.append(bool(world.tick()))
        told += world.told
    assert "sysctl_refused" not in told
    assert len(BACKOFF_SECONDS) <= sum(tried) <= len(BACKOFF_SECONDS) + 2
    world.refuse = {}
    world.tick(max(BACKOFF_SECONDS))
    assert world.kernel["expire_nodest_conn"] == 1


def test_one_that_is_gone_is_told_once_and_the_others_are_set() -> None:
    kernel = {name: value for name, value in KERNEL.items() if name != "conn_reuse_mode"}
    world = Sysctls(SAID, kernel)
    assert world.told.count("sysctl_unreadable") == 1
    assert world.kernel["expire_nodest_conn"] == 1
    world.tick()
    assert (world.told, world.sent) == ([], [])


def test_one_that_is_not_kept_is_told_once() -> None:
    world = Sysctls(SAID)
    world.deaf = {"expire_nodest_conn"}
    world.kernel["expire_nodest_conn"] = 0
    world.tick()
    assert world.told[-1] == "sysctl_not_kept"
    told = []
    for _ in range(20):
        world.tick()
        told += world.told
    assert "sysctl_not_kept" not in told
