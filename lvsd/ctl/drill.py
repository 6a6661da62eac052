"""`lvsctl drill`: rehearse a failover, and report what clients lost."""

from __future__ import annotations

import sys
import time
from contextlib import suppress
from pathlib import Path

import click
import msgspec

from lvsd.control.messages import PortraitsReply, PortraitsRequest
from lvsd.ctl.asking import as_json, asked
from lvsd.ctl.spans import seconds
from lvsd.drill.comparison import compared
from lvsd.drill.report import COMPARED, FREEZE, GRACEFUL, KILL, REFUSED, Report, text

KEPT_MODE = 0o600


@click.command()
@click.argument("instances", nargs=-1, metavar="[INSTANCE]...")
@click.option("--how", type=click.Choice([GRACEFUL, FREEZE, KILL]), default=GRACEFUL, show_default=True)
@click.option("--dry-run", is_flag=True, help="Compare the balancers, and do no more.")
@click.option("--force", is_flag=True, help="Go on although the other balancer is not ready.")
@click.option("--keep", is_flag=True, help="Leave the addresses there; `lvsctl failover --back` fetches them.")
@click.option("--hold", type=seconds(0.1, 3600), default="3s", show_default=True, help="How long to watch it there.")
@click.option("--timeout", type=seconds(0.1, 50), default="15s", show_default=True, help="Limit of each way.")
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
def drill(
    run_dir: Path,
    instances: tuple[str, ...],
    *,
    how: str,
    dry_run: bool,
    force: bool,
    keep: bool,
    hold: float,
    timeout: float,
    yes: bool,
    state_dir: Path,
    as_object: bool,
) -> None:
    """Rehearse a failover of the named instances, or of all that are active here; run it on the active balancer.

    First both balancers are compared: configuration, table, health, sysctls, connection sync (`daemon: {peer: ...}`
    lets them look at each other). With anything that would make the failover felt it is refused. Then the addresses
    move, are watched there, and come back. The report tells, for every TCP service over IPv4, how long clients were
    without answer.

    \b
    graceful  hand over as `lvsctl failover` does
    freeze    stop our vrrp process until the other balancer has taken over (SIGSTOP; a watchdog wakes it)
    kill      kill our vrrp process (SIGKILL): it is restarted and resumes; nothing should move

    Exit status: 0 well, 1 refused or failed, 2 wrong usage.
    """
    reply = asked(run_dir, PortraitsRequest())
    assert isinstance(reply, PortraitsReply)  # noqa: S101  a contract of our own
    names = instances or tuple(one.name for one in reply.own.instances if one.role == "active")
    began = time.time()
    findings = compared(reply.own, reply.peers, names)
    report = Report(COMPARED, "", reply.own.node, began, how, names, findings, force)
    refusal = _refusal(reply, names)
    if refusal:
        report = msgspec.structs.replace(report, result=REFUSED, why=refusal)
    elif not dry_run and not force and any(one.blocks for one in findings):
        report = msgspec.structs.replace(report, result=REFUSED, why="the other balancer is not ready (--force)")
    elif not dry_run:
        from lvsd.ctl.rehearsal import Plan, rehearse  # what it needs would delay every lvsctl

        _ask_person(names, yes=yes)
        report = rehearse(Plan(run_dir, how, names, hold, timeout, keep), reply, report)
    _keep(report, state_dir)
    click.echo(as_json(report) if as_object else text(report), nl=False)
    if not report.good:
        sys.exit(1)


def _refusal(reply: PortraitsReply, names: tuple[str, ...]) -> str:
    """What makes the whole drill senseless, whatever is forced."""
    roles = {one.name: one for one in reply.own.instances}
    for name in names:
        if name not in roles:
            return f"no VRRP instance {name!r}; there are: {', '.join(roles) or 'none'}"
        if roles[name].role != "active":
            return f"{name} is not active here: run the drill on {roles[name].active_router or 'the active balancer'}"
    return "" if names else "no VRRP instance is active here: run the drill on the active balancer"


def _ask_person(names: tuple[str, ...], *, yes: bool) -> None:
    if not yes and sys.stdin.isatty():
        click.confirm(f"move {', '.join(names)} to the other balancer now?", abort=True)


def _keep(report: Report, state_dir: Path) -> None:
    """In text and JSON, named by the moment."""
    folder = state_dir / "drills"
    name = time.strftime("%Y-%m-%dT%H%M%SZ", time.gmtime(report.began))
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        for path, content in ((folder / f"{name}.json", as_json(report)), (folder / f"{name}.txt", text(report))):
            with suppress(FileExistsError):
                path.touch(KEPT_MODE, exist_ok=False)
            path.write_text(content)
    except OSError as error:
        click.echo(f"lvsctl: {folder}: {error.strerror}: the report is not kept", err=True)
