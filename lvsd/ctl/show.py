"""`lvsctl show`: the kernel's own table, asked without the daemon."""

from __future__ import annotations

import ipaddress
import sys
from dataclasses import dataclass

import click
import msgspec

from lvsd.ctl.listing import ListingOptions, View, render, render_daemons, render_timeouts
from lvsd.ctl.names import system_names
from netlink.errors import NetlinkError
from netlink.ipvs_socket import IpvsSocket
from netlink.table import Family, ServiceKey

TCP, UDP = 6, 17
PORT_LIMIT = 65535
MARK_LIMIT = 2**32 - 1


@dataclass(frozen=True, slots=True)
class Wish:
    """What is to be shown."""

    options: ListingOptions
    service: ServiceKey | None
    what: str  # table, timeouts, daemons
    as_json: bool


class Endpoint(click.ParamType[ServiceKey]):
    """ADDRESS:PORT, an IPv6 address in brackets."""

    name = "address:port"

    def __init__(self, protocol: int) -> None:
        """A service of this protocol."""
        self._protocol = protocol

    def convert(self, value: object, param: click.Parameter | None, ctx: click.Context | None) -> ServiceKey:
        """The kernel's key. A usage error for what is none."""
        text = str(value)
        host, _, port = text.rpartition(":")
        try:
            address = ipaddress.ip_address(host.removeprefix("[").removesuffix("]"))
        except ValueError:
            self.fail(f"{text!r} is not ADDRESS:PORT (an IPv6 address stands in brackets)", param, ctx)
        if not port.isdecimal() or int(port) > PORT_LIMIT:
            self.fail(f"{port!r} is not a port", param, ctx)
        family = Family.INET6 if address.version == 6 else Family.INET  # noqa: PLR2004  the protocol's number
        return ServiceKey(family, self._protocol, str(address), int(port))


@click.command()
@click.option("-n", "--numeric", is_flag=True, help="Addresses and ports as numbers.")
@click.option("--stats", "view", flag_value="STATS", help="Counters.")
@click.option("--rate", "view", flag_value="RATE", help="Rates per second.")
@click.option("--thresholds", "view", flag_value="THRESHOLDS", help="Connection thresholds.")
@click.option("--persistent-conn", "view", flag_value="PERSISTENT", help="Persistent connections.")
@click.option("--tun-info", "view", flag_value="TUNNELS", help="Tunnels.")
@click.option("--exact", is_flag=True, help="Whole numbers, no K, M, G.")
@click.option("--sort/--nosort", "in_order", default=True, help="Sorted (the default), or as the kernel has it.")
@click.option("--timeout", "what", flag_value="timeouts", help="The connection timeouts.")
@click.option("--daemon", "what", flag_value="daemons", help="The connection sync daemons.")
@click.option("-t", "--tcp-service", "tcp", type=Endpoint(TCP), help="This service alone.")
@click.option("-u", "--udp-service", "udp", type=Endpoint(UDP), help="This service alone.")
@click.option("-f", "--fwmark-service", "mark", type=click.IntRange(1, MARK_LIMIT), help="This service alone.")
@click.option("-6", "ipv6", is_flag=True, help="With -f: the IPv6 service of that mark.")
@click.option("--json", "as_json", is_flag=True, help="For programs.")
def show(
    *,
    numeric: bool,
    view: str | None,
    exact: bool,
    in_order: bool,
    what: str | None,
    tcp: ServiceKey | None,
    udp: ServiceKey | None,
    mark: int | None,
    ipv6: bool,
    as_json: bool,
) -> None:
    """The kernel's table, byte for byte as `ipvsadm -L` prints it. Works without the daemon.

    \b
    lvsctl show           as ipvsadm -L
    lvsctl show -n        as ipvsadm -L -n
    lvsctl show -n -t 1.1.1.12:80 --stats
    """
    family = Family.INET6 if ipv6 else Family.INET
    keys = [key for key in (tcp, udp, ServiceKey(family, fwmark=mark) if mark else None) if key is not None]
    if len(keys) > 1:
        raise click.UsageError("one of -t, -u, -f")
    service = keys[0] if keys else None
    options = ListingOptions(View[view or "PLAIN"], numeric, exact, not in_order, service is not None)
    try:
        with IpvsSocket() as kernel:
            click.echo(_shown(kernel, Wish(options, service, what or "table", as_json)), nl=False)
    except NetlinkError as error:
        click.echo(f"lvsctl: {error}", err=True)
        sys.exit(1)


def _shown(kernel: IpvsSocket, wish: Wish) -> str:
    match wish.what:
        case "timeouts":
            timeouts = kernel.timeouts()
            return _json(timeouts) if wish.as_json else render_timeouts(timeouts)
        case "daemons":
            daemons = kernel.daemons()
            return _json(daemons) if wish.as_json else render_daemons(daemons)
        case _:
            statuses = kernel.read_status(wish.service)
            if wish.service is not None and not statuses:
                raise NetlinkError("No such service")
            if wish.as_json:
                return _json(statuses)
            return render(wish.options, kernel.info(), statuses, system_names())


def _json(answer: object) -> str:
    return msgspec.json.format(msgspec.json.encode(answer), indent=2).decode() + "\n"
