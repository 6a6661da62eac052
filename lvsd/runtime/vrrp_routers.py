"""All virtual routers of this machine: feeds their state machines, and does what they ask for.

Everything it touches is behind Network, so that tests can stand in for it.
"""

from __future__ import annotations

import os
from collections.abc import Iterable
from math import inf

from config.model import VrrpInstance
from lvsd.runtime.journal import tell
from lvsd.runtime.vrrp_accept import AcceptMode
from lvsd.runtime.vrrp_held import HeldFile
from lvsd.runtime.vrrp_holdings import Holdings
from lvsd.runtime.vrrp_macs import VirtualMacs
from lvsd.runtime.vrrp_router import Key, Network, Place, Router, bare, key_of, place_of, status_of
from lvsd.runtime.vrrp_voice import Voice
from lvsd.version import VERSION
from lvsd.vrrp.drops import Dropped
from lvsd.vrrp.events import (
    AddressLost,
    Announce,
    Claim,
    Effect,
    Event,
    Heard,
    LinkChanged,
    Reconfigured,
    Refused,
    Release,
    Resign,
    Resume,
    Send,
    Shutdown,
    Start,
    Tell,
    Unyield,
    Wake,
    Weighed,
    Whisper,
)
from lvsd.vrrp.groups import orders
from lvsd.vrrp.instance import step
from lvsd.vrrp.ip import Datagram, address_text
from lvsd.vrrp.lateness import LatenessMeter
from lvsd.vrrp.link import Link
from lvsd.vrrp.links import links, weight
from lvsd.vrrp.messages import Cause, Configure, Failover, Role, VrrpStatus, Weight, Weights
from lvsd.vrrp.moves import ADDRESS_LIST
from lvsd.vrrp.packet import Kind, Wire, decode, virtual_router_id
from lvsd.vrrp.sight import Sight, lost_addresses
from lvsd.vrrp.state import Instance
from lvsd.vrrp.tracks import destinations
from lvsd.vrrp.virtual_mac import placed

RESUME_PATIENCE_SECONDS = 3.0
"""Addresses of a predecessor are kept that long without a configuration; then a peer has taken them over."""

LOOK_AGAIN_SECONDS = 1.0
"""After an address could not be added: it is then found lost, which counts (lvsd.vrrp.instance)."""


class Routers:
    """The virtual routers, by interface and number. `changed`: there is something new to report."""

    def __init__(self, network: Network, held_file: HeldFile, now: float, *, restarted: bool) -> None:
        """`restarted`: a predecessor ended without giving up; what it held is kept for a while."""
        self._network = network
        self._voice = Voice(network)
        self._routers: dict[Key, Router] = {}
        self._holdings = Holdings(network, held_file, self._routers.values())
        self._macs = VirtualMacs(network)
        self._accept = AcceptMode(network)
        self._resuming = restarted
        self._patience_ends_at = now + RESUME_PATIENCE_SECONDS if restarted else inf
        self._look_at = inf
        self._sight = Sight()
        self._weights: dict[str, Weight] = {}
        self._lateness = LatenessMeter()
        self._measured_at = -inf
        self._generation = 0
        self.changed = False
        if not restarted:
            self._disown()

    def _disown(self) -> None:
        """Remove what a predecessor left and nobody needs now."""
        self._holdings.disown()
        self._macs.prune(router.instance.config for router in self._routers.values())

    @property
    def wake_at(self) -> float:
        """When to call `wake`."""
        instances = (router.instance.wake_at for router in self._routers.values())
        return min(self._patience_ends_at, self._look_at, min(instances, default=inf))

    def configure(self, wanted: Configure, now: float) -> None:
        """Make the instances what they should be. Those that are so already are not disturbed."""
        self._generation, self.changed = wanted.generation, True
        configs = {key_of(config): config for config in map(placed, reversed(wanted.instances))}
        if len(configs) != len(wanted.instances):
            tell("error", "virtual_router_configured_twice")
        for key in [key for key in self._routers if key not in configs]:
            self._step(self._routers[key], Shutdown(Cause.RELOAD), now)
            del self._routers[key]
        found = self._survey(configs.values(), now)
        for key, config in reversed(configs.items()):
            if key in self._routers:
                self._change(self._routers[key], config, found[key], now)
            else:
                self._begin(key, config, found[key], now)
        self._resuming, self._patience_ends_at = False, inf
        self._settle(now)
        self._disown()

    def weigh(self, heard: Weights, now: float) -> None:
        """What the director tracks is so now."""
        self._weights = {one.name: one for one in heard.weights}
        self.look(now)

    def fail_over(self, asked: Failover, now: float) -> None:
        """Hand over, or preempt again, as a person asked. Members of a sync group go together."""
        named = set(asked.instances)
        configs = [router.instance.config for router in self._routers.values()]
        groups = {config.sync_group for config in configs if config.name in named} - {""}
        for router in self._routers.values():
            config = router.instance.config
            if not named or config.name in named or config.sync_group in groups:
                self._step(router, Unyield() if asked.back else Resign(Cause.FAILOVER), now)
        self.changed = True
        self._settle(now)

    def _begin(self, key: Key, config: VrrpInstance, link: Link, now: float) -> None:
        router = self._routers[key] = Router(Instance(config))
        self._step(router, LinkChanged(link), now)
        self._step(router, Weighed(weight(config, self._sight, self._weights)), now)
        self._step(router, Resume() if self._was_active(config) else Start(), now)

    def _was_active(self, config: VrrpInstance) -> bool:
        """Whether a predecessor was: it held all the addresses, and they are all still there."""
        return self._resuming and self._holdings.were_of(config, self._sight)

    def _change(self, router: Router, config: VrrpInstance, link: Link, now: float) -> None:
        if not link.fit:  # resign as what the others know us as
            self._see(router, LinkChanged(link), now)
        if config != router.instance.config:
            self._step(router, Reconfigured(config), now)
        self._see(router, LinkChanged(link), now)

    def _see(self, router: Router, event: LinkChanged, now: float) -> None:
        if event.link != router.instance.link:
            self._step(router, event, now)

    def look(self, now: float) -> None:
        """Something about links or addresses has changed: see what is so now."""
        self._look_at = inf
        found = self._survey((router.instance.config for router in self._routers.values()), now)
        for key, router in self._routers.items():
            config = router.instance.config
            self._see(router, LinkChanged(found[key]), now)
            self._weigh_one(router, now)
            lost = lost_addresses(config, self._sight)
            if lost and router.instance.role is Role.ACTIVE:
                router.held.difference_update(map(bare, lost))
                self._step(router, AddressLost(lost), now)
        self._settle(now)

    def _survey(self, configs: Iterable[VrrpInstance], now: float) -> dict[Key, Link]:
        """See what is there, and listen where these instances live. What each of them stands on."""
        listed = tuple(configs)
        self._network.follow(destinations(listed))
        self._sight = self._network.look()
        if self._macs.keep(listed, self._sight, now):
            self._sight = self._network.look()
        self._look_at = min(self._look_at, self._macs.again_at)
        self._network.listen_on({place_of(config) for config in listed})
        found = links(listed, self._sight, self._weights)
        return {key_of(config): found[config.name] for config in listed}

    def _weigh_one(self, router: Router, now: float) -> None:
        delta = weight(router.instance.config, self._sight, self._weights)
        if delta != router.instance.weighed:
            self._step(router, Weighed(delta), now)

    def _settle(self, now: float) -> None:
        """Have the members of each sync group follow each other."""
        groups: dict[str, dict[Key, Instance]] = {}
        for key, router in self._routers.items():
            if router.instance.grouped:
                groups.setdefault(router.instance.config.sync_group, {})[key] = router.instance
        for members in groups.values():
            for key, event in orders(members):
                self._step(self._routers[key], event, now)

    def heard(self, place: Place, datagram: Datagram, now: float) -> None:
        """A packet of protocol 112. One of a virtual router that is not ours is none of our business."""
        number = virtual_router_id(datagram)
        router = self._routers.get((*place, number)) if number is not None else None
        if router is not None and router.wire is not None and router.instance.role is not Role.INITIALIZE:
            self._judge(router, router.wire, datagram, now)
            self._settle(now)

    def _judge(self, router: Router, wire: Wire, datagram: Datagram, now: float) -> None:
        try:
            advertisement = decode(datagram, wire)
        except Dropped as dropped:
            router.dropped[dropped.kind.value] += 1
            self._step(router, Refused(dropped.kind, address_text(datagram.source)), now)
            return
        router.received += advertisement.kind is Kind.ADVERTISEMENT
        if not advertisement.addresses_agree:
            router.dropped[ADDRESS_LIST] += 1
        self._step(router, Heard(advertisement), now)

    def wake(self, now: float) -> None:
        """Do what has become due."""
        if now >= self._look_at:
            self.look(now)
        if now >= self._patience_ends_at:
            tell("warning", "configuration_did_not_come", waited_seconds=RESUME_PATIENCE_SECONDS)
            self._resuming, self._patience_ends_at = False, inf
            self._disown()
        for router in self._routers.values():
            if now >= router.instance.wake_at:
                self._note(router, now)
                self._step(router, Wake(), now)
        self._settle(now)

    def look_at_timers(self, now: float) -> None:
        """Measure how late those are that are due, before what has come moves them."""
        for router in self._routers.values():
            if now >= router.instance.wake_at:
                self._note(router, now)
        self._measured_at = now

    def _note(self, router: Router, now: float) -> None:
        if router.instance.wake_at > self._measured_at:
            self._lateness.note(now - router.instance.wake_at)

    def stop(self, now: float) -> None:
        """Give everything up in good order."""
        for router in self._routers.values():
            self._step(router, Shutdown(), now)
        self._holdings.disown()
        self._macs.prune(())

    def remember(self) -> None:
        """From time to time: have the held file there, whoever cleaned up. A successor resumes by it."""
        self._holdings.write()

    def status(self, now: float = -inf, *, ending: bool = False) -> VrrpStatus:
        """Every instance as it is, in the order of the configuration. `ending`: nothing follows."""
        instances = tuple(status_of(router, now, self._sight) for router in self._routers.values())
        return VrrpStatus(self._generation, os.getpid(), instances, self._lateness.read(), VERSION, ending)

    def _step(self, router: Router, event: Event, now: float) -> None:
        before = router.instance
        router.instance, effects = step(before, event, now)
        after = router.instance
        self.changed |= (before.role, before.link, before.active_router) != (
            after.role,
            after.link,
            after.active_router,
        )
        if after.link.fit and (after.link is not before.link or after.config is not before.config):
            router.wire = Wire.of(after.config, after.link.source)
        for effect in effects:
            self._do(router, effect, now)
        if before.role is not after.role or before.config is not after.config:
            self._accept.keep(one.instance for one in self._routers.values())

    def _do(self, router: Router, effect: Effect, now: float) -> None:
        match effect:
            case Send(priority):
                self._voice.advertise(router, priority)
            case Claim(addresses):
                if not self._holdings.claim(router, addresses):
                    self._look_at = now + LOOK_AGAIN_SECONDS
            case Whisper(kind, priority, to):
                self._voice.whisper(router, kind, priority, to)
            case Release(addresses):
                self._holdings.release(router, addresses)
            case Announce(addresses, rounds):
                self._voice.announce(addresses, rounds, self._sight)
            case Tell(level, event, fields):
                tell(level, event, instance=router.instance.config.name, **dict(fields))
