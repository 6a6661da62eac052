"""The roles of VRRP instances and sync groups, as commands and the pipe are told of them: each change once. Pure.

They are told in keepalived's words. What was told last is kept over restarts, so that a director that comes back tells
what has changed meanwhile, and nothing again.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, replace

from config.model import Argv, Config, VrrpHooks
from lvsd.core.effects import Effect, RememberRoles, RunCommand, WriteFifo
from lvsd.core.events import ConfigChanged, Event, Started, StopAsked, VrrpHeard
from lvsd.core.state import Director
from lvsd.core.tracked_scripts import AWAITED
from lvsd.vrrp.messages import Cause, InstanceStatus, Role

ACTIVE, BACKUP, FAULT, STOP = "MASTER", "BACKUP", "FAULT", "STOP"
GROUP_PRIORITY = 0

_ROLES = {ACTIVE: "active", BACKUP: "backup", FAULT: "fault", STOP: "stop"}

Step = tuple[Director, tuple[Effect, ...]]


@dataclass(frozen=True, slots=True)
class Call:
    """A change of role to be told. `kind` is INSTANCE or GROUP."""

    kind: str
    name: str
    word: str
    priority: int
    hooks: VrrpHooks

    @property
    def key(self) -> str:
        """What it is remembered by."""
        return f"{self.kind} {self.name}"


def beside(before: Director, after: Director, event: Event) -> Step:
    """What an event means for those who are told, when all else of it is decided: `before` it became `after`."""
    match event:
        case Started(restarted=restarted, roles=roles):
            return replace(after, roles=dict(roles) if restarted else {}), ()
        case VrrpHeard():
            return _told(after, (*_instances(after), *_groups(after)))
        case ConfigChanged():
            return _told(after, _departed(before.config, after))
        case StopAsked():
            return _told(after, _stopped(after))
        case _:
            return after, ()


def word_of(status: InstanceStatus) -> str | None:
    """keepalived's word for a role; None before there is any, also while scripts are awaited: that is no trouble."""
    match status.role:
        case Role.ACTIVE:
            return ACTIVE
        case Role.BACKUP:
            return BACKUP
        case Role.INITIALIZE if status.cause is Cause.SHUTDOWN:
            return STOP
        case Role.INITIALIZE:
            return FAULT if status.fault and not status.fault.endswith(AWAITED) else None


def _instances(director: Director) -> Iterator[Call]:
    status = director.vrrp.status
    heard = {one.name: one for one in status.instances} if status is not None else {}
    for instance in director.config.vrrp:
        found = heard.get(instance.name)
        word = word_of(found) if found is not None else None
        if found is not None and word is not None:
            yield Call("INSTANCE", instance.name, word, found.priority, instance.hooks)


def _groups(director: Director) -> Iterator[Call]:
    """A group has a role when its members agree, and is in fault with any of them."""
    words = {call.name: call.word for call in _instances(director)}
    for name, members in _members(director.config).items():
        found = {words.get(member) for member in members}
        word = FAULT if FAULT in found else found.pop() if len(found) == 1 else None
        if word is not None:
            yield Call("GROUP", name, word, GROUP_PRIORITY, _group_hooks(director.config, name))


def _members(config: Config) -> dict[str, list[str]]:
    groups: dict[str, list[str]] = {}
    for instance in config.vrrp:
        if instance.sync_group:
            groups.setdefault(instance.sync_group, []).append(instance.name)
    return groups


def _group_hooks(config: Config, name: str) -> VrrpHooks:
    return next((one.hooks for one in config.vrrp_groups if one.name == name), VrrpHooks())


def _departed(old: Config, after: Director) -> Iterator[Call]:
    """Instances and groups that a new configuration has no more stop; what they run then is what the old one said."""
    names = {instance.name for instance in after.config.vrrp}
    for instance in old.vrrp:
        if instance.name not in names:
            yield Call("INSTANCE", instance.name, STOP, instance.priority, instance.hooks)
    groups = _members(after.config)
    for name in _members(old):
        if name not in groups:
            yield Call("GROUP", name, STOP, GROUP_PRIORITY, _group_hooks(old, name))


def _stopped(director: Director) -> Iterator[Call]:
    for instance in director.config.vrrp:
        yield Call("INSTANCE", instance.name, STOP, instance.priority, instance.hooks)
    for name in _members(director.config):
        yield Call("GROUP", name, STOP, GROUP_PRIORITY, _group_hooks(director.config, name))


def _told(director: Director, calls: Iterable[Call]) -> Step:
    """Those that are news; written down first. What is no longer configured is forgotten once it has been told."""
    found = tuple(calls)
    news = [one for one in found if director.roles.get(one.key, STOP if one.word == STOP else None) != one.word]
    roles = _kept(director, {one.key: one.word for one in found})
    if roles == director.roles and not news:
        return director, ()
    effects: list[Effect] = [RememberRoles(roles)] if roles != director.roles else []
    for call in news:
        effects += commands(call)
        if director.config.daemon.notify_fifo:
            line = f'{call.kind} "{call.name}" {call.word} {call.priority}'
            effects.append(WriteFifo(director.config.daemon.notify_fifo, line))
    return replace(director, roles=roles), tuple(effects)


def _kept(director: Director, told: Mapping[str, str]) -> dict[str, str]:
    config = director.config
    known = {f"INSTANCE {one.name}" for one in config.vrrp} | {f"GROUP {name}" for name in _members(config)}
    return {key: word for key, word in {**director.roles, **told}.items() if key in known}


def commands(call: Call) -> list[Effect]:
    """The command of this role, then that of any role. Those of one instance run one after the other."""
    hooks = call.hooks
    argv: dict[str, Argv] = {ACTIVE: hooks.active, BACKUP: hooks.backup, FAULT: hooks.fault, STOP: hooks.stop}
    further = (*hooks.any, call.kind, call.name, call.word, str(call.priority)) if hooks.any else ()
    environment = {
        "LVSD_EVENT": f"vrrp_{_ROLES[call.word]}",
        f"LVSD_{call.kind}": call.name,
        "LVSD_ROLE": _ROLES[call.word],
        "LVSD_PRIORITY": str(call.priority),
    }
    lane = f"vrrp {call.kind.lower()} {call.name}"
    return [RunCommand(lane, one, environment) for one in (argv[call.word], further) if one]
