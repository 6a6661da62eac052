"""The six changes that can be made to the IPVS table. Pure."""

from __future__ import annotations

from dataclasses import dataclass

from netlink.table import Destination, DestinationKey, Service, ServiceKey


@dataclass(frozen=True, slots=True)
class AddService:
    """IPVS_CMD_NEW_SERVICE."""

    service: Service


@dataclass(frozen=True, slots=True)
class SetService:
    """IPVS_CMD_SET_SERVICE: edit in place, connections live on."""

    service: Service


@dataclass(frozen=True, slots=True)
class DeleteService:
    """IPVS_CMD_DEL_SERVICE, with its destinations."""

    key: ServiceKey


@dataclass(frozen=True, slots=True)
class AddDestination:
    """IPVS_CMD_NEW_DEST."""

    service: ServiceKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class SetDestination:
    """IPVS_CMD_SET_DEST: edit in place, connections live on."""

    service: ServiceKey
    destination: Destination


@dataclass(frozen=True, slots=True)
class DeleteDestination:
    """IPVS_CMD_DEL_DEST."""

    service: ServiceKey
    key: DestinationKey


Operation = AddService | SetService | DeleteService | AddDestination | SetDestination | DeleteDestination
