"""The guide's keepalived.conf on both balancers, and keepalived's verdicts beside lvsd's."""

from __future__ import annotations

import re
from pathlib import Path

import msgspec
import pytest

from config.load import load
from config.model import Config
from config.secret import Secret
from tests.unit.config.files_in_memory import FilesInMemory

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[2] / "examples/iredmail"
GUIDES_PASSWORD = "mySuperSecretPassw0rd"
SECRETS = {"/etc/lvsd/vrrp.secret": f"{GUIDES_PASSWORD}\n", "/etc/lvsd/mysql.secret": "x\n"}


def config_of(path: Path) -> Config:
    """The configuration of a file."""
    found = load([str(path)], FilesInMemory({str(path): path.read_text(), **SECRETS}))
    assert found.config is not None
    return found.config


@pytest.mark.parametrize("balancer", ["lb1", "lb2"])
def test_the_guides_file_means_what_the_example_means(balancer: str) -> None:
    (original,) = config_of(HERE / f"guide_{balancer}.conf").vrrp
    (example,) = config_of(EXAMPLES / f"{balancer}.yaml").vrrp
    assert original.name == "VI_1"
    assert original.password == Secret(GUIDES_PASSWORD)
    assert msgspec.structs.replace(original, name=example.name) == example


def test_both_files_of_the_guide_together() -> None:
    services = "virtual=1.1.1.12:80\n\treal=1.1.1.17:80 gate\n\tservice=http\n\tscheduler=sh\n\tprotocol=tcp\n"
    files = FilesInMemory({"ldirectord.cf": services, "keepalived.conf": (HERE / "guide_lb1.conf").read_text()})
    found = load(["ldirectord.cf", "keepalived.conf"], files)
    assert found.config is not None
    assert [one.name for one in found.config.vrrp] == ["VI_1"]
    assert len(found.config.services) == 1
    assert not [one for one in found.problems if one.code == "CFG064"]  # the instance moves the service's address


_CASE = re.compile(r"=== (?P<name>.+)\n--- keepalived: (?P<theirs>.+)\n--- lvsd: (?P<ours>.+)\n")


def cases() -> dict[str, tuple[str, str, str]]:
    """What each says, and the file, by name."""
    text = (HERE / "verdicts.txt").read_text()
    heads = list(_CASE.finditer(text))
    ends = [*(head.start() for head in heads[1:]), len(text)]
    return {
        head["name"]: (head["theirs"], head["ours"], text[head.end() : end])
        for head, end in zip(heads, ends, strict=True)
    }


CASES = cases()


@pytest.mark.parametrize("name", CASES)
def test_verdicts(name: str) -> None:
    _theirs, ours, text = CASES[name]
    found = load(["keepalived.conf"], FilesInMemory({"keepalived.conf": text}))
    told = " ".join(f"{one.line}:{one.column}:{one.code}" for one in found.problems)
    assert f"{int(found.config is None)} {told}".strip() == ours


def test_lvsd_refuses_whatever_keepalived_does_not_run_with() -> None:
    ends = {name for name, (theirs, _ours, _text) in CASES.items() if not theirs.endswith(" runs")}
    assert len(ends) == 5
    assert all(CASES[name][1].startswith("1 ") for name in ends)


def test_whatever_keepalived_reports_is_told() -> None:
    reported = {name for name, (theirs, _ours, _text) in CASES.items() if theirs.startswith("5 ")}
    silent = {name for name in reported if len(CASES[name][1].split()) == 1}
    assert not silent
