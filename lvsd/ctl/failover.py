"""`lvsctl failover`: hand virtual addresses over to the other balancer, or let this one have them back."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from lvsd.control.messages import FailoverReply, FailoverRequest
from lvsd.ctl.asking import as_json, asked
from lvsd.ctl.spans import seconds
from lvsd.drill.report import row_text

TIMEOUT_SECONDS = 10.0


@click.command()
@click.argument("instances", nargs=-1, metavar="[INSTANCE]...")
@click.option("--back", is_flag=True, help="Let this balancer take the addresses again, where it would preempt.")
@click.option(
    "--timeout", type=seconds(0.1, 50), default="10s", show_default=True, help="How long to wait for the outcome."
)
@click.option("--json", "as_object", is_flag=True, help="For programs.")
@click.pass_obj
def failover(run_dir: Path, instances: tuple[str, ...], *, back: bool, timeout: float, as_object: bool) -> None:
    """Hand VRRP instances over in good order: the named ones, or all that are active here.

    Waits until another router serves, and tells which and after how many milliseconds. An instance that was handed
    over does not preempt until `--back`; should the other router die, it takes over all the same. When no other router
    takes over, this one does so again by itself, after the active-down interval (exit status 1). Instances of a sync
    group go together.
    """
    reply = asked(run_dir, FailoverRequest(instances, back, timeout))
    assert isinstance(reply, FailoverReply)  # noqa: S101  a contract of our own
    if as_object:
        click.echo(as_json(reply), nl=False)
    else:
        for row in reply.instances:
            click.echo(row_text(row))
    if not reply.done:
        hint = "is it configured to preempt?" if back else "does a standby run? `lvsctl vrrp`"
        click.echo(f"lvsctl: not all went as asked ({hint})", err=True)
        sys.exit(1)
