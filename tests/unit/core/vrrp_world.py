"""A director whose VRRP instances are played by hand."""

from __future__ import annotations

from config.model import AnyTrack, Config, VirtualAddress, VirtualService, VrrpGroup, VrrpHooks, VrrpInstance
from lvsd.core.effects import Effect, RunCommand, WeighVrrp, WriteFifo
from lvsd.core.events import ScriptHeard, Ticked, VrrpCame, VrrpHeard
from lvsd.core.tracked_scripts import wanted
from lvsd.version import VERSION
from lvsd.vrrp.messages import Cause, InstanceStatus, Role, VrrpStatus, Weight
from tests.unit.core.world import Bench

EVERY = VrrpHooks(("/bin/active",), ("/bin/backup",), ("/bin/fault",), ("/bin/stop",), ("/bin/any", "x"))


def instance(
    *tracks: AnyTrack, name: str = "lb0", group: str = "", hooks: VrrpHooks = EVERY, number: int = 1
) -> VrrpInstance:
    moved = (VirtualAddress(f"1.1.1.{11 + number}", 24, "eth0"),)
    return VrrpInstance(name, "eth0", number, 100, 3, moved, tracks=tracks, hooks=hooks, sync_group=group)


def config(
    *instances: VrrpInstance, services: tuple[VirtualService, ...] = (), groups: tuple[VrrpGroup, ...] = ()
) -> Config:
    return Config(services, instances, vrrp_groups=groups)


def status(
    name: str, role: Role, *, fault: str = "", cause: Cause = Cause.START, priority: int = 100
) -> InstanceStatus:
    return InstanceStatus(name, role, priority, "", 0, 0.0, cause, (), 0, 0, {}, 0, fault=fault)


def report(bench: Bench, *instances: InstanceStatus) -> list[Effect]:
    return bench.feed(VrrpHeard(VrrpStatus(1, 4711, instances, version=VERSION)))


def role(bench: Bench, role: Role, name: str = "lb0") -> list[Effect]:
    return report(bench, status(name, role))


def connected(configuration: Config, *, restarted: bool = False) -> Bench:
    bench = Bench(configuration, restarted=restarted)
    bench.feed(VrrpCame())
    return bench


def result(bench: Bench, code: int = 0, *, name: str = "chk", timed_out: bool = False) -> list[Effect]:
    """A run of the script of that name has ended."""
    bench.now += 1
    script = next(one.id for one in wanted(bench.director.config) if one.name == name)
    return bench.feed(ScriptHeard(script, code, bench.now, timed_out=timed_out))


def ticks(bench: Bench, seconds: float) -> list[Effect]:
    """All that comes of so many seconds."""
    found: list[Effect] = []
    for _ in range(int(seconds)):
        bench.now += 1
        found += bench.feed(Ticked())
    return found


def sent(effects: list[Effect]) -> list[tuple[Weight, ...]]:
    return [effect.weights for effect in effects if isinstance(effect, WeighVrrp)]


def weight(bench: Bench, name: str = "lb0") -> Weight:
    """What the instance weighs, as the vrrp process was told."""
    return next((one for one in bench.director.tracking.weights if one.name == name), Weight(name))


def calls(effects: list[Effect]) -> list[str]:
    return [" ".join(effect.argv) for effect in effects if isinstance(effect, RunCommand)]


def lines(effects: list[Effect]) -> list[str]:
    return [f"{effect.path} {effect.line}" for effect in effects if isinstance(effect, WriteFifo)]
