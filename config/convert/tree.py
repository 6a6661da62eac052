"""A whole configuration as the tree of a lvsd.yaml that means the same. Pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Final

from config.convert.checks import shared_timing
from config.convert.instances import hook_keys, instance_keys
from config.convert.services import is_probed, mail_value, service_keys
from config.convert.system import daemon_keys, ipvs_keys
from config.convert.values import Keys, said
from config.model import Config, VirtualService
from config.words import OnFailure

_SEVERAL: Final = 2


def tree(config: Config) -> Keys:
    """The keys of the file, without those that have nothing to say."""
    defaults = _defaults(config.services)
    return said(
        vrrp={one.name: instance_keys(one) for one in config.vrrp} or None,
        sync_groups={one.name: hook_keys(one.hooks) for one in config.vrrp_groups} or None,
        defaults=defaults or None,
        services={one.name: service_keys(one, defaults) for one in config.services} or None,
        daemon=daemon_keys(config.daemon) or None,
        ipvs=ipvs_keys(config.ipvs) or None,
    )


def _defaults(services: Sequence[VirtualService]) -> Keys:
    """What all of several services say alike: scheduler, what happens on failure, mail, the checks' timing."""
    if len(services) < _SEVERAL:
        return {}
    found: Keys = {}
    schedulers, on_failure = {one.scheduler for one in services}, {one.on_failure for one in services}
    if len(schedulers) == 1 and schedulers != {"wrr"}:
        found["scheduler"] = services[0].scheduler
    if on_failure == {OnFailure.QUIESCE}:
        found["on_failure"] = OnFailure.QUIESCE.value
    first = services[0].mail
    if first is not None and all(one.mail == first for one in services):
        found["mail"] = mail_value(first)
    probed = (real for one in services for real in (*one.real_servers, *filter(is_probed, one.fallback)))
    timing = shared_timing(check for real in probed for check in real.checks)
    return found | ({"check": timing} if timing else {})
