"""Checks that follow another real server: whom, and whose services are to be decided with it. Pure.

What is followed are that real server's checks alone: a person's word, a hold or a floor concern one service and do not
travel along.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping

from config.checks import FOLLOWED_LIMIT, Check, FollowCheck
from config.model import Config, RealServer, VirtualService
from lvsd.core.identity import real_id, service_key
from lvsd.core.state import Checked, Director, Followed, Following, Services


def resolved(config: Config, checks: Mapping[str, Checked]) -> Following:
    """Found out once for each configuration. A wrong one is survived: its checks stay unknown."""
    followers = {name: one for name, one in checks.items() if isinstance(one.check.kind, FollowCheck)}
    if not followers:  # by far the most
        return Following()
    services = {virtual.name: virtual for virtual in config.services}
    found = {name: _target(services, one.real, one.check) for name, one in followers.items()}
    targets = {name: target for name, target in found.items() if target is not None}
    by_real: dict[str, set[str]] = {}
    for name, target in targets.items():
        by_real.setdefault(_real(followers[name]), set()).add(real_id(*target))
    endless = _endless(by_real)
    sound = {name: target for name, target in targets.items() if real_id(*target) not in endless}
    return Following(sound, _behind(followers, sound))


def _real(checked: Checked) -> str:
    return real_id(checked.service, checked.real)


def _target(services: Mapping[str, VirtualService], real: RealServer, check: Check) -> Followed | None:
    assert isinstance(check.kind, FollowCheck)  # noqa: S101  a contract of our own
    virtual = services.get(check.kind.service)
    if virtual is None:
        return None
    same = [one for one in virtual.real_servers if one.address == (check.address or real.address)]
    chosen = next((one for one in same if one.port == check.port), same[0] if same else None)
    return (virtual, chosen) if chosen is not None else None


def _endless(by_real: Mapping[str, set[str]]) -> set[str]:
    """Real servers that cannot be followed: the chain of one that did so would not end within the limit.

    Whoever follows further, or in a circle, knows nothing.
    """
    pending = set(by_real)
    for _ in range(FOLLOWED_LIMIT - 1):
        pending = {name for name in pending if by_real[name] & pending}
    return pending


def _behind(followers: Mapping[str, Checked], targets: Mapping[str, Followed]) -> Mapping[str, tuple[Followed, ...]]:
    """Who follows a real server, directly or through others."""
    direct: dict[str, list[Followed]] = {}
    for name, target in targets.items():
        follower = followers[name]
        direct.setdefault(real_id(*target), []).append((follower.service, follower.real))
    return {name: tuple(_all_behind(name, direct)) for name in direct}


def _all_behind(name: str, direct: Mapping[str, list[Followed]]) -> Iterator[Followed]:
    seen: set[str] = set()
    waiting = [*direct[name]]
    while waiting:
        follower = waiting.pop()
        if real_id(*follower) not in seen:
            seen.add(real_id(*follower))
            yield follower
            waiting.extend(direct.get(real_id(*follower), ()))


def services_behind(director: Director, changed: Iterable[Checked]) -> Services:
    """The services that are to be decided anew because of others' checks."""
    behind = director.following.behind
    if not behind:
        return {}
    followers = (follower for one in changed for follower in behind.get(_real(one), ()))
    return {service_key(virtual.virtual): virtual for virtual, _ in followers}


def services_following(director: Director) -> Services:
    """All services in which somebody follows: a new configuration may have moved what they look at."""
    checked = (director.checks[name] for name in director.following.targets)
    return {service_key(one.service.virtual): one.service for one in checked}
