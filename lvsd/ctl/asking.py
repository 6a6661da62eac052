"""What the commands that ask the director have in common."""

from __future__ import annotations

import sys
from pathlib import Path

import click
import msgspec

from lvsd.control.messages import Reply, Request
from lvsd.ctl.client import Unanswered, ask


def asked(run_dir: Path, request: Request) -> Reply:
    """The director's reply; where there is none, a line on standard error and the end (exit status 1)."""
    try:
        return ask(run_dir, request)
    except Unanswered as error:
        hint = f" ({error.hint})" if error.hint else ""
        click.echo(f"lvsctl: {error}{hint}", err=True)
        sys.exit(1)


def as_json(message: msgspec.Struct) -> str:
    """For programs."""
    return msgspec.json.format(msgspec.json.encode(message), indent=2).decode() + "\n"
