"""`lvsctl probe`: probe a real server once, now, and show the conversation."""

from __future__ import annotations

import contextlib
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NoReturn

import click
import msgspec

from lvsd.control.messages import ErrorReply, Garbled, SourcesReply, SourcesRequest, StatusReply, StatusRequest
from lvsd.control.probes import LINE_LIMIT_BYTES, NOT_PROBED, Note, Order, ProbeRow, Told, UseRow, decode_told, encode
from lvsd.ctl.client import Unanswered, ask
from lvsd.ctl.command_line import AbsolutePath
from lvsd.ctl.probing import probed, standings
from lvsd.ctl.render import plain

PROBING = (sys.executable, "-I", "-m", "lvsd.runtime.probing")
NETWORK = "/proc/{}/ns/net"


@click.command()
@click.argument("real")
@click.option("--service", default="", help="In this virtual service alone (its name or ADDRESS:PORT).")
@click.option("--check", default="", help="By this type of check alone (http, imaps, mysql ...).")
@click.option(
    "-c", "--config", "files", multiple=True, type=AbsolutePath(), help="Of these files; no running lvsd is needed."
)
@click.option("--json", "as_object", is_flag=True, help="For programs: an object a line.")
@click.pass_obj
def probe(run_dir: Path, real: str, *, service: str, check: str, files: tuple[Path, ...], as_object: bool) -> None:
    """Probe the real server REAL (ADDRESS or ADDRESS:PORT) once, now, and show what is said.

    Each of its checks is run as the running configuration has it, from this machine, with the rights of a checker and
    from the source and with the mark that are configured. It counts for nothing: no real server comes or goes by it.
    Passwords are not shown, nor what is made of them. What cannot be seen (ping, syn, commands) is said to be so.

    \b
    lvsctl probe 1.1.1.17                        all checks of that server
    lvsctl probe 1.1.1.17 --service imaps        in one virtual service
    lvsctl probe 1.1.1.15:3306 --check mysql     one type of check
    lvsctl probe 1.1.1.17 -c new.yaml            as another file has it

    \b
    >  we say    <  the real server says    *  what happened    =  the result

    Exit status: 0 all passed, 1 some did not, or nothing could be probed, 2 wrong usage.
    """
    order, believed = _order(run_dir, Order(real, service, check, tuple(str(file) for file in files)))
    failed = False
    for index, told in enumerate(_told(order)):
        match told:
            case ErrorReply():
                _end(told.message, told.hint)
            case Note(text):
                click.echo(f"lvsctl: {text}", err=True)
            case ProbeRow():
                failed |= told.result not in ("ok", NOT_PROBED)
                _show(told, believed, as_object=as_object, first=index == 0)
    sys.exit(1 if failed else 0)


def _order(run_dir: Path, wanted: Order) -> tuple[Order, dict[UseRow, str]]:
    """With the files that lvsd runs on, unless others are named, and what it believes."""
    if wanted.files:
        return wanted, {}
    try:
        sources = ask(run_dir, SourcesRequest())
        status = ask(run_dir, StatusRequest(real=wanted.real))
    except Unanswered as error:
        _end(str(error), f"{error.hint}; without it: -c FILE")
    assert isinstance(sources, SourcesReply)  # noqa: S101  a contract of our own
    assert isinstance(status, StatusReply)  # noqa: S101  a contract of our own
    if not _same_network(sources.pid):
        _end("lvsd runs in another network namespace", f"nsenter --net --target {sources.pid} lvsctl probe ...")
    return msgspec.structs.replace(wanted, files=sources.files, state_dir=sources.state_dir), standings(status)


def _same_network(pid: int) -> bool:
    """Whether what we reach is what that process reaches; true where nobody can tell."""
    with contextlib.suppress(OSError):
        return Path(NETWORK.format(pid)).stat().st_ino == Path(NETWORK.format("self")).stat().st_ino
    return True


def _told(order: Order) -> Iterator[Told]:
    """What the process says that reads the configuration and has the probes run, as it says it."""
    with subprocess.Popen(PROBING, stdin=subprocess.PIPE, stdout=subprocess.PIPE) as process:
        assert process.stdin is not None  # noqa: S101  a pipe was asked for
        assert process.stdout is not None  # noqa: S101  the same
        with process.stdin:
            process.stdin.write(encode(order))
        while line := process.stdout.readline(LINE_LIMIT_BYTES):
            try:
                yield decode_told(line)
            except Garbled as error:
                yield ErrorReply(f"not understood: {error}", "report it")
                return
    if process.returncode:
        yield ErrorReply(f"the process that probes ended with status {process.returncode}", "report it")


def _show(row: ProbeRow, believed: dict[UseRow, str], *, as_object: bool, first: bool) -> None:
    if as_object:
        click.echo(msgspec.json.encode(row))
        return
    coloured = sys.stdout.isatty()
    paint = (lambda text, colour: click.style(text, fg=colour)) if coloured else plain
    click.echo(("" if first else "\n") + probed(row, believed, datetime.now(UTC), paint), nl=False)


def _end(message: str, hint: str) -> NoReturn:
    click.echo(f"lvsctl: {message}{f' ({hint})' if hint else ''}", err=True)
    sys.exit(1)
