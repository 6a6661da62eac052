"""The `lvsctl` command: what the balancer holds, how its real servers fare, what would change."""

from __future__ import annotations

import sys
import time
from collections.abc import Callable
from pathlib import Path

import click

from lvsd.control.messages import (
    ChangeReply,
    PlanRequest,
    ReloadRequest,
    Reply,
    StatusReply,
    StatusRequest,
    VrrpReply,
    VrrpRequest,
)
from lvsd.ctl import render
from lvsd.ctl.asking import as_json, asked
from lvsd.ctl.command_line import AbsolutePath, Commands
from lvsd.ctl.drill import drill
from lvsd.ctl.events import events
from lvsd.ctl.explain import explain
from lvsd.ctl.failover import failover
from lvsd.ctl.override import disable, drain, enable, overrides, weight
from lvsd.ctl.probe import probe
from lvsd.ctl.processes import processes
from lvsd.ctl.show import show
from lvsd.ctl.vrrp_watch import watch as vrrp_watch

WATCH_SECONDS = 1.0


@click.group("lvsctl", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.option(
    "--run-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/run/lvsd"),
    show_default=True,
    help="The run directory of the lvsd to talk to.",
)
@click.pass_context
def main(context: click.Context, run_dir: Path) -> None:
    """Look at and steer lvsd, the load balancer's control plane.

    \b
    lvsctl show -n          the kernel's table, as `ipvsadm -Ln` prints it
    lvsctl status           health of every real server, and why
    lvsctl vrrp             who holds the virtual addresses
    lvsctl plan             what a reload would change
    lvsctl reload           read the configuration again
    lvsctl failover         hand the virtual addresses over
    lvsctl drill            rehearse a failover
    lvsctl drain REAL       send it no new connections (disable, enable, weight, overrides)
    lvsctl explain REAL     why it stands as it does, what would change it, what happened
    lvsctl probe REAL       probe it now, and show the conversation
    lvsctl events           what happened lately; -f: and what happens now

    Exit status: 0 done, 1 refused or found wrong, 2 wrong usage.
    """
    context.obj = run_dir


main.add_command(show)
main.add_command(failover)
main.add_command(drill)
for _command in (drain, disable, enable, weight, overrides, events, explain, probe):
    main.add_command(_command)

_json = click.option("--json", "as_object", is_flag=True, help="For programs.")


@main.command()
@click.argument("service", default="")
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@click.option("--processes", "of_processes", is_flag=True, help="Show the processes of lvsd instead.")
@_json
@click.pass_obj
def status(run_dir: Path, service: str, *, watch: bool, of_processes: bool, as_object: bool) -> None:
    """Health: each real server, its standing, since when, its last result, weight held and wanted.

    SERVICE is a virtual service's name or its ADDRESS:PORT; all when left out. Where real servers have several checks,
    the worst is shown; with SERVICE all of them. With --json also the books of every check: failures by reason, and how
    long the parts of its probes took.

    \b
    Standing: serving   in the table with its weight
              quiesced  in the table at weight 0: present connections live on
              standby   its priority group is not needed: at weight 0, where the scheduler lets it
              out       not in the table
              unknown   not yet probed, or its checks cannot tell: as the kernel had it
              spare     a fallback server that is not needed
    """

    def once() -> str:
        reply = asked(run_dir, StatusRequest(service, books=as_object))
        assert isinstance(reply, StatusReply)  # noqa: S101  a contract of our own
        if as_object:
            return as_json(reply)
        if of_processes:
            return processes(reply, _paint())
        return render.status(reply, _paint(), every_check=bool(service))

    _show(once, watch=watch)


@main.group(invoke_without_command=True)
@click.option("--watch", is_flag=True, help="Show it again every second, until Ctrl-C.")
@_json
@click.pass_context
def vrrp(context: click.Context, *, watch: bool, as_object: bool) -> None:
    """VRRP instances: role, priority, the active router, the last transition and its cause.

    `lvsctl vrrp watch` decodes what is on the wire.
    """
    if context.invoked_subcommand is not None:
        return
    run_dir: Path = context.obj

    def once() -> str:
        reply = asked(run_dir, VrrpRequest())
        assert isinstance(reply, VrrpReply)  # noqa: S101  a contract of our own
        return as_json(reply) if as_object else render.vrrp(reply, _paint())

    _show(once, watch=watch)


vrrp.add_command(vrrp_watch)


@main.command()
@_json
@click.pass_obj
def reload(run_dir: Path, *, as_object: bool) -> None:
    """Read the configuration files again and take them over.

    A wrong configuration is refused with every problem listed, and the running one stays whole (exit status 1).
    """
    _change(asked(run_dir, ReloadRequest()), as_object=as_object, done=True)


@main.command()
@click.option("-c", "--config", "files", multiple=True, type=AbsolutePath(), help="These files, not the running ones.")
@_json
@click.pass_obj
def plan(run_dir: Path, files: tuple[Path, ...], *, as_object: bool) -> None:
    """What a reload would change, as a person reads it and as operations. Nothing is done."""
    request = PlanRequest(tuple(str(file) for file in files))
    _change(asked(run_dir, request), as_object=as_object, done=False)


def _change(reply: Reply, *, as_object: bool, done: bool) -> None:
    assert isinstance(reply, ChangeReply)  # noqa: S101  a contract of our own
    for problem in reply.problems:
        click.echo(problem, err=True)
    if as_object:
        click.echo(as_json(reply), nl=False)
    elif reply.accepted:
        click.echo(render.change(reply, done=done), nl=False)
    else:
        click.echo("refused: the running configuration stays as it is", err=True)
    if not reply.accepted or reply.refusals:
        sys.exit(1)


def _show(once: Callable[[], str], *, watch: bool) -> None:
    if not watch:
        click.echo(once(), nl=False)
        return
    try:
        while True:
            text = once()
            click.clear()  # does nothing where there is no terminal
            click.echo(text, nl=False)
            time.sleep(WATCH_SECONDS)
    except KeyboardInterrupt:
        click.echo()


def _paint() -> render.Paint:
    coloured = sys.stdout.isatty()
    return (lambda text, colour: click.style(text, fg=colour)) if coloured else render.plain
