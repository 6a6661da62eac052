"""The merged keys of all files, and what files in other languages add, to the configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from config import codes, shape
from config.build_service import Built, build_service, read_defaults
from config.build_system import build_daemon, build_ipvs
from config.build_vrrp import BuiltInstance, build_hooks, build_instance
from config.model import Config, VrrpGroup
from config.nodes import At, Place
from config.parts import Part
from config.reading import Reading
from config.rules import (
    check_follows,
    check_groups,
    check_instances,
    check_names,
    check_services,
    check_tracks,
    check_virtual_addresses,
)
from config.sections import Fields

Places = dict[tuple[str, str], Place]
"""Where each service and instance stands, by its table in lvsd.yaml and its name there."""


def build(top: Fields, parts: Sequence[Part], reading: Reading) -> tuple[Config, Places] | None:
    """The whole configuration and where it stands, or None when an error was noted, now or before."""
    services = [*_services(top, reading), *(one for part in parts for one in part.services)]
    instances = [*_instances(top, reading), *(one for part in parts for one in part.instances)]
    check_names(services, instances, reading)
    check_services(services, reading)
    check_follows(services, reading)
    check_instances(instances, reading)
    groups = [*_groups(top), *(one for part in parts for one in part.groups)]
    check_groups(instances, groups, reading)
    check_tracks(services, instances, reading)
    check_virtual_addresses(services, instances, reading)
    daemon = build_daemon(top, parts, reading)
    ipvs = build_ipvs(top, parts, [one.service for one in services], [one.instance for one in instances], reading)
    if not services and not instances and not reading.failed:
        hint = "add a service under `services:`, or an instance under `vrrp:`"
        place = top.place_of(shape.SERVICES)
        reading.error(codes.NOTHING_TO_DO, place, "neither a service nor a VRRP instance is configured", hint)
    if reading.failed:
        return None
    places = {(shape.VRRP.name, one.instance.name): one.place for one in instances}
    places |= {(shape.SERVICES.name, one.service.name): one.place for one in services}
    config = Config(
        tuple(one.service for one in services),
        tuple(one.instance for one in instances),
        daemon,
        ipvs,
        tuple(one.value for one in groups),
    )
    return config, places


def _services(top: Fields, reading: Reading) -> list[Built]:
    defaults = read_defaults(top.value(shape.DEFAULTS_KEY, Fields(top.place)), reading)
    named = top.value(shape.SERVICES, {})
    built = (build_service(name, at.value, defaults, reading) for name, at in named.items())
    return [one for one in built if one is not None]


def _instances(top: Fields, reading: Reading) -> list[BuiltInstance]:
    built = (build_instance(name, at.value, reading) for name, at in top.value(shape.VRRP, {}).items())
    return [one for one in built if one is not None]


def _groups(top: Fields) -> list[At[VrrpGroup]]:
    named = top.value(shape.SYNC_GROUPS, {})
    return [At(VrrpGroup(name, build_hooks(at.value)), at.place) for name, at in named.items()]
