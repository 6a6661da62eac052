"""`lvsctl show -c` against the real `ipvsadm -Lc`: any line of the kernel's file, and connections of real traffic."""

from __future__ import annotations

import ipaddress
import re
import socket
import subprocess
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lvsd.ctl.connections import render_connections
from lvsd.ctl.names import NUMERIC, system_names
from netlink.ipvs_socket import IpvsSocket
from netlink.operations import AddDestination, AddService, DeleteService
from netlink.proc_ip_vs_conn import Connections
from netlink.table import Destination, DestinationKey, Family, Service, ServiceKey
from tests.lab import farm, lab_names
from tests.lab.conftest import MakeWorld
from tests.lab.pair import PAIR, VIP
from tests.lab.waiting import wait_until
from tests.lab.world import CHECKOUT

pytestmark = pytest.mark.lab
FILE = Path("/proc/net/ip_vs_conn")
TITLES = b"Pro FromIP   FPrt ToIP     TPrt DestIP   DPrt State       Expires PEName PEData\n"
SO_MARK = 36
STATES = (
    "NONE",
    "ESTABLISHED",
    "SYN_SENT",
    "SYN_RECV",
    "FIN_WAIT",
    "TIME_WAIT",
    "CLOSE",
    "CLOSE_WAIT",
    "LAST_ACK",
    "LISTEN",
    "SYNACK",
    "ASSURED",
    "ERR!",
    "BUG!",
    "UDP",
    "INIT",
    "INIT1",
    "COOKIE_SENT",
    "COOKIE_REPLIED",
    "COOKIE_WAIT",
    "COOKIE",
    "COOKIE_ECHOED",
    "SHUTDOWN_SENT",
    "SHUTDOWN_RECEIVED",
    "SHUTDOWN_ACK_SENT",
    "REJECTED",
    "CLOSED",
)
CALL_ID = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), min_size=1, max_size=60).map(str.encode)


@pytest.fixture(scope="module", autouse=True)
def _names() -> Iterator[None]:
    with lab_names.added():
        yield


def ipvsadm(*arguments: str, file: bytes | None = None) -> bytes:
    """With a file of ours for the kernel's, if one is given; of all of /proc it reads nothing else."""
    if file is None:
        command = ["ipvsadm", *arguments]
    else:
        Path("/tmp/connections").write_bytes(file)
        mounted = "mount -t tmpfs proc /proc && mkdir /proc/net && cp /tmp/connections /proc/net/ip_vs_conn"
        command = ["unshare", "-m", "sh", "-c", f'{mounted} && exec ipvsadm "$@"', "sh", *arguments]
    return subprocess.run(command, check=True, capture_output=True, timeout=60).stdout


def ours(text: bytes, *, numeric: bool, engines: bool) -> bytes:
    connections = Connections(text.splitlines(keepends=True))
    shown = b"".join(render_connections(connections, NUMERIC if numeric else system_names(), engines=engines))
    assert connections.unreadable == 0
    return shown


def spelled(address: str) -> str:
    """As the kernel spells it there."""
    found = ipaddress.ip_address(address)
    return f"{int(found):08X}" if found.version == 4 else found.exploded


V4 = st.builds("192.0.2.{}".format, st.integers(0, 15)) | st.ip_addresses(v=4).map(str)
V6 = st.builds("2001:db8::{:x}".format, st.integers(0, 20)) | st.ip_addresses(v=6).map(str)
PORTS = st.sampled_from((0, 22, 53, 80, 443, 3868, 5060, 47111)) | st.integers(0, 65535)


@st.composite
def lines(draw: st.DrawFn) -> bytes:
    addresses = draw(st.sampled_from((V4, V6)))
    client, virtual = draw(addresses), draw(addresses)
    destination = draw(addresses if addresses is V4 else V4 | V6)
    protocol = draw(st.sampled_from(("TCP", "TCP", "UDP", "SCTP", "IP", "ESP", "AH", "ICMP")))
    places = [f"{spelled(address)} {draw(PORTS):04X}" for address in (client, virtual, destination)]
    expires = draw(st.sampled_from((0, 59, 60, 3600, 6000, 2**32 - 1)) | st.integers(0, 1_000_000))
    line = f"{protocol:<3} {' '.join(places)} {draw(st.sampled_from(STATES)):<11} {expires:7}".encode()
    return line + (b" sip " + draw(CALL_ID) if draw(st.integers(0, 3)) == 0 else b"") + b"\n"


@settings(max_examples=25)
@given(
    found=st.lists(lines(), max_size=30),
    numeric=st.booleans(),
    engines=st.booleans(),
    idle=st.sets(st.sampled_from(("--sort", "--nosort", "--exact", "--tun-info"))),
)
def test_any_connection(found: list[bytes], numeric: bool, engines: bool, idle: set[str]) -> None:
    text = TITLES + b"".join(found)
    arguments = ["-Lnc" if numeric else "-Lc", *sorted(idle), *(["--persistent-conn"] if engines else [])]
    assert ours(text, numeric=numeric, engines=engines) == ipvsadm(*arguments, file=text)


def test_a_line_that_ipvsadm_breaks_in_two_is_shown_whole() -> None:
    line = b"UDP C000020B 0000 C0000201 13C4 C0000202 13C4 NONE             59 sip " + b"y" * 255 + b"\n"
    shown = ours(TITLES + line, numeric=True, engines=True).splitlines()[-1]
    assert (
        shown
        == b"UDP 00:59  NONE        192.0.2.11:0       192.0.2.1:5060     192.0.2.2:5060   sip                "
        + (b"y" * 255)
    )


def test_a_million_connections_in_little_memory(tmp_path: Path) -> None:
    """A tenth of a million, of which a hundredth may be in memory: it does not grow with the file."""
    program = """
import re
from pathlib import Path
from lvsd.ctl.connections import render_connections
from lvsd.ctl.names import NUMERIC
from netlink.proc_ip_vs_conn import Connections
def lines():
    yield b"Pro"
    for client in range(100_000):
        yield b"TCP %08X 8000 C0000201 0050 C0000202 0050 ESTABLISHED 900" % client
def most():  # of this program: getrusage(2) begins with what its parent had, and that may be more
    return int(re.search(r"VmHWM:\\s*(\\d+) kB", Path("/proc/self/status").read_text())[1])
before = most()
count = sum(1 for _ in render_connections(Connections(lines()), NUMERIC, engines=True))
print(count, most() - before)
"""
    run = subprocess.run(
        [f"{CHECKOUT}/.venv/bin/python", "-c", program],
        check=True,
        capture_output=True,
        text=True,
        timeout=120,
        cwd=tmp_path,
    )
    count, kilobytes = map(int, run.stdout.split())
    assert count == 100_002
    assert kilobytes < 8_000


def at(address: str, port: int, protocol: int = 6) -> ServiceKey:
    return ServiceKey(Family.INET6 if ":" in address else Family.INET, protocol, address, port)


SERVED = {  # persistent, to servers of this machine
    at("192.0.2.1", 80): (Service(at("192.0.2.1", 80), "rr", 1, 60, 24), "192.0.2.1"),
    at("192.0.2.1", 81): (Service(at("192.0.2.1", 81), "rr"), "192.0.2.1"),
    at("2001:db8::1", 80): (Service(at("2001:db8::1", 80), "rr", 1, 60, 64), "2001:db8::1"),
    at("192.0.2.1", 5060, 17): (
        Service(at("192.0.2.1", 5060, 17), "rr", 1, 60, persistence_engine="sip"),
        "192.0.2.1",
    ),
    ServiceKey(Family.INET, fwmark=7): (Service(ServiceKey(Family.INET, fwmark=7), "rr", 1, 60, 16), "192.0.2.1"),
    ServiceKey(Family.INET6, fwmark=7): (Service(ServiceKey(Family.INET6, fwmark=7), "rr", 1, 60, 48), "2001:db8::1"),
}
PORT = 8080
SIP = b"OPTIONS sip:a@b SIP/2.0\r\nVia: SIP/2.0/UDP c;branch=z9hG4bK1\r\nCall-ID: f81d4fae-7dec@client.example\r\n\r\n"


@pytest.fixture
def busy() -> Iterator[None]:
    """Connections of every kind to servers of this machine, held open."""
    ip("link set lo up\naddress replace 192.0.2.1/32 dev lo\naddress replace 2001:db8::1/128 dev lo nodad\n")
    with IpvsSocket() as kernel, ExitStack() as held:
        kernel.apply([DeleteService(key) for key in kernel.read_table()])
        for key, (service, address) in SERVED.items():
            to = Destination(DestinationKey(address, PORT), 0, 1)
            assert kernel.apply([AddService(service), AddDestination(key, to)]) == ()
        for address in ("192.0.2.1", "2001:db8::1"):
            family = socket.AF_INET6 if ":" in address else socket.AF_INET
            held.enter_context(socket.create_server((address, PORT), family=family))
        for address, port, mark in (
            ("192.0.2.1", 80, 0),
            ("192.0.2.1", 81, 0),
            ("192.0.2.1", PORT, 7),
            ("2001:db8::1", 80, 0),
            ("2001:db8::1", PORT, 7),
        ):
            held.enter_context(connection(address, port, mark))
        caller = held.enter_context(socket.socket(socket.AF_INET, socket.SOCK_DGRAM))
        caller.sendto(SIP, ("192.0.2.1", 5060))
        yield
    forget_connections()
    ip("address delete 192.0.2.1/32 dev lo\naddress delete 2001:db8::1/128 dev lo\n")


def forget_connections() -> None:
    """For the tests that follow: the kernel forgets those whose server is gone, if told so before it goes."""
    told = Path("/proc/sys/net/ipv4/vs/expire_nodest_conn")
    before = told.read_text()
    told.write_text("1")
    with IpvsSocket() as kernel:
        kernel.apply([DeleteService(key) for key in kernel.read_table()])
    wait_until(lambda: len(FILE.read_bytes().splitlines()) == 1, 20, "no connections")
    told.write_text(before)


def ip(batch: str) -> None:
    subprocess.run(["ip", "-batch", "-"], input=batch, text=True, check=True, timeout=30)


def connection(address: str, port: int, mark: int) -> socket.socket:
    made = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET)
    made.settimeout(10)
    if mark:
        made.setsockopt(socket.SOL_SOCKET, SO_MARK, mark)
    made.connect((address, port))
    return made


@pytest.mark.usefixtures("busy")
@pytest.mark.parametrize("engines", [True, False])
@pytest.mark.parametrize("numeric", [True, False])
def test_connections_of_every_kind(numeric: bool, engines: bool) -> None:
    arguments = ("-Lnc" if numeric else "-Lc", *(("--persistent-conn",) if engines else ()))
    text = FILE.read_bytes()
    theirs = ipvsadm(*arguments, file=text)  # the same text: in the kernel's own the timers tick on
    assert ours(text, numeric=numeric, engines=engines) == theirs
    assert len(theirs.splitlines()) == 2 + 6 + 5, theirs.decode()  # titles; connections; templates
    assert (b"f81d4fae-7dec@client.example" in theirs) is engines
    if numeric:
        assert {b"0.0.0.7:0", b"[0:7::]:0", b"[2001:db8::]:0"} <= set(theirs.split())
    else:
        assert b"vip.example.net:http" in theirs


EXPIRES = re.compile(r" (\d\d):(\d\d) ")  # of a connection: it is less by a second with every second


def left(shown: str) -> list[int]:
    """Seconds that the connections have left, in the order of their lines."""
    return [60 * int(minutes) + int(seconds) for minutes, seconds in EXPIRES.findall(shown)]


def test_direct_routing_through_a_balancer(make_world: MakeWorld) -> None:
    """The two programs as an administrator runs them, with the counters of what went through."""
    world = make_world(PAIR)
    lb1 = world["lb1"]
    with ExitStack() as held:
        for name in ("rs1", "rs2"):
            held.enter_context(farm.Server(world[name], 80, farm.silent))
        lb1.run(["ip", "address", "add", f"{VIP}/32", "dev", "lo"])
        for rule in (
            f"-A -t {VIP}:80 -s rr -p 120 -M 255.255.255.255",
            f"-a -t {VIP}:80 -r 192.0.2.11:80 -g",
            f"-a -t {VIP}:80 -r 192.0.2.12:80 -g -w 3",
        ):
            lb1.run(["ipvsadm", *rule.split()])
        lb1.run(["sysctl", "-q", "net.ipv4.vs.conntrack=0"])
        for _ in range(4):
            line = held.enter_context(world["client"].call(lambda: socket.create_connection((VIP, 80), 10)))
            line.sendall(b"x" * 1000)
        wait_until(lambda: lb1.run(["ipvsadm", "-Lnc"]).stdout.count("ESTABLISHED") == 4, 10, "four connections")
        for ours_words, theirs_words in (
            ("-nc", "-Lnc"),
            ("-c --persistent-conn", "-Lc --persistent-conn"),
            ("-n --stats --exact", "-Ln --stats --exact"),
            ("-n --rate", "-Ln --rate"),
            ("--persistent-conn", "-L --persistent-conn"),
            (f"-t {VIP}:http", f"-L -t {VIP}:http"),
        ):
            theirs = f"ipvsadm {theirs_words}"
            script = f"{theirs}; echo; {CHECKOUT}/.venv/bin/lvsctl show {ours_words}; echo; {theirs}"

            def of_one_moment(script: str = script) -> list[str]:
                """Theirs, ours, and theirs again, unless a counter changed meanwhile: a rate does for a minute."""
                told = [one.rstrip("\n") for one in lb1.run(["sh", "-c", script]).stdout.split("\n\n")]
                return told if EXPIRES.sub("", told[0]) == EXPIRES.sub("", told[2]) else []

            first, shown, last = wait_until(of_one_moment, 60, f"the same twice: {theirs_words}")
            assert EXPIRES.sub(" mm:ss ", shown) == EXPIRES.sub(" mm:ss ", first)
            for ends, said, began in zip(left(last), left(shown), left(first), strict=True):
                assert ends <= said <= began
