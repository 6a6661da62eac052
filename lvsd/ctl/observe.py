"""`lvsctl drill watch`: be a client on a third machine, and write what a drill's report is to be compared with."""

from __future__ import annotations

import signal
import sys
import time
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import click
import msgspec

from lvsd.ctl.observer import Observer
from lvsd.ctl.spans import seconds
from lvsd.drill.observation import Observation, within, words
from lvsd.drill.scope import Target

PORT_LIMIT = 65535


class Endpoint(click.ParamType[tuple[str, int]]):
    """`192.0.2.100:25` or `[2001:db8::100]:25`; with `port` that may be left out."""

    name = "address:port"

    def __init__(self, port: int | None = None) -> None:
        """`port`: what is meant where none is said."""
        self._port = port

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> tuple[str, int]:  # noqa: ANN401 (click's signature)
        """The address in canonical form, and the port. A usage error for anything else."""
        text = str(value)
        host, colon, port = text.rpartition(":")
        if self._port is not None and (not colon or (":" in host and not host.endswith("]"))):
            host, port = text, str(self._port)
        try:
            address = ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            self.fail(f"{text!r} is not an address and a port (192.0.2.100:25, [2001:db8::100]:25)", param, ctx)
        if not port.isascii() or not port.isdigit() or not 1 <= int(port) <= PORT_LIMIT:
            self.fail(f"{port!r} is not a port", param, ctx)
        return str(address), int(port)


class Payload(click.ParamType[bytes]):
    """Hexadecimal digits."""

    name = "hex"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> bytes:  # noqa: ANN401 (click's signature)
        """The bytes. A usage error where there are none."""
        try:
            found = bytes.fromhex(str(value))
        except ValueError:
            found = b""
        return found or self.fail(f"{value!r} is not a number of bytes in hexadecimal digits", param, ctx)


@click.command("watch")
@click.argument("services", nargs=-1, type=Endpoint(), metavar="[ADDRESS:PORT]...")
@click.option("--udp", "asked", multiple=True, type=(Endpoint(), Payload()), help="Send this, and any reply counts.")
@click.option("--seconds", "span", type=seconds(1, 86400), default="60s", show_default=True, metavar="DURATION")
@click.option("--pace", type=seconds(0.001, 10), default="10ms", show_default=True, help="From one probe to the next.")
@click.option(
    "--connections", type=click.IntRange(0, 1000), default=10, show_default=True, help="Held to each service."
)
@click.option("-o", "--output", type=click.Path(path_type=Path, dir_okay=False), help="For `lvsctl drill --merge`.")
@click.option("--json", "as_object", is_flag=True, help="For programs.")
def watch(
    services: tuple[tuple[str, int], ...],
    *,
    asked: tuple[tuple[tuple[str, int], bytes], ...],
    span: float,
    pace: float,
    connections: int,
    output: Path | None,
    as_object: bool,
) -> None:
    """Connect to virtual services over and over, hold connections to them, and tell what was seen.

    For any machine that is no balancer and has lvsd installed: it needs no daemon and no root. Start it, run the drill
    on the active balancer meanwhile, and give it the file: `lvsctl drill --merge FILE` lays what a client saw beside
    what the balancer did. Ends after the time, or at Ctrl-C.

    \b
    lvsctl drill watch 192.0.2.100:25 192.0.2.100:993 -o client.json
    lvsctl drill watch --udp 192.0.2.100:53 6c76010000010000000000000000060001    (DNS: SOA of the root)
    """
    targets = (*(Target(*one) for one in services), *(Target(*where, payload) for where, payload in asked))
    if not targets:
        text = "name what to watch: ADDRESS:PORT"
        raise click.UsageError(text)
    deadline = time.monotonic() + span
    signal.signal(signal.SIGTERM, signal.default_int_handler)
    observed = Observer(targets, pace, connections).run(lambda: time.monotonic() < deadline)
    written = msgspec.json.format(msgspec.json.encode(observed), indent=2).decode() + "\n"
    if output is not None:
        output.write_text(written)
    click.echo(written if as_object else text_of(observed), nl=False)
    if any(one.lasting or not one.gaps for one in observed.services):
        sys.exit(1)


def text_of(observed: Observation) -> str:
    """As a person reads it."""
    seen = within(observed, observed.began, observed.ended)
    head = f"{observed.node}: {observed.ended - observed.began:.0f} s, a probe every {observed.pace_milliseconds:g} ms"
    return "\n".join((head, *(f"  {words(one)}" for one in seen), ""))
