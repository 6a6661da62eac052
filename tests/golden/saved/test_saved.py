"""What `ipvsadm -S` (1.31) printed on a 6.1 kernel, and the table it was printed from."""

from __future__ import annotations

from pathlib import Path

import pytest

from lvsd.ctl.save import not_saved, render_save
from netlink.table import Family, Service, ServiceKey, ServiceStatus
from tests.golden.listing.test_listings import FORMATS, MARK, at, names, service, to

FOLDER = Path(__file__).parent
DIRECT, TUNNEL = 3, 2


@pytest.mark.parametrize("numeric", [True, False], ids=("numeric", "names"))
def test_saved(numeric: bool) -> None:
    wanted = (FOLDER / f"formats-{'numeric' if numeric else 'names'}.txt").read_text()
    assert render_save(FORMATS, names({"127.0.0.1": "localhost"}), numeric=numeric) == wanted


def test_every_option_in_its_place() -> None:
    all_of_them = Service(at("192.0.2.9", 2000, 17), "sh", 0x1D, 60, 24, "sip")
    assert render_save((ServiceStatus(all_of_them),), names({}), numeric=True) == (
        "-A -u 192.0.2.9:2000 -s sh -p 60 -M 255.255.255.0 --pe sip -o -b sh-fallback,sh-port\n"
    )
    without_persistence = Service(at("192.0.2.9", 2000, 17), "rr", 0, 60, 24, "sip")
    assert render_save((ServiceStatus(without_persistence),), names({}), numeric=True) == (
        "-A -u 192.0.2.9:2000 -s rr --pe sip\n"
    )


@pytest.mark.parametrize(
    ("kind", "shown"),
    [
        ({"tunnel_type": 0, "tunnel_port": 5, "tunnel_flags": 1}, "-i -w 1 --tun-type ipip"),
        ({"tunnel_type": 1, "tunnel_port": 7, "tunnel_flags": 2}, "-i -w 1 --tun-type gue --tun-port 7 --tun-remcsum"),
        ({"tunnel_type": 1, "tunnel_port": 7, "tunnel_flags": 3}, "-i -w 1 --tun-type gue --tun-port 7"),
        ({"tunnel_type": 2, "tunnel_flags": 1}, "-i -w 1 --tun-type gre --tun-csum"),
        ({"tunnel_type": 3}, "-i -w 1"),
    ],
)
def test_tunnels(kind: dict[str, int], shown: str) -> None:
    one = ServiceStatus(service(at("192.0.2.1", 80), "rr"), (to("192.0.2.11", 80, TUNNEL, **kind),))
    assert render_save((one,), names({}), numeric=True).splitlines()[1].endswith(f"-r 192.0.2.11:80 {shown}")


@pytest.mark.parametrize(("forwarding", "shown"), [(0, "-m"), (1, "-g"), (2, "-i"), (3, "-g"), (4, "(null)")])
def test_methods(forwarding: int, shown: str) -> None:
    one = ServiceStatus(service(at("192.0.2.1", 80), "rr"), (to("192.0.2.11", 80, forwarding),))
    assert f" -r 192.0.2.11:80 {shown} -w 1" in render_save((one,), names({}), numeric=True)


def test_a_protocol_that_ipvsadm_does_not_know() -> None:
    one = ServiceStatus(service(at("192.0.2.1", 80, 47), "rr"))
    assert render_save((one,), names({}), numeric=True) == "-A --xxx-service 192.0.2.1:80 -s rr\n"
    assert not_saved((one,)) == (
        "1 entries are of a kind that ipvsadm does not take, and refused or changed by ipvsadm -R",
    )


HTTP = at("192.0.2.1", 80)


@pytest.mark.parametrize(
    ("status", "told"),
    [
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, DIRECT, lower_threshold=1),)), "thresholds"),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, DIRECT, upper_threshold=1),)), "thresholds"),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 81, TUNNEL),)), "port of their own"),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 81, 0),)), ""),
        (ServiceStatus(service(ServiceKey(Family.INET, fwmark=7), "rr"), (to("192.0.2.11", 81, DIRECT),)), ""),
        (ServiceStatus(service(ServiceKey(Family.INET, fwmark=2**31), "rr")), "firewall marks"),
        (ServiceStatus(service(ServiceKey(Family.INET, fwmark=2**31 - 1), "rr")), ""),
        (ServiceStatus(service(HTTP, "sh", 0x28)), "of a kind"),
        (ServiceStatus(service(HTTP, "rr", 0x38)), ""),
        (ServiceStatus(service(HTTP, "rr", 0x4)), "of a kind"),
        (ServiceStatus(service(at("192.0.2.1", 80, 17), "rr", 0x4)), ""),
        (ServiceStatus(service(ServiceKey(Family.INET, fwmark=7), "rr", 0x4)), ""),
        (ServiceStatus(service(at("192.0.2.1", 0), "rr")), "of a kind"),
        (ServiceStatus(service(at("192.0.2.1", 0), "rr", 0x1, 60)), ""),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, 5),)), "of a kind"),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, TUNNEL, tunnel_type=3),)), "of a kind"),
        (
            ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, TUNNEL, tunnel_type=2, tunnel_flags=2),)),
            "of a kind",
        ),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, TUNNEL, tunnel_type=1, tunnel_flags=2),)), ""),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, TUNNEL, tunnel_flags=9),)), ""),
        (ServiceStatus(service(HTTP, "rr"), (to("192.0.2.11", 80, DIRECT, tunnel_type=9),)), ""),
    ],
)
def test_what_is_lost_is_told(status: ServiceStatus, told: str) -> None:
    problems = not_saved((status, MARK))
    assert len(problems) == bool(told)
    assert told in "".join(problems)
    assert all(problem.startswith("1 ") for problem in problems)
