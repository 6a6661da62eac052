"""An errno is understood with its operation."""

from __future__ import annotations

import errno

import pytest

from netlink.operations import AddService, DeleteDestination, DeleteService, Operation, SetDestination, SetService
from netlink.refusals import refusal
from netlink.table import Destination, DestinationKey, Family, Service, ServiceKey

KEY = ServiceKey(Family.INET, 6, "192.0.2.1", 80)
SERVICE = Service(KEY, "rr")
PEER = Destination(DestinationKey("192.0.2.11", 80), 3, 1)


@pytest.mark.parametrize(
    ("operation", "number", "meaning"),
    [
        (AddService(SERVICE), errno.ENOENT, "scheduler or persistence engine not found"),
        (SetService(SERVICE), errno.ENOENT, "scheduler or persistence engine not found"),
        (SetDestination(KEY, PEER), errno.ENOENT, "no such destination"),
        (DeleteDestination(KEY, PEER.key), errno.ENOENT, "no such destination"),
        (DeleteDestination(KEY, PEER.key), errno.ESRCH, "no such virtual service"),
        (AddService(SERVICE), errno.EEXIST, "virtual service exists already"),
        (DeleteService(KEY), errno.EPERM, "not permitted: CAP_NET_ADMIN is needed"),
        (DeleteService(KEY), errno.EIO, "refused with EIO"),
        (DeleteService(KEY), 9999, "refused with 9999"),
    ],
)
def test_meaning(operation: Operation, number: int, meaning: str) -> None:
    found = refusal(operation, number)
    assert (found.operation, found.errno, found.meaning) == (operation, number, meaning)
