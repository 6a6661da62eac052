"""`lvsctl explain`: why a real server stands as it does, and how it came there."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lvsd.control.messages import EventsReply, EventsRequest, StatusReply, StatusRequest
from lvsd.ctl.asking import asked
from lvsd.ctl.events import line
from lvsd.ctl.explaining import explained

EVENTS_SHOWN = 20


@click.command()
@click.argument("real")
@click.option("--service", default="", help="In this virtual service alone (its name or ADDRESS:PORT).")
@click.pass_obj
def explain(run_dir: Path, real: str, *, service: str) -> None:
    """Why the real server REAL (ADDRESS or ADDRESS:PORT) stands as it does, what would change it, what happened."""
    status = asked(run_dir, StatusRequest(service, books=True, real=real))
    assert isinstance(status, StatusReply)  # noqa: S101  a contract of our own
    found = [
        explained(one, row) for one in status.services for row in one.real_servers if _means(real, row.real_server)
    ]
    if not found:
        click.echo(f"lvsctl: no real server {real!r} (`lvsctl status` lists them)", err=True)
        sys.exit(1)
    click.echo("\n".join(found), nl=False)
    history = asked(run_dir, EventsRequest(0, real))
    assert isinstance(history, EventsReply)  # noqa: S101  a contract of our own
    if history.events:
        click.echo("\nWhat happened:")
    for event in history.events[-EVENTS_SHOWN:]:
        click.echo(f"  {line(event)}")


def _means(real: str, endpoint: str) -> bool:
    address = endpoint.rpartition(":")[0]
    return real in (endpoint, address, address.strip("[]"))
