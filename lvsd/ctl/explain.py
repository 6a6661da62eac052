"""`lvsctl explain`: why a real server stands as it does, and how it came there."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from lvsd.control.messages import EventsReply, EventsRequest, ServiceRow, StatusReply, StatusRequest
from lvsd.ctl.asking import asked
from lvsd.ctl.events import line
from lvsd.ctl.explaining import explained

EVENTS_SHOWN = 20


@click.command()
@click.argument("real")
@click.option("--service", default="", help="In this virtual service alone (its name or ADDRESS:PORT).")
@click.option("--json", "as_object", is_flag=True, help="For programs: the facts.")
@click.pass_obj
def explain(run_dir: Path, real: str, *, service: str, as_object: bool) -> None:
    """Why the real server REAL (ADDRESS or ADDRESS:PORT) stands as it does, what would change it, what happened."""
    status = asked(run_dir, StatusRequest(service, books=True, real=real))
    assert isinstance(status, StatusReply)  # noqa: S101  a contract of our own
    found = [kept for one in status.services if (kept := _of(one, real)).real_servers]
    if not found:
        click.echo(f"lvsctl: no real server {real!r} (`lvsctl status` lists them)", err=True)
        sys.exit(1)
    history = asked(run_dir, EventsRequest(0, real))
    assert isinstance(history, EventsReply)  # noqa: S101  a contract of our own
    events = history.events[-EVENTS_SHOWN:]
    if as_object:
        click.echo(msgspec.json.encode({"services": found, "events": events}).decode())
        return
    click.echo("\n".join(explained(one, row) for one in found for row in one.real_servers), nl=False)
    if events:
        click.echo("\nWhat happened:")
    for event in events:
        click.echo(f"  {line(event)}")


def _of(service: ServiceRow, real: str) -> ServiceRow:
    """The service with those of its real servers that are meant."""
    rows = tuple(row for row in service.real_servers if _means(real, row.real_server))
    return msgspec.structs.replace(service, real_servers=rows)


def _means(real: str, endpoint: str) -> bool:
    address = endpoint.rpartition(":")[0]
    return real in (endpoint, address, address.strip("[]"))
