"""The processes of lvsd as a person reads of them. Pure."""

from __future__ import annotations

from lvsd.control.messages import ProcessRow, StatusReply
from lvsd.ctl.render import Paint, columns, plain, span


def processes(reply: StatusReply, paint: Paint = plain) -> str:
    """A line for each: what it is called, its process id, since when it is there or gone, how many probes it runs."""
    rows = [("PROCESS", "PID", "STANDING", "SINCE", "PROBES"), *(_row(one) for one in reply.processes)]
    colours = [{}, *({2: "green" if one.connected else "red"} for one in reply.processes)]
    return "\n".join(columns(rows, colours, paint)) + "\n"


def _row(one: ProcessRow) -> tuple[str, str, str, str, str]:
    probes = "-" if one.probes is None else str(one.probes)
    standing = "connected" if one.connected else "gone"
    older = f", of lvsd {one.outdated}" if one.outdated else ""
    return one.name, str(one.pid), standing + older, span(one.age), probes
