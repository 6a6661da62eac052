"""The merged keys of all files, and what files in other languages add, to the configuration. Pure."""

from __future__ import annotations

from collections.abc import Sequence

from config import codes, shape
from config.build_service import Built, build_service, read_defaults
from config.build_vrrp import BuiltInstance, build_instance
from config.model import Config, Daemon
from config.parts import Part
from config.reading import Reading
from config.rules import check_instances, check_names, check_services, check_virtual_addresses, where
from config.sections import Fields


def build(top: Fields, parts: Sequence[Part], reading: Reading) -> Config | None:
    """The whole configuration, or None when an error was noted, now or before."""
    services = [*_services(top, reading), *(one for part in parts for one in part.services)]
    instances = [*_instances(top, reading), *(one for part in parts for one in part.instances)]
    check_names(services, instances, reading)
    check_services(services, reading)
    check_instances(instances, reading)
    check_virtual_addresses(services, instances, reading)
    daemon = _daemon(top, parts, reading)
    if not services and not instances and not reading.failed:
        hint = "add a service under `services:`, or an instance under `vrrp:`"
        place = top.place_of(shape.SERVICES)
        reading.error(codes.NOTHING_TO_DO, place, "neither a service nor a VRRP instance is configured", hint)
    if reading.failed:
        return None
    return Config(tuple(one.service for one in services), tuple(one.instance for one in instances), daemon)


def _services(top: Fields, reading: Reading) -> list[Built]:
    defaults = read_defaults(top.value(shape.DEFAULTS_KEY, Fields(top.place)), reading)
    named = top.value(shape.SERVICES, {})
    built = (build_service(name, at.value, defaults, reading) for name, at in named.items())
    return [one for one in built if one is not None]


def _instances(top: Fields, reading: Reading) -> list[BuiltInstance]:
    built = (build_instance(name, at.value, reading) for name, at in top.value(shape.VRRP, {}).items())
    return [one for one in built if one is not None]


def _daemon(top: Fields, parts: Sequence[Part], reading: Reading) -> Daemon:
    said = top.value(shape.DAEMON, Fields(top.place))
    built_in = Daemon()
    user = said.value(shape.CHECKER_USER, built_in.checker_user)
    if user == "root":
        message = "the checker cannot run as root: it reads whatever real servers send"
        reading.error(codes.CHECKER_IS_ROOT, said.place_of(shape.CHECKER_USER), message, "checker_user: nobody")
    return Daemon(said.value(shape.CLEAR_TABLE, _cleared(said, parts, reading)), user)


def _cleared(said: Fields, parts: Sequence[Part], reading: Reading) -> bool:
    """Whether the other files want the table cleared at stop; where they differ it stays, which harms least."""
    wishes = [part.clear_table for part in parts if part.clear_table is not None]
    if said.said(shape.CLEAR_TABLE) or not wishes:
        return Daemon().clear_table_on_stop
    other = next((one for one in wishes if one.value is not wishes[0].value), None)
    if other is not None:
        message = "this file and another want different things of the table at stop: it stays as it is"
        hint = f"the other is {where(wishes[0].place, other.place)}; a lvsd.yaml decides: daemon: clear_table_on_stop"
        reading.warning(codes.CONTRADICTION, other.place, message, hint)
        return False
    return wishes[0].value
