"""`lvsctl drain`, `disable`, `enable`, `weight`, `overrides`: a person's word on real servers."""

from __future__ import annotations

import sys
import time
from pathlib import Path

import click

from lvsd.control.messages import OverrideRequest, OverrideRow, OverridesReply, OverridesRequest
from lvsd.ctl import render
from lvsd.ctl.asking import as_json, asked
from lvsd.ctl.spans import seconds

LONGEST_SECONDS = 366 * 86400
WITHOUT_END = f"{LONGEST_SECONDS}s"
LOOK_SECONDS = 1.0

_service = click.option("--service", default="", help="In this virtual service alone (its name or ADDRESS:PORT).")
_for = click.option("--for", "span", type=seconds(1, LONGEST_SECONDS), help="For so long: 90s, 30m, 2h, 1d.")
_reason = click.option("--reason", default="", help="Why: shown with the status.")
_force = click.option("--force", is_flag=True, help="Also when too few real servers would be left.")
_json = click.option("--json", "as_object", is_flag=True, help="For programs.")


@click.command()
@click.argument("real")
@_service
@_for
@_reason
@_force
@click.option("--deadline", type=seconds(1, LONGEST_SECONDS), help="Take it out after so long, whatever is left of it.")
@click.option(
    "--wait",
    "patience",
    type=seconds(1, LONGEST_SECONDS),
    is_flag=False,
    flag_value=WITHOUT_END,
    help="Wait until that is over; at most so long, where that is said.",
)
@_json
@click.pass_obj
def drain(
    run_dir: Path,
    real: str,
    *,
    service: str,
    span: float | None,
    reason: str,
    force: bool,
    deadline: float | None,
    patience: float | None,
    as_object: bool,
) -> None:
    """Send no new connections to a real server (ADDRESS or ADDRESS:PORT), and take it out when its present ones ended.

    At first it has weight 0; when no connection and no persistence is left of it, or at the deadline, it leaves the
    table (under sh and mh it stays in it). It holds until `lvsctl enable`, or for the time of --for, over restarts and
    reloads. Refused when too few real servers would be left: fewer than the service's floor, or none, or less than its
    quorum where fallback servers would serve instead.
    """
    reply = _said(run_dir, OverrideRequest(real, "drain", 0, service, span, reason, force, deadline))
    if patience is not None:
        reply = _waited(run_dir, reply, patience)
    _show(reply, as_object=as_object)
    if patience is not None and (failure := _failure(reply)):
        click.echo(f"lvsctl: {failure}", err=True)
        sys.exit(1)


@click.command()
@click.argument("real")
@_service
@_for
@_reason
@_force
@_json
@click.pass_obj
def disable(
    run_dir: Path, real: str, *, service: str, span: float | None, reason: str, force: bool, as_object: bool
) -> None:
    """Take a real server (ADDRESS or ADDRESS:PORT) out at once, as if its checks failed."""
    request = OverrideRequest(real, "disable", 0, service, span, reason, force)
    _show(_said(run_dir, request), as_object=as_object)


@click.command()
@click.argument("real")
@_service
@_json
@click.pass_obj
def enable(run_dir: Path, real: str, *, service: str, as_object: bool) -> None:
    """Take back what was said of a real server: its checks and the configuration decide again."""
    _show(_said(run_dir, OverrideRequest(real, "enable", 0, service)), as_object=as_object)


@click.command()
@click.argument("real")
@click.argument("number", metavar="WEIGHT", type=click.IntRange(0, 2**31 - 1))
@_service
@_for
@_reason
@_force
@_json
@click.pass_obj
def weight(
    run_dir: Path,
    real: str,
    number: int,
    *,
    service: str,
    span: float | None,
    reason: str,
    force: bool,
    as_object: bool,
) -> None:
    """Give a real server (ADDRESS or ADDRESS:PORT) another weight while it is up."""
    request = OverrideRequest(real, "weight", number, service, span, reason, force)
    _show(_said(run_dir, request), as_object=as_object)


@click.command()
@_json
@click.pass_obj
def overrides(run_dir: Path, *, as_object: bool) -> None:
    """All that was said of real servers: by whom, until when, why, and the connections that are left."""
    _show(_all(run_dir), as_object=as_object)


def _said(run_dir: Path, request: OverrideRequest) -> OverridesReply:
    reply = asked(run_dir, request)
    assert isinstance(reply, OverridesReply)  # noqa: S101  a contract of our own
    return reply


def _all(run_dir: Path) -> OverridesReply:
    reply = asked(run_dir, OverridesRequest())
    assert isinstance(reply, OverridesReply)  # noqa: S101  a contract of our own
    return reply


def _waited(run_dir: Path, reply: OverridesReply, patience: float) -> OverridesReply:
    """Look again until all are drained, somebody else ended the draining, or the time is over."""
    meant = {(one.service, one.real_server) for one in reply.overrides}
    end = time.monotonic() + patience
    progress = ""
    while any(map(_drains, reply.overrides)) and time.monotonic() < end:
        progress = _progressed(reply, progress)
        time.sleep(min(LOOK_SECONDS, max(0.0, end - time.monotonic())))
        rows = (one for one in _all(run_dir).overrides if (one.service, one.real_server) in meant)
        reply = OverridesReply(tuple(rows))
    return reply


def _progressed(reply: OverridesReply, before: str) -> str:
    """A line on a terminal whenever the counts have changed."""
    active, inactive, persistent = (
        sum(getattr(one, name) for one in reply.overrides) for name in ("active", "inactive", "persistent")
    )
    text = f"left: {active} active, {inactive} inactive, {persistent} persistent"
    if text != before and sys.stderr.isatty():
        click.echo(text, err=True)
    return text


def _drains(one: OverrideRow) -> bool:
    return one.override is not None and one.override.kind == "drain"


def _failure(reply: OverridesReply) -> str:
    """Why the wait did not end well, empty if it did."""
    if any(map(_drains, reply.overrides)):
        return "connections are left, and it goes on draining (`lvsctl disable` ends that)"
    left = sum(one.override.connections_left for one in reply.overrides if one.override is not None)
    return f"{left} connections were left at the deadline" if left else ""


def _show(reply: OverridesReply, *, as_object: bool) -> None:
    click.echo(as_json(reply) if as_object else text(reply), nl=False)


def text(reply: OverridesReply) -> str:
    """The table a person reads."""
    if not reply.overrides:
        return "nothing was said of any real server\n"
    header = (
        "SERVICE",
        "REAL SERVER",
        "SAID",
        "WEIGHT",
        "ACTIVE",
        "INACTIVE",
        "PERSISTENT",
        "BY",
        "SINCE",
        "LEFT",
        "REASON",
    )
    rows = [header, *(_row(one) for one in reply.overrides)]
    return "\n".join(render.columns(rows, [{} for _ in rows], render.plain)) + "\n"


def _row(one: OverrideRow) -> tuple[str, ...]:
    said = one.override
    counts = str(one.active), str(one.inactive), str(one.persistent)
    held = "-" if one.weight_held is None else str(one.weight_held)
    if said is None:
        return (one.service, one.real_server, "enabled", held, *counts, "-", "-", "-", "-")
    left = "until enabled" if said.left is None else render.span(said.left)
    return (
        one.service,
        one.real_server,
        said.kind,
        held,
        *counts,
        f"uid {said.uid}",
        render.span(said.age),
        left,
        said.reason or "-",
    )
