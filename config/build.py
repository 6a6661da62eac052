"""The merged keys of all files to the configuration. Pure."""

from __future__ import annotations

from config import codes, shape
from config.build_service import Built, build_service, read_defaults
from config.build_vrrp import BuiltInstance, build_instance
from config.model import Config, Daemon
from config.reading import Reading
from config.rules import check_instances, check_services, check_virtual_addresses
from config.sections import Fields


def build(top: Fields, reading: Reading) -> Config | None:
    """The whole configuration, or None when an error was noted, now or before."""
    services, instances = _services(top, reading), _instances(top, reading)
    check_services(services, reading)
    check_instances(instances, reading)
    check_virtual_addresses(services, instances, reading)
    daemon = _daemon(top, reading)
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


def _daemon(top: Fields, reading: Reading) -> Daemon:
    said = top.value(shape.DAEMON, Fields(top.place))
    built_in = Daemon()
    user = said.value(shape.CHECKER_USER, built_in.checker_user)
    if user == "root":
        message = "the checker cannot run as root: it reads whatever real servers send"
        reading.error(codes.CHECKER_IS_ROOT, said.place_of(shape.CHECKER_USER), message, "checker_user: nobody")
    return Daemon(said.value(shape.CLEAR_TABLE, built_in.clear_table_on_stop), user)
