"""The six changes that can be made to the IPVS table. Pure."""

from __future__ import annotations

from msgspec import Struct

from netlink.table import Destination, DestinationKey, Service, ServiceKey


class AddService(Struct, frozen=True, gc=False):
    """IPVS_CMD_NEW_SERVICE."""

    service: Service


class SetService(Struct, frozen=True, gc=False):
    """IPVS_CMD_SET_SERVICE: edit in place, connections live on."""

    service: Service


class DeleteService(Struct, frozen=True, gc=False):
    """IPVS_CMD_DEL_SERVICE, with its destinations."""

    key: ServiceKey


class AddDestination(Struct, frozen=True, gc=False):
    """IPVS_CMD_NEW_DEST."""

    service: ServiceKey
    destination: Destination


class SetDestination(Struct, frozen=True, gc=False):
    """IPVS_CMD_SET_DEST: edit in place, connections live on."""

    service: ServiceKey
    destination: Destination


class DeleteDestination(Struct, frozen=True, gc=False):
    """IPVS_CMD_DEL_DEST."""

    service: ServiceKey
    key: DestinationKey


Operation = AddService | SetService | DeleteService | AddDestination | SetDestination | DeleteDestination
