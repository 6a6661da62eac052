"""What lvsd does not do, or not as ldirectord does it: told at every line that asks for it. Pure."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from config import codes
from config.ldirectord.lines import Line
from config.ldirectord.values import Said
from config.reading import Reading

_ALERTS = "no mail is sent: watch lvsd's log, or `lvsctl status`"
_ONLY_MAIL = "it concerns mails, and none are sent"
_FOLDER: Final = re.compile(r"/[A-Za-z0-9_./-]+")  # as it is, nothing that a glob would expand
LEFT_OUT: Final = {
    "fallbackcommand": ("the command is not run when every real server is down", ""),
    "emailalert": (_ALERTS, ""),
    "emailalertfrom": (_ONLY_MAIL, ""),
    "emailalertfreq": (_ONLY_MAIL, ""),
    "emailalertstatus": (_ONLY_MAIL, ""),
    "smtp": (_ONLY_MAIL, "for `smtp` as a check: service=smtp in a virtual service"),
    "servicename": (_ONLY_MAIL, ""),
    "comment": (_ONLY_MAIL, ""),
    "monitorfile": ("results of checks are not written to a file", "`lvsctl status` shows the last of each"),
    "callback": ("nothing is run when the file changes", ""),
    "maintenancedir": ("the folder is not looked at: to take a real server out, set its weight to 0 and reload", ""),
    "logfile": ("lvsd logs to its standard error, which systemd keeps", "journalctl -u lvsd"),
    "checkcount": ("it counts pings, and nothing is pinged", "failurecount counts failures of every check"),
    "load": ("ldirectord does not use it either", "remove it"),
}
"""Directives that change nothing here: what is lost, and a hint."""

NOTHING: Final = ("", '""')
"""A value that asks for nothing (`fallbackcommand=""`), and so loses nothing."""


def note_left_out(lines: Sequence[Line], said: Said, reading: Reading) -> None:
    """A warning for every line that is read and has no effect; an error where a service would be missing."""
    for line in lines:
        value = (line.value or "").strip()
        if line.name == "execute":
            message = "execute: the services of another file would be missing"
            reading.error(codes.LD_NOT_YET, line.place, message, "name that file too: lvsd run -c FILE -c OTHER")
        elif line.name == "autoreload" and value == "yes":
            message = "autoreload: the file is read again when told to, not when it changes"
            reading.warning(codes.LD_LEFT_OUT, line.place, message, "systemctl reload lvsd, or `lvsctl reload`")
        elif line.name == "maintenancedir" and _in_maintenance(line, reading):
            message = "maintenancedir: there are files in it, whose servers would serve"
            hint = "set those servers' weight to 0, and empty the folder"
            reading.error(codes.LD_NOT_YET, line.place, message, hint)
        elif line.name in LEFT_OUT and line.name in said.values and value not in NOTHING:
            lost, hint = LEFT_OUT[line.name]
            reading.warning(codes.LD_LEFT_OUT, line.place, f"{line.name}: {lost}", hint)


def _in_maintenance(line: Line, reading: Reading) -> bool:
    """Whether a server is in maintenance right now: it must not come back by a change of program."""
    folder = (line.value or "").strip().rstrip("/")
    try:
        return bool(_FOLDER.fullmatch(folder)) and bool(reading.files.glob(f"{folder}/*", line.place.file))
    except OSError:
        return False  # ldirectord too goes on without the folder
