"""The director over an IPVS table in memory, for machines whose kernel has none. Its drift check reads and parses what
/proc/net/ip_vs would hold, as always; only the kernel's own work is missing.
"""

from __future__ import annotations

from functools import lru_cache
from typing import Any

from lvsd.runtime import director_process, director_runtime
from netlink.memory import MemoryTable
from netlink.proc_ip_vs import fingerprint_of
from netlink.table import DestinationStatus, ServiceKey, ServiceStatus, Table

HEADER = "IP Virtual Server version 1.2.1\nProt LocalAddress:Port Scheduler Flags\n  -> RemoteAddress:Port\n"
KERNEL = MemoryTable()


@lru_cache(maxsize=1)
def _text(identity: int) -> str:  # noqa: ARG001 - the table is made anew when it changes
    lines = []
    table: Table = KERNEL.read_table()
    for service, destinations in fingerprint_of(table):
        lines.append(f"{service} \n")
        lines += [f"  -> {words} 0 0\n" for words in destinations]
    return HEADER + "".join(lines)


APPLIED = [0]


def _apply(operations: Any) -> Any:  # noqa: ANN401 - as MemoryTable.apply
    APPLIED[0] += 1
    return MemoryTable.apply(KERNEL, operations)


class _Kernel:
    """What the director asks of IpvsSocket."""

    read_table = staticmethod(KERNEL.read_table)
    read_in_parts = staticmethod(KERNEL.read_in_parts)
    read_entry = staticmethod(KERNEL.read_entry)
    timeouts = staticmethod(KERNEL.timeouts)
    daemons = staticmethod(KERNEL.daemons)
    apply_settings = staticmethod(KERNEL.apply_settings)
    apply = staticmethod(_apply)

    @staticmethod
    def read_status(key: ServiceKey) -> tuple[ServiceStatus, ...]:
        """A table in memory has no connections."""
        entry = KERNEL.read_entry(key)
        if entry is None:
            return ()
        return (ServiceStatus(entry.service, tuple(map(DestinationStatus, entry.destinations.values()))),)

    @staticmethod
    def close() -> None:
        """It goes with the process."""


def use_memory() -> None:
    """Whatever director is forked from here has the table in memory."""
    for module, name, value in (
        (director_process, "IpvsSocket", _Kernel),
        (director_runtime, "proc_ip_vs_pieces", lambda: (_text(APPLIED[0]),)),
    ):
        setattr(module, name, value)
