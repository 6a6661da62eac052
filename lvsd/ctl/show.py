"""`lvsctl show`: the kernel's own table, asked without the daemon."""

from __future__ import annotations

import errno
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

import click
import msgspec

from lvsd.ctl.connections import render_connections
from lvsd.ctl.listing import ListingOptions, View, render, render_daemons, render_timeouts
from lvsd.ctl.names import NUMERIC, UnknownNameError, mark, service_key, system_names
from lvsd.ctl.save import not_saved, render_save
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket
from netlink.proc_ip_vs_conn import LINE_LIMIT, Connection, Connections
from netlink.table import Family, ServiceKey

TCP, UDP, SCTP = 6, 17, 132

_CONNECTIONS_FILE = Path("/proc/net/ip_vs_conn")
_READ_AHEAD = 65536
_SERVICE = "a service"
_VIEWS = {  # in the order in which ipvsadm lets one win over another
    "--stats": View.STATS,
    "--rate": View.RATE,
    "--thresholds": View.THRESHOLDS,
    "--persistent-conn": View.PERSISTENT,
    "--tun-info": View.TUNNELS,
}
_WHOLE = ("--connections", _SERVICE, "--timeout", "--daemon")
_NUMBERS = ("--stats", "--rate", "--thresholds")
_CONFLICTS = (
    ("--connections", _NUMBERS),
    ("--timeout", (*_NUMBERS, "--persistent-conn")),
    ("--daemon", (*_NUMBERS, "--persistent-conn")),
    ("--save", (*_WHOLE, *_VIEWS, "--exact", "--nosort", "--json")),
)


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown."""

    chosen: frozenset[str]  # the options, by their long names; and _SERVICE
    service: ServiceKey | None

    @property
    def options(self) -> ListingOptions:
        """How a table is to be listed."""
        return ListingOptions(
            view=next((view for option, view in _VIEWS.items() if option in self.chosen), View.PLAIN),
            numeric="--numeric" in self.chosen,
            exact="--exact" in self.chosen,
            kernel_order="--nosort" in self.chosen,
            single=self.service is not None,
        )


def conflict(chosen: frozenset[str]) -> str | None:
    """What ipvsadm refuses to show together, as an error for people; None if it shows it."""
    whole = [option for option in _WHOLE if option in chosen]
    if len(whole) > 1:
        return f"{whole[0]} and {whole[1]} cannot be shown together"
    for option, others in _CONFLICTS:
        found = next((other for other in others if option in chosen and other in chosen), None)
        if found is not None:
            return f"{option} does not go with {found}"
    return None


def _once(_context: click.Context, parameter: click.Parameter, count: int) -> bool:
    if count > 1:
        raise click.UsageError(f"{parameter.opts[-1]} is given {count} times")
    return count == 1


def _flag(*names: str, text: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """An option that may be given once, as ipvsadm has it."""
    return click.option(*names, count=True, callback=_once, help=text)


class _Endpoint(click.ParamType[ServiceKey]):
    name = "host[:port]"

    def __init__(self, protocol: int) -> None:
        """A service of this protocol."""
        self._protocol = protocol

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ServiceKey:
        """The kernel's key. A usage error for what is none."""
        try:
            return service_key(str(value), self._protocol)
        except UnknownNameError as error:
            self.fail(str(error), param, ctx)


class _Mark(click.ParamType[int]):
    name = "mark"

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> int:
        """A usage error for what is none."""
        try:
            return mark(str(value))
        except UnknownNameError as error:
            self.fail(str(error), param, ctx)


_ONE = "This service alone."


@click.command()
@_flag("-n", "--numeric", text="Addresses and ports as numbers.")
@_flag(
    "connections",
    "-c",
    "--connection",
    "--connections",
    text="The connections; with --persistent-conn also engines' data.",
)
@_flag("--stats", text="Counters.")
@_flag("--rate", text="Rates per second.")
@_flag("--thresholds", text="Connection thresholds.")
@_flag("--persistent-conn", text="Persistent connections.")
@_flag("--tun-info", text="Tunnels.")
@_flag("--exact", text="Whole numbers, no K, M, G.")
@click.option("--sort", is_flag=True, help="Sorted, which is the default.")
@_flag("--nosort", text="As the kernel has it.")
@_flag("--timeout", text="The connection timeouts.")
@_flag("--daemon", text="The connection sync daemons.")
@_flag("-S", "--save", text="The table as `ipvsadm -S` prints it, for `ipvsadm -R`.")
@click.option("-t", "--tcp-service", "tcp", type=_Endpoint(TCP), multiple=True, help=_ONE)
@click.option("-u", "--udp-service", "udp", type=_Endpoint(UDP), multiple=True, help=_ONE)
@click.option("--sctp-service", "sctp", type=_Endpoint(SCTP), multiple=True, help=_ONE)
@click.option("-f", "--fwmark-service", "marks", type=_Mark(), multiple=True, help=_ONE)
@click.option("-6", "--ipv6", is_flag=True, help="With -f: the IPv6 service of that mark.")
@click.option("--json", is_flag=True, help="For programs.")
def show(
    *,
    tcp: tuple[ServiceKey, ...],
    udp: tuple[ServiceKey, ...],
    sctp: tuple[ServiceKey, ...],
    marks: tuple[int, ...],
    ipv6: bool,
    **flags: bool,
) -> None:
    """The kernel's table, byte for byte as `ipvsadm -L` prints it. Works without the daemon.

    \b
    lvsctl show             as ipvsadm -L
    lvsctl show -nc         as ipvsadm -Lnc
    lvsctl show -n --save   as ipvsadm -Sn
    lvsctl show -t lb0.example.net:http --stats

    Options that ipvsadm refuses to take together are refused.
    """
    if ipv6 and not marks:
        raise click.UsageError("-6 goes with -f")
    family = Family.INET6 if ipv6 else Family.INET
    keys = [*tcp, *udp, *sctp, *(ServiceKey(family, fwmark=number) for number in marks)]
    if len(keys) > 1:
        raise click.UsageError("one service at a time: one of -t, -u, --sctp-service, -f")
    chosen = frozenset(f"--{name.replace('_', '-')}" for name, given in flags.items() if given)
    if keys:
        chosen |= {_SERVICE}
    refused = conflict(chosen)
    if refused is not None:
        raise click.UsageError(refused)
    _run(Wish(chosen, keys[0] if keys else None))


def _run(wish: Wish) -> None:
    try:
        if "--connections" in wish.chosen:
            _show_connections(wish)
        else:
            with IpvsSocket() as kernel:
                _write([_shown(kernel, wish).encode()])
    except NetlinkError as error:
        _give_up(str(error))


def _shown(kernel: IpvsSocket, wish: Wish) -> str:
    as_json = "--json" in wish.chosen
    if "--timeout" in wish.chosen:
        timeouts = kernel.timeouts()
        return _json(timeouts) if as_json else render_timeouts(timeouts)
    if "--daemon" in wish.chosen:
        daemons = kernel.daemons()
        return _json(daemons) if as_json else render_daemons(daemons)
    statuses = kernel.read_status(wish.service)
    if wish.service is not None and not statuses:
        click.echo("No such service", err=True)  # ipvsadm's words, for who looks for them
        sys.exit(1)
    if "--save" in wish.chosen:
        for problem in not_saved(statuses):
            click.echo(f"lvsctl: not saved whole: {problem}", err=True)
        return render_save(statuses, system_names(), numeric=wish.options.numeric)
    return _json(statuses) if as_json else render(wish.options, kernel.info(), statuses, system_names())


def _show_connections(wish: Wish) -> None:
    connections = Connections(_connection_lines())
    if "--json" in wish.chosen:
        _write(_json_rows(connections))
    else:
        names = NUMERIC if "--numeric" in wish.chosen else system_names()
        _write(render_connections(connections, names, engines="--persistent-conn" in wish.chosen))
    if connections.unreadable:
        _give_up(f"{_CONNECTIONS_FILE}: {connections.unreadable} lines do not read like connections, and are left out")


def _connection_lines() -> Iterator[bytes]:
    """The file a line at a time: a million connections are a hundred megabytes."""
    try:
        with _CONNECTIONS_FILE.open("rb", buffering=_READ_AHEAD) as file:
            while line := file.readline(LINE_LIMIT + 1):
                yield line
    except OSError as error:
        message = f"{_CONNECTIONS_FILE} cannot be read: {error.strerror}"
        hint = "load the module: modprobe ip_vs" if error.errno == errno.ENOENT else ""
        raise NetlinkError(message, errno=error.errno or 0, hint=hint) from error


def _json(answer: object) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"


def _json_rows(connections: Iterable[Connection]) -> Iterator[bytes]:
    """An array with a connection a line, never whole in memory."""
    lead = b"[\n  "
    for connection in connections:
        yield lead + msgspec.json.encode(connection)
        lead = b",\n  "
    yield b"[]\n" if lead.startswith(b"[") else b"\n]\n"


def _write(parts: Iterable[bytes]) -> None:
    """To standard output, flushed. OSError if nobody takes it; the group of commands ends then, in one line."""
    out = sys.stdout.buffer
    for part in parts:
        out.write(part)
    out.flush()


def _give_up(message: str) -> None:
    click.echo(f"lvsctl: {message}", err=True)
    sys.exit(1)
