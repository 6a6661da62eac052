"""What `lvsctl show` takes together, and what may name a service. ipvsadm's answers were recorded in the lab."""

from __future__ import annotations

import socket
from itertools import combinations

import pytest
from click.testing import CliRunner

from lvsd.ctl import names, show
from lvsd.ctl.show import conflict
from netlink.table import Family, ServiceKey

SERVICE = "a service"
OPTIONS = (
    *("--numeric", "--connections", SERVICE, "--timeout", "--daemon", "--stats", "--rate", "--thresholds"),
    *("--persistent-conn", "--tun-info", "--exact", "--nosort", "--sort"),
)
# what `ipvsadm -L` refuses, measured over all sets of up to three options: none but these, and what holds one of these
REFUSED = {
    frozenset(pair.split(" + "))
    for pair in """\
--connections + a service
--connections + --timeout
--connections + --daemon
--connections + --stats
--connections + --rate
--connections + --thresholds
a service + --timeout
a service + --daemon
--timeout + --daemon
--timeout + --stats
--timeout + --rate
--timeout + --thresholds
--timeout + --persistent-conn
--daemon + --stats
--daemon + --rate
--daemon + --thresholds
--daemon + --persistent-conn""".splitlines()
}
WITH_SAVE = {"--numeric", "--sort"}


def test_together_as_ipvsadm() -> None:
    for count in range(4):
        for chosen in map(frozenset, combinations(OPTIONS, count)):
            assert (conflict(chosen) is not None) is any(refused <= chosen for refused in REFUSED), chosen


@pytest.mark.parametrize("option", [*OPTIONS, "--json"])
def test_with_save(option: str) -> None:
    assert (conflict(frozenset(("--save", option))) is None) is (option in WITH_SAVE)


def test_a_conflict_names_both() -> None:
    assert conflict(frozenset(("--timeout", "--rate"))) == "--timeout does not go with --rate"
    assert conflict(frozenset(("--daemon", "--timeout"))) == "--timeout and --daemon cannot be shown together"


@pytest.mark.parametrize(
    "arguments",
    [
        ("-n", "-n"),
        ("-cc",),
        ("--stats", "--stats"),
        ("--save", "--save"),
        ("-t", "192.0.2.1:80", "-t", "192.0.2.1:80"),
        ("-t", "192.0.2.1:80", "--sctp-service", "192.0.2.1:80"),
        ("-t", "192.0.2.1:80", "-f", "1"),
        ("-6",),
        ("-6", "-t", "192.0.2.1:80"),
        ("-f", "0"),
        ("-t", "[192.0.2.1]:80"),
        ("--timeout", "--rate"),
        ("unexpected",),
    ],
)
def test_wrong_usage(arguments: tuple[str, ...]) -> None:
    done = CliRunner().invoke(show.show, arguments)
    assert (done.exit_code, done.stdout) == (2, "")
    assert "Error: " in done.stderr


ADDRESSES = {"vip": "192.0.2.1", "": "0.0.0.0"}  # an empty name has an address, says Python
PORTS = {("http", "tcp"): 80, ("domain", "udp"): 53}


@pytest.fixture(autouse=True)
def _resolver(monkeypatch: pytest.MonkeyPatch) -> None:
    def host(name: str) -> str:
        if name not in ADDRESSES:
            raise socket.gaierror
        return ADDRESSES[name]

    def port(name: str, protocol: str) -> int:
        if (name, protocol) not in PORTS:
            raise OSError
        return PORTS[name, protocol]

    monkeypatch.setattr(socket, "gethostbyname", host)
    monkeypatch.setattr(socket, "getservbyname", port)


@pytest.mark.parametrize(
    ("text", "address", "port"),
    [
        ("192.0.2.1:80", "192.0.2.1", 80),
        ("192.0.2.1", "192.0.2.1", 0),
        ("vip:http", "192.0.2.1", 80),
        ("vip", "192.0.2.1", 0),
        ("192.0.2.1:0080", "192.0.2.1", 80),
        ("192.0.2.1: +80", "192.0.2.1", 80),
        ("192.0.2.1:65535", "192.0.2.1", 65535),
        ("192.0.513:80", "192.0.2.1", 80),
        ("0:80", "0.0.0.0", 80),
        ("[2001:DB8:0::1]:http", "2001:db8::1", 80),
        ("2001:db8::1", "2001:db8::1", 0),
        ("2001:db8::1:80", "2001:db8::1:80", 0),
    ],
)
def test_services(text: str, address: str, port: int) -> None:
    family = Family.INET6 if ":" in address else Family.INET
    assert names.service_key(text, 6) == ServiceKey(family, 6, address, port)


@pytest.mark.parametrize(
    "text",
    [
        *("", ":", ":80", "80", "vip:", "vip:https", "vip:domain", "other:80", "192.0.2.1:65536", "192.0.2.1:-1"),
        *("192.0.2.1:0x50", "192.0.2.1:8_0", "192.0.2.1:\u0665", "192.0.2.1:80 ", "192.0.2.256:80", "192.0.2.1:80:80"),
        *("[2001:db8::1]", "[2001:db8::1]:", "[2001:db8::1]80", "[2001:db8::1%lo]:80", "[vip]:80", "[:80", "[]:80"),
        *("192.0.2.1:" + "9" * 5000, "\udcff:80", "h" * 300 + ":80"),
    ],
)
def test_no_services(text: str) -> None:
    with pytest.raises(names.UnknownNameError):
        names.service_key(text, 6)


@pytest.mark.parametrize(("text", "number"), [("1", 1), ("007", 7), (" +7", 7), ("4294967295", 2**32 - 1)])
def test_marks(text: str, number: int) -> None:
    assert names.mark(text) == number


@pytest.mark.parametrize("text", ["", "0", "-1", "0x7", "7 ", "7_0", "a", "4294967296", "9" * 5000, "\u0667"])
def test_no_marks(text: str) -> None:
    with pytest.raises(names.UnknownNameError):
        names.mark(text)
