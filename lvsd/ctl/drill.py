"""`lvsctl drill`: rehearse a failover, and report what clients lost."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import click
import msgspec

from lvsd.control.messages import PortraitsReply, PortraitsRequest
from lvsd.ctl.asking import as_json, asked
from lvsd.ctl.drill_files import Unfit, merged
from lvsd.ctl.drill_files import keep as keep_report
from lvsd.ctl.observe import Endpoint, watch
from lvsd.ctl.spans import seconds
from lvsd.drill.comparison import compared
from lvsd.drill.report import COMPARED, FREEZE, GRACEFUL, KILL, REFUSED, Report, text
from lvsd.drill.scope import stray, together

PEER_PORT = 8853
HINT = (
    'to let balancers look at each other: `daemon: {peer: {listen: "OWN:8853", peers: ["OTHER:8853"], '
    "secret: {file: peer.secret}}}` on both"
)


class Drill(click.Command):
    """`lvsctl drill [INSTANCE]...`, and `lvsctl drill watch`, which is a command of its own."""

    def make_context(
        self,
        info_name: str | None,
        args: list[str],
        parent: click.Context | None = None,
        **extra: Any,  # noqa: ANN401 (click's signature)
    ) -> click.Context:
        """As click's."""
        if args[:1] == ["watch"]:
            return watch.make_context("drill watch", args[1:], parent=parent, **extra)
        return super().make_context(info_name, args, parent=parent, **extra)


@click.command(cls=Drill)
@click.argument("instances", nargs=-1, metavar="[INSTANCE]...")
@click.option("--how", type=click.Choice([GRACEFUL, FREEZE, KILL]), default=GRACEFUL, show_default=True)
@click.option("--freeze", "how", flag_value=FREEZE, help="--how freeze")
@click.option("--kill", "how", flag_value=KILL, help="--how kill")
@click.option("--dry-run", is_flag=True, help="Compare the balancers, and do no more.")
@click.option("--force", is_flag=True, help="Go on although the other balancer is not ready.")
@click.option("--keep", is_flag=True, help="Leave the addresses there; `lvsctl failover --back` fetches them.")
@click.option("--hold", type=seconds(0.1, 3600), default="3s", show_default=True, help="How long to watch it there.")
@click.option("--timeout", type=seconds(0.1, 50), default="15s", show_default=True, help="Limit of each way.")
@click.option(
    "--peer",
    "peers",
    multiple=True,
    type=Endpoint(PEER_PORT),
    metavar="ADDRESS[:PORT]",
    help=f"Compare with this balancer, not with those configured; port {PEER_PORT} unless said.",
)
@click.option(
    "--watch",
    "further",
    multiple=True,
    type=Endpoint(),
    metavar="ADDRESS:PORT",
    help="Watch this over TCP beside the services: where a firewall mark decides.",
)
@click.option(
    "--merge",
    "files",
    multiple=True,
    type=click.Path(path_type=Path, exists=True, dir_okay=False),
    help="Drill no more: lay what `lvsctl drill watch -o FILE` saw beside the report of that drill.",
)
@click.option("--yes", is_flag=True, help="Do not ask.")
@click.option(
    "--state-dir",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("/var/lib/lvsd"),
    show_default=True,
    help="Reports are kept below it, in drills/.",
)
@click.option("--json", "as_object", is_flag=True, help="For programs.")
@click.pass_obj
def drill(run_dir: Path, /, *, files: tuple[Path, ...], state_dir: Path, as_object: bool, **asked_for: Any) -> None:  # noqa: ANN401 (of _drilled)
    """Rehearse a failover of the named instances, or of all that are active here; run it on the active balancer.

    First both balancers are compared: configuration, table, health, sysctls, connection sync (`daemon: {peer: ...}`
    lets them look at each other). With anything that would make the failover felt it is refused. Then the addresses
    move, are watched there, and come back. The report tells, for every service over TCP and those over UDP whose check
    asks for a reply, how long clients were without answer. `lvsctl drill watch` on a third machine is such a client.

    \b
    graceful  hand over as `lvsctl failover` does
    freeze    stop our vrrp process until the other balancer has taken over (SIGSTOP; a watchdog wakes it)
    kill      kill our vrrp process (SIGKILL): it is restarted and resumes; nothing should move

    Exit status: 0 well, 1 refused or failed, 2 wrong usage.
    """
    report = _merged(files, state_dir) if files else _drilled(run_dir, **asked_for)
    try:
        keep_report(report, state_dir)
    except OSError as error:
        click.echo(f"lvsctl: {state_dir}/drills: {error.strerror}: the report is not kept", err=True)
    click.echo(as_json(report) if as_object else text(report), nl=False)
    if not report.good:
        sys.exit(1)


def _merged(files: tuple[Path, ...], state_dir: Path) -> Report:
    try:
        return merged(files, state_dir)
    except Unfit as error:
        click.echo(f"lvsctl: {error}", err=True)
        sys.exit(1)


def _drilled(
    run_dir: Path,
    *,
    instances: tuple[str, ...],
    how: str,
    dry_run: bool,
    force: bool,
    keep: bool,
    hold: float,
    timeout: float,
    peers: tuple[tuple[str, int], ...],
    further: tuple[tuple[str, int], ...],
    yes: bool,
) -> Report:
    """Compare, and go on where nothing forbids it."""
    reply = asked(run_dir, PortraitsRequest(peers))
    assert isinstance(reply, PortraitsReply)  # noqa: S101  a contract of our own
    active = tuple(one.name for one in reply.own.instances if one.role == "active")
    names = together(reply.own, instances) if instances else active
    findings = compared(reply.own, reply.peers, names)
    if any(one.code == "peer_not_configured" for one in findings):
        click.echo(f"lvsctl: {HINT}; `--peer ADDRESS` where only `peers` is missing", err=True)
    report = Report(COMPARED, "", reply.own.node, time.time(), how, names, findings, force)
    refusal = _refusal(reply, names, further)
    if refusal:
        return msgspec.structs.replace(report, result=REFUSED, why=refusal)
    if dry_run:
        return report
    if not force and any(one.blocks for one in findings):
        return msgspec.structs.replace(report, result=REFUSED, why="the other balancer is not ready (--force)")
    from lvsd.ctl.rehearsal import Plan, rehearse  # what it needs would delay every lvsctl

    _ask_person(names, yes=yes)
    done = rehearse(Plan(run_dir, how, names, hold, timeout, keep, further, peers), reply, report)
    return msgspec.structs.replace(done, ended=time.time())


def _refusal(reply: PortraitsReply, names: tuple[str, ...], further: tuple[tuple[str, int], ...]) -> str:
    """What makes the whole drill senseless, whatever is forced."""
    roles = {one.name: one for one in reply.own.instances}
    for name in names:
        if name not in roles:
            return f"no VRRP instance {name!r}; there are: {', '.join(roles) or 'none'}"
        if roles[name].role != "active":
            return f"{name} is not active here: run the drill on {roles[name].active_router or 'the active balancer'}"
    if not names:
        return "no VRRP instance is active here: run the drill on the active balancer"
    lost = stray(further, [roles[name] for name in names])
    return f"{lost} does not move with {', '.join(names)}: it is not watched" if lost else ""


def _ask_person(names: tuple[str, ...], *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        click.confirm(f"move {', '.join(names)} to the other balancer now?", abort=True)
