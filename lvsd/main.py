"""The `lvsd` command: run the service, validate a configuration, convert one, print its schema."""

from __future__ import annotations

import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import click

from config.formats import LANGUAGES, OWN, with_language
from lvsd.ctl.command_line import AbsolutePath, Commands
from lvsd.runtime import first_start
from lvsd.runtime.files import SystemFiles, write_private
from lvsd.version import VERSION

if TYPE_CHECKING:
    from config.load import Loaded

# What reads a configuration is imported where it is used: `lvsd run` leaves that to the director, which it forks.


@click.group("lvsd", cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(VERSION)
def main() -> None:
    """Control plane and health checker of a layer-4 load balancer on Linux IPVS.

    \b
    lvsd check /etc/lvsd/lvsd.yaml      is the file right? every problem, with its line
    lvsd run -c /etc/lvsd/lvsd.yaml     the service, in the foreground
    lvsd convert /etc/ha.d/ldirectord.cf /etc/keepalived/keepalived.conf -o lvsd.yaml

    `lvsctl` looks at and steers a running lvsd. Exit status: 0 done, 1 refused or found wrong, 2 wrong usage.
    """


_FORMAT = click.option(
    "--format",
    "language",
    type=click.Choice(LANGUAGES),
    help="The language of the files; what stands in each tells it unless given.",
)


@main.command()
@_FORMAT
@click.option(
    "-c",
    "--config",
    "files",
    multiple=True,
    required=True,
    type=AbsolutePath(),
    help="A configuration file; several are read as one.",
)
@click.option(
    "--run-dir",
    type=AbsolutePath(file_okay=False),
    default=Path("/run/lvsd"),
    show_default=True,
    help="Sockets and the lock; one a running lvsd, so that several can run on one machine.",
)
@click.option(
    "--state-dir",
    type=AbsolutePath(file_okay=False),
    default=Path("/var/lib/lvsd"),
    show_default=True,
    help="What outlives a restart: the services that are ours, the last good configuration.",
)
def run(files: tuple[Path, ...], run_dir: Path, state_dir: Path, language: str | None) -> None:
    """Run the service in the foreground.

    The kernel's table is read first and only what differs is changed. SIGHUP reloads; SIGTERM gives the virtual
    addresses up (the peer takes over) and leaves the table as it is, unless `daemon: clear_table_on_stop` says
    otherwise.
    """
    paths = tuple(with_language(str(file), language) for file in files)
    for directory, mode in ((run_dir, 0o755), (state_dir, 0o700)):
        try:
            directory.mkdir(mode=mode, parents=True, exist_ok=True)
        except OSError as error:
            hint = " (lvsd run has to start as root)" if isinstance(error, PermissionError) else ""
            click.echo(f"lvsd: {directory}: {error.strerror}{hint}", err=True)
            sys.exit(1)
    try:
        held = first_start.lock(run_dir)
    except OSError as error:
        click.echo(f"lvsd: {run_dir}: {error.strerror} (does another lvsd run there? --run-dir)", err=True)
        sys.exit(1)
    first_start.start(held, paths, run_dir, state_dir)


@main.command()
@_FORMAT
@click.argument("files", nargs=-1, required=True, type=click.Path(path_type=Path))
def check(files: tuple[Path, ...], language: str | None) -> None:
    """Validate a configuration; several files are read as one.

    Prints every problem as `file:line:column: message (hint) [code]`; docs/errors.md explains the codes.
    Exit status 1 if there is an error.
    """
    from config.load import load

    loaded = load(_names(files, language), SystemFiles())
    if not _tell(loaded) or loaded.config is None:
        sys.exit(1)
    config = loaded.config
    reals = sum(len(virtual.real_servers) for virtual in config.services)
    counted = ((len(config.services), "service"), (reals, "real server"), (len(config.vrrp), "VRRP instance"))
    click.echo("right: " + ", ".join(f"{number} {what}{'' if number == 1 else 's'}" for number, what in counted))


@main.command()
@click.option(
    "--from",
    "language",
    type=click.Choice([one for one in LANGUAGES if one != OWN]),
    help="The language of the files; what stands in each tells it unless given.",
)
@click.option("-o", "--output", type=AbsolutePath(), help="Where to write it, mode 0600; standard output unless given.")
@click.option("--force", is_flag=True, help="Write over a file that is there.")
@click.option("--json", "as_json", is_flag=True, help="The report (on standard error) as JSON.")
@click.argument("files", nargs=-1, required=True, type=AbsolutePath())
def convert(files: tuple[Path, ...], language: str | None, output: Path | None, force: bool, as_json: bool) -> None:
    """Write the lvsd.yaml that means the same as a ldirectord.cf, a keepalived.conf or both.

    Passwords are written as they stand in the original. The report on standard error tells what was carried over, what
    means something else now and what was left behind, each with its line. With an error nothing is written, and the
    exit status is 1.
    """
    from config.convert.convert import convert as conversion
    from config.convert.report import as_lines, as_object

    if output is not None and output.exists() and not force:
        click.echo(f"lvsd: {output} is there already (--force writes over it)", err=True)
        sys.exit(1)
    converted = conversion([with_language(str(file), language) for file in files], SystemFiles())
    click.echo(json.dumps(as_object(converted)) if as_json else "\n".join(as_lines(converted)), err=True)
    if converted.text is None:
        sys.exit(1)
    if output is None:
        click.echo(converted.text, nl=False)
    else:
        _write(output, converted.text, force=force)


def _write(output: Path, text: str, *, force: bool) -> None:
    """Write a file whole or not at all; it may hold passwords."""
    try:
        write_private(output, text, replace=force)
    except OSError as error:
        click.echo(f"lvsd: {output}: {error.strerror or error}", err=True)
        sys.exit(1)


@main.command()
def schema() -> None:
    """Print the JSON Schema of lvsd.yaml, for editors."""
    from config.schema import json_schema

    click.echo(json.dumps(json_schema(), indent=2))


def _names(files: tuple[Path, ...], language: str | None) -> tuple[str, ...]:
    """The files as they were named, so that problems name them alike; absolute where a language has to be said."""
    return tuple(str(file) if language is None else with_language(str(file.absolute()), language) for file in files)


def _tell(loaded: Loaded) -> bool:
    """Every problem on standard error. Whether the configuration can be used."""
    from config.problems import Severity

    for problem in loaded.problems:
        click.echo(str(problem), err=True)
    return not any(problem.severity is Severity.ERROR for problem in loaded.problems)
