"""`lvsctl events`: what happened lately, and what happens now."""

from __future__ import annotations

import time
from datetime import datetime
from pathlib import Path

import click
import msgspec

from lvsd.control.messages import EventRow, EventsReply, EventsRequest
from lvsd.ctl.asking import asked

LOOK_SECONDS = 1.0
_COLOURS = {"warning": "yellow", "error": "red"}


@click.command()
@click.argument("real", default="")
@click.option("-f", "--follow", is_flag=True, help="Go on with what happens, until Ctrl-C.")
@click.option("-n", "--number", type=click.IntRange(0), default=50, show_default=True, help="How many of the past.")
@click.option("--json", "as_object", is_flag=True, help="For programs: an object a line.")
@click.pass_obj
def events(run_dir: Path, real: str, *, follow: bool, number: int, as_object: bool) -> None:
    """What the director decided and learnt lately: of all, or of the real server REAL (ADDRESS or ADDRESS:PORT).

    It remembers the last 2000 events since its process began; the log has all of them.
    """
    reply = _after(run_dir, 0, real)
    _print(reply.events[-number:] if number else (), as_object=as_object)
    if real and not reply.events:
        click.echo(f"lvsctl: nothing is remembered of {real!r} (`lvsctl status` lists the real servers)", err=True)
    try:
        while follow:
            time.sleep(LOOK_SECONDS)
            reply = _after(run_dir, reply.last, real)
            _print(reply.events, as_object=as_object)
    except KeyboardInterrupt:
        click.echo()


def _after(run_dir: Path, number: int, real: str) -> EventsReply:
    reply = asked(run_dir, EventsRequest(number, real))
    assert isinstance(reply, EventsReply)  # noqa: S101  a contract of our own
    return reply


def _print(rows: tuple[EventRow, ...], *, as_object: bool) -> None:
    for row in rows:
        if as_object:
            click.echo(msgspec.json.encode(row).decode())
        else:
            click.secho(line(row), fg=_COLOURS.get(row.level))


def line(row: EventRow) -> str:
    """One event as a person reads it: local time, event, its facts."""
    at = datetime.fromtimestamp(row.at).astimezone().strftime("%Y-%m-%d %H:%M:%S")
    facts = " ".join(f"{name}={_word(value)}" for name, value in row.fields.items())
    return f"{at} {row.event} {facts}".rstrip()


def _word(value: str | float) -> str:
    text = str(value)
    return text if text and text.isprintable() and " " not in text else repr(text)
