"""The guide's ldirectord.cf gives the services of examples/iredmail, apart from what it says otherwise."""

from __future__ import annotations

from pathlib import Path

import msgspec

from config.checks import ImapCheck, MysqlCheck, SmtpCheck, TlsMode
from config.load import load
from config.model import Config, RealServer, VirtualService
from tests.unit.config.files_in_memory import FilesInMemory

ROOT = Path(__file__).parents[3]
GUIDE = (Path(__file__).parent / "guide.cf").read_text()
SECRETS = {"/etc/lvsd/vrrp.secret": "8letters\n", "/etc/lvsd/mysql.secret": "monitoringPassw0rd\n"}
LB1 = (ROOT / "examples/iredmail/lb1.yaml").read_text()


def loaded(*paths: str) -> Config:
    files = FilesInMemory(
        {"ldirectord.cf": GUIDE, "lb1.yaml": LB1, "vrrp.yaml": LB1.partition("\ndefaults:")[0], **SECRETS}
    )
    config = load(paths, files).config
    assert config is not None
    return config


def bare(service: VirtualService) -> VirtualService:
    """A service without its name and its checks."""
    reals = tuple(msgspec.structs.replace(one, check=service.real_servers[0].check) for one in service.real_servers)
    return msgspec.structs.replace(service, name="", real_servers=tuple(map(unchecked, reals)))


def unchecked(real: RealServer) -> RealServer:
    return msgspec.structs.replace(real, check=loaded("lb1.yaml").services[0].real_servers[0].check)


def test_the_table_is_that_of_the_example() -> None:
    assert list(map(bare, loaded("ldirectord.cf").services)) == list(map(bare, loaded("lb1.yaml").services))


def test_the_services_have_ldirectords_names() -> None:
    assert [one.name for one in loaded("ldirectord.cf").services] == [
        f"tcp:1.1.1.12:{port}" for port in (3306, 80, 443, 993, 995, 465)
    ]


def test_the_checks_differ_in_what_the_file_says_otherwise() -> None:
    mine, example = loaded("ldirectord.cf").services, loaded("lb1.yaml").services
    kinds = [
        (one.real_servers[0].check.kind, other.real_servers[0].check.kind)
        for one, other in zip(mine, example, strict=True)
    ]
    (mysql, theirs), http, https, imaps, pops, (smtp, smtps) = kinds
    assert isinstance(mysql, MysqlCheck)
    assert isinstance(theirs, MysqlCheck)
    assert mysql.query == "SELECT * from monitoring.monitoring;"
    assert mysql == msgspec.structs.replace(theirs, query=mysql.query, galera=None)
    assert http[0] == http[1]
    assert https[0] == https[1]
    assert imaps[0] == imaps[1] == ImapCheck(TlsMode.IMPLICIT)
    assert pops[0] == pops[1]
    assert smtp == SmtpCheck(TlsMode.NONE, helo="localhost.localdomain")
    assert smtps == SmtpCheck(TlsMode.IMPLICIT)


def test_the_timing_is_that_of_the_file_and_of_ldirectord() -> None:
    timings = {real.check.timing for one in loaded("ldirectord.cf").services for real in one.real_servers}
    (timing,) = timings
    assert (timing.interval, timing.timeout, timing.rise, timing.fall) == (5.0, 30.0, 1, 3)


def test_what_is_told() -> None:
    found = load(["ldirectord.cf"], FilesInMemory({"ldirectord.cf": GUIDE}))
    assert [(one.line, one.code) for one in found.problems] == [(1, "CFG107"), (17, "CFG108"), (42, "CFG110")]


def test_beside_a_yaml_with_the_vrrp_instance() -> None:
    config = loaded("ldirectord.cf", "vrrp.yaml")
    assert config.services == loaded("ldirectord.cf").services
    assert config.vrrp == loaded("lb1.yaml").vrrp
