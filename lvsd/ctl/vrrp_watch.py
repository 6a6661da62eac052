"""`lvsctl vrrp watch`: VRRP on the wire as a specialist reads it, and what is wrong with it."""

from __future__ import annotations

import json
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import click
import msgspec

from lvsd.control.messages import VrrpReply, VrrpRequest
from lvsd.ctl.client import Unanswered, ask
from lvsd.ctl.spans import seconds as duration
from lvsd.drill.seen import Complaint, Judge, Seen, line


@click.command()
@click.option("-i", "--interface", help="Listen here; on the instances' interfaces unless given.")
@click.option("--count", type=click.IntRange(1), help="End after so many messages.")
@click.option("--seconds", "limit", type=duration(0.1, 86400), metavar="DURATION", help="End after this time.")
@click.option(
    "--read", "capture", type=click.Path(path_type=Path, exists=True, dir_okay=False), help="A capture, not the wire."
)
@click.option("--json", "as_objects", is_flag=True, help="For programs: one object a line.")
@click.pass_obj
def watch(
    run_dir: Path,
    *,
    interface: str | None,
    count: int | None,
    limit: float | None,
    capture: Path | None,
    as_objects: bool,
) -> None:
    """Decode VRRP, gratuitous ARP and unsolicited neighbour advertisements, and say what is wrong with them.

    \b
    Told as wrong: two active routers, a wrong checksum or TTL, versions, intervals, authentication or addresses that
    differ between routers, the MAC of another virtual router, malformed messages. Noted: routers that leave, virtual
    routers that are not configured here, passwords (never shown).

    Needs root, but for a capture (`--read`). Ends at Ctrl-C; exit status 1 when something was wrong.
    """
    try:
        from lvsd.ctl.dissect import dissected, recorded  # half a second that no other command should wait for
    except ModuleNotFoundError:
        click.echo("lvsctl: scapy is not installed (pip install scapy)", err=True)
        sys.exit(1)
    output = Output(as_objects=as_objects)
    if capture is not None:
        from scapy.error import Scapy_Exception

        try:
            output.follow(recorded(capture), Judge(), count)
        except Scapy_Exception as error:
            click.echo(f"lvsctl: {capture}: {error}", err=True)
            sys.exit(1)
    else:
        from lvsd.ctl.taps import frames

        interfaces, known = _ours(run_dir, interface)
        deadline = time.monotonic() + limit if limit is not None else None
        try:
            caught = frames(interfaces, deadline)
            seen = (one for frame, at in caught if (one := dissected(frame, at)) is not None)
            output.follow(seen, Judge(known), count)
        except KeyboardInterrupt:
            click.echo()
        except PermissionError:
            click.echo("lvsctl: listening needs root", err=True)
            sys.exit(1)
        except OSError as error:
            click.echo(f"lvsctl: {' '.join(interfaces) or 'listening'}: {error.strerror or error}", err=True)
            sys.exit(1)
    output.summary()
    sys.exit(1 if output.wrong else 0)


def _ours(run_dir: Path, interface: str | None) -> tuple[tuple[str, ...], frozenset[int] | None]:
    """Where to listen, and which virtual routers are known; without the daemon everywhere, and any."""
    try:
        reply = ask(run_dir, VrrpRequest())
    except Unanswered:
        return ((interface,) if interface else ()), None
    rows = reply.instances if isinstance(reply, VrrpReply) else ()
    here = [row for row in rows if interface in (None, row.interface)]
    found = (interface,) if interface else tuple(dict.fromkeys(row.interface for row in rows))
    return found, frozenset(row.virtual_router_id for row in here) if here else None


@dataclass
class Output:
    """Writes what is seen, and counts."""

    as_objects: bool
    messages: int = 0
    wrong: int = 0
    kinds: dict[str, int] = field(default_factory=dict)

    def follow(self, found: Iterator[Seen], judge: Judge, count: int | None) -> None:
        """Until there is no more, or `count` have been told."""
        for seen in found:
            self._tell(seen, judge.judge(seen))
            if count is not None and self.messages >= count:
                return

    def _tell(self, seen: Seen, complaints: tuple[Complaint, ...]) -> None:
        self.messages += 1
        self.kinds[seen.kind] = self.kinds.get(seen.kind, 0) + 1
        self.wrong += sum(one.wrong for one in complaints)
        if self.as_objects:
            told = {**msgspec.to_builtins(seen), "complaints": msgspec.to_builtins(complaints)}
            click.echo(json.dumps(told))
            return
        moment = time.strftime("%H:%M:%S", time.localtime(seen.at)) + f"{seen.at % 1:.6f}"[1:]
        click.echo(f"{moment} {line(seen)}")
        for one in complaints:
            click.echo(f"    {'WRONG' if one.wrong else 'note'}: {one.text} [{one.code}]")

    def summary(self) -> None:
        """One line at the end, for people."""
        if not self.as_objects:
            kinds = ", ".join(f"{number} {kind.replace('_', ' ')}" for kind, number in sorted(self.kinds.items()))
            click.echo(f"{self.messages} messages{': ' + kinds if kinds else ''}; {self.wrong} wrong")
