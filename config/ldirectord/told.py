"""What has no effect with lvsd, and servers in maintenance: told at every line that asks for it. Pure."""

from __future__ import annotations

import ipaddress
import posixpath
import re
from collections.abc import Sequence
from typing import Final

from config import codes
from config.checks import PingCheck
from config.ldirectord import directives as d
from config.ldirectord.lines import Line
from config.ldirectord.values import Known, Said
from config.model import VirtualService
from config.nodes import At
from config.reading import Reading, shown

_COMPANIONS: Final[tuple[Known[object], ...]] = (d.MAIL_REPEAT, d.MAIL_PHASES, d.MAIL_SENDER, d.SMTP)
LEFT_OUT: Final = {
    "logfile": ("lvsd logs to its standard error, which systemd keeps", "journalctl -u lvsd"),
    "load": ("ldirectord does not use it either", "remove it"),
}
"""Directives that change nothing here: what is lost, and a hint."""

IN_MAINTENANCE_SHOWN: Final = 5
_FOLDER: Final = re.compile(r"/[A-Za-z0-9_./-]+")  # as it is, nothing that a glob would expand


def note_left_out(lines: Sequence[Line], said: Said, reading: Reading) -> None:
    """A warning for every line that is read and has no effect."""
    for line in lines:
        if line.name in LEFT_OUT and line.name in said.values:
            lost, hint = LEFT_OUT[line.name]
            reading.warning(codes.LD_LEFT_OUT, line.place, f"{line.name}: {lost}", hint)


def note_unused_globally(top: Said, services: Sequence[VirtualService], reading: Reading) -> None:
    """Tell of global directives that no virtual service makes use of."""
    if not any(service.mail for service in services):
        for known in _COMPANIONS:
            said = top.get(known)
            if said is not None and said.value not in (0, "none"):
                message = f"{known.name}: it concerns mails, and no virtual service sends any"
                reading.warning(codes.LD_IGNORED, said.place, message, "emailalert=ops@example.net")
    count = top.get(d.CHECK_COUNT)
    kinds = (real.check.kind for service in services for real in service.real_servers)
    if count is not None and not any(isinstance(kind, PingCheck) for kind in kinds):
        message = "checkcount: it counts pings, and nothing is pinged"
        reading.warning(codes.LD_IGNORED, count.place, message, "failurecount counts failures of every check")


def note_maintenance(folder: At[str], reading: Reading) -> None:
    """Tell which real servers are in maintenance now, and which files there name none."""
    names = _files(folder, reading)
    known = [one for one in names if _names_an_address(one)]
    if known:
        message = f"maintenancedir: out of service now: {_listed(known)}"
        reading.warning(codes.LD_MAINTENANCE, folder.place, message, "remove the file when the server may serve again")
    others = [one for one in names if one not in known]
    if others:
        message = f"maintenancedir: {_listed(others)} takes no real server out: hosts' names are not looked up"
        reading.warning(codes.LD_MAINTENANCE, folder.place, message, "name the file 192.0.2.12, or 192.0.2.12:80")


def _files(folder: At[str], reading: Reading) -> list[str]:
    path = posixpath.normpath(folder.value)
    if not _FOLDER.fullmatch(path):
        return []
    try:
        return [posixpath.basename(one) for one in reading.files.glob(f"{path}/*", folder.place.file)]
    except OSError:
        return []  # ldirectord too goes on without the folder


def _names_an_address(name: str) -> bool:
    """`192.0.2.12` or `192.0.2.12:80`; an IPv6 address needs brackets before a port."""
    match = re.fullmatch(r"(?:\[([0-9A-Fa-f:.]{2,45})\]|([0-9.]{7,15}))(?::[0-9]{1,5})?", name)
    try:
        ipaddress.ip_address((match[1] or match[2]) if match else name)
    except ValueError:
        return False
    return True


def _listed(names: Sequence[str]) -> str:
    more = f" and {len(names) - IN_MAINTENANCE_SHOWN} more" if len(names) > IN_MAINTENANCE_SHOWN else ""
    return ", ".join(map(shown, names[:IN_MAINTENANCE_SHOWN])) + more
