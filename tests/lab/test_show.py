"""`lvsctl show` against the real ipvsadm: what it takes, what it refuses, what it saves, over generated tables."""

from __future__ import annotations

import subprocess
from collections.abc import Iterator, Sequence
from itertools import combinations_with_replacement

import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st
from msgspec.structs import replace

from lvsd.ctl.listing import ListingOptions, View, render
from lvsd.ctl.names import system_names
from lvsd.ctl.save import not_saved, render_save
from lvsd.ctl.show import show
from netlink.ipvs_socket import IpvsSocket
from netlink.operations import AddDestination, AddService, DeleteService, Operation
from netlink.table import (
    IRREGULAR_NETMASK,
    Destination,
    DestinationKey,
    Entry,
    Family,
    Service,
    ServiceKey,
    Table,
)
from tests.lab import lab_names
from tests.lab.test_listing import EVERY_KIND, VIEW_OPTIONS, at, operations, service, to

pytestmark = pytest.mark.lab
V4, V6 = Family.INET, Family.INET6
SCHEDULERS = ("rr", "wrr", "lc", "wlc", "lblc", "lblcr", "dh", "sh", "sed", "nq", "fo", "ovf", "mh", "none")
FLAGS = st.sets(st.sampled_from((0x1, 0x4, 0x8, 0x10, 0x20))).map(sum)
PORTS = st.sampled_from((0, 1, 22, 53, 80, 443, 3868, 5060, 47111, 65535)) | st.integers(0, 65535)
WEIGHTS = st.sampled_from((0, 1, 100, 2**31 - 1)) | st.integers(0, 2**31 - 1)
LIMITS = st.sampled_from((0, 0, 0, 1, 2**32 - 1)) | st.integers(0, 2**32 - 1)
TUNNELS = st.sampled_from(
    ((0, 0, 0), (0, 9, 1), (1, 6080, 0), (1, 1, 1), (1, 65535, 2), (2, 0, 0), (2, 0, 1), (2, 0, 2))
)


@pytest.fixture(scope="module", autouse=True)
def _names() -> Iterator[None]:
    with lab_names.added():
        yield


@pytest.fixture
def kernel() -> Iterator[IpvsSocket]:
    with IpvsSocket() as held:
        clear(held)
        yield held
        clear(held)


def clear(kernel: IpvsSocket) -> None:
    kernel.apply([DeleteService(key) for key in kernel.read_table()])


def ipvsadm(*arguments: str, given: str = "") -> subprocess.CompletedProcess[str]:
    return subprocess.run(["ipvsadm", *arguments], capture_output=True, text=True, timeout=60, input=given, check=False)


def lvsctl(*arguments: str) -> tuple[int, str]:
    done = CliRunner().invoke(show, arguments)
    assert done.exception is None or isinstance(done.exception, SystemExit), done.exception
    return done.exit_code, done.stdout


def addresses(family: Family) -> st.SearchStrategy[str]:
    """Those that have names, those beside each other, and any."""
    if family is V4:
        near = st.builds("192.0.2.{}".format, st.integers(0, 16))
        return near | st.sampled_from(("0.0.0.0", "127.0.0.1", "10.0.0.1")) | st.ip_addresses(v=4).map(str)
    near = st.builds("2001:db8::{:x}".format, st.integers(0, 0x20))
    return near | st.sampled_from(("::1", "2001:db8:1:2:3:4:5:6")) | st.ip_addresses(v=6).map(str)


@st.composite
def keys(draw: st.DrawFn) -> ServiceKey:
    family = draw(st.sampled_from(Family))
    if draw(st.integers(0, 3)) == 0:
        return ServiceKey(
            family, fwmark=draw(st.sampled_from((1, 2**31 - 1, 2**31, 2**32 - 1)) | st.integers(1, 2**32 - 1))
        )
    return ServiceKey(family, draw(st.sampled_from((6, 17, 132, 47))), draw(addresses(family)), draw(PORTS))


@st.composite
def services(draw: st.DrawFn) -> Service:
    key = draw(keys())
    masks = st.integers(0, 32) | st.just(IRREGULAR_NETMASK + 0xFF00FF00) if key.family is V4 else st.integers(1, 128)
    flags = draw(FLAGS)
    return Service(
        key,
        draw(st.sampled_from(SCHEDULERS)),
        flags,
        timeout=draw(st.sampled_from((1, 300, 2**31 // 1000))) if flags & 1 else 0,
        netmask=draw(masks | st.just(32 if key.family is V4 else 128)),
        persistence_engine=draw(st.sampled_from(("", "", "sip"))),
    )


@st.composite
def destinations(draw: st.DrawFn, key: ServiceKey) -> Destination:
    forwarding = draw(st.sampled_from((0, 1, 2, 2, 2, 3, 3)))
    family = draw(st.sampled_from(Family)) if forwarding == 2 else key.family
    port = draw(st.just(key.port) | PORTS)
    kind, tunnel_port, flags = draw(TUNNELS)
    return Destination(
        DestinationKey(draw(addresses(family)), port),
        forwarding,
        draw(WEIGHTS),
        draw(LIMITS),
        draw(LIMITS),
        kind,
        tunnel_port,
        flags,
    )


@st.composite
def tables(draw: st.DrawFn) -> list[Operation]:
    made: list[Operation] = []
    for one in draw(st.lists(services(), min_size=1, max_size=14)):
        made.append(AddService(one))
        made += [AddDestination(one.key, found) for found in draw(st.lists(destinations(one.key), max_size=6))]
    return made


VIEWS = st.builds(
    ListingOptions, st.sampled_from(View), numeric=st.booleans(), exact=st.booleans(), kernel_order=st.booleans()
)


def words(options: ListingOptions) -> Sequence[str]:
    flags = {"-n": options.numeric, "--exact": options.exact, "--nosort": options.kernel_order}
    return ("-L", *VIEW_OPTIONS[options.view], *(flag for flag, given in flags.items() if given))


@settings(max_examples=40)
@given(made=tables(), options=VIEWS)
def test_any_table_is_listed_saved_and_given_back(made: list[Operation], options: ListingOptions) -> None:
    with IpvsSocket() as kernel:
        clear(kernel)
        kernel.apply(made)  # the kernel refuses some, which is its own affair
        statuses = kernel.read_status()
        assert render(options, kernel.info(), statuses, system_names()) == ipvsadm(*words(options)).stdout
        saved = render_save(statuses, system_names(), numeric=True)
        assert saved == ipvsadm("-S", "-n").stdout
        assert render_save(statuses, system_names(), numeric=False) == ipvsadm("-S").stdout
        before = plain(kernel.read_table())
        clear(kernel)
        back = ipvsadm("-R", given=saved)
        same = back.returncode == 0 and plain(kernel.read_table()) == before
        assert same is (not_saved(statuses) == ()), (saved, back.stderr, not_saved(statuses))
        clear(kernel)


def plain(table: Table) -> dict[ServiceKey, Entry]:
    """Without what has no effect: tunnel settings of what is no tunnel, the netmask of what is not persistent."""
    return {
        key: Entry(
            entry.service if entry.service.flags & 1 else replace(entry.service, netmask=0, timeout=0),
            {found.key: without_idle(found) for found in entry.destinations.values()},
        )
        for key, entry in table.items()
    }


def without_idle(found: Destination) -> Destination:
    forwarding = 3 if found.forwarding == 1 else found.forwarding  # what is local is so, whatever it is called
    if forwarding != 2 or found.tunnel_type == 0:
        return replace(found, forwarding=forwarding, tunnel_type=0, tunnel_port=0, tunnel_flags=0)
    return replace(found, tunnel_port=found.tunnel_port if found.tunnel_type == 1 else 0)


def test_save_of_every_kind(kernel: IpvsSocket) -> None:
    crashes = to("192.0.2.35", forwarding=2, tunnel_type=1, tunnel_port=6080, tunnel_flags=3)
    kinds = tuple((one, tuple(found for found in many if found != crashes)) for one, many in EVERY_KIND)
    assert kernel.apply(operations(kinds)) == ()
    for arguments in (("-S",), ("-S", "-n"), ("-S", "--sort", "-n")):
        wanted = ipvsadm(*arguments)
        assert lvsctl("--save", *arguments[1:]) == (0, wanted.stdout)
    kernel.apply([AddDestination(at("192.0.2.1", 81), crashes)])
    assert ipvsadm("-Sn").returncode == -11
    assert "-r 192.0.2.35:80 -i -w 1 --tun-type gue --tun-port 6080\n" in lvsctl("-Sn")[1]


def test_a_table_saved_with_names_comes_back(kernel: IpvsSocket) -> None:
    kept = (
        (service(at("192.0.2.1", 80), "wrr"), (to("192.0.2.11"), to("192.0.2.13", forwarding=0))),
        (service(at("192.0.2.1", 47111, 17), "sh", flags=0x1D, timeout=60, netmask=24), (to("192.0.2.11", 47111),)),
        (service(at("192.0.2.1", 3868, 132)), ()),
        (service(ServiceKey(V6, fwmark=9)), ()),
    )
    assert kernel.apply(operations(kept)) == ()
    before = kernel.read_table()
    status, saved = lvsctl("--save")
    assert (status, "rs1.example.net:http" in saved) == (0, True)
    clear(kernel)
    assert ipvsadm("-R", given=saved).returncode == 0
    assert kernel.read_table() == before


def test_what_cannot_be_saved_is_told(kernel: IpvsSocket) -> None:
    limited = to("192.0.2.11", upper_threshold=10)
    kernel.apply(operations(((service(at("192.0.2.1", 80)), (limited,)),)))
    done = CliRunner().invoke(show, ["--save", "-n"])
    assert done.stdout == ipvsadm("-Sn").stdout
    assert done.stderr == (
        "lvsctl: not saved whole: 1 real servers have thresholds, for which the format has no words\n"
    )


OPTIONS = {
    "-n": ("-n",),
    "-c": ("-c",),
    "-t": ("-t", "192.0.2.1:80"),
    "-f": ("-f", "1"),
    "-6": ("-f", "1", "-6"),
    "--timeout": ("--timeout",),
    "--daemon": ("--daemon",),
    "--stats": ("--stats",),
    "--rate": ("--rate",),
    "--thresholds": ("--thresholds",),
    "--persistent-conn": ("--persistent-conn",),
    "--tun-info": ("--tun-info",),
    "--exact": ("--exact",),
    "--nosort": ("--nosort",),
    "--sort": ("--sort",),
}


def test_options_together(kernel: IpvsSocket) -> None:
    """All pairs, and each twice. Of three together nothing else is refused (tests/unit/ctl)."""
    kernel.apply(operations(EVERY_KIND[:1]))
    for one, other in combinations_with_replacement(OPTIONS.values(), 2):
        compare("-L", *one, *other)


def test_options_with_save(kernel: IpvsSocket) -> None:
    kernel.apply(operations(EVERY_KIND[:1]))
    for option in OPTIONS.values():
        compare("-S", "-n", *option)


def compare(command: str, *arguments: str) -> None:
    theirs = ipvsadm(command, *arguments)
    ours = lvsctl(*(("--save",) if command == "-S" else ()), *arguments)
    assert ours == (theirs.returncode, theirs.stdout), arguments


SPECIFIED = [
    "192.0.2.1:80",
    "192.0.2.1:http",
    "vip:http",
    "vip.example.net:http",
    "VIP:http",
    "192.0.2.1:HTTP",
    "192.0.2.1",
    "192.0.2.1:",
    "192.0.2.1:0",
    "192.0.2.1:0x50",
    "192.0.2.1:0120",
    "192.0.2.1:+80",
    "192.0.2.1:80x",
    "192.0.2.1:65536",
    "192.0.2.1:-1",
    "192.0.2.1:65616",
    "192.0.2.1:0000000080",
    "vip6.example.net:http",
    "vip6:80",
    "[vip6.example.net]:80",
    "[2001:db8::1]:80",
    "[2001:db8::1]:http",
    "[2001:db8::1]",
    "[2001:db8::1]:",
    "[2001:db8::1]80",
    "[2001:db8::1]x:80",
    "2001:db8::1:80",
    "2001:db8::1",
    "[2001:0DB8:0::1]:80",
    "rs1:80",
    "nosuch:80",
    "192.0.2.1:nosuch",
    ":80",
    "80",
    ":",
    "[::ffff:192.0.2.1]:80",
    "192.0.513:80",
    "3221225985:80",
    "0xC0000201:80",
    "0300.0.2.1:80",
    "192.0.2.1.:80",
    "1.2.3:80",
    "0:80",
    "[:80",
    "[]:80",
    "192.0.2.1:80:80",
    "192.0.2.1:domain",
    "192.0.2.1:65535",
    "192.0.2.256:80",
    "192.0.2.1:47111",
    "192.0.2.1:lvsd-own",
    "vip:lvsd-own",
    "vip:lvsd-diameter",
    "192.0.2.1:3868",
    "192.0.2.2:0",
    "192.0.2.2",
    "192.0.2.1:99999999999999999999",
]
SPECIFIED += [
    "",
    " ",
    "192.0.2.1: 80",
    " 192.0.2.1:80",
    "192.0.2.1:80 ",
    "192.0.2.1 :80",
    "a" * 300 + ":80",
    "\udcff:80",
]
MARKS = (
    "1",
    "0",
    "-1",
    "0x1",
    "001",
    " 1",
    "+1",
    "1 ",
    "1x",
    "",
    "4294967295",
    "4294967296",
    "9" * 30,
    "a",
    "1.0",
    "1_0",
)


@pytest.mark.parametrize("option", ["-t", "-u", "--sctp-service"])
def test_a_service_is_named_as_for_ipvsadm(kernel: IpvsSocket, option: str) -> None:
    kernel.apply(operations(EVERY_KIND))
    kernel.apply([AddService(service(at("192.0.2.2", 0), flags=1, timeout=9))])
    found = set()
    for text in SPECIFIED:
        theirs = ipvsadm("-Ln", option, text)
        assert lvsctl("-n", option, text) == (theirs.returncode, theirs.stdout), text
        found.add(theirs.returncode)
    assert found == {0, 1, 2}


def test_a_mark_is_given_as_to_ipvsadm(kernel: IpvsSocket) -> None:
    kernel.apply(operations(EVERY_KIND))
    for text in MARKS:
        theirs = ipvsadm("-Ln", "-f", text)
        assert lvsctl("-n", "-f", text) == (theirs.returncode, theirs.stdout), text


def test_a_missing_service_is_told_in_ipvsadms_words(kernel: IpvsSocket) -> None:
    del kernel
    theirs = ipvsadm("-L", "-t", "192.0.2.1:80")
    done = CliRunner().invoke(show, ["-t", "192.0.2.1:80"])
    assert (done.exit_code, done.stdout, done.stderr) == (theirs.returncode, theirs.stdout, theirs.stderr)
    assert done.stderr == "No such service\n"


def test_ipv6_marks_need_a_mark() -> None:
    assert lvsctl("-6")[0] == ipvsadm("-L", "-6").returncode == 2
    assert lvsctl("-t", "192.0.2.1:80", "-6")[0] == ipvsadm("-L", "-t", "192.0.2.1:80", "-6").returncode == 2
