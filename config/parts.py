"""What a file in another program's language adds to the configuration. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from config.build_service import Built
from config.build_vrrp import BuiltInstance
from config.model import Argv, Ipvs, VrrpGroup
from config.nodes import At


@dataclass(frozen=True, slots=True)
class Part:
    """Services and VRRP instances complete in themselves: `defaults` of a lvsd.yaml beside them do not reach them.

    `clear_table`: whether the file wants its services out of the kernel's table at stop, and where it says so; None
    when it has no opinion. What lvsd.yaml says under `daemon` and `ipvs` comes first. The others are as in
    config.model.Daemon; where several files differ about a directory, a command or a setting of the kernel, it is
    told and the first counts.

    `further`: files to be read too, as if they were named beside this one. `sources`: the texts of files that were
    read with this one, by path; secrets may stand in them.
    """

    services: tuple[Built, ...] = ()
    instances: tuple[BuiltInstance, ...] = ()
    clear_table: At[bool] | None = None
    autoreload: bool = False
    on_config_change: At[Argv] | None = None
    maintenance_directory: At[str] | None = None
    ipvs: At[Ipvs] | None = None
    groups: tuple[At[VrrpGroup], ...] = ()
    notify_fifo: At[str] | None = None
    command_user: At[str] | None = None
    lvs_notify_fifo: At[str] | None = None
    further: tuple[At[str], ...] = ()
    sources: Mapping[str, str] = field(default_factory=dict, repr=False)
