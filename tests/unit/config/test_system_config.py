"""The daemon's and the kernel's settings, from lvsd.yaml and from files in other languages."""

from __future__ import annotations

import pytest

from config.build_system import build_daemon, build_ipvs
from config.model import ConnectionSync, Daemon, Ipvs, Timeouts
from config.nodes import At, Place
from config.parts import Part
from config.reading import Reading
from config.sections import Fields
from config.words import SyncRole
from tests.unit.config.files_in_memory import FilesInMemory, assert_told_at_the_marks, codes_of, good

WEB = "services: {web: {virtual: '1.1.1.12:80', real_servers: [1.1.1.15]}}\n"
LB0 = "vrrp: {lb0: {interface: eth0, virtual_router_id: 1, version: 2, addresses: [1.1.1.12]}}\n"
LB1 = "vrrp: {lb1: {interface: eth1, virtual_router_id: 2, version: 2, addresses: [1.1.1.13]}}\n"


def test_the_daemon() -> None:
    assert good(WEB).daemon == Daemon()
    written = (
        "daemon: {autoreload: true, on_config_change: [/bin/x, y], maintenance_directory: m, command_user: hook}\n"
    )
    assert good(WEB + written).daemon == Daemon(
        autoreload=True, on_config_change=("/bin/x", "y"), maintenance_directory="m", command_user="hook"
    )


def test_workers() -> None:
    found = good(WEB + "daemon: {workers: 4, probes_per_host: 8}\n").daemon
    assert found == Daemon(workers=4, probes_per_host=8)
    assert good(WEB + "daemon: {workers: auto}\n").daemon.workers == 0
    assert_told_at_the_marks(WEB + "daemon: {workers: →65, probes_per_host: →0}\n", "CFG015 CFG015")
    assert_told_at_the_marks(WEB + "daemon: {workers: →many}\n", "CFG013")


def test_what_becomes_of_connections() -> None:
    written = "expire_nodest_conn: true, expire_quiescent_template: false, conn_reuse_mode: 0, sloppy_tcp: true"
    assert good(WEB + f"ipvs: {{{written}}}\n").ipvs == Ipvs(
        expire_nodest_conn=True, expire_quiescent_template=False, conn_reuse_mode=0, sloppy_tcp=True
    )
    assert_told_at_the_marks(WEB + "ipvs: {conn_reuse_mode: →4, sloppy_tcp: →1}\n", "CFG015 CFG013")


def test_the_kernels_settings() -> None:
    assert good(WEB).ipvs == Ipvs()
    assert good(WEB + "ipvs: {timeouts: {tcp: 1h, tcp_fin: 2m}}\n").ipvs == Ipvs(Timeouts(3600, 120, 0))
    assert good(WEB + LB0 + "ipvs: {sync: {interface: eth1}}\n").ipvs.sync == ConnectionSync(
        "eth1", SyncRole.FOLLOW, "lb0"
    )
    written = "{interface: eth1, role: both, id: 3, max_length: 1400, group: 224.0.0.82, port: 8849, ttl: 2}"
    assert good(WEB + f"ipvs: {{sync: {written}}}\n").ipvs.sync == ConnectionSync(
        "eth1", SyncRole.BOTH, "", 3, 1400, "224.0.0.82", 8849, 2
    )


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ("timeouts: {tcp: →0}", "CFG015"),
        ("timeouts: {tcp: →2147484}", "CFG015"),
        ("timeouts: {udp: →1.5}", "CFG015"),
        ("sync: →{role: both}", "CFG012"),
        ("sync: →{interface: eth1}", "CFG053"),
        ("sync: {interface: eth1, →instance: lb0}", "CFG053"),
        ("sync: {interface: eth1, role: both, →instance: lb0}", "CFG034"),
        ("sync: {interface: eth1, role: →all}", "CFG016"),
        ("sync: {interface: eth1, role: both, id: →256}", "CFG015"),
        ("sync: {interface: eth1, role: both, group: →1.1.1.1}", "CFG050"),
        ("sync: {interface: eth1, role: both, group: →x}", "CFG017"),
        ("→sink: {interface: eth1, role: both}", "CFG010"),
    ],
)
def test_rules(written: str, expected: str) -> None:
    assert_told_at_the_marks(WEB + f"ipvs: {{{written}}}\n", expected)


def test_of_two_instances_one_has_to_be_named() -> None:
    several = LB0.rstrip("}\n") + "}, " + LB1.removeprefix("vrrp: {")
    assert codes_of(WEB + several + "ipvs: {sync: {interface: eth1}}\n") == ["3:14 CFG053"]
    assert good(WEB + several + "ipvs: {sync: {interface: eth1, instance: lb1}}\n").ipvs.sync is not None
    assert codes_of(WEB + several + "ipvs: {sync: {interface: eth1, instance: lb2}}\n") == ["3:32 CFG053"]


@pytest.mark.parametrize(
    "place", ["real_servers: ['2001:db8::15']", "real_servers: [1.1.1.15], fallback: '2001:db8::15'"]
)
def test_no_connection_sync_beside_real_servers_of_another_family(place: str) -> None:
    crossed = f"services: {{web: {{virtual: '1.1.1.12:80', forwarding: tunnel, {place}}}}}\n"
    assert good(crossed).services
    assert codes_of(crossed + "ipvs: {sync: {interface: eth1, role: both}}\n") == ["2:8 CFG053"]


NOBODY = Fields(Place("lvsd.yaml"))
HERE, THERE = Place("a", 1, 1), Place("b", 2, 1)


def said(parts: list[Part]) -> tuple[Daemon, Ipvs, list[str]]:
    """What parts alone come to, and the problems."""
    reading = Reading(FilesInMemory())
    daemon = build_daemon(NOBODY, parts, reading)
    ipvs = build_ipvs(NOBODY, parts, [], [], reading)
    return daemon, ipvs, [f"{one.file}:{one.line} {one.code}" for one in reading.problems(())]


def test_other_files_bring_settings_too() -> None:
    sync = ConnectionSync("eth1", SyncRole.BOTH)
    parts = [
        Part(autoreload=True, on_config_change=At(("/bin/x",), HERE)),
        Part(maintenance_directory=At("/m", THERE), ipvs=At(Ipvs(Timeouts(tcp=5)), THERE)),
        Part(ipvs=At(Ipvs(sync=sync), HERE)),
    ]
    daemon = Daemon(autoreload=True, on_config_change=("/bin/x",), maintenance_directory="/m")
    assert said(parts) == (daemon, Ipvs(Timeouts(tcp=5), sync), [])


def test_where_other_files_differ_the_first_counts_and_it_is_told() -> None:
    parts = [
        Part(
            maintenance_directory=At("/m", HERE), on_config_change=At(("/x",), HERE), ipvs=At(Ipvs(Timeouts(5)), HERE)
        ),
        Part(
            maintenance_directory=At("/n", THERE),
            on_config_change=At(("/x",), THERE),
            ipvs=At(Ipvs(Timeouts(6)), THERE),
        ),
    ]
    assert said(parts) == (
        Daemon(on_config_change=("/x",), maintenance_directory="/m"), Ipvs(Timeouts(5)), ["b:2 CFG035", "b:2 CFG035"],
    )  # fmt: skip
