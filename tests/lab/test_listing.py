"""Our listing against the real `ipvsadm` on the same kernel, byte by byte, names included."""

from __future__ import annotations

import random
import socket
import subprocess
from collections.abc import Iterator

import pytest

from lvsd.ctl.listing import ListingOptions, View, render, render_daemons, render_timeouts
from lvsd.ctl.names import system_names
from netlink.ipvs_socket import IpvsSocket
from netlink.operations import AddDestination, AddService, DeleteService, Operation
from netlink.table import IRREGULAR_NETMASK, Destination, DestinationKey, Family, Service, ServiceKey
from tests.lab import lab_names

pytestmark = pytest.mark.lab
V4, V6 = Family.INET, Family.INET6
VIEW_OPTIONS = {
    View.PLAIN: (),
    View.STATS: ("--stats",),
    View.RATE: ("--rate",),
    View.THRESHOLDS: ("--thresholds",),
    View.PERSISTENT: ("--persistent-conn",),
    View.TUNNELS: ("--tun-info",),
}
RETRIES = 20


def to(address: str, port: int = 80, forwarding: int = 3, weight: int = 1, **settings: int) -> Destination:
    return Destination(DestinationKey(address, port), forwarding, weight, **settings)


def service(key: ServiceKey, scheduler: str = "rr", **settings: int) -> Service:
    whole = 32 if key.family is V4 else 128
    return Service(
        key,
        scheduler,
        flags=settings.get("flags", 0),
        timeout=settings.get("timeout", 0),
        netmask=settings.get("netmask", whole),
    )


def at(address: str, port: int, protocol: int = 6) -> ServiceKey:
    return ServiceKey(V6 if ":" in address else V4, protocol, address, port)


TUNNELS = tuple(
    to(f"192.0.2.{host}", forwarding=2, tunnel_type=kind, tunnel_port=port, tunnel_flags=flags)
    for host, (kind, port, flags) in enumerate(
        [(0, 0, 0), (0, 5, 1), (1, 6080, 0), (1, 65535, 1), (1, 1, 2), (1, 6080, 3), (2, 0, 0), (2, 0, 2), (3, 0, 0)],
        30,
    )
)
METHODS = tuple(to(f"192.0.2.{40 + method}", forwarding=method, tunnel_type=2) for method in range(8))
EVERY_KIND: tuple[tuple[Service, tuple[Destination, ...]], ...] = (
    (
        service(at("192.0.2.1", 80), "wrr"),
        (
            to("192.0.2.11", weight=2147483647, upper_threshold=4294967295, lower_threshold=100),
            to("192.0.2.12", 8080),
            to("192.0.2.13", weight=0),
            to("127.0.0.1", 65535),
            to("10.0.0.1", 47111),
            to("200.0.0.1"),
        ),
    ),
    (service(at("192.0.2.1", 81)), TUNNELS),
    (service(at("192.0.2.1", 82)), METHODS),
    (service(at("192.0.2.1", 0), "wlc", flags=1, timeout=360), (to("192.0.2.11", 0),)),
    (service(at("192.0.2.2", 443), "wlc", flags=1, timeout=300, netmask=24), (to("192.0.2.11", 443),)),
    (service(at("192.0.2.2", 444), flags=1, timeout=300, netmask=0), ()),
    (service(at("192.0.2.2", 445), flags=1, timeout=1, netmask=IRREGULAR_NETMASK + 0xFF00FF00), ()),
    (service(at("192.0.2.2", 446), netmask=24), ()),
    *((service(at("192.0.2.3", 500 + flags, 17), "sh", flags=flags), ()) for flags in (0x8, 0x10, 0x20, 0x38)),
    *((service(at("192.0.2.3", 600 + flags, 17), "mh", flags=flags), ()) for flags in (0x8, 0x10, 0x20, 0x38)),
    *((service(at("192.0.2.3", 700 + flags, 17), "rr", flags=flags), ()) for flags in (0x8, 0x10, 0x20, 0x38)),
    (service(at("192.0.2.1", 53, 17), flags=4), (to("192.0.2.11", 53), to("192.0.2.12", 514))),
    (service(at("192.0.2.1", 47111, 17), flags=0x3D, timeout=5), (to("192.0.2.11", 47111),)),
    (
        Service(at("192.0.2.1", 5060, 17), "rr", flags=1, timeout=60, persistence_engine="sip"),
        (to("192.0.2.11", 5060),),
    ),
    (Service(at("192.0.2.1", 5061, 17), "rr", flags=5, timeout=60, netmask=24, persistence_engine="sip"), ()),
    (Service(at("192.0.2.1", 5062, 17), "rr", persistence_engine="sip"), ()),
    (service(at("192.0.2.1", 3868, 132)), (to("192.0.2.11", 3868), to("192.0.2.11", 80))),
    (service(at("192.0.2.1", 80, 132), "none"), ()),
    (service(at("192.0.2.1", 80, 47)), (to("192.0.2.11", 80),)),
    (service(at("2001:db8::1", 80)), (to("2001:db8::11"), to("2001:db8::12", 443), to("2001:db8:1:2:3:4:5:6", 65535))),
    (service(at("2001:db8::1", 81)), (to("2001:db8::11"), to("192.0.2.11", forwarding=2), to("::1", forwarding=0))),
    (service(at("2001:db8:1:2:3:4:5:6", 65535), "sed", flags=1, timeout=99, netmask=64), ()),
    (service(at("2001:db8::1", 443), flags=1, timeout=99, netmask=1), ()),
    (service(ServiceKey(V4, fwmark=1)), (to("192.0.2.11", 80), to("192.0.2.12", 53), to("192.0.2.13", 0))),
    (service(ServiceKey(V6, fwmark=1), "lblcr", flags=1, timeout=120, netmask=64), (to("2001:db8::11", 0),)),
    (service(ServiceKey(V4, fwmark=0xFFFFFFFF), "sh", flags=0x18), ()),
    (service(ServiceKey(V4, fwmark=0x80000000)), ()),
)


def operations(entries: tuple[tuple[Service, tuple[Destination, ...]], ...]) -> list[Operation]:
    made: list[Operation] = []
    for one, destinations in entries:
        made.append(AddService(one))
        made += [AddDestination(one.key, destination) for destination in destinations]
    return made


@pytest.fixture
def kernel() -> Iterator[IpvsSocket]:
    with IpvsSocket() as held:
        held.apply([DeleteService(key) for key in held.read_table()])
        yield held
        held.apply([DeleteService(key) for key in held.read_table()])


@pytest.fixture(scope="module", autouse=True)
def _names() -> Iterator[None]:
    with lab_names.added():
        yield


def ipvsadm(*arguments: str) -> str:
    run = subprocess.run(["ipvsadm", *arguments], check=True, capture_output=True, text=True, timeout=120)
    return run.stdout


def ours(kernel: IpvsSocket, options: ListingOptions, key: ServiceKey | None = None) -> str:
    return render(options, kernel.info(), kernel.read_status(key), system_names())


@pytest.mark.parametrize("order", [(), ("--nosort",)], ids=("sorted", "kernel-order"))
@pytest.mark.parametrize("numeric", [True, False], ids=("numeric", "names"))
@pytest.mark.parametrize("view", View)
def test_every_kind_of_entry(kernel: IpvsSocket, view: View, numeric: bool, order: tuple[str, ...]) -> None:
    assert kernel.apply(operations(EVERY_KIND)) == ()
    wanted = ipvsadm("-Ln" if numeric else "-L", *VIEW_OPTIONS[view], *order)
    options = ListingOptions(view, numeric=numeric, kernel_order=bool(order))
    assert ours(kernel, options) == wanted
    assert len(wanted.splitlines()) > 60
    assert ("rs1.example.net:lvsd-own" in wanted) is not numeric


@pytest.mark.parametrize(
    ("key", "arguments"),
    [
        (at("192.0.2.1", 80), ("-t", "192.0.2.1:80")),
        (at("192.0.2.1", 53, 17), ("-u", "192.0.2.1:53")),
        (at("2001:db8::1", 80), ("-t", "[2001:db8::1]:80")),
        (ServiceKey(V4, fwmark=1), ("-f", "1")),
        (ServiceKey(V6, fwmark=1), ("-f", "1", "-6")),
    ],
)
def test_one_service(kernel: IpvsSocket, key: ServiceKey, arguments: tuple[str, ...]) -> None:
    kernel.apply(operations(EVERY_KIND))
    assert ours(kernel, ListingOptions(single=True), key) == ipvsadm("-L", *arguments)
    options = ListingOptions(View.STATS, numeric=True, single=True)
    assert ours(kernel, options, key) == ipvsadm("-Ln", "--stats", *arguments)


def test_an_empty_table(kernel: IpvsSocket) -> None:
    for view, arguments in VIEW_OPTIONS.items():
        assert ours(kernel, ListingOptions(view)) == ipvsadm("-L", *arguments)


@pytest.mark.parametrize("seed", range(6))
def test_the_odd_order_of_many_addresses(kernel: IpvsSocket, seed: int) -> None:
    """Wrapping subtraction is no order: only the same merge sort gives the same listing."""
    chance = random.Random(seed)  # noqa: S311 - not a secret

    def v4() -> str:
        return ".".join(str(chance.choice((1, 10, 100, 127, 128, 172, 192, 203, 223))) for _ in range(4))

    def v6() -> str:
        return ":".join(chance.choice(("2001", "db8", "8000", "7fff", "ffff", "1")) for _ in range(8)).replace(
            "ffff", "2fff", 1
        )

    services = [service(at(v4(), chance.randrange(65536), chance.choice((6, 17, 132)))) for _ in range(80)]
    services += [service(at("2" + v6()[1:], chance.randrange(65536))) for _ in range(40)]
    services += [service(ServiceKey(V4, fwmark=chance.randrange(1, 1 << 32))) for _ in range(30)]
    mixed = service(at("2001:db8::99", 80))
    many = tuple(to(v4(), chance.randrange(65536), forwarding=2) for _ in range(70)) + tuple(
        to("2" + v6()[1:], chance.randrange(65536)) for _ in range(70)
    )
    # the first word of 2001:db8:: as an IPv4 address: which of the two is first asked decides what is compared
    many += tuple(to("32.1.13.184", chance.randrange(65536), forwarding=2) for _ in range(8))
    many += tuple(to(f"2001:db8::{host}", chance.randrange(65536)) for host in range(1, 9))
    refused = kernel.apply(operations((*((one, ()) for one in services), (mixed, many))))
    assert len(refused) < 20  # the few that chance made twice
    assert ours(kernel, ListingOptions(numeric=True)) == ipvsadm("-Ln")
    assert ours(kernel, ListingOptions(numeric=True, kernel_order=True)) == ipvsadm("-Ln", "--nosort")


def test_counters_of_real_traffic(kernel: IpvsSocket) -> None:
    """The estimator may tick between the two readings: then they are taken again."""
    subprocess.run(
        ["ip", "-batch", "-"],
        input="link set lo up\naddress add 192.0.2.1/32 dev lo\n",
        text=True,
        check=True,
        timeout=30,
    )
    try:
        port = 8443
        web = service(at("192.0.2.1", 8080), "wrr", flags=1, timeout=60)
        kernel.apply([AddService(web), AddDestination(web.key, to("192.0.2.1", port, forwarding=0))])
        with socket.create_server(("192.0.2.1", port)):
            held = [socket.create_connection(("192.0.2.1", 8080), timeout=5) for _ in range(3)]
            for line in held:
                line.sendall(b"x" * 50_000)
            for view in View:
                for exact in (False, True):
                    compare_while_ticking(kernel, view, exact=exact)
            assert kernel.read_status(web.key)[0].destinations[0].active == 3
            assert kernel.read_status(web.key)[0].destinations[0].persistent == 1
            for line in held:
                line.close()
    finally:
        subprocess.run(["ip", "address", "delete", "192.0.2.1/32", "dev", "lo"], check=True, timeout=30)


def compare_while_ticking(kernel: IpvsSocket, view: View, *, exact: bool) -> None:
    options = ListingOptions(view, exact=exact)
    before = ours(kernel, options)
    for _ in range(RETRIES):
        theirs = ipvsadm("-L", *VIEW_OPTIONS[view], *(("--exact",) if exact else ()))
        after = ours(kernel, options)
        if before == after:
            assert theirs == after
            return
        before = after
    pytest.fail("the counters never stood still")


def test_timeouts_and_daemons(kernel: IpvsSocket) -> None:
    assert render_timeouts(kernel.timeouts()) == ipvsadm("-L", "--timeout")
    assert render_daemons(kernel.daemons()) == ipvsadm("-L", "--daemon") == ""
    subprocess.run(
        ["ip", "-batch", "-"],
        input="link add sync0 type dummy\nlink set sync0 up multicast on\n",
        text=True,
        check=True,
        timeout=30,
    )
    try:
        ipvsadm("--start-daemon", "backup", "--mcast-interface", "sync0", "--mcast-group", "ff05::82")
        ipvsadm("--start-daemon", "master", "--mcast-interface", "sync0", "--syncid", "7", "--mcast-port", "9000")
        assert render_daemons(kernel.daemons()) == ipvsadm("-L", "--daemon")
        ipvsadm("--stop-daemon", "master")
        ipvsadm("--stop-daemon", "backup")
    finally:
        subprocess.run(["ip", "link", "delete", "sync0"], check=True, timeout=30)
